//! The satellite among hosts that are made of Python's own XML-RPC.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use kozo_abi::bench::Incoming;

use super::{DEADLINE, Running, data, members, pythons, text, with};

/// A host in Python, killed when dropped.
struct Peer {
    child: Child,
    lines: Receiver<String>,
}

impl Peer {
    fn start(python: &str, words: &[&str]) -> Self {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../libs/co2/peers/peer.py");
        let mut child = Command::new(python)
            .arg(file)
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    /// Waits for a line that has all of these texts in it.
    #[track_caller]
    fn hears(&self, texts: &[&str]) -> String {
        let mut before = Vec::new();
        loop {
            match self.lines.recv_timeout(DEADLINE) {
                Ok(line) if texts.iter().all(|text| line.contains(text)) => return line,
                Ok(line) => before.push(line),
                Err(_) => panic!("no line with {texts:?}, but {before:#?}"),
            }
        }
    }

    fn write(&mut self, line: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_relay_and_satellites_of_others_are_as_good_as_our_own() {
    for python in pythons() {
        let relay = Peer::start(&python, &["relay", "0"]);
        let line = relay.hears(&["listening"]);
        let port: String = line.chars().filter(char::is_ascii_digit).collect();
        let url = format!("http://127.0.0.1:{port}/RPC2");
        let mut ours = [(); 2].map(|()| {
            let url = url.clone();
            let mut one = Running::start(|bench| bench.option("relay", url).option("nick", "ours"));
            one.until_logged("registered as");
            one
        });
        let mut theirs =
            [(); 2].map(|()| Peer::start(&python, &["satellite", &url, "0", "theirs"]));
        theirs.iter().for_each(|one| drop(one.hears(&["host_id"])));

        ours[0].deliver(with(
            Incoming::order("send").channel("studio"),
            &text("from ours"),
        ));
        for one in &theirs {
            one.hears(&["notify", "from ours"]);
        }
        let event = data(&ours[1].until_sent("notify"));
        assert!(format!("{event:?}").contains("from ours"));

        theirs[0].write(r#"[1, "from theirs", {"a": 0.5}]"#);
        theirs[1].hears(&["notify", "from theirs"]);
        for one in &mut ours {
            let event = data(&one.until_sent("notify"));
            let kozo_co2::Value::Struct(event) = event else {
                panic!("no struct");
            };
            let map = members([("a", kozo_co2::Value::Double(0.5))]);
            let list = vec![kozo_co2::Value::Integer(1), text("from theirs"), map];
            assert_eq!(event["data"], kozo_co2::Value::Array(list));
            let logged = one.stop();
            assert!(
                logged.iter().any(|line| line == "deregistered"),
                "{logged:?}"
            );
            relay.hears(&["deregistered"]);
        }
    }
}
