//! Syntax errors of YAML, in words for who wrote the file.

use granit_parser::{ErrorKind, Marker, ScanError};

use super::problem::{Place, Problem};

/// How deep lists and mappings may be nested.
pub const MAX_DEPTH: usize = 32;

/// The place that the parser calls so; its columns count from zero.
pub(crate) fn place_of(marker: &Marker) -> Place {
    Place {
        line: marker.line().max(1),
        column: marker.col() + 1,
    }
}

/// What is wrong when more than [`MAX_DEPTH`] collections are nested.
pub(crate) fn too_deep(place: Place) -> Problem {
    Problem::error(
        place,
        "",
        format!("lists and mappings are nested more than {MAX_DEPTH} deep"),
    )
}

/// What is wrong where reading had to stop, and what usually is the cause.
pub(crate) fn syntax_problem(error: &ScanError) -> Problem {
    let place = place_of(error.marker());
    let help = match error.kind() {
        ErrorKind::RecursionLimitExceeded => return too_deep(place),
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabInPlainScalar
        | ErrorKind::TabAtBlockScalarStart => "indent with spaces",
        ErrorKind::MissingAnchorOrAliasName => "a text that begins with `*` or `&` needs quotes",
        ErrorKind::UnexpectedCharacter { .. } => {
            "a text that begins with a special character needs quotes"
        }
        ErrorKind::UnclosedQuotedScalar | ErrorKind::InvalidQuotedScalarIndent => {
            "close the quotes on the line where the text ends"
        }
        ErrorKind::InvalidTrailingSingleQuotedScalar => {
            "a single quote inside of single quotes is written twice"
        }
        ErrorKind::UnclosedFlowCollection { .. } => "close the bracket",
        ErrorKind::MappingValueNotAllowed | ErrorKind::InvalidMappingValueWhitespace => {
            "a text that holds `: ` needs quotes; keys of one block have the same indentation"
        }
        ErrorKind::SimpleKeyExpected | ErrorKind::ExpectedBlockMappingKey => {
            "write `key: value`, with a space behind the colon and the same indentation for all keys of a block"
        }
        _ => "look for indentation, quotes and colons around this line",
    };
    Problem::error(place, "", format!("this is not YAML: {}", error.kind())).with_help(help)
}
