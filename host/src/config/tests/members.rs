//! Groups: blocks for all nodes that a file of members names.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use kozo_auth::keys;
use kozo_ground::interest::{Interest, Interests, Pattern};
use kozo_ground::names::NodeName;
use tempfile::TempDir;

use super::*;
use crate::config::{MAX_MEMBERS, MAX_MEMBERS_FILE_SIZE, Reach};

const KEYS: [&str; 4] = [
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAII980r7twgcFRUiaPVIqU9kh5Tu7r+3U7rk7HycWq9HI",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKhNzgFoZY7rYf8axBqzfVaxB6Q0Wlt5t1FpNyUonFxq",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPDP7uMzy+22Z87nzp0Z9PkNGTmc6cF4Ba5y4AzeSR23",
    KEY_B,
];

const FLEET: &str = "\
buses:
  fleet: {type: engine, servers: 'one.example:4222'}
system:
  hub:
    privateKey: key
    publicKey: KEY_A
    roleStorage: storage
    transports: {fleet: , tcp: {address: hub.local}}
    roles:
      cuckoo: {acceptOrdersFrom: ['field-*', f-01, f-09]}
  field:
    members: field.keys
    privateKey: key
    heartbeat:
    transports: {fleet: }
    roles:
      timer: {tick: 60}
  house:
    members: more.keys
    privateKey: key
    transports: {tcp: {address: h}}
";

/// A folder with files of members, in which `K0` to `K3` stand for keys.
struct Scene(TempDir);

impl Scene {
    fn new(field: &str, more: &str) -> Self {
        let scene = Self(tempfile::tempdir().unwrap());
        scene.write("field.keys", field);
        scene.write("more.keys", more);
        scene
    }

    fn path(&self, file: &str) -> String {
        self.0.path().join(file).display().to_string()
    }

    fn write(&self, file: &str, text: &str) {
        let keys = (0..).zip(KEYS);
        let text = keys.fold(text.to_owned(), |text, (number, key)| {
            text.replace(&format!("K{number}"), key)
        });
        fs::write(self.path(file), text).unwrap();
    }

    fn document(&self, text: &str) -> Document {
        let text = text.replace("KEY_A", KEY_A).replace("    heartbeat:\n", "");
        Document::parse("net.yaml", self.0.path(), text.as_bytes()).unwrap()
    }

    fn load(&self, text: &str, local: Option<&str>) -> Result<(Network, Problems), Problems> {
        let local = local.map(|name| NodeName::new(name).unwrap());
        self.document(text).network(Modules::all(), local.as_ref())
    }

    fn network(&self, local: Option<&str>) -> Network {
        let text = FLEET.replace(", f-09", "").replace("'field-*', ", "");
        let loaded = self.load(&text, local);
        let (network, warnings) = loaded.unwrap_or_else(|problems| panic!("{problems}"));
        assert!(warnings.is_empty(), "{warnings}");
        network
    }

    fn report(&self, text: &str) -> String {
        let report = match self.load(text, Some("hub")) {
            Ok((_, warnings)) => warnings.to_string(),
            Err(problems) => problems.to_string(),
        };
        report.replace(self.0.path().to_str().unwrap(), "DIR")
    }
}

fn name(name: &str) -> NodeName {
    NodeName::new(name).unwrap()
}

/// Two of the field, and one in the house with two keys.
fn scene() -> Scene {
    Scene::new(
        "# the field\n\nf-01 K0 at the gate\r\n  f-02\tK1\n",
        "\u{feff}h-1 K2\nh-1 K3 the new one\n",
    )
}

#[test]
fn each_line_is_a_node_with_the_block() {
    let scene = scene();
    let network = scene.network(None);
    let names: Vec<_> = network.names().map(NodeName::as_str).collect();
    assert_eq!(names, ["hub", "f-01", "f-02", "h-1"]);
    assert_eq!(network.size(), 4);
    let own: Vec<_> = network.nodes.keys().map(NodeName::as_str).collect();
    assert_eq!(own, ["hub"]);

    let [field, house] = &network.groups[..] else {
        panic!("{:?}", network.groups);
    };
    assert_eq!((field.name.as_str(), field.members), ("field", 2));
    assert_eq!((house.name.as_str(), house.members), ("house", 1));
    assert_eq!(field.file, Path::new(&scene.path("field.keys")));
    assert_eq!(network.group_of("f-02").unwrap().name, name("field"));
    assert!(network.group_of("hub").is_none());
    let block = network.block("f-01").unwrap();
    assert_eq!(block.roles[0].name.as_str(), "timer");
    assert!(network.block("field").is_none(), "a group is no node");
    assert!(network.name("f-01").is_some() && network.name("field").is_none());

    let key = |line: &str| keys::parse_public(line).unwrap();
    assert_eq!(network.keys.holder(&key(KEYS[1])), Some(&name("f-02")));
    assert!(network.keys.holds("h-1", &key(KEYS[2])));
    assert!(network.keys.holds("h-1", &key(KEYS[3])));
    assert!(!network.keys.holds("f-01", &key(KEYS[1])));
}

#[test]
fn the_node_that_runs_has_a_block_with_its_own_name() {
    let network = scene().network(Some("f-02"));
    let own = network.node(&name("f-02")).unwrap();
    assert_eq!(own.name, name("f-02"));
    assert_eq!(own.block_name(), &name("field"));
    assert_eq!(own.public_keys, [keys::parse_public(KEYS[1]).unwrap()]);
    let options = own.buses[0].options.as_ref().unwrap();
    assert_eq!(options.value("user").unwrap().to_string(), "f-02");
    // It is one of the nodes, and is there once.
    assert_eq!(network.size(), 4);
    assert_eq!(network.names().count(), 4);
    assert_eq!(network.group_of("f-02").unwrap().name, name("field"));
    assert_eq!(network.groups[0].members, 2);
    let others = network.other_blocks(&name("f-02"));
    let others: Vec<_> = others.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(others, ["hub", "f-01", "h-1"]);
}

#[test]
fn members_reach_others_as_nodes_do() {
    let network = scene().network(Some("hub"));
    let reach = |one: &str, other: &str| {
        let (one, other) = (name(one), name(other));
        let found = network.reach(&one, &other);
        assert_eq!(found, network.reach(&other, &one));
        found
    };
    let fleet = &network.buses[0].name;
    assert_eq!(reach("hub", "f-01"), Reach::Bus(fleet));
    assert_eq!(reach("f-01", "f-02"), Reach::Bus(fleet));
    assert_eq!(reach("hub", "h-1"), Reach::Links);
    assert_eq!(reach("h-1", "f-01"), Reach::Not);
    assert_eq!(reach("hub", "field"), Reach::Not);
    let linked = network.linked_with(&name("hub"));
    let linked: Vec<_> = linked.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(linked, ["h-1"]);
    let receivers = network.receivers_on(fleet, &name("hub"));
    assert_eq!(receivers.len(), 1, "a group counts once");
    assert_eq!(receivers[0].roles[0].name.as_str(), "timer");
}

#[test]
fn who_may_send_what_a_node_wants_is_known_by_its_roles() {
    let network = scene().network(Some("hub"));
    let fleet = &network.buses[0].name;
    let senders = |own: &str, role: &str, node: Option<&str>| -> Vec<_> {
        let interest = Interest {
            role: Some(vec![Pattern::new(role)]),
            node: node.map(|node| vec![Pattern::new(node)]),
            ..Interest::default()
        };
        let own = name(own);
        let senders = network.senders_on(fleet, &own, &interest);
        senders.map(NodeName::as_str).collect()
    };
    assert_eq!(senders("hub", "timer", None), ["f-01", "f-02"]);
    assert_eq!(senders("f-01", "t*r", None), ["f-02"], "but itself");
    assert_eq!(senders("hub", "timer", Some("*2")), ["f-02"]);
    assert_eq!(senders("hub", "other", None), [""; 0]);
    // Over links, if at all.
    assert_eq!(senders("h-1", "timer", None), [""; 0]);
}

#[test]
fn what_depends_on_the_name_of_a_member_is_a_pattern_for_others() {
    let network = scene().network(Some("hub"));
    let block = &network.groups[0].block;
    let options = block.buses[0].options.as_ref().unwrap();
    assert_eq!(options.value("user").unwrap().to_string(), "*");
    assert!(matches!(block.roles[0].interests, Interests::Known(_)));
}

#[test]
fn a_name_that_no_member_has_is_told() {
    let report = scene().report(FLEET);
    assert_eq!(
        report,
        "warning: net.yaml:10:7: system.hub.roles.cuckoo.acceptOrdersFrom: no node of this file fits `field-*`\n    \
         help: check the name: nobody there can give this role an order\n\
         warning: net.yaml:10:7: system.hub.roles.cuckoo.acceptOrdersFrom: no node of this file fits `f-09`\n    \
         help: check the name: nobody there can give this role an order"
    );
}

/// [`FLEET`] without what is warned of.
fn fleet() -> String {
    FLEET.replace("['field-*', f-01, f-09]", "['f*']")
}

#[test]
fn mistakes_in_a_file_of_members_have_its_name_and_line() {
    let scene = Scene::new(
        "f-01 K0\nf 02 K1\nK2\nf-03\nf-04 ssh-ed25519 AAAA\nf/5 K1\n\u{e9}\n",
        "h-1 K3\n",
    );
    let form = "    help: write `NAME ssh-ed25519 AAAA... comment`: the node's name, and the line of its `.pub` file\n";
    assert_eq!(
        scene.report(&fleet()) + "\n",
        format!(
            "error: DIR/field.keys:2:3: f: before the type `ssh-ed25519` stands `02`, which may be the name of a host, for the file `known_hosts`\n    help: begin with the type of the key, and leave out what stands before it\n\
             error: DIR/field.keys:3:1: the name of the node is missing before its key\n{form}\
             error: DIR/field.keys:4:1: behind the name `f-03` stands no key\n{form}\
             error: DIR/field.keys:5:6: f-04: this is not a public key of OpenSSH: the key is cut short or has a wrong character (length invalid)\n{KEY_HELP}\
             error: DIR/field.keys:6:1: `f/5` is not the name of a node: '/' may not stand in a name: use letters, digits, `.`, `_` and `-`\n{form}\
             error: DIR/field.keys:7:1: `é` is no name of a node with its key\n{form}",
        )
    );
}

const KEY_HELP: &str = "    help: copy the whole line of the `.pub` file: `ssh-ed25519 AAAA... comment`, `ssh-rsa AAAA...` or `ecdsa-sha2-nistp256 AAAA...`\n";

#[test]
fn names_and_keys_that_others_have_are_found() {
    let scene = Scene::new("hub K0\nfield K1\nf-01 K2\nf-01 K2\n", "f-01 K3\nh-2 K0\n");
    scene.write("more.keys", &format!("f-01 K3\nh-2 K0\nh-3 {KEY_A}\n"));
    assert_eq!(
        scene.report(&fleet()),
        "error: DIR/field.keys:1:1: hub: the node `hub` has a block of its own\n    \
         help: give each node a name of its own, and one block\n\
         error: DIR/field.keys:2:1: field: the name `field` is that of a group\n    \
         help: give each node a name of its own, and one block\n\
         warning: DIR/field.keys:4:1: f-01: the same key stands here twice\n    \
         help: remove one of them\n\
         error: DIR/more.keys:1:1: f-01: `f-01` is a member of `field`, too\n    \
         help: give each node a name of its own, and one block\n\
         error: DIR/more.keys:2:1: h-2: the nodes `hub` and `h-2` have the same public key\n    \
         help: make a key pair for each node: it is what tells them apart\n\
         error: DIR/more.keys:3:1: h-3: the nodes `hub` and `h-3` have the same public key\n    \
         help: make a key pair for each node: it is what tells them apart"
    );
}

#[test]
fn a_group_has_no_key_in_its_block() {
    let text = fleet().replace("    heartbeat:\n", &format!("    publicKey: {}\n", KEYS[3]));
    assert_eq!(
        scene().report(&text),
        "error: net.yaml:14:5: system.field.publicKey: the keys of members stand in their file\n    \
         help: remove the option here, or the option `members` for a single node"
    );
}

#[test]
fn files_that_are_none_are_told_where_they_are_named() {
    let scene = scene();
    let missing = scene.report(&fleet().replace("field.keys", "other.keys"));
    assert_eq!(
        missing,
        "error: net.yaml:12:14: system.field.members: the file of members `DIR/other.keys` cannot be read: \
         No such file or directory (os error 2)\n    help: make it, with a line `NAME ssh-ed25519 AAAA...` \
         for each member; a relative path starts at the folder of this file"
    );
    let folder = scene.report(&fleet().replace("field.keys", "."));
    assert!(folder.contains("DIR/.` is a folder"), "{folder}");
    let device = scene.report(&fleet().replace("field.keys", "/dev/zero"));
    assert!(device.contains("is no file that has an end"), "{device}");
    let same = scene.report(&fleet().replace("field.keys", "more.keys"));
    assert_eq!(
        same,
        "error: net.yaml:18:14: system.house.members: `field` has the same file\n    \
         help: give each group a file of its own: a node has one block"
    );
    fs::write(
        scene.path("field.keys"),
        "#".repeat(MAX_MEMBERS_FILE_SIZE + 1),
    )
    .unwrap();
    let large = scene.report(&fleet());
    assert!(large.contains("is larger than 16777216 bytes"), "{large}");
}

#[test]
fn an_empty_file_of_members_describes_nobody() {
    let scene = Scene::new("# nobody yet\n", "h-1 K1\n");
    let report = scene.report(&fleet().replace("'f*'", "h-1"));
    assert_eq!(
        report,
        "warning: net.yaml:12:14: system.field.members: the file of members has none, so this block describes no node\n    \
         help: add a line `NAME ssh-ed25519 AAAA...` for each node"
    );
}

#[test]
fn where_every_line_is_wrong_only_the_lines_are_told_of() {
    let scene = Scene::new("f-01\nf-02 no key\n", "h-1 K1\n");
    let report = scene.report(&fleet().replace("'f*'", "h-1"));
    assert!(
        report.contains("DIR/field.keys:1:1: behind the name `f-01` stands no key"),
        "{report}"
    );
    assert!(report.contains("DIR/field.keys:2:6: "), "{report}");
    assert!(!report.contains("describes no node"), "{report}");
}

#[test]
fn a_private_key_that_is_none_of_a_members_is_held_against_its_lines() {
    let scene = scene();
    let key = keys::generate(keys::NewKey::Ed25519, "").unwrap();
    let said = |node: &str| {
        let network = scene.network(Some(node));
        let error = network.nodes[&name(node)].check_key(&key).unwrap_err();
        error
            .to_string()
            .replace(scene.0.path().to_str().unwrap(), "DIR")
    };
    let of_one = said("f-01");
    let expected = "does not belong to the node: its key on line 3 of `DIR/field.keys` is SHA256:";
    assert!(of_one.contains(expected), "{of_one}");
    let of_two = said("h-1");
    assert!(
        of_two.contains("its key on lines 1 and 2 of `DIR/more.keys` is"),
        "{of_two}"
    );
    assert!(said("hub").contains("its `publicKey` is "));
}

#[test]
fn a_group_is_told_from_a_node_with_its_members() {
    let network = scene().network(None);
    let (message, help) = network.told_of_group("field").unwrap();
    assert_eq!(message, "`field` is a group of nodes, and not a node");
    assert_eq!(help, "name one of its members: `f-01` and `f-02`");
    assert_eq!(network.told_of_group("f-01"), None);
}

#[test]
fn there_are_not_more_members_than_allowed() {
    // The same line again and again: what is counted is lines.
    let line = format!("f-01 {}\n", KEYS[0]);
    let scene = Scene::new(&line.repeat(MAX_MEMBERS + 1), "");
    let report = scene.report(&fleet());
    assert!(
        report.contains(&format!(
            "DIR/field.keys:{}:1: there are more than {MAX_MEMBERS} keys of members",
            MAX_MEMBERS + 1
        )),
        "{}",
        &report[report.len() - 300..]
    );
}

#[test]
fn what_only_one_node_can_have_is_no_matter_of_a_group() {
    let text = fleet().replace(
        "transports: {tcp: }",
        "transports: {tcp: {address: 192.0.2.1}}",
    );
    assert_eq!(scene().report(&text), "", "it has one member");
    let scene = Scene::new("f-01 K0\n", "h-1 K1\nh-2 K2\n");
    assert_eq!(
        scene.report(
            &text
                .replace("{fleet: }", "{fleet: {user: me}}")
                .replace("house:\n", "house:\n    roleStorage: s\n")
        ),
        "",
        "the fixture of tcp claims nothing"
    );
    let scene = Scene::new("f-01 K0\nf-02 K1\n", "h-1 K2\n");
    assert_eq!(
        scene.report(&fleet().replace("{fleet: }", "{fleet: {user: me}}")),
        "warning: net.yaml:14:32: system.field.transports.fleet.user: all 2 members of `field` have the user me of the engine\n    \
         help: only one node can have it: give that one a block of its own"
    );
}

#[test]
fn a_group_is_not_run() {
    let document = scene().document(&fleet());
    let said = document
        .require_node(&name("field"))
        .unwrap_err()
        .to_string();
    assert_eq!(
        said,
        "error: net.yaml: system: `field` is a group of nodes, and not a node\n    \
         help: name one of its members: `f-01` and `f-02`"
    );
    assert!(document.require_node(&name("f-02")).is_ok());
    let said = document
        .require_node(&name("f-03"))
        .unwrap_err()
        .to_string();
    assert!(
        said.contains("no node of this file is called `f-03`"),
        "{said}"
    );
    let others: Vec<_> = document.others(Some(&name("f-02"))).collect();
    assert_eq!(others, [name("hub"), name("h-1")]);
}

#[test]
fn a_group_may_have_root_options_and_folders_of_its_own() {
    let text = fleet().replace(
        "    heartbeat:\n",
        "    overrideMainConfiguration: {heartbeat: 77, rolePath: theirs}\n",
    );
    let scene = scene();
    let (network, _) = scene.load(&text, Some("f-01")).unwrap();
    assert_eq!(network.nodes["f-01"].settings.heartbeat.as_secs(), 77);
    assert_eq!(network.groups[0].block.settings.heartbeat.as_secs(), 77);
    let paths = scene.document(&text).search_paths(Some(&name("f-01")));
    assert_eq!(paths.roles, [scene.0.path().join("theirs")]);
    assert!(
        scene
            .document(&text)
            .search_paths(Some(&name("hub")))
            .roles
            .is_empty()
    );
}

#[test]
fn the_digest_is_of_the_files_of_members_as_well() {
    let scene = scene();
    let before = scene.network(Some("hub")).digest;
    assert_eq!(scene.network(Some("f-01")).digest, before);
    scene.write("field.keys", "f-01 K0\n");
    assert_ne!(scene.network(Some("hub")).digest, before);
}

#[test]
fn a_file_of_members_that_everybody_may_change_is_told() {
    use std::os::unix::fs::PermissionsExt;
    let scene = scene();
    let file = scene.path("field.keys");
    symlink(&file, scene.path("link.keys")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
    let report = scene.report(&fleet().replace("field.keys", "link.keys"));
    // Only root is told.
    assert_eq!(
        report.contains(
            "error: net.yaml:12:14: system.field.members: every user may write to `DIR/field.keys`"
        ),
        rustix::process::geteuid().is_root(),
        "{report}"
    );
}
