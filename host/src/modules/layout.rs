//! Whether the types of a module's interface are those of this host's.

use abi_stable::abi_stability::abi_checking::{
    AbiInstability, AbiInstabilityErrors, check_layout_compatibility,
};
use abi_stable::type_layout::{TLFieldOrFunction, TypeLayout};
use kozo_abi::Version;

/// Compares the root module of a library, which has this version, with the host's own.
///
/// A newer minor version has more fields at the ends of its tables, and `abi_stable` accepts that
/// in one direction only: the second type may have more than the first. Both directions are sound,
/// because a table carries its own length, and a field that is not there reads as none.
///
/// # Errors
/// The first difference, in words.
pub(super) fn check(
    own: &'static TypeLayout,
    of_module: &'static TypeLayout,
    module: Version,
) -> Result<(), String> {
    let checked = if module < kozo_abi::VERSION {
        check_layout_compatibility(of_module, own)
    } else {
        check_layout_compatibility(own, of_module)
    };
    checked.map_err(|errors| difference(&errors))
}

/// Where two interfaces differ, out of a report of hundreds of lines: every error in it comes with
/// the way from the root to it, and the longest way leads to the cause.
fn difference(errors: &AbiInstabilityErrors) -> String {
    let deepest = errors
        .errors
        .iter()
        .filter(|error| !error.errs.is_empty())
        .max_by_key(|error| error.stack_trace.len());
    let Some(deepest) = deepest else {
        return "the difference is unknown".to_owned();
    };
    let what = deepest.errs.iter().find_map(|error| match error {
        AbiInstability::Name(types) => Some(format!(
            "is `{}` in one, `{}` in the other",
            types.expected, types.found
        )),
        AbiInstability::UnexpectedField(fields) => Some(format!(
            "has `{}` in one where the other has `{}`",
            fields.expected.name(),
            fields.found.name()
        )),
        _ => None,
    });
    let what = what.unwrap_or_else(|| "is not the same in both".to_owned());
    let fields: Vec<_> = deepest
        .stack_trace
        .iter()
        .filter_map(|step| match &step.expected {
            TLFieldOrFunction::Field(field) => Some(field),
            TLFieldOrFunction::Function(_) => None,
        })
        .collect();
    match fields.as_slice() {
        // The first is the way to the root module itself.
        [] | [_] => format!("what it exports {what}"),
        [.., owner, field] if is_named(field.name()) => {
            format!("`{}` of `{}` {what}", field.name(), owner.layout().name())
        }
        [.., field] => format!("`{}` {what}", field.layout().name()),
    }
}

/// Whether somebody gave a field its name: what a pointer points to, and what a function takes,
/// are fields as well.
fn is_named(name: &str) -> bool {
    !name.starts_with(|first: char| first.is_ascii_digit()) && !name.starts_with("param_")
}
