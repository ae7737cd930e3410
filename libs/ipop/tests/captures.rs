//! What the four public controllers (14.01.1 and 14.07.0, for GroupVPN and SocialVPN) and a tincan said to each
//! other, in `captures`: each datagram is read whole, and written as it was.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use kozo_ipop::{Api, Datagram, Notification, Packet, Request, Uid};
use serde_json::Value;

/// One line of a capture: whether tincan got it, and its bytes.
struct Line {
    to_tincan: bool,
    bytes: Vec<u8>,
}

fn captures() -> Vec<(String, Api, Vec<Line>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("captures");
    let mut captures: Vec<_> = fs::read_dir(folder)
        .expect("there are captures")
        .map(|entry| {
            let path = entry.expect("the folder can be read").path();
            let name = path
                .file_stem()
                .expect("it has a name")
                .to_string_lossy()
                .into_owned();
            let api = if name.contains("14.01") {
                Api::V14_01
            } else {
                Api::V14_07
            };
            let text = fs::read_to_string(&path).expect("it is a text");
            (name, api, text.lines().map(line).collect())
        })
        .collect();
    captures.sort_by(|a: &(String, Api, Vec<Line>), b| a.0.cmp(&b.0));
    assert_eq!(captures.len(), 4);
    captures
}

fn line(line: &str) -> Line {
    let value: Value = serde_json::from_str(line).expect("a line is JSON");
    let text = value["datagram"].as_str().expect("a datagram is a text");
    Line {
        to_tincan: value["tincan"] == "in",
        // Each character stands for a byte.
        bytes: text
            .chars()
            .map(|c| u8::try_from(u32::from(c)).expect("it is Latin-1"))
            .collect(),
    }
}

#[test]
fn every_datagram_is_told_apart_by_its_first_bytes() {
    for (name, api, lines) in captures() {
        for line in lines {
            assert_eq!(Api::of_message(&line.bytes), Some(api), "{name}");
            let other = if api == Api::V14_01 {
                Api::V14_07
            } else {
                Api::V14_01
            };
            assert!(
                !matches!(other.read(&line.bytes), Ok(Datagram::Control(_))),
                "{name}"
            );
        }
    }
}

#[test]
fn every_request_is_read_and_written_as_it_was() {
    let mut names = BTreeSet::new();
    for (name, api, lines) in captures() {
        for line in lines.iter().filter(|line| line.to_tincan) {
            let Datagram::Control(json) = api.read(&line.bytes).expect("it is whole") else {
                panic!("{name}: a packet");
            };
            let was: Value = serde_json::from_slice(json).expect("it is JSON");
            let request = Request::read(json).expect("it is an object");
            if let Request::Forward { method, .. } = &request {
                assert!(
                    ["con_req", "send_msg"].contains(&method.as_str()),
                    "{name}: {method}"
                );
            }
            let name_of = was.get("m").or(was.get("type"));
            names.insert(
                name_of
                    .and_then(Value::as_str)
                    .expect("it has a name")
                    .to_owned(),
            );
            let written = request.write();
            assert_eq!(
                serde_json::from_slice::<Value>(&written).expect("it is JSON"),
                was,
                "{name}"
            );
            assert_eq!(Api::of_message(&api.control(&written)), Some(api));
        }
    }
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    assert_eq!(
        names.join(" "),
        "con_req create_link echo_reply get_state register_svc send_msg set_cb_endpoint set_local_ip set_logging \
         set_remote_ip set_switchmode set_translation set_trimpolicy trim_link"
    );
}

#[test]
fn every_notification_is_read_and_written_as_it_was() {
    for (name, api, lines) in captures() {
        for line in lines.iter().filter(|line| !line.to_tincan) {
            let Datagram::Control(json) = api.read(&line.bytes).expect("it is whole") else {
                panic!("{name}: a packet");
            };
            let notification = Notification::read(json).expect("it is an object");
            let was: Value = serde_json::from_slice(json).expect("it is JSON");
            let now: Value = serde_json::from_slice(&notification.write()).expect("it is JSON");
            assert_eq!(now, was, "{name}");
        }
    }
}

#[test]
fn identities_and_addresses_are_those_of_the_captures() {
    for (name, api, lines) in captures() {
        for line in lines.iter().filter(|line| line.to_tincan) {
            let Ok(Datagram::Control(json)) = api.read(&line.bytes) else {
                continue;
            };
            match Request::read(json).expect("it is an object") {
                Request::SetLocalIp(local) => {
                    let uid = Uid::of_ip4(local.ip4.parse().expect("it is an address"));
                    assert_eq!(uid.to_string(), local.uid, "{name}");
                    assert_eq!(uid.ip6_text(), local.ip6, "{name}");
                }
                Request::SetRemoteIp { uid, ip6, .. } => {
                    let uid: Uid = uid.parse().expect("it is a uid");
                    assert_eq!(uid.ip6_text(), ip6, "{name}");
                }
                _ => {}
            }
        }
    }
}

#[test]
fn a_packet_has_two_uids_before_its_frame_in_both_framings() {
    let packet = Packet {
        source: Uid::of_ip4([172, 31, 0, 100].into()),
        destination: Uid::NULL,
        frame: b"frame",
    };
    for (api, head) in [(Api::V14_01, 0), (Api::V14_07, 2)] {
        let bytes = api.packet(&packet);
        assert_eq!(bytes.len(), head + 45);
        assert_eq!(&bytes[head..head + 2], [0x43, 0x7e]);
        assert_eq!(api.read(&bytes), Ok(Datagram::Packet(packet)));
        assert!(api.read(&bytes[..head + 39]).is_err());
    }
}
