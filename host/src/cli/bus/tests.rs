//! What is printed, as engines read it.

use std::process::Command;

use kozo_auth::keys;
use kozo_description::Metadata;
use kozo_ground::names::NodeName;

use super::*;
use crate::config::{Catalog, Document, Lookup};

/// A module of buses that is called as that of NATS is.
struct OneModule(Metadata);

impl OneModule {
    fn new() -> Self {
        let text = include_str!("../../../tests/data/modules/engine.yaml");
        Self(Metadata::parse(text).unwrap())
    }
}

impl Catalog for OneModule {
    fn role(&self, module: &str) -> Lookup<'_> {
        self.transport(module)
    }

    fn transport(&self, _: &str) -> Lookup<'_> {
        Lookup::Missing {
            looked_in: Vec::new(),
            reason: None,
        }
    }

    fn bus(&self, module: &str) -> Lookup<'_> {
        match module {
            "nats" => Lookup::Found(&self.0),
            other => self.transport(other),
        }
    }
}

const FILE: &str = "\
buses:
  fleet: {type: nats, servers: 'n.example:4222'}
system:
  hub:
    privateKey: key
    publicKey: KEY_0
    transports: {tcp: , fleet: {}}
  house:
    privateKey: key
    publicKey: KEY_1
    transports: {tcp: , fleet: {through: hub}}
  field:
    members: field.keys
    privateKey: key
    transports: {fleet: {}}
  far:
    privateKey: key
    publicKey: KEY_2
    transports: {tcp: }
";

/// The users of the bus, for this text of a file with so many members.
fn users(text: &str, members: usize, prefix: &str) -> Vec<User> {
    let folder = tempfile::tempdir().unwrap();
    let key = |name: &str| {
        let key = keys::generate(keys::NewKey::Ed25519, name).unwrap();
        keys::public_line(&key)
    };
    let lines = (0..members).map(|number| format!("f-{number} {}\n", key("member")));
    std::fs::write(folder.path().join("field.keys"), lines.collect::<String>()).unwrap();
    let text = ["KEY_0", "KEY_1", "KEY_2"]
        .iter()
        .fold(text.to_owned(), |text, place| {
            text.replace(place, &key("node"))
        });
    let document = Document::parse("net.yaml", folder.path(), text.as_bytes()).unwrap();
    let network = document.network(&OneModule::new(), None);
    let (network, _) = network.unwrap_or_else(|problems| panic!("{problems}"));
    let bus = BusName::new("fleet").unwrap();
    let rights = Rights::of(&network, &bus, &subjects());
    rights.users(prefix)
}

fn subjects() -> Subjects {
    Subjects::new(BusName::new("fleet").unwrap(), &SubjectKey::public())
}

fn token(node: &str) -> String {
    let node = NodeName::new(node).unwrap();
    subjects().node(&node).to_string()
}

#[test]
fn each_node_may_publish_its_own_and_a_gateway_that_of_those_behind_it() {
    let users = users(FILE, 2, "");
    let names: Vec<_> = users.iter().map(|user| user.name.as_str()).collect();
    assert_eq!(
        names,
        ["f-0", "f-1", "hub"],
        "no user for those behind a gateway or elsewhere"
    );
    let (f_0, hub, house) = (token("f-0"), token("hub"), token("house"));
    let own = |token: &str| {
        [
            format!("kozo.fleet.m.*.*.*.*.{token}"),
            format!("kozo.fleet.here.{token}"),
        ]
    };
    let common = ["kozo.fleet.ask.*".to_owned(), "kozo.fleet.re.>".to_owned()];
    assert_eq!(
        users[0].permissions.publish,
        [own(&f_0), common.clone()].concat()
    );
    assert_eq!(
        users[0].permissions.subscribe,
        [
            "kozo.fleet.m.>".to_owned(),
            format!("kozo.fleet.ask.{f_0}"),
            format!("kozo.fleet.re.{f_0}.>"),
            "kozo.fleet.here.*".to_owned(),
        ]
    );
    assert_eq!(
        users[2].permissions.publish,
        [own(&hub), common, own(&house)].concat()
    );
    let heard = &users[2].permissions.subscribe;
    assert!(
        heard.contains(&format!("kozo.fleet.ask.{house}")),
        "{heard:?}"
    );
    assert_eq!(heard.len(), 6);
}

#[test]
fn users_are_those_of_the_file_or_have_a_prefix() {
    // The fixture's default is the name of the node.
    let text = FILE.replace(
        "transports: {tcp: , fleet: {}}",
        "transports: {tcp: , fleet: {user: boss}}",
    );
    let named = |prefix| -> Vec<String> {
        let users = users(&text, 1, prefix);
        users.into_iter().map(|user| user.name).collect()
    };
    assert_eq!(named(""), ["boss", "f-0"]);
    let text = FILE.replace("fleet: {}}", "fleet: {user: ''}}");
    let users = users(&text, 1, "CN=");
    let names: Vec<_> = users.iter().map(|user| user.name.as_str()).collect();
    assert_eq!(names, ["CN=f-0", "CN=hub"]);
}

#[test]
fn nodes_with_one_user_share_what_it_may() {
    let text = FILE.replace(
        "transports: {fleet: {}}",
        "transports: {fleet: {user: all}}",
    );
    let users = users(&text, 3, "");
    assert_eq!(users.len(), 2);
    assert_eq!(users[0].nodes.len(), 3);
    assert_eq!(users[0].permissions.publish.len(), 8);
    for node in ["f-0", "f-1", "f-2"] {
        let own = format!("kozo.fleet.here.{}", token(node));
        assert!(users[0].permissions.publish.contains(&own));
    }
}

#[test]
fn what_is_printed_for_nats_has_a_variable_for_each_password() {
    let users = users(FILE, 1, "u ");
    let hub = token("hub");
    let text = nats::write(&users, LoginWord::Password);
    let expected = format!(
        "      user: \"hub\", password: $password_hub\n      permissions: {{\n        publish: [\"kozo.fleet.m.*.*.*.*.{hub}\", "
    );
    assert!(text.contains(&expected), "{text}");
    let text = nats::write(&users, LoginWord::Nkey);
    assert!(text.contains("{\n      nkey: $nkey_hub\n"), "{text}");
    let text = nats::write(&users, LoginWord::Certificate);
    assert!(text.contains("{\n      user: \"hub\"\n"), "{text}");
}

#[test]
fn mosquitto_has_topics_for_subjects() {
    let text = mosquitto::write(&users(FILE, 1, ""), LoginWord::Password);
    let f_0 = token("f-0");
    let expected = format!(
        "user f-0\n\
         topic write kozo/fleet/m/+/+/+/+/{f_0}\n\
         topic write kozo/fleet/here/{f_0}\n\
         topic write kozo/fleet/ask/+\n\
         topic write kozo/fleet/re/#\n\
         topic read kozo/fleet/m/#\n\
         topic read kozo/fleet/ask/{f_0}\n\
         topic read kozo/fleet/re/{f_0}/#\n\
         topic read kozo/fleet/here/+\n\n"
    );
    assert!(text.starts_with(&expected), "{text}");
}

#[test]
fn users_that_would_mean_something_else_in_a_file_are_refused() {
    assert!(wrong_user("f-01.example@x y").is_none());
    for name in ["a\"b", "a\\b", "a\nb"] {
        assert!(wrong_user(name).is_some(), "{name}");
    }
}

/// Where the program is installed, it says whether it takes a configuration that includes what is printed, as
/// docs/fleet.md has it, with this file of variables beside it.
fn checked_by_nats_server(
    printed: &str,
    (name, variables): (&str, &str),
) -> Option<(bool, String)> {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("nats.conf", "include \"permissions.conf\"\n");
    write("permissions.conf", printed);
    write(name, variables);
    let output = Command::new("nats-server")
        .args(["-t", "-c"])
        .arg(folder.path().join("nats.conf"))
        .output();
    let output = match output {
        Ok(output) => output,
        Err(_) => {
            eprintln!("nats-server is not installed here: not checked by it");
            return None;
        }
    };
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Some((output.status.success(), said))
}

#[test]
fn nats_server_takes_what_is_printed() {
    let users = users(FILE, 50, "");
    let each = |line: &dyn Fn(&str) -> String| -> String {
        users.iter().map(|user| line(&user.name)).collect()
    };
    let passwords = each(&|name| format!("password_{name}: \"pass-{name}\"\n"));
    // Nobody has the same nkey twice, and the server takes no line that it has no use for.
    let nkey = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4";
    let nkeys = format!("nkey_{}: {nkey}\n", users[0].name);
    for (login, users, variables) in [
        (
            LoginWord::Password,
            &users[..],
            ("passwords.conf", passwords.as_str()),
        ),
        (LoginWord::Nkey, &users[..1], ("nkeys.conf", nkeys.as_str())),
        (LoginWord::Certificate, &users[..], ("unused", "")),
    ] {
        let Some((is_taken, said)) = checked_by_nats_server(&nats::write(users, login), variables)
        else {
            return;
        };
        assert!(is_taken, "{login:?}: {said}");
    }
    let printed = nats::write(&users, LoginWord::Password);
    let missing = checked_by_nats_server(&printed, ("passwords.conf", ""));
    assert!(
        missing.is_none_or(|(is_taken, _)| !is_taken),
        "a password that is missing is noticed"
    );
}
