use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use crate::address::{Group, Social};
use crate::candidate::{self, Kind, MAX_CANDIDATES};
use crate::fingerprint::{Digest, Fingerprint, join, split};
use crate::icc::{self, Message, Routed};
use crate::notification::{PeerState, Stats};
use crate::request::{CreateLink, Password};
use crate::{Api, Notification, Request, Uid, UidError};

const OWN: Ipv4Addr = Ipv4Addr::new(172, 31, 0, 100);
const ONES: &str = "1111111111111111111111111111111111111111";

#[test]
fn a_uid_is_forty_digits_and_gives_the_ipv6_address() {
    let uid = Uid::of_ip4(OWN);
    assert_eq!(uid.to_string(), "437e4c0475866c6030734fef0187b095078832d3");
    assert_eq!(uid.ip6_text(), "fd50:0dbc:41f2:4a3c:437e:4c04:7586:6c60");
    let ones: Uid = ONES.parse().unwrap();
    assert_eq!(ones.ip6_text(), "fd50:0dbc:41f2:4a3c:1111:1111:1111:1111");
    assert_eq!(ONES[1..].parse::<Uid>(), Err(UidError::Length(39)));
    assert_eq!(ONES.replace('1', "g").parse::<Uid>(), Err(UidError::Digit));
    // As long in bytes, but cut inside of characters.
    assert!("ä".repeat(20).parse::<Uid>().is_err());
    assert!(format!("+1{}", &ONES[2..]).parse::<Uid>().is_err());
}

#[test]
fn uids_compare_as_their_texts_do() {
    let (a, b) = (Uid::of_ip4(OWN), Uid::of_ip4([172, 31, 0, 103].into()));
    assert!(a < b && a.to_string() < b.to_string());
}

#[test]
fn a_group_knows_the_uids_of_its_own_addresses_alone() {
    let group = Group::around(OWN).unwrap();
    for address in [[172, 31, 0, 0], [172, 31, 254, 254], [172, 31, 7, 9]] {
        let address = Ipv4Addr::from(address);
        assert_eq!(group.ip4(&Uid::of_ip4(address)), Some(address));
    }
    for stranger in [[172, 30, 0, 1], [172, 31, 255, 1], [172, 31, 1, 255]] {
        assert_eq!(group.ip4(&Uid::of_ip4(stranger.into())), None);
    }
    assert!(Group::around([172, 31, 0, 255].into()).is_none());
}

#[test]
fn a_social_node_numbers_its_peers_from_101_and_keeps_what_it_gave() {
    let fixed = Uid::of_ip4([1, 1, 1, 1].into());
    let mut social = Social::new(OWN, [(fixed, [172, 31, 0, 102].into())]);
    let uid = |number: u8| Uid::new([number; Uid::LEN]);
    assert_eq!(social.ip4(uid(1)), Some([172, 31, 0, 101].into()));
    assert_eq!(social.ip4(fixed), Some([172, 31, 0, 102].into()));
    assert_eq!(social.ip4(uid(2)), Some([172, 31, 0, 103].into()));
    assert_eq!(social.ip4(uid(1)), Some([172, 31, 0, 101].into()));
    for number in 3..=153 {
        assert!(social.ip4(uid(number)).is_some(), "{number}");
    }
    assert_eq!(social.ip4(uid(154)), None);
}

#[test]
fn fingerprints_are_of_two_lengths_and_split_by_the_length_of_ones_own() {
    for (how, len) in [(Digest::Sha1, 59), (Digest::Sha256, 95)] {
        let fpr = Fingerprint::of(b"certificate", how);
        let text = fpr.to_string();
        assert_eq!((text.len(), how.text_len()), (len, len));
        assert_eq!(text.parse::<Fingerprint>().unwrap(), fpr);
        assert_eq!(text.to_lowercase().parse::<Fingerprint>().unwrap(), fpr);
        assert_eq!(fpr.digest(), how);
        assert_eq!(split(&join(&fpr, ""), &text), (text.clone(), String::new()));
        assert_eq!(
            split(&join(&fpr, "1:1:udp"), &text),
            (text.clone(), "1:1:udp".to_owned())
        );
    }
    assert!(Fingerprint::null().is_null());
    let wrong = [
        String::new(),
        "00:".repeat(20),
        "AB:CD".to_owned(),
        format!("+1{}", ":00".repeat(19)),
    ];
    assert!(
        wrong
            .iter()
            .all(|text| text.parse::<Fingerprint>().is_err())
    );
    // Shorter than one's own, and with characters of several bytes.
    assert_eq!(split("ÄÖ", "AB:CD"), ("ÄÖ".to_owned(), String::new()));
}

const CANDIDATES: &str = "1:1:udp:192.0.2.1:40000:2130706431:name:password:local:eth0:0:f1 \
    2:1:udp:[2001:db8::1]:40001:7:name:password:stun:eth0:0:f2 \
    3:1:udp:192.0.2.2:1:7:name:password:relay:eth0:0:f3:more:and:more";

#[test]
fn candidates_are_read_and_written() {
    let found = candidate::read(CANDIDATES);
    assert_eq!((found.list.len(), found.skipped), (3, 0));
    assert_eq!(
        found.list[1].address,
        "[2001:db8::1]:40001".parse().unwrap()
    );
    let kinds: Vec<_> = found.list.iter().map(|candidate| candidate.kind).collect();
    assert_eq!(kinds, [Kind::Local, Kind::Stun, Kind::Relay]);
    let written = candidate::write(&found.list);
    assert_eq!(written, CANDIDATES.trim_end_matches(":more:and:more"));
}

#[test]
fn candidates_that_cannot_be_read_are_skipped_and_counted() {
    let wrong = [
        "1:1:udp:192.0.2.1:40000:1:name:password:local:eth0:0",
        "1:1:tcp:192.0.2.1:40000:1:name:password:local:eth0:0:f",
        "1:1:udp:2001:db8::1:40000:1:name:password:local:eth0:0:f",
        "1:1:udp:[2001:db8::1:40000:1:name:password:local:eth0:0:f",
        "1:1:udp:192.0.2.1:70000:1:name:password:local:eth0:0:f",
        "1:1:udp:192.0.2.1:1:99999999999:name:password:local:eth0:0:f",
        "1:1:udp:192.0.2.1:1:1:name:password:other:eth0:0:f",
    ];
    let found = candidate::read(&format!("{}  {CANDIDATES}\n", wrong.join(" ")));
    assert_eq!((found.list.len(), found.skipped), (3, wrong.len()));
    let long = format!(
        "1:1:udp:192.0.2.1:1:1:{}:password:local:eth0:0:f",
        "n".repeat(300)
    );
    assert_eq!(candidate::read(&long).skipped, 1);
    let many = CANDIDATES.replace('\n', " ") + " ";
    let found = candidate::read(&many.repeat(100));
    assert_eq!(
        (found.list.len(), found.skipped),
        (MAX_CANDIDATES, 300 - MAX_CANDIDATES)
    );
}

#[test]
fn an_interface_with_a_colon_leaves_the_fields_of_its_candidate_where_they_are() {
    let mut found = candidate::read(CANDIDATES).list;
    found[0].interface = "eth0:1".to_owned();
    let again = candidate::read(&candidate::write(&found));
    assert_eq!(again.list[0].interface, "eth0_1");
}

#[test]
fn a_request_that_lacks_everything_is_read_as_empty() {
    let request = Request::read(br#"{"m":"create_link"}"#).unwrap();
    assert_eq!(request, Request::CreateLink(CreateLink::default()));
    let request = Request::read(br#"{"m":"set_cb_endpoint","port":99999,"ip":["::"],"more":{}}"#);
    let callback = Request::SetCallback {
        ip: String::new(),
        port: 0,
    };
    assert_eq!(request.unwrap(), callback);
}

#[test]
fn values_of_other_types_are_understood_where_they_can_be() {
    let read = |json: &str| Request::read(json.as_bytes()).unwrap();
    let stats = |stats| Request::GetState {
        stats,
        uid: String::new(),
    };
    assert_eq!(read(r#"{"m":"get_state"}"#), stats(None));
    assert_eq!(read(r#"{"m":"get_state","stats":1}"#), stats(Some(true)));
    assert_eq!(
        read(r#"{"m":"get_state","stats":"true","uid":null}"#),
        stats(Some(true))
    );
    assert_eq!(read(r#"{"m":"get_state","stats":{}}"#), stats(Some(false)));
    assert_eq!(
        read(r#"{"m":"set_logging","flag":2.7}"#),
        Request::SetLogging(2)
    );
    assert_eq!(
        read(r#"{"m":"set_logging","logging":"3","flag":1}"#),
        Request::SetLogging(3)
    );
    assert_eq!(
        read(r#"{"m":"set_translation","translate":true}"#),
        Request::SetTranslation(true)
    );
    let list = "{\"m\":\"set_network_ignore_list\",\"network_ignore_list\":";
    assert_eq!(
        read(&format!("{list}[\"a\",7]}}")),
        Request::SetNetworkIgnoreList(Some(vec!["a".to_owned()]))
    );
    assert_eq!(
        read(&format!("{list}\"a\"}}")),
        Request::SetNetworkIgnoreList(None)
    );
}

#[test]
fn a_method_that_is_not_known_is_for_a_peer() {
    let request = Request::read(br#"{"m":"register_service","uid":"u","data":"d"}"#).unwrap();
    let Request::Forward {
        method,
        uid,
        data,
        overlay_id,
    } = request
    else {
        panic!("{request:?}");
    };
    assert_eq!(
        (method.as_str(), uid.as_str(), data.as_str(), overlay_id),
        ("register_service", "u", "d", 0)
    );
}

#[test]
fn what_is_no_object_is_an_error() {
    for json in ["", "[]", "7", "{", "{\"m\":}", "nul\0"] {
        assert!(Request::read(json.as_bytes()).is_err(), "{json}");
        assert!(Notification::read(json.as_bytes()).is_err(), "{json}");
    }
    let answer = Notification::not_understood().write();
    assert_eq!(
        String::from_utf8(answer).unwrap(),
        "{\n  \"error\": \"json parsing failed\"\n}\n"
    );
}

#[test]
fn passwords_are_not_shown() {
    let shown = format!(
        "{:?}",
        Request::RegisterService {
            username: "alice".to_owned(),
            password: Password("secret".to_owned()),
            host: "host".to_owned(),
        }
    );
    assert!(
        shown.contains("alice") && !shown.contains("secret"),
        "{shown}"
    );
}

#[test]
fn figures_of_a_peer_are_written_whole() {
    let stats = Stats {
        local_addr: "192.0.2.1:1".to_owned(),
        best_conn: true,
        sent_total_bytes: u64::MAX,
        ..Stats::default()
    };
    let state = Notification::PeerState(PeerState {
        uid: ONES.to_owned(),
        online: true,
        stats: Some(vec![stats]),
        ..PeerState::default()
    });
    assert_eq!(Notification::read(&state.write()).unwrap(), state);
    // The stats of 14.01.pre2 were a text.
    let old = br#"{"type":"peer_state","uid":"u","status":"online","stats":"a:b c"}"#;
    let Notification::PeerState(old) = Notification::read(old).unwrap() else {
        panic!()
    };
    assert!(old.online && old.stats.is_none() && old.xmpp_time.is_none());
}

#[test]
fn messages_between_controllers_are_read_and_written() {
    let hops: Vec<Ipv6Addr> = (1..4).map(|number| Uid::new([number; 20]).ip6()).collect();
    let all = [
        icc::Datagram::Message(Message::ArpRequest { target: OWN }),
        icc::Datagram::Message(Message::ArpReply {
            target: OWN,
            uid: ONES.to_owned(),
            ip6: Some(hops[0]),
        }),
        icc::Datagram::Message(Message::LookupRequest {
            target: hops[2],
            via: hops.clone(),
            ttl: 3,
        }),
        icc::Datagram::Message(Message::LookupReply {
            target: hops[2],
            via: hops.clone(),
            index: -2,
        }),
        icc::Datagram::Message(Message::RouteError {
            via: hops.clone(),
            index: 1,
        }),
        icc::Datagram::Frame(b"frame".to_vec()),
        icc::Datagram::Routed(Routed {
            index: 1,
            hops: hops.clone(),
            frame: b"frame".to_vec(),
        }),
    ];
    for datagram in all {
        assert_eq!(icc::Datagram::read(&datagram.write()).unwrap(), datagram);
    }
    let text = icc::Datagram::Message(Message::LookupRequest {
        target: hops[2],
        via: vec![],
        ttl: 3,
    })
    .write();
    assert_eq!(
        text,
        b"\x02\x01{\"msg_type\":\"lookup_request\",\
          \"target_ip6\":\"fd50:0dbc:41f2:4a3c:0303:0303:0303:0303\",\"ttl\":3,\"via\":[]}"
    );
}

#[test]
fn ways_that_are_too_long_or_cut_off_are_refused() {
    let via = vec![OWN.to_ipv6_mapped(); icc::MAX_HOPS + 1];
    let message = icc::Datagram::Message(Message::RouteError {
        via: via.clone(),
        index: 0,
    });
    assert!(icc::Datagram::read(&message.write()).is_err());
    let routed = icc::Datagram::Routed(Routed {
        index: 0,
        hops: via,
        frame: vec![],
    })
    .write();
    assert!(icc::Datagram::read(&routed).is_err());
    for short in [
        &b""[..],
        b"\x02",
        b"\x02\x03",
        b"\x02\x03\x01",
        b"\x02\x03\x01\x02abc",
        b"\x02\x09x",
        b"\x03\x01{}",
    ] {
        assert!(icc::Datagram::read(short).is_err(), "{short:?}");
    }
}

#[test]
fn a_wrong_first_byte_names_the_option() {
    let error = Api::V14_07.read(b"{}").unwrap_err().to_string();
    assert!(error.contains("0x7b") && error.contains("`api`"), "{error}");
}

proptest! {
    #[test]
    fn whatever_comes_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for api in [Api::V14_01, Api::V14_07] {
            let _ = api.read(&bytes);
        }
        if let Ok(datagram) = icc::Datagram::read(&bytes) {
            prop_assert_eq!(icc::Datagram::read(&datagram.write()).unwrap(), datagram);
        }
    }

    #[test]
    fn what_is_read_of_candidates_is_written_as_what_is_read_as_the_same(text in "([0-9a-z:.\\[\\] ]|udp|local|192.0.2.1){0,80}") {
        let found = candidate::read(&text).list;
        prop_assert_eq!(candidate::read(&candidate::write(&found)).list, found);
    }
}
