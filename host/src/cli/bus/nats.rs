//! The block `authorization` of nats-server.

use std::fmt::Write as _;

use super::rights::User;
use crate::cli::arguments::LoginWord;

/// All of it.
pub(super) fn write(users: &[User], login: LoginWord) -> String {
    let mut text = String::from(variables(login));
    text.push_str("authorization {\n  users = [\n");
    for user in users {
        let name = &user.name;
        let who = match login {
            LoginWord::Password => {
                format!("user: \"{name}\", password: $password_{}", variable(name))
            }
            LoginWord::Nkey => format!("nkey: $nkey_{}", variable(name)),
            LoginWord::Certificate => format!("user: \"{name}\""),
        };
        let permissions = &user.permissions;
        let _ = write!(
            text,
            "    {{\n      {who}\n      permissions: {{\n        publish: [{}]\n        subscribe: [{}]\n      }}\n    }}\n",
            list(&permissions.publish),
            list(&permissions.subscribe),
        );
    }
    text.push_str("  ]\n}\n");
    text
}

/// Where the server finds what only its administrator knows. What is included sees nothing of the files beside it, so
/// it has to be this text that includes them.
fn variables(login: LoginWord) -> &'static str {
    match login {
        LoginWord::Password => {
            "\
# In the file beside this one stands a line for each user: password_NODE: \"$2a$11$...\"
include \"passwords.conf\"

"
        }
        LoginWord::Nkey => {
            "\
# In the file beside this one stands a line for each node: nkey_NODE: UD...
include \"nkeys.conf\"

"
        }
        LoginWord::Certificate => "",
    }
}

fn list(patterns: &[String]) -> String {
    let quoted: Vec<_> = patterns
        .iter()
        .map(|pattern| format!("\"{pattern}\""))
        .collect();
    quoted.join(", ")
}

/// A name as a part of that of a variable, in which nothing may stand that means something there.
fn variable(name: &str) -> String {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    name.chars()
        .map(|c| if fits(c) { c } else { '_' })
        .collect()
}
