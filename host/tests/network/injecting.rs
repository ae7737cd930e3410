//! The role `message_injector` of a running daemon: what may be written to it.

use std::net::TcpListener;

use super::injector::Injector;
use super::scene::{Scene, gate_folder, start_with_roles};

#[test]
fn every_notation_and_every_mistake_gets_its_answer_and_the_connection_goes_on() {
    let mut scene = Scene::new(&["hall"]);
    let port = Injector::on(&mut scene, "hall");
    scene.role("hall", "gate", "{}");
    scene.role("hall", "logger", "{file: hall.log, flushEvery: 1}");
    let mut hall = start_with_roles(&scene.write(), "hall", &gate_folder());
    let mut first = Injector::connect(port);
    let mut second = Injector::connect(port);
    for (line, said) in [
        ("('order', 'open', 'a tuple')", ": a tuple"),
        (
            r#"["order", "open", null, "\u0061 JSON list"]"#,
            ": a JSON list",
        ),
        ("[order, open, 'a YAML list']", ": a YAML list"),
        (
            r"(u'order', 'open', 'back', 'p\x61rts' ' joined')",
            ": parts joined",
        ),
        ("('log', 'a log')", "<message_injector@hall> a log"),
    ] {
        for injector in [&mut first, &mut second] {
            injector.send(line);
            hall.wait_for_text("role", said);
        }
    }
    for line in [
        "open",
        "()",
        "('order',)",
        "('order', 'open', 'unfinished",
        "('shout', 'open', 'x')",
        "('order', '', 'x')",
        "('order', 'open', 1, 'the channel is a number')",
        "('log', 5)",
        "__import__('os').system('true')",
        "('event', 'x', __import__('os'))",
        "[order, open, &a [*a]]",
        "[[[[",
        "\u{7f}\u{1b}[31m",
    ] {
        let answer = first.ask(line);
        assert!(answer.starts_with("error: "), "{line}: {answer}");
        assert!(answer.len() > "error: ".len(), "{line}");
    }
    first.send("('order', 'open', 'still here')");
    hall.wait_for_text("role", ": still here");
    assert!(!hall.has_said("panicked"));
}

#[test]
fn a_port_that_is_taken_is_named_and_tried_again() {
    let mut scene = Scene::new(&["hall"]);
    let port = Injector::on(&mut scene, "hall");
    let other = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let mut hall = scene.start("hall");
    let failed = hall.wait_for("it fails", |line| {
        line["message"]
            .as_str()
            .is_some_and(|text| text.contains("cannot listen on"))
    });
    let text = failed["message"].as_str().unwrap();
    assert!(text.contains(&format!("127.0.0.1:{port}")), "{text}");
    assert!(text.contains("another `bindPort` may be free"), "{text}");
    drop(other);
    hall.wait_for_text("role", "listening on");
    Injector::connect(port).send("('log', 'at last')");
}
