//! Faces in the status of a node: as many as an answer has room for.

use kozo_status::RoleStatus;

/// How many bytes the faces of all roles take in one answer: a quarter of what an answer to another node has room
/// for, so that a node with very many is still told of.
const MAX_TOLD: usize = 256 * 1024;

/// Leaves out the faces that no answer has room for, and counts them.
pub(super) fn bound(roles: &mut [RoleStatus]) {
    let mut room = MAX_TOLD;
    for role in roles {
        let fits = role.faces.iter().take_while(|face| {
            let left = room.checked_sub(face.size());
            room = left.unwrap_or(0);
            left.is_some()
        });
        let fits = fits.count();
        role.faces_left_out += role.faces.len() - fits;
        role.faces.truncate(fits);
    }
}

#[cfg(test)]
mod tests {
    use kozo_faces::{Face, FaceKind};
    use kozo_link::MAX_ANSWER_LEN;
    use serde_json::json;

    use super::*;

    fn role(faces: Vec<Face>) -> RoleStatus {
        let role = json!({
            "name": "a", "module": "a", "state": "running", "restart_in_seconds": null, "restarts": 0,
            "failures": 0, "last_error": null, "lines_left_out": 0,
            "inbox": {
                "waiting": 0, "bytes": 0, "length_limit": 0, "size_limit": 0, "received": 0, "taken": 0,
                "dropped_by_limit": 0, "dropped_by_age": 0, "dropped_by_stop": 0,
            },
        });
        let role: RoleStatus = serde_json::from_value(role).unwrap();
        RoleStatus { faces, ..role }
    }

    fn choice(options: usize) -> Face {
        Face {
            options: vec!["x".repeat(64); options],
            ..Face::new("choice", FaceKind::Select)
        }
    }

    #[test]
    fn what_has_no_room_in_an_answer_is_left_out_and_counted() {
        let mut roles: Vec<_> = (0..20).map(|_| role(vec![choice(64); 32])).collect();
        roles.push(role(vec![choice(1)]));
        bound(&mut roles);
        let told: usize = roles.iter().map(|role| role.faces.len()).sum();
        let left_out: usize = roles.iter().map(|role| role.faces_left_out).sum();
        assert_eq!(told + left_out, 20 * 32 + 1);
        assert!(told >= 32, "{told}");
        assert_eq!(roles[20].faces_left_out, 1);
        let bytes = rmp_serde::to_vec_named(&roles).unwrap();
        assert!(bytes.len() < MAX_ANSWER_LEN / 2, "{}", bytes.len());
    }

    #[test]
    fn what_has_room_is_told() {
        let mut roles = vec![role(vec![choice(1); 2]), role(Vec::new())];
        bound(&mut roles);
        assert_eq!((roles[0].faces.len(), roles[0].faces_left_out), (2, 0));
    }
}
