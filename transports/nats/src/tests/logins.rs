//! Logins, TLS and permissions, right and wrong.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use kozo_abi::bench::BusBench;
use kozo_testnet::{Authority, Nats, NatsKey, NatsOperator};

use super::kit::{LIMIT, bus, hears, newest, programs, reason, until, up, write_secret};

#[test]
fn each_way_to_log_in_works_and_is_told_when_it_is_wrong() {
    for program in programs() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        write_secret(&file("right"), "secret\n");
        write_secret(&file("wrong"), "secrets\n");
        let (key, other) = (NatsKey::user(), NatsKey::user());
        write_secret(&file("key"), &format!("{}\n", key.seed()));
        write_secret(&file("other-key"), &other.seed());

        let server = Nats::start(&program, "authorization { user: fleet, password: secret }");
        let with = |name: &str| {
            bus("alice", &[&server.url()])
                .option("user", "fleet")
                .option("passwordFile", file(name))
        };
        up(with("right"));
        let text = reason(with("wrong"));
        assert!(
            text.contains("the login is wrong, or new to it")
                && text.contains("`kozo bus permissions`"),
            "{text}"
        );
        let text = reason(bus("alice", &[&server.url()]));
        assert!(
            text.contains("it wants a login, and none is given"),
            "{text}"
        );

        let server = Nats::start(&program, "authorization { token: secret }");
        let with = |name: &str| bus("alice", &[&server.url()]).option("tokenFile", file(name));
        up(with("right"));
        let text = reason(with("wrong"));
        assert!(text.contains("the login is wrong"), "{text}");

        let lines = format!("authorization {{ users: [{{ nkey: {} }}] }}", key.public());
        let server = Nats::start(&program, &lines);
        let with = |name: &str| bus("alice", &[&server.url()]).option("nkeyFile", file(name));
        up(with("key"));
        let text = reason(with("other-key"));
        assert!(text.contains("the login is wrong"), "{text}");
        let text = reason(with("right"));
        assert!(text.contains("there is no seed of a user in it"), "{text}");

        let operator = NatsOperator::new();
        let server = Nats::start(&program, &operator.lines());
        operator.write_user(&file("user.creds"), None);
        NatsOperator::new().write_user(&file("other.creds"), None);
        let with =
            |name: &str| bus("alice", &[&server.url()]).option("credentialsFile", file(name));
        up(with("user.creds"));
        let text = reason(with("other.creds"));
        assert!(text.contains("the login is wrong"), "{text}");
        let text = reason(with("key"));
        assert!(text.contains("no `BEGIN NATS USER JWT`"), "{text}");
    }
}

#[test]
fn credentials_that_expire_end_the_connection_and_it_is_told_when() {
    for program in programs() {
        let operator = NatsOperator::new();
        let server = Nats::start(&program, &operator.lines());
        let file = server.file("short.creds");
        // On a busy machine they could have expired before they are used: then such that hold for longer.
        let mut hold = Duration::from_secs(3);
        let alice = loop {
            operator.write_user(&file, Some(hold));
            let bench = bus("alice", &[&server.url()]).option("credentialsFile", &file);
            let alice = bench.start().unwrap();
            alice.run_in_background();
            if alice.wait_until_up(hold).is_ok() {
                break alice;
            }
            hold *= 2;
            assert!(hold < LIMIT, "it is not up");
        };
        let text = alice.wait_until_down(1, LIMIT).unwrap();
        assert!(text.contains("the login has expired"), "{text}");
        assert!(text.contains("say that they hold until 20"), "{text}");
        // New ones in the same file are taken without a restart.
        operator.write_user(&file, None);
        until("it is up again", || alice.ups() == 2);
    }
}

#[test]
fn a_secret_that_others_can_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    let with = || {
        bus("alice", &["nats://127.0.0.1:1"])
            .option("user", "fleet")
            .option("passwordFile", &file)
    };
    // It is read when there is a server to log in at.
    let Some(program) = newest() else { return };
    let server = Nats::start(&program, "authorization { user: fleet, password: secret }");
    let with = || with().option("servers", [server.url()]);
    let text = reason(with());
    assert!(
        text.starts_with("`passwordFile`") && text.contains("cannot be read"),
        "{text}"
    );
    fs::write(&file, "secret").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let text = reason(with());
    assert!(
        text.contains("others can read or change it") && text.contains("chmod 600"),
        "{text}"
    );
    write_secret(&file, "\nsecret");
    assert!(reason(with()).contains("its first line is empty"));
}

#[test]
fn there_is_one_login() {
    let with = |options: &[&str]| {
        let mut bench = bus("alice", &["nats://127.0.0.1:1"]);
        for option in options {
            bench = bench.option(option, "x");
        }
        bench.start().unwrap_err().to_string()
    };
    for (options, words) in [
        (&["user"][..], "`user` has no `passwordFile`"),
        (&["passwordFile"], "`passwordFile` has no `user`"),
        (&["tokenFile", "nkeyFile"], "two ways to log in"),
        (&["credentialsFile", "tokenFile"], "two ways to log in"),
        (&["certificateFile"], "`certificateFile` has no `keyFile`"),
        (&["keyFile"], "`keyFile` has no `certificateFile`"),
    ] {
        let text = with(options);
        assert!(text.contains(words), "{options:?}: {text}");
    }
    for servers in [
        &[][..],
        &["http://hub"],
        &["nats://hub:0"],
        &["nats://me:secret@hub"],
    ] {
        assert!(bus("alice", servers).start().is_err(), "{servers:?}");
    }
}

/// An authority, a server's certificate for 127.0.0.1, one for a client, and what is wrong.
fn certificates(folder: &Path) {
    let authority = Authority::new();
    authority.write(&folder.join("ca.crt"));
    authority.sign(folder, "server", "127.0.0.1", false);
    authority.sign(folder, "named", "nats.example", false);
    authority.sign(folder, "expired", "127.0.0.1", true);
    authority.sign(folder, "client", "alice", false);
    let (named, namesake) = (Authority::called("kozo"), Authority::called("kozo"));
    named.sign(folder, "cousin", "127.0.0.1", false);
    namesake.write(&folder.join("namesake.crt"));
    let other = Authority::new();
    other.write(&folder.join("other.crt"));
    other.sign(folder, "stranger", "alice", false);
}

fn tls(certificate: &str, more: &str) -> String {
    format!(
        "tls {{ cert_file: \"FOLDER/{certificate}.crt\", key_file: \"FOLDER/{certificate}.key\", ca_file: \"FOLDER/ca.crt\" {more} }}"
    )
}

#[test]
fn tls_works_and_its_mistakes_are_told() {
    for program in programs() {
        let start = |certificate, more| Nats::with(&program, &tls(certificate, more), certificates);
        let server = start("server", "");
        let plain = server.url().replace("tls://", "nats://");
        let with = |server: &Nats, authority: &str| {
            bus("alice", &[&server.url()]).option("caFile", server.file(authority))
        };
        let alice = up(with(&server, "ca.crt"));
        // A server that demands it gets it.
        let bob = up(bus("bob", &[&plain]).option("caFile", server.file("ca.crt")));
        hears(&alice, &bob, "a");
        for (server, authority, words) in [
            (&server, "other.crt", "an authority that is not known here"),
            (&server, "none.crt", "cannot be read"),
            (&server, "server.key", "there is no certificate in it"),
            (
                &start("cousin", ""),
                "namesake.crt",
                "an authority that is not known here: the file of `caFile` has to have that one's",
            ),
            (&start("named", ""), "ca.crt", "for another name"),
            (&start("expired", ""), "ca.crt", "has expired"),
        ] {
            let text = reason(with(server, authority));
            assert!(text.contains(words), "{text}");
        }
        let open = Nats::start(&program, "");
        let text = reason(bus("alice", &[&open.url().replace("nats://", "tls://")]));
        assert!(text.contains("does without TLS"), "{text}");
    }
}

#[test]
fn a_certificate_is_a_login() {
    for program in programs() {
        let server = Nats::with(&program, &tls("server", ", verify: true"), certificates);
        let with = |name: Option<&str>| {
            let mut bench = bus("alice", &[&server.url()]).option("caFile", server.file("ca.crt"));
            if let Some(name) = name {
                bench = bench
                    .option("certificateFile", server.file(&format!("{name}.crt")))
                    .option("keyFile", server.file(&format!("{name}.key")));
            }
            bench
        };
        up(with(Some("client")));
        for name in [None, Some("stranger")] {
            let text = reason(with(name));
            assert!(
                text.contains("does not take this end's certificate"),
                "{text}"
            );
        }
    }
}

#[test]
fn a_key_that_others_can_read_or_of_another_certificate_is_refused() {
    let Some(program) = newest() else { return };
    let server = Nats::with(&program, &tls("server", ", verify: true"), certificates);
    let key = server.file("client.key");
    let with = |key: &Path| {
        bus("alice", &[&server.url()])
            .option("caFile", server.file("ca.crt"))
            .option("certificateFile", server.file("client.crt"))
            .option("keyFile", key)
    };
    let mode = |mode| fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
    mode(0o644);
    let text = reason(with(&key));
    assert!(
        text.starts_with("`keyFile`")
            && text.contains("others can read or change it (its mode is 0644): `chmod 600`"),
        "{text}"
    );
    mode(0o640);
    up(with(&key));
    let text = reason(with(&server.file("stranger.key")));
    assert!(
        text.starts_with("`keyFile`")
            && text.contains("it is not the key of `certificateFile`")
            && text.contains("client.crt"),
        "{text}"
    );
}

#[test]
fn tls_can_come_first() {
    // Since version 2.10.
    let Some(program) = newest().filter(|program| !program.version().starts_with("2.9.")) else {
        eprintln!("skipped: there is no NATS server that begins with TLS");
        return;
    };
    let server = Nats::with(
        &program,
        &tls("server", ", handshake_first: true"),
        certificates,
    );
    let with = |first: bool| {
        bus("alice", &[&server.url()])
            .option("caFile", server.file("ca.crt"))
            .option("connectTimeout", 2)
            .option("tlsFirst", first)
    };
    up(with(true));
    let text = reason(with(false));
    assert!(text.contains("tlsFirst: true"), "{text}");
}

#[test]
fn websockets_have_tls_as_well() {
    let Some(program) = newest() else { return };
    let port = kozo_testnet::free_port();
    let lines = format!(
        "websocket {{ listen: \"127.0.0.1:{port}\", {} }}",
        tls("server", "")
    );
    let server = Nats::with(&program, &lines, certificates);
    let with = |authority: &str| {
        bus("alice", &[&format!("wss://127.0.0.1:{port}")]).option("caFile", server.file(authority))
    };
    up(with("ca.crt"));
    let text = reason(with("other.crt"));
    assert!(
        text.contains("an authority that is not known here"),
        "{text}"
    );
    let text = reason(bus("alice", &[&format!("ws://127.0.0.1:{port}")]));
    assert!(text.contains(&format!("ws://127.0.0.1:{port}")), "{text}");
}

/// Users with the password in the file `password`: bob, who may do everything, and alice, who may do that here.
fn users(here: &str) -> String {
    format!(
        "authorization {{ users: [\
            {{ user: alice, password: secret, permissions: {{ publish: [{here}], subscribe: [{here}, \"re.>\"] }} }}, \
            {{ user: bob, password: secret }} ] }}"
    )
}

fn user(server: &Nats, name: &str) -> BusBench<crate::Nats> {
    let file = server.file("password");
    write_secret(&file, "secret");
    bus(name, &[&server.url()])
        .option("pingInterval", 1)
        .option("user", name)
        .option("passwordFile", file)
}

#[test]
fn what_a_server_does_not_allow_is_told_by_its_subject_each_time() {
    for program in programs() {
        let server = Nats::start(&program, &users("\"own.>\""));
        let (alice, bob) = (up(user(&server, "alice")), up(user(&server, "bob")));
        bob.subscribe("other.>", true).unwrap();
        for _ in 0..3 {
            alice.publish("other.thing", None, b"forged").unwrap();
        }
        let mut refused = Vec::new();
        while refused.len() < 3 {
            refused.extend(alice.wait_for_refused(LIMIT).unwrap());
        }
        for (subject, reason) in &refused {
            assert_eq!(subject, "other.thing");
            assert!(reason.contains("do not let it publish there"), "{reason}");
        }
        alice.subscribe("other.*", true).unwrap();
        let refused = alice.wait_for_refused(LIMIT).unwrap();
        assert_eq!(refused.len(), 1);
        assert_eq!(refused[0].0, "other.*");
        assert!(
            refused[0].1.contains("do not let it subscribe there"),
            "{refused:?}"
        );
        // What is allowed goes on.
        hears(&alice, &bob, "own.thing");
        assert!(
            bob.received()
                .iter()
                .all(|datagram| datagram.subject == "own.thing")
        );
        assert_eq!(alice.downs(), Vec::<String>::new());
        assert_eq!(alice.status(), "");
    }
}

#[test]
fn what_a_server_allows_later_is_subscribed_to_without_a_new_connection() {
    for program in programs() {
        let narrow = users("\"own.>\"");
        let wide = users("\"own.>\", \"other.>\"");
        let mut server = Nats::start(&program, &narrow);
        let (alice, bob) = (up(user(&server, "alice")), up(user(&server, "bob")));
        let refused = || {
            let told = alice.wait_for_refused(LIMIT).unwrap();
            for (subject, reason) in told {
                assert_eq!(subject, "other.*");
                assert!(reason.contains("subscribe"), "{reason}");
            }
        };
        // An empty reason takes it back.
        let granted = || {
            until("it is taken back", || {
                let told = alice.wait_for_refused(LIMIT).unwrap();
                told.contains(&("other.*".to_owned(), String::new()))
            });
        };
        alice.subscribe("other.*", true).unwrap();
        // It is asked for again for as long as it is refused.
        for _ in 0..3 {
            refused();
        }
        server.reload(&wide);
        let heard = || {
            until("it is heard", || {
                bob.publish("other.thing", None, b"x").unwrap();
                !alice.received().is_empty()
            });
        };
        heard();
        granted();
        // What the server takes away from one that is connected comes back, too.
        server.reload(&narrow);
        refused();
        until("nothing is on its way any more", || {
            std::thread::sleep(Duration::from_millis(20));
            alice.received().is_empty()
        });
        server.reload(&wide);
        heard();
        granted();
        assert_eq!(alice.downs(), Vec::<String>::new());
        assert_eq!(alice.ups(), 1);
    }
}
