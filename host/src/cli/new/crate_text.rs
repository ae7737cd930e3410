//! The files of a new crate, from the templates beside this file.

use kozo_ground::names::ModuleName;

use super::super::arguments::NewKind;

/// Names that the templates use themselves, or that Rust does not let types have.
const TAKEN: [&str; 40] = [
    "BTreeSet",
    "Box",
    "BufRead",
    "BufReader",
    "Bus",
    "Condvar",
    "Connected",
    "Connection",
    "Delivered",
    "Deserialize",
    "Duration",
    "Err",
    "Error",
    "Incoming",
    "Kind",
    "Limits",
    "Mutex",
    "MutexGuard",
    "None",
    "Ok",
    "OnceLock",
    "Option",
    "Options",
    "Peer",
    "PoisonError",
    "Publish",
    "Read",
    "Readiness",
    "Result",
    "Role",
    "Self",
    "Shutdown",
    "Some",
    "StartedBus",
    "State",
    "String",
    "Transport",
    "Vec",
    "VecDeque",
    "Write",
];

/// Ends of names that the templates use themselves: `RoleHost`, `TcpStream`.
const TAKEN_ENDS: [&str; 5] = ["Host", "Bench", "Stream", "Listener", "Addr"];

/// What tells cargo where the sources of all crates are.
const VENDORED: &str = include_str!("vendored.toml.in");

/// What a new crate consists of.
pub(super) struct CrateText {
    /// The name of its library, as rustc derives it from the package's.
    pub(super) library: String,
    /// Paths inside its folder, with what the files hold.
    pub(super) files: Vec<(&'static str, String)>,
}

impl CrateText {
    /// A crate for a module of this name; `abi` is the path of `kozo-abi`, `vendor` that of the
    /// sources of all crates that are needed, where they are on this machine.
    pub(super) fn new(kind: NewKind, name: &ModuleName, abi: &str, vendor: Option<&str>) -> Self {
        let library = format!("kozo_{}_{}", kind.word(), name.as_str().replace('-', "_"));
        let version = kozo_abi::VERSION;
        let places = [
            ("@NAME@", name.as_str().to_owned()),
            ("@LIBRARY@", library.clone()),
            ("@TYPE@", type_name(kind, name.as_str())),
            (
                "@ABI_VERSION@",
                format!("{}.{}", version.major, version.minor),
            ),
            ("@ABI_PATH@", toml_text(abi)),
        ];
        let vendored = vendor.map(|vendor| {
            let text = fill(VENDORED, &[("@VENDOR_PATH@", toml_text(vendor))]);
            (".cargo/config.toml", text)
        });
        let files = templates(kind)
            .into_iter()
            .map(|(file, template)| (file, fill(template, &places)))
            .chain(vendored)
            .collect();
        Self { library, files }
    }
}

/// The templates, each with the path of the file that it becomes.
fn templates(kind: NewKind) -> Vec<(&'static str, &'static str)> {
    macro_rules! of {
        ($folder:literal) => {
            vec![
                (
                    "Cargo.toml",
                    include_str!(concat!($folder, "/Cargo.toml.in")),
                ),
                (
                    "module.yaml",
                    include_str!(concat!($folder, "/module.yaml.in")),
                ),
                ("README.md", include_str!(concat!($folder, "/README.md.in"))),
                ("src/lib.rs", include_str!(concat!($folder, "/lib.rs.in"))),
                (
                    "src/tests.rs",
                    include_str!(concat!($folder, "/tests.rs.in")),
                ),
                (".gitignore", "/target\n"),
            ]
        };
    }
    match kind {
        NewKind::Role => of!("role"),
        NewKind::Transport => of!("transport"),
        NewKind::Bus => {
            let mut all = of!("bus");
            all.push(("examples/hub.rs", include_str!("bus/hub.rs.in")));
            all
        }
    }
}

pub(super) fn fill(template: &str, places: &[(&str, String)]) -> String {
    places
        .iter()
        .fold(template.to_owned(), |text, (place, value)| {
            text.replace(place, value)
        })
}

/// The name in camel case, as Rust's types have it. Where that is no name or means something else
/// already, the kind stands before it.
fn type_name(kind: NewKind, name: &str) -> String {
    let camel: String = name
        .split(['-', '_'])
        .flat_map(|word| {
            let (first, rest) = word.split_at(word.len().min(1));
            [first.to_ascii_uppercase(), rest.to_owned()]
        })
        .collect();
    let is_taken = TAKEN.contains(&camel.as_str())
        || TAKEN_ENDS.iter().any(|end| camel.ends_with(end))
        || camel.ends_with("Transport");
    match camel.chars().next() {
        Some(first) if first.is_ascii_alphabetic() && !is_taken => camel,
        Some(_) => format!("{}Of{camel}", kind.type_word()),
        // Nothing but `-` and `_`.
        None => format!("{}WithoutName", kind.type_word()),
    }
}

/// A text as a value in TOML.
fn toml_text(text: &str) -> String {
    // A text of JSON is one of TOML, but for one character.
    serde_json::Value::from(text)
        .to_string()
        .replace('\u{7f}', "\\u007f")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_names_are_camel_case_and_never_keywords() {
        let role = |name| type_name(NewKind::Role, name);
        assert_eq!(role("motion-detect"), "MotionDetect");
        assert_eq!(role("message_injector"), "MessageInjector");
        assert_eq!(role("self"), "RoleOfSelf");
        assert_eq!(role("role"), "RoleOfRole");
        assert_eq!(role("1-wire"), "RoleOf1Wire");
        assert_eq!(role("role-host"), "RoleOfRoleHost");
        assert_eq!(role("-_-"), "RoleWithoutName");
        assert_eq!(type_name(NewKind::Transport, "option"), "TransportOfOption");
        assert_eq!(type_name(NewKind::Bus, "state"), "BusOfState");
    }

    #[test]
    fn no_place_is_left_open() {
        for kind in [NewKind::Role, NewKind::Transport, NewKind::Bus] {
            let name = ModuleName::new("a-b").unwrap();
            for (file, text) in CrateText::new(kind, &name, "/abi", Some("/vendor")).files {
                assert!(!text.contains("@V"), "{file}");
                assert!(!text.contains("@NAME@") && !text.contains("@T"), "{file}");
                assert!(!text.contains("@A") && !text.contains("@L"), "{file}");
            }
        }
    }

    #[test]
    fn a_path_with_odd_characters_is_a_text_of_toml() {
        assert_eq!(toml_text("/a \"b\"\\c"), r#""/a \"b\"\\c""#);
    }
}
