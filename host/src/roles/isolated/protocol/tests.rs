use super::*;

fn round_trip<T>(frame: &T)
where
    T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug,
{
    let bytes = encode(frame).unwrap();
    let mut rest = bytes.as_slice();
    assert_eq!(read::<T>(&mut rest).unwrap().as_ref(), Some(frame));
    assert!(rest.is_empty());
    // Cut anywhere, it is an error and nothing else.
    for length in 1..bytes.len() {
        assert!(read::<T>(&mut &bytes[..length]).is_err(), "{length}");
    }
}

fn sent() -> Sent {
    Sent {
        kind: 1,
        type_name: "open".to_owned(),
        channel: Some("garage".to_owned()),
        data: ByteBuf::from([0xc3]),
    }
}

#[test]
fn what_is_written_is_read_again() {
    round_trip(&ToRole::Start(Start {
        node: "clock".to_owned(),
        name: "timer1".to_owned(),
        module: "timer".to_owned(),
        path: "/usr/lib/kozo/roles/libtimer.so".into(),
        imports: vec!["/usr/lib/kozo/imports".into()],
        options: ByteBuf::from([0x80]),
        memory_limit: Some(1 << 24),
        is_trial: false,
    }));
    let calls = [Call::Run, Call::Inbox { length: 8, size: 9 }, Call::Drop];
    for call in calls {
        round_trip(&ToRole::Call(call));
    }
    round_trip(&ToRole::Stopping);
    let answers = [
        HostAnswer::Message(Delivered {
            kind: 0,
            sender_node: "clock".to_owned(),
            sender_role: "timer1".to_owned(),
            type_name: "tick".to_owned(),
            channel: None,
            timestamp: 1.5,
            age_nanos: 7,
            data: ByteBuf::from([0x92, 0x01, 0x02]),
        }),
        HostAnswer::Timeout,
        HostAnswer::Interrupted,
        HostAnswer::Sent(Err("too long".to_owned())),
        HostAnswer::Slept(false),
        HostAnswer::Loaded(Ok(Some(ByteBuf::from([0xc0])))),
        HostAnswer::Loaded(Ok(None)),
        HostAnswer::Stored(Ok(())),
    ];
    for answer in answers {
        round_trip(&ToRole::Answer { id: 300, answer });
    }
    round_trip(&FromRole::Done(Err("no good".to_owned())));
    round_trip(&FromRole::Done(Ok(CallReturn {
        pace: Ok(PaceOutcome::EveryOrMessage(Duration::from_nanos(5))),
        inbox: Some((8, 9)),
    })));
    let requests = [
        HostRequest::Receive { wait: None },
        HostRequest::Send {
            message: sent(),
            wait: Duration::from_millis(3),
        },
        HostRequest::Sleep {
            time: Duration::from_secs(4),
        },
        HostRequest::Load,
        HostRequest::Store {
            value: ByteBuf::from([0x01]),
        },
    ];
    for request in requests {
        round_trip(&FromRole::Request {
            id: 7,
            main: true,
            request,
        });
    }
    round_trip(&FromRole::Send(sent()));
    round_trip(&FromRole::Log {
        level: 2,
        text: "構造".to_owned(),
    });
    round_trip(&FromRole::Status {
        text: "構造".to_owned(),
    });
}

#[test]
fn a_frame_is_its_length_and_messagepack() {
    let bytes = encode(&FromRole::Send(sent())).unwrap();
    let mut expected = vec![0, 0, 0, 23, 0x81, 0xa4];
    expected.extend(b"Send");
    expected.extend([0x94, 0x01, 0xa4]);
    expected.extend(b"open");
    expected.push(0xa6);
    expected.extend(b"garage");
    expected.extend([0xc4, 1, 0xc3]);
    assert_eq!(bytes, expected);
}

#[test]
fn the_end_between_two_frames_is_no_error() {
    assert!(read::<ToRole>(&mut io::empty()).unwrap().is_none());
}

#[test]
fn a_length_over_the_limit_is_refused_before_anything_is_read() {
    let mut bytes = u32::MAX.to_be_bytes().to_vec();
    bytes.extend([0; 8]);
    let mut stream = bytes.as_slice();
    assert!(matches!(
        read::<FromRole>(&mut stream),
        Err(IpcError::TooLong(_))
    ));
    assert_eq!(stream.len(), 8);
    let text = "x".repeat(MAX_FRAME + 1);
    let too_long = FromRole::Log { level: 0, text };
    assert!(matches!(encode(&too_long), Err(IpcError::TooLong(_))));
}

#[test]
fn nonsense_is_an_error() {
    for body in [&[0xc1][..], &[0x81, 0xa3, b'A', b'l', b'l', 0xc0], &[]] {
        let mut bytes = u32::try_from(body.len()).unwrap().to_be_bytes().to_vec();
        bytes.extend(body);
        let decoded = read::<FromRole>(&mut bytes.as_slice());
        assert!(matches!(decoded, Err(IpcError::Decode(_))), "{body:?}");
    }
}

#[test]
fn the_largest_message_and_value_fit() {
    let mut message = sent();
    message.data = ByteBuf::from(vec![0; MAX_DATA_LEN]);
    assert!(encode(&FromRole::Send(message)).is_ok());
    let value = ByteBuf::from(vec![0; MAX_STORED]);
    assert!(
        encode(&ToRole::Answer {
            id: u64::MAX,
            answer: HostAnswer::Loaded(Ok(Some(value)))
        })
        .is_ok()
    );
}

#[test]
fn texts_are_cut_between_two_characters() {
    assert_eq!(bounded("short"), "short");
    let long = format!("x{}", "é".repeat(MAX_TEXT));
    assert_eq!(bounded(&long).len(), MAX_TEXT - 1);
}
