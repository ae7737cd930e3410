//! Peers and strangers decide how often a daemon has something to say. Its log stays readable, tells
//! how often it was, and how things stand at the end.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use kozo_ground::interest::Kind;
use serde_json::Value;

use super::control::status;
use super::guest::Guest;
use super::injector::Injector;
use super::process::{DEADLINE, Process, wait_until};
use super::scene::{Scene, gate_folder, start, start_with_roles};

/// More lines of one kind than a log ever has within a test.
const MANY: usize = 200;

/// How many lines of a kind the log has, and how many they stand for.
fn lines(process: &Process, fits: impl Fn(&Value) -> bool) -> (usize, u64) {
    let more = std::cell::Cell::new(0);
    let count = process.count_lines(|line| {
        let fits = fits(line);
        if fits {
            let lines = line["more"]["lines"].as_u64();
            more.set(more.get() + 1 + lines.unwrap_or(0));
        }
        fits
    });
    (count, more.get())
}

/// Waits until the lines of a kind stand for so many, and are few.
#[track_caller]
fn wait_for_few_lines(process: &Process, of: u64, fits: impl Fn(&Value) -> bool) {
    wait_until("all lines are told of", || {
        (lines(process, &fits).1 >= of).then_some(())
    });
    let (count, stand_for) = lines(process, &fits);
    assert_eq!(stand_for, of);
    assert!(count < MANY, "{count}");
}

#[test]
fn orders_that_are_refused_do_not_fill_the_log_and_each_sender_is_named() {
    const ORDERS: u64 = 3000;
    let mut scene = Scene::new(&["hall", "friend", "guest"]);
    scene.role("hall", "gate", "{acceptOrdersFrom: ['*@hall']}");
    let mut hall = start_with_roles(&scene.write(), "hall", &gate_folder());
    hall.wait_for_text("transport", "listening");
    let mut guest = Guest::join(&scene, "guest", "hall", Vec::new());
    for number in 1..=ORDERS {
        guest.send_message(number, Kind::Order, "open", "");
    }
    let refused = |line: &Value, sender: &str| {
        let message = line["message"].as_str().unwrap_or_default();
        message.starts_with("refused the order") && message.contains(sender)
    };
    wait_for_few_lines(&hall, ORDERS, |line| refused(line, "guest@guest"));
    assert_eq!(status(&scene, "hall").unwrap()["orders_refused"], ORDERS);
    let mut friend = Guest::join(&scene, "friend", "hall", Vec::new());
    friend.send_message(1, Kind::Order, "open", "");
    hall.wait_for("the friend's order", |line| refused(line, "guest@friend"));
}

#[test]
fn a_peer_that_is_away_over_two_ways_is_told_of_once_for_each() {
    let mut scene = Scene::new(&["clock", "scribe"]);
    scene.option("connectionRetry", "0.1");
    let more = |text: &str, node: &str| {
        let line = text
            .lines()
            .find(|line| line.ends_with(&format!("port: {}}}", scene.port(node))));
        let line = line.unwrap();
        let port = kozo_abi::bench::reserve_port().unwrap();
        let second = format!(
            "      other: {{type: tcp, address: 127.0.0.1, bindAddress: 127.0.0.1, port: {port}}}"
        );
        text.replace(line, &format!("{line}\n{second}"))
    };
    let text = more(&more(&scene.text(), "clock"), "scribe");
    let file = scene.write_as("kozo.yml", &text);
    let clock = start(&file, "clock");
    let tries = || {
        let status = status(&scene, "clock")?;
        status["peers"][0]["last_error"].as_str()?;
        // The tries that are not new are for whoever looks for a fault.
        let tried = |line: &Value| line["message"] == "cannot be reached";
        (clock.count_lines(tried) > 2 * MANY).then_some(())
    };
    wait_until("it was tried again and again", tries);
    let told = |line: &Value| line["message"] == "cannot be reached, tried again";
    // Two transports on each side: four ways, and each transport of this node names what it tried.
    let count = clock.count_lines(told);
    assert!((2..=8).contains(&count), "{count}");
}

#[test]
fn strangers_do_not_fill_the_log() {
    const STRANGERS: u64 = 400;
    let scene = Scene::new(&["clock"]);
    let mut clock = scene.start("clock");
    clock.wait_for_text("transport", "listening");
    // A packet that is too long: that is seen at once.
    let mut garbage = b"SSH-2.0-x\r\n".to_vec();
    garbage.extend([0xff; 64]);
    for _ in 0..STRANGERS {
        let mut stream = TcpStream::connect(("127.0.0.1", scene.port("clock"))).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let _ = stream.write_all(&garbage);
        let _ = stream.read_to_end(&mut Vec::new());
    }
    let refused = || status(&scene, "clock")?["connections"]["refused"].as_u64();
    let counted = wait_until("they are counted", || {
        refused().filter(|refused| *refused > STRANGERS / 2)
    });
    let told = |line: &Value| line["message"] == "refused a connection";
    wait_until("all lines are told of", || {
        (lines(&clock, told).1 >= counted).then_some(())
    });
    let (count, _) = lines(&clock, told);
    assert!(count < MANY, "{count}");
    assert!(status(&scene, "clock").unwrap()["log"]["summed_up"].as_u64() > Some(0));
}

#[test]
fn the_losses_of_an_unpaced_producer_do_not_fill_the_log_and_add_up() {
    const GAPS: u64 = 1000;
    let scene = Scene::new(&["clock", "guest"]);
    let mut clock = scene.start("clock");
    clock.wait_for_text("transport", "listening");
    let mut guest = Guest::join(&scene, "guest", "clock", Vec::new());
    for number in 1..=GAPS {
        // Three are missing before each.
        guest.send_message(4 * number, Kind::Event, "tick", "");
    }
    let told = |line: &Value| {
        let message = line["message"].as_str().unwrap_or_default();
        message.starts_with("missed messages")
    };
    wait_until("all that were missed are told of", || {
        let counts = std::cell::Cell::new(0);
        clock.count_lines(|line| {
            if told(line) {
                counts.set(counts.get() + line["fields"]["count"].as_u64().unwrap());
            }
            false
        });
        (counts.get() == 3 * GAPS).then_some(())
    });
    let (count, _) = lines(&clock, told);
    assert!(count < MANY, "{count}");
}

#[test]
fn a_link_that_comes_and_goes_is_summed_up_and_its_last_state_is_told() {
    const LINKS: u64 = 2 * MANY as u64;
    let scene = Scene::new(&["clock", "guest"]);
    let mut clock = scene.start("clock");
    clock.wait_for_text("transport", "listening");
    for _ in 0..LINKS {
        drop(Guest::join(&scene, "guest", "clock", Vec::new()));
    }
    let _guest = Guest::join(&scene, "guest", "clock", Vec::new());
    let up = |line: &Value| line["message"] == "up";
    let is_state = |line: &Value| up(line) || line["message"] == "down";
    wait_until("all is told, and last that the link is up", || {
        let last = std::cell::RefCell::new(Value::Null);
        clock.count_lines(|line| {
            if is_state(line) {
                line["message"].clone_into(&mut last.borrow_mut());
            }
            false
        });
        // The daemon may not have noticed each of them.
        let told = lines(&clock, up).1 > LINKS / 2;
        (told && *last.borrow() == "up").then_some(())
    });
    let (count, _) = lines(&clock, is_state);
    assert!(count < LINKS as usize, "{count}");
}

#[test]
fn whoever_gives_a_role_much_to_say_does_not_fill_the_log() {
    const LINES: usize = 5000;
    // What it may say at once, and in 10 s from then on.
    const BUDGET: (u64, u64) = (1000, 100);
    let start = Instant::now();
    let mut scene = Scene::new(&["clock"]);
    let port = Injector::on(&mut scene, "clock");
    scene.role("clock", "logger", "{file: clock.log, flushEvery: 1}");
    let clock = scene.start("clock");
    let mut injector = Injector::connect(port);
    let logger = || {
        let status = status(&scene, "clock")?;
        let roles = status["roles"].as_array()?;
        roles.iter().find(|role| role["name"] == "logger").cloned()
    };
    // Before it runs, its inbox is short.
    wait_until("the logger runs", || {
        (logger()?["state"] == "running").then_some(())
    });
    let path = scene.folder().join("clock.log");
    for number in 1..=LINES {
        injector.send(&format!("('log', 'line {number}')"));
        // No more than its inbox holds.
        if number % 500 == 0 {
            wait_until("the role has all of them", || {
                let text = std::fs::read_to_string(&path).unwrap_or_default();
                (text.lines().count() >= number).then_some(())
            });
        }
    }
    let printed = |line: &Value| {
        let message = line["message"].as_str().unwrap_or_default();
        line["target"] == "role" && message.contains("line ")
    };
    let count = clock.count_lines(printed) as u64;
    let windows = start.elapsed().as_secs() / 10 + 1;
    assert!(count <= BUDGET.0 + BUDGET.1 * windows, "{count}");
    assert!(logger().unwrap()["lines_left_out"].as_u64() > Some(0));
}
