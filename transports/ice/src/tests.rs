//! The transport as a host sees it, without a network.

use std::time::Duration;

use kozo_abi::bench::TransportBench;
use serde_json::json;

use super::*;

fn bench() -> TransportBench<Ice> {
    TransportBench::new()
        .node("cabin")
        .option("jid", "cabin@example.org")
        .option("passwordFile", "/nowhere/password")
}

#[test]
fn nodes_are_found_by_their_accounts_and_names() -> Result<(), Error> {
    let cabin = bench().start()?;
    let barn = bench()
        .node("barn")
        .option("jid", "Me@Example.org")
        .local(false)
        .start()?;
    assert!(cabin.can_connect(&barn.peer())?);
    assert_eq!(
        cabin.addresses(&barn.peer())?,
        ["me@example.org/kozo/barn/ice"]
    );
    assert_eq!(cabin.priority()?, Priority::Good as u8);
    assert!(cabin.can_accept()?);
    // Before it has begun, it says so.
    let connection = cabin.connect(&barn.peer(), "", Duration::from_secs(1));
    assert_eq!(
        connection.err().map(|error| error.to_string()).as_deref(),
        Some("it has not begun yet")
    );
    Ok(())
}

#[test]
fn options_that_do_not_fit_are_refused_in_words() {
    let relay = json!({"server": "turn.example.org:3478", "user": "kozo", "passwordFile": "/p"});
    let servers = vec!["stun.example.org:3478"; 9];
    for (name, value, expected) in [
        ("jid", json!("example.org"), "is not an account"),
        ("jid", json!("cabin@example.org/phone"), "is not an account"),
        ("jid", json!("@"), "`jid: @`"),
        ("server", json!("example.org"), "server"),
        ("stun", json!(["example.org"]), "stun"),
        ("stun", json!(servers), "`stun` has 9 servers: 8 are enough"),
        (
            "turn",
            json!([{"server": "turn.example.org:3478"}]),
            "missing field `user`",
        ),
        (
            "turn",
            json!([{"server": "a:1", "user": "", "passwordFile": "/p"}]),
            "has no `user`",
        ),
        (
            "turn",
            json!([{"server": "a", "user": "u", "passwordFile": "/p"}]),
            "`server` of `turn`",
        ),
        (
            "turn",
            json!([{"server": "a:1", "user": "u", "password": "secret"}]),
            "unknown field `password`",
        ),
        ("relayOnly", json!(true), "there has to be a relay"),
    ] {
        let error = bench().option(name, &value).start().err();
        let error = error.map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains(expected), "{name}: {value}: {error}");
    }
    let both = bench()
        .option("verifyServer", false)
        .option("caFile", "/ca.pem");
    for bench in [
        both,
        bench()
            .option("verifyServer", false)
            .option("caFile", "/ca.pem")
            .older_host(),
    ] {
        let error = bench
            .start()
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default();
        assert!(error.contains("no certificate is checked"), "{error}");
    }
    assert!(
        bench()
            .option("turn", [relay])
            .option("relayOnly", true)
            .start()
            .is_ok()
    );
}

#[test]
fn a_password_that_is_missing_is_named() -> Result<(), Error> {
    let relay = json!({"server": "127.0.0.1:9", "user": "kozo", "passwordFile": "/nowhere/turn"});
    let cabin = bench().option("turn", [relay]).start()?;
    let error = cabin
        .local_init()
        .err()
        .map(|error| error.to_string())
        .unwrap_or_default();
    assert!(
        error.contains("the relay's password in `/nowhere/turn` cannot be used: No such file"),
        "{error}"
    );

    let cabin = bench()
        .option("server", "127.0.0.1:9")
        .option("verifyServer", false)
        .start()?;
    cabin.local_init()?;
    let words = "the password in `/nowhere/password` cannot be used: No such file";
    let end = Instant::now() + Duration::from_secs(60);
    while !cabin.status().contains(words) {
        assert!(Instant::now() < end, "{}", cabin.status());
        thread::sleep(Duration::from_millis(10));
    }
    // Who dials is told so at once.
    let barn = bench().node("barn").local(false).start()?;
    let connection = cabin.connect(&barn.peer(), "", Duration::from_secs(60));
    assert!(
        connection
            .err()
            .is_some_and(|error| error.to_string().contains("there is no such node"))
    );
    cabin.stop()?;
    Ok(())
}

#[test]
fn a_panic_of_its_thread_is_an_error() {
    assert!(unless_it_panics(|| Ok(())).is_ok());
    let error = unless_it_panics(|| panic!("on purpose")).unwrap_err();
    assert!(error.to_string().contains("above in the log"), "{error}");
    let error = unless_it_panics(|| Err(io::Error::other("no network"))).unwrap_err();
    assert_eq!(error.to_string(), "no network");
}
