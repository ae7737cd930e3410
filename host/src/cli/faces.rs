//! Faces of roles, in a few words.

use kozo_status::RoleStatus;

/// What a role is, as one looks at it: the kinds of its faces that are in use, and their classes. Not fit to be
/// shown yet, since they may be those of another node.
pub(super) fn shown_as(role: &RoleStatus) -> String {
    let enabled = role.faces.iter().filter(|face| face.enabled);
    let words = enabled.map(|face| match &face.class {
        Some(class) => format!("{} ({class})", face.kind),
        None => face.kind.to_string(),
    });
    words.collect::<Vec<_>>().join(", ")
}
