//! The access list of Mosquitto (`acl_file`).

use std::fmt::Write as _;

use super::rights::User;
use crate::cli::arguments::LoginWord;

/// All of it. Which password or certificate a user has stands elsewhere.
pub(super) fn write(users: &[User], _login: LoginWord) -> String {
    let mut text = String::new();
    for user in users {
        let _ = writeln!(text, "user {}", user.name);
        for pattern in &user.permissions.publish {
            let _ = writeln!(text, "topic write {}", topic(pattern));
        }
        for pattern in &user.permissions.subscribe {
            let _ = writeln!(text, "topic read {}", topic(pattern));
        }
        text.push('\n');
    }
    text
}

/// A pattern of subjects as one of topics.
fn topic(pattern: &str) -> String {
    let levels: Vec<_> = pattern
        .split('.')
        .map(|token| match token {
            "*" => "+",
            ">" => "#",
            token => token,
        })
        .collect();
    levels.join("/")
}
