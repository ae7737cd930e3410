//! `kozo check FILE NODE` asks the modules themselves.

use std::process::Command;

use crate::support::build::fixture;
use crate::support::folder;

fn kozo(arguments: &[&str]) -> (String, Option<i32>) {
    let output = Command::new(env!("CARGO_BIN_EXE_kozo"))
        .env_remove("KOZOROLEPATH")
        .env_remove("KOZOTRANSPORTPATH")
        .args(arguments)
        .output()
        .unwrap();
    (
        String::from_utf8(output.stdout).unwrap(),
        output.status.code(),
    )
}

#[test]
fn what_transports_of_any_node_refuse_is_reported_where_the_file_names_them() {
    let module = std::fs::read(fixture("transport_probe")).unwrap();
    let modules = folder(&[("libprobe.so", &module)]);
    let place = |name: &str| modules.path().join(name).to_str().unwrap().to_owned();
    let (near_key, far_key) = (place("near.key"), place("far.key"));
    let [near, far] = [&near_key, &far_key].map(|key| kozo(&["keygen", key]).0);
    let file = place("net.yml");
    let check = |near_fault: &str, far_fault: &str, node: Option<&str>| {
        let node_block = |key: &str, line: &str, fault: &str| {
            let transports =
                format!("transports: {{p: {{type: probe, address: x, fault: '{fault}'}}}}");
            format!("    privateKey: {key}\n    {line}    {transports}\n")
        };
        let text = format!(
            "system:\n  near:\n{}  far:\n{}",
            node_block("near.key", &near, near_fault),
            node_block("far.key", &far, far_fault)
        );
        std::fs::write(&file, text).unwrap();
        let mut arguments = vec![
            "check",
            &file,
            "--modules",
            modules.path().to_str().unwrap(),
        ];
        arguments.extend(node);
        kozo(&arguments)
    };
    let (report, code) = check("init", "priority", Some("near"));
    assert_eq!(code, Some(3), "{report}");
    for expected in [
        format!("error: {file}:5:18: system.near.transports.p: "),
        format!("error: {file}:9:18: system.far.transports.p: "),
        "no good init".to_owned(),
        "no good priority".to_owned(),
        "2 errors, 0 warnings".to_owned(),
    ] {
        assert!(report.contains(&expected), "{report}");
    }
    // Nothing is said against what only fails later, and without a node no module is run.
    for (near_fault, node) in [("", Some("near")), ("bind", Some("near")), ("init", None)] {
        let (report, code) = check(near_fault, "", node);
        assert_eq!((report.as_str(), code), ("0 errors, 0 warnings\n", Some(0)));
    }
}
