//! Accounts on real servers, on a network of their own. Without what that needs, each test says so and is skipped.

use std::error::Error;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Instant;

use kozo_testnet::{
    DEADLINE, Host, Ipv6, Nat, Network, PASSWORD, Process, Server as Kind, Unavailable,
    XmppOptions, wait_until,
};
use kozo_xmpp::{
    Account, Event, Jid, Password, Reason, SendError, Senders, Server, Settings, State, Trust,
};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

type Tested = Result<(), Box<dyn Error>>;

/// A network of which this thread, and what it starts, is on the first host.
struct Scene {
    network: Network,
    _on_host: Process,
}

/// Says past the capture of output why a test did nothing.
fn skipped(reason: &Unavailable) {
    let _ = writeln!(std::io::stderr(), "skipped: {reason}");
}

impl Scene {
    fn start() -> Option<Self> {
        let network = match Network::start(Nat::None, Ipv6::No) {
            Ok(network) => network,
            Err(reason) => {
                skipped(&reason);
                return None;
            }
        };
        let on_host = network.spawn(Host::A, "on-host", "sleep", &["900"]);
        let path = |what: &str| format!("/proc/{}/{what}", on_host.id());
        // Until then it is on its way there.
        wait_until("the process is on the host", || {
            fs::read_to_string(path("comm"))
                .ok()
                .filter(|name| name == "sleep\n")
        });
        let namespace = File::open(path("ns/net")).ok()?;
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).ok()?;
        Some(Self {
            network,
            _on_host: on_host,
        })
    }

    fn settings(&self, jid: &str, resource: &str, ca: &Path) -> Result<Settings, Box<dyn Error>> {
        Ok(Settings {
            account: jid.parse()?,
            password: Password::Text(PASSWORD.to_owned()),
            resource: resource.to_owned(),
            server: Some(Server {
                host: "203.0.113.1".to_owned(),
                port: 5222,
            }),
            trust: Trust::File(ca.to_owned()),
            namespace: "urn:test".to_owned(),
            status: Some(format!("status of {resource}")),
            senders: Senders::Present,
        })
    }
}

fn start(settings: Settings) -> Result<Account, Box<dyn Error>> {
    Ok(Account::start(settings, || {})?)
}

/// The first event of which something is wanted; others are left out.
fn wait_for<T>(account: &Account, what: &str, mut wanted: impl FnMut(Event) -> Option<T>) -> T {
    let end = Instant::now() + DEADLINE;
    let mut others = Vec::new();
    while let Some(left) = end.checked_duration_since(Instant::now()) {
        let Some(event) = account.wait_event(left) else {
            continue;
        };
        others.push(format!("{event:?}"));
        if let Some(found) = wanted(event) {
            return found;
        }
    }
    panic!("waited in vain for {what}; there were {others:#?}");
}

fn online(account: &Account) -> Jid {
    wait_for(account, "the session", |event| match event {
        Event::State(State::Online { jid }) => Some(jid),
        _ => None,
    })
}

fn offline(account: &Account) -> Reason {
    wait_for(account, "the reason", |event| match event {
        Event::State(State::Offline { reason, .. }) => Some(reason),
        _ => None,
    })
}

/// What both do who use an account: see each other, ask each other, and go.
fn two_accounts_meet(kind: Kind, options: XmppOptions) -> Tested {
    let Some(scene) = Scene::start() else {
        return Ok(());
    };
    let server = match scene.network.xmpp_with(kind, &["alice", "bob"], options) {
        Ok(server) => server,
        Err(reason) => {
            skipped(&reason);
            return Ok(());
        }
    };
    let alice = start(scene.settings("alice@kozo.test", "first", server.ca())?)?;
    assert_eq!(online(&alice), "alice@kozo.test/first".parse()?);
    let bob = start(scene.settings("bob@kozo.test", "second", server.ca())?)?;
    let at_bob = online(&bob);

    let seen = |by: &Account, whom: &Jid| {
        wait_for(by, "a presence", |event| match event {
            Event::Available { from, status } if from == *whom => Some(status),
            _ => None,
        })
    };
    assert_eq!(seen(&alice, &at_bob).as_deref(), Some("status of second"));
    let at_alice = "alice@kozo.test/first".parse()?;
    assert_eq!(seen(&bob, &at_alice).as_deref(), Some("status of first"));

    let long = "<&> ü\n".repeat(1000);
    alice.send(&at_bob, &[("data", &long), ("type", "offer")])?;
    let (from, fields) = wait_for(&bob, "a query", |event| match event {
        Event::Query { from, fields } => Some((from, fields)),
        _ => None,
    });
    assert_eq!((from, fields.text("type")), (at_alice, Some("offer")));
    assert_eq!(fields.text("data"), Some(long.as_str()));

    // Somebody who is not there.
    let nobody = "bob@kozo.test/elsewhere".parse()?;
    let sent = alice.send(&nobody, &[("data", "x")])?;
    let back = wait_for(&alice, "the query's return", |event| match event {
        Event::Undelivered { to, id, condition } => Some((to, id, condition)),
        _ => None,
    });
    assert_eq!(back, (nobody, sent, "service-unavailable".to_owned()));

    drop(bob);
    wait_for(&alice, "bob's leave", |event| match event {
        Event::Unavailable { from } if from == at_bob => Some(()),
        _ => None,
    });
    Ok(())
}

#[test]
fn two_accounts_meet_on_prosody() -> Tested {
    two_accounts_meet(Kind::Prosody, XmppOptions::default())
}

#[test]
fn two_accounts_meet_on_prosody_with_plain_passwords() -> Tested {
    let options = XmppOptions {
        plain_passwords: true,
        ..XmppOptions::default()
    };
    two_accounts_meet(Kind::Prosody, options)
}

#[test]
fn two_accounts_meet_on_ejabberd() -> Tested {
    two_accounts_meet(Kind::Ejabberd, XmppOptions::default())
}

#[test]
fn why_it_is_not_connected_is_told() -> Tested {
    let Some(scene) = Scene::start() else {
        return Ok(());
    };
    let server = match scene.network.xmpp(Kind::Prosody, &["alice"]) {
        Ok(server) => server,
        Err(reason) => {
            skipped(&reason);
            return Ok(());
        }
    };
    let good = scene.settings("alice@kozo.test", "first", server.ca())?;
    let told = |change: &dyn Fn(&mut Settings)| -> Result<Reason, Box<dyn Error>> {
        let mut settings = good.clone();
        change(&mut settings);
        Ok(offline(&start(settings)?))
    };
    let at = |host: &str, port| {
        Some(Server {
            host: host.to_owned(),
            port,
        })
    };

    let reason = told(&|settings| settings.server = at("server.invalid", 5222))?;
    assert!(matches!(reason, Reason::HostNotFound { .. }), "{reason:?}");
    let reason = told(&|settings| settings.server = at("203.0.113.1", 5223))?;
    assert!(matches!(reason, Reason::Refused { .. }), "{reason:?}");
    let account = "alice@kozo.test".to_owned();
    let reason = told(&|settings| settings.password = Password::Text("wrong".to_owned()))?;
    assert_eq!(reason, Reason::WrongPassword { account });
    let nobody: Jid = "nobody@kozo.test".parse()?;
    let reason = told(&|settings| settings.account = nobody.clone())?;
    let account = nobody.to_string();
    assert_eq!(reason, Reason::WrongPassword { account });
    let elsewhere: Jid = "alice@elsewhere.test".parse()?;
    let reason = told(&|settings| settings.account = elsewhere.clone())?;
    let domain = "elsewhere.test".to_owned();
    assert_eq!(reason, Reason::NoSuchDomain { domain });

    let reason = told(&|settings| settings.trust = Trust::System)?;
    let unknown = matches!(
        reason,
        Reason::UnknownAuthority | Reason::NoSystemAuthorities(_)
    );
    assert!(unknown, "{reason:?}");
    let file = scene.network.folder().join("file");
    let reason = told(&|settings| settings.trust = Trust::File(file.clone()))?;
    assert!(matches!(reason, Reason::Authorities { .. }), "{reason:?}");
    fs::write(&file, "")?;
    let reason = told(&|settings| settings.password = Password::File(file.clone()))?;
    assert!(matches!(reason, Reason::PasswordFile { .. }), "{reason:?}");
    fs::write(&file, format!("{PASSWORD}\n"))?;
    let mut settings = good.clone();
    settings.password = Password::File(file);
    settings.trust = Trust::Anybody;
    let first = start(settings)?;
    online(&first);

    // Who comes second with the same session name takes it over, and is told so if it is taken from it.
    let second = start(good.clone())?;
    online(&second);
    let jid = "alice@kozo.test/first".to_owned();
    assert_eq!(offline(&first), Reason::Replaced { jid });
    Ok(())
}

#[test]
fn a_server_without_encryption_is_told_nothing() -> Tested {
    let Some(scene) = Scene::start() else {
        return Ok(());
    };
    let options = XmppOptions {
        without_tls: true,
        ..XmppOptions::default()
    };
    let server = match scene.network.xmpp_with(Kind::Prosody, &["alice"], options) {
        Ok(server) => server,
        Err(reason) => {
            skipped(&reason);
            return Ok(());
        }
    };
    let mut settings = scene.settings("alice@kozo.test", "first", server.ca())?;
    settings.trust = Trust::Anybody;
    assert_eq!(offline(&start(settings)?), Reason::NoStartTls);
    Ok(())
}

/// A CA, and a certificate of it for a name, in the place where the server looks for one. It is valid until that year.
fn certify(folder: &Path, name: &str, year: i32) -> Tested {
    let mut authority = CertificateParams::new([])?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate()?;
    let certificate = authority.self_signed(&key)?;
    let issuer = Issuer::new(authority, key);
    let mut params = CertificateParams::new([name.to_owned()])?;
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(year, 1, 1);
    let key = KeyPair::generate()?;
    let signed = params.signed_by(&key, &issuer)?;
    let certificates = folder.join("certs");
    fs::create_dir_all(&certificates)?;
    fs::write(folder.join("ca.pem"), certificate.pem())?;
    fs::write(certificates.join("kozo.test.crt"), signed.pem())?;
    fs::write(certificates.join("kozo.test.key"), key.serialize_pem())?;
    Ok(())
}

#[test]
fn certificates_of_another_name_or_time_are_refused() -> Tested {
    let Some(scene) = Scene::start() else {
        return Ok(());
    };
    let folder = scene.network.folder().join("xmpp-prosody");
    let expected = "kozo.test".to_owned();
    for (name, year, reason) in [
        ("kozo.test", 2021, Reason::Expired),
        ("other.test", 4000, Reason::WrongName { expected }),
    ] {
        certify(&folder, name, year)?;
        let server = match scene.network.xmpp(Kind::Prosody, &["alice"]) {
            Ok(server) => server,
            Err(reason) => {
                skipped(&reason);
                return Ok(());
            }
        };
        let mut settings = scene.settings("alice@kozo.test", "first", server.ca())?;
        assert_eq!(offline(&start(settings.clone())?), reason);
        settings.trust = Trust::Anybody;
        online(&start(settings)?);
    }
    Ok(())
}

#[test]
fn a_server_that_was_killed_is_found_again() -> Tested {
    let Some(scene) = Scene::start() else {
        return Ok(());
    };
    let mut server = match scene.network.xmpp(Kind::Prosody, &["alice"]) {
        Ok(server) => server,
        Err(reason) => {
            skipped(&reason);
            return Ok(());
        }
    };
    let ca = server.ca().to_owned();
    let alice = start(scene.settings("alice@kozo.test", "first", &ca)?)?;
    let itself = online(&alice);
    server.process.stop();
    let reason = offline(&alice);
    assert!(
        matches!(
            reason,
            Reason::Closed(_) | Reason::Gone(_) | Reason::Refused { .. }
        ),
        "{reason:?}"
    );
    assert_eq!(
        alice.send(&itself, &[("data", "x")]),
        Err(SendError::NotConnected)
    );
    let _server = scene.network.xmpp(Kind::Prosody, &["alice"])?;
    alice.retry();
    online(&alice);
    Ok(())
}

#[test]
fn an_account_is_dropped_at_once_while_its_server_says_nothing() -> Tested {
    // The connection is taken by the system.
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let alice = start(Settings {
        account: "alice@kozo.test".parse()?,
        password: Password::Text(PASSWORD.to_owned()),
        resource: "first".to_owned(),
        server: Some(Server {
            host: address.ip().to_string(),
            port: address.port(),
        }),
        trust: Trust::Anybody,
        namespace: "urn:test".to_owned(),
        status: None,
        senders: Senders::Present,
    })?;
    let (mut silent, _) = listener.accept()?;
    let mut header = [0; 5];
    silent.read_exact(&mut header)?;
    drop(alice);
    assert_eq!(&header, b"<?xml");
    Ok(())
}
