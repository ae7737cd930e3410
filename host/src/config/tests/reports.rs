//! How problems are collected and shown.

use kozo_description::{Place, Problem, Severity};

use super::*;

#[test]
fn all_mistakes_are_found_in_one_run_and_sorted() {
    let file = and("cipher: rot13\n<<: {}\n")
        .replace("heartbeat: 30", "heartbeat: 012")
        .replace("tick: 60", "tik: 60")
        .replace("clearLog: yes", "clearLog: 1")
        .replace("  scribe:", "  scribe!:")
        .replace("        address: clock.local\n", "        port: 0\n");
    let problems = load(&file).unwrap_err();
    let places: Vec<_> = problems
        .iter()
        .map(|problem| (problem.place.unwrap().line, problem.path.as_str()))
        .collect();
    assert_eq!(
        places,
        [
            (8, "system.clock.roles.timer1.tik"),
            (10, "system.clock.transports.tcp.address"),
            (11, "system.clock.transports.tcp.port"),
            (12, "system[\"scribe!\"]"),
            (19, "system[\"scribe!\"].roles.logger.clearLog"),
            (23, "heartbeat"),
            (24, "cipher"),
            (25, ""),
        ]
    );
}

#[test]
fn warnings_come_with_the_network() {
    let file = with("      cuckoo:", "      gardener:");
    let (_, warnings) = load(&file).unwrap();
    assert!(
        warnings
            .iter()
            .all(|problem| problem.severity == Severity::Warning)
    );
    assert_eq!(warnings.iter().count(), 1);
}

#[test]
fn a_missing_module_is_a_warning_when_nobody_is_local() {
    let file = with("type: timer", "type: timr")
        .replace("KEY_A", KEY_A)
        .replace("KEY_B", KEY_B);
    let (_, warnings) = load_bytes(file.as_bytes(), None).unwrap();
    assert_eq!(warnings.iter().count(), 1);
}

#[test]
fn the_reason_why_a_module_cannot_be_used_is_given() {
    struct Broken;
    impl Catalog for Broken {
        fn role(&self, _: &str) -> Lookup<'_> {
            Lookup::Missing {
                looked_in: vec!["/a".into(), "/b".into()],
                reason: Some("`/b/libtimer.so` is not an ELF file".to_owned()),
            }
        }

        fn transport(&self, module: &str) -> Lookup<'_> {
            self.role(module)
        }

        fn bus(&self, module: &str) -> Lookup<'_> {
            self.role(module)
        }
    }
    let file = GOOD.replace("KEY_A", KEY_A).replace("KEY_B", KEY_B);
    let document = Document::parse("net.yaml", "/etc/kozo", file.as_bytes()).unwrap();
    let clock = NodeName::new("clock").unwrap();
    let problems = document.network(&Broken, Some(&clock)).unwrap_err();
    assert_eq!(
        problems.to_string().lines().take(2).collect::<Vec<_>>(),
        [
            "error: net.yaml:7:15: system.clock.roles.timer1.type: the role module `timer` cannot be used: `/b/libtimer.so` is not an ELF file",
            "    help: name an installed module with `type`, or the folder of this one with `rolePath`; looked in `/a` and `/b`",
        ]
    );
}

#[test]
fn a_report_can_be_read_by_programs() {
    let mut problems = Problems::new("net.yaml");
    let place = Place { line: 3, column: 5 };
    problems.push(Problem::error(place, "heartbeat", "it is wrong").with_help("mend it"));
    problems.push(Problem::warning(None, "", "it is odd"));
    assert_eq!(
        serde_json::to_value(&problems).unwrap(),
        serde_json::json!({
            "file": "net.yaml",
            "problems": [
                {"severity": "warning", "place": null, "path": "", "message": "it is odd", "help": null},
                {"severity": "error", "place": {"line": 3, "column": 5}, "path": "heartbeat", "message": "it is wrong", "help": "mend it"},
            ],
            "omitted": 0,
        })
    );
    assert_eq!(
        problems.about("other.yaml").to_string(),
        "warning: other.yaml: it is odd\n\
         error: other.yaml:3:5: heartbeat: it is wrong\n    help: mend it"
    );
}
