use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use super::{Incoming, RoleBench, StartedRole, TransportBench, reserve_port};
use crate::export::Described;
use crate::{
    Connection, Error, Filter, InboxLimits, Level, Pace, Peer, Readiness, Role, RoleHost,
    Transport, TransportHost,
};

/// Does what the messages that it gets tell it to.
struct Puppet {
    options: PuppetOptions,
}

#[derive(serde::Deserialize)]
struct PuppetOptions {
    label: String,
    names: Vec<String>,
    speed: f64,
    comment: Option<String>,
}

impl Role for Puppet {
    type Options = PuppetOptions;

    fn new(options: PuppetOptions, host: &RoleHost) -> Result<Self, Error> {
        if options.speed == 13.0 {
            return Err("13 is unlucky".into());
        }
        host.debug(&format!("{} of {}", host.name(), host.node()));
        Ok(Self { options })
    }

    fn run(&mut self, host: &RoleHost) -> Result<(), Error> {
        let Some(message) = host.receive_timeout(Duration::from_secs(5)) else {
            host.info("no message");
            return Ok(());
        };
        match message.type_name() {
            "echo" => host.event("echo").send_bytes(message.data_bytes())?,
            "age" => host.send_event("age", &message.age())?,
            "sleep" => host.info(&format!("slept: {}", host.sleep(Duration::from_secs(7)))),
            "paced" => host.event("bulk").paced(Duration::from_secs(2)).send(&1)?,
            "all" => {
                let rest = host.receive_many(2, Duration::ZERO);
                let data = rest.iter().map(crate::Message::data);
                host.send_event("rest", &data.collect::<Result<Vec<u32>, _>>()?)?;
            }
            "bulk" => {
                let bulk = host.event("bulk").paced(Duration::from_secs(2));
                let sent = bulk.send_many([1, 2, 3])?;
                host.info(&format!("sent {sent}"));
            }
            "store" => host.store(&message.data::<u32>()?)?,
            "load" => host.send_event("loaded", &host.load::<u32>()?)?,
            "status" => host.set_status("waiting for more"),
            "thread" => {
                let host = host.clone();
                std::thread::spawn(move || host.order("later").send(&()));
            }
            "panic" => panic!("told to"),
            other => return Err(format!("no such command: {other}").into()),
        }
        Ok(())
    }

    fn pace(&self) -> Pace {
        Pace::EveryOrMessage(Duration::from_secs_f64(self.options.speed))
    }

    fn inbox(&self, configured: InboxLimits) -> InboxLimits {
        InboxLimits {
            length: 3,
            ..configured
        }
    }

    fn filter(&self) -> Option<Filter> {
        Some(Box::new(|message| message.channel() != Some("noise")))
    }

    fn reopen(&mut self, host: &RoleHost) -> Result<(), Error> {
        let PuppetOptions {
            label,
            names,
            comment,
            ..
        } = &self.options;
        host.info(&format!("{label} {names:?} {comment:?}"));
        Ok(())
    }

    fn stop(&mut self, host: &RoleHost) -> Result<(), Error> {
        host.send_log(&format!("stopping: {}", host.stopping()))?;
        Ok(())
    }
}

impl Described for Puppet {
    const METADATA: &'static str = r#"
format: "1.0"
kind: role
name: puppet
version: "1.0"
author: Somebody
description: Does as it is told.
storage: true
options:
  label: {type: text, default: "{role}@{node}", description: A label.}
  names: {type: list, description: Whom to obey.}
  speed: {type: number, unit: seconds, default: 1, minimum: 0.5, maximum: 20, description: The pace.}
  comment: {type: text, default: null, description: For nothing.}
interests:
  - {kind: order, role: "{names}"}
  - {kind: event, type: "{comment}", node: "{node}"}
"#;
}

fn puppet() -> RoleBench<Puppet> {
    RoleBench::new().node("stage").option("names", "master")
}

fn order(type_name: &str) -> Incoming {
    Incoming::order(type_name).from("master", "somewhere")
}

fn texts(bench: &mut StartedRole) -> Vec<String> {
    bench.logged().into_iter().map(|(_, text)| text).collect()
}

#[test]
fn options_are_filled_in_as_a_host_does() -> Result<(), Error> {
    let mut bench = puppet().option("names", "a, b,,c ").start()?;
    assert_eq!(
        bench.logged(),
        [(Level::Debug, "puppet of stage".to_owned())]
    );
    bench.reopen()?;
    assert_eq!(texts(&mut bench), [r#"puppet@stage ["a", "b", "c"] None"#]);
    assert_eq!(bench.pace()?, Pace::EveryOrMessage(Duration::from_secs(1)));
    assert_eq!(bench.inbox().length, 3);
    Ok(())
}

#[test]
fn what_a_role_says_that_it_is_about_can_be_read() -> Result<(), Error> {
    let mut bench = puppet().start()?;
    assert_eq!(bench.status(), "");
    assert!(bench.deliver(order("status")));
    bench.run()?;
    assert_eq!(bench.status(), "waiting for more");
    Ok(())
}

#[test]
fn a_roles_own_refusal_is_an_error_of_the_bench() {
    let error = puppet().option("speed", 13).start().unwrap_err();
    assert_eq!(error.to_string(), "13 is unlucky");
}

#[test]
fn only_what_the_interests_let_in_is_delivered() -> Result<(), Error> {
    let mut bench = puppet().option("names", ["a", "b*"]).start()?;
    let mut delivered = |message: Incoming| bench.deliver(message);
    assert!(delivered(Incoming::order("echo").from("a", "x")));
    assert!(delivered(Incoming::order("echo").from("beta", "x")));
    assert!(!delivered(Incoming::order("echo").from("c", "x")));
    assert!(delivered(Incoming::event("any").from("c", "stage")));
    assert!(!delivered(Incoming::event("any").from("c", "x")));
    Ok(())
}

#[test]
fn waiting_moves_only_the_benchs_clock() -> Result<(), Error> {
    let mut bench = puppet().start()?;
    bench.run()?;
    assert_eq!(bench.elapsed(), Duration::from_secs(5));
    bench.deliver(order("sleep"));
    bench.run()?;
    assert_eq!(bench.elapsed(), Duration::from_secs(12));
    assert_eq!(texts(&mut bench)[1..], ["no message", "slept: true"]);
    Ok(())
}

#[test]
fn an_interrupted_wait_returns_at_once_and_the_next_one_waits_again() -> Result<(), Error> {
    let mut bench = puppet().start()?;
    bench.deliver(order("sleep"));
    bench.interrupt();
    bench.run()?;
    assert_eq!(bench.elapsed(), Duration::ZERO);
    bench.run()?;
    assert_eq!(bench.elapsed(), Duration::from_secs(7));
    Ok(())
}

#[test]
fn messages_go_both_ways_unchanged() -> Result<(), Error> {
    let mut bench = puppet().start()?;
    bench.deliver(order("echo").data(&("text", 5)).channel("front"));
    bench.deliver(order("age").age(Duration::from_secs(3)));
    bench.run()?;
    bench.run()?;
    let sent = bench.sent();
    assert_eq!(sent[0].data::<(String, u8)>()?, ("text".to_owned(), 5));
    assert_eq!(sent[0].to_string(), "event `echo` of puppet@stage");
    assert_eq!(sent[1].data::<Duration>()?, Duration::from_secs(3));
    assert!(bench.sent().is_empty());
    Ok(())
}

#[test]
fn several_messages_are_received_and_sent_at_once() -> Result<(), Error> {
    let mut bench = puppet().start()?;
    bench.deliver(order("all"));
    bench.deliver(order("echo").data(&1));
    bench.deliver(order("echo").data(&2).channel("noise"));
    bench.run()?;
    assert_eq!(bench.sent()[0].data::<Vec<u32>>()?, [1]);
    bench.deliver(order("bulk"));
    bench.run()?;
    assert_eq!(bench.sent().len(), 3);
    bench.room(false);
    bench.deliver(order("bulk"));
    bench.run()?;
    assert!(bench.sent().is_empty());
    assert_eq!(texts(&mut bench)[1..], ["sent 3", "sent 0"]);
    Ok(())
}

#[test]
fn a_filter_and_a_full_inbox_drop_messages() -> Result<(), Error> {
    let mut bench = puppet().start()?;
    bench.deliver(order("echo").channel("noise"));
    bench.run()?;
    assert!(bench.sent().is_empty());
    for number in 0..5 {
        bench.deliver(order("echo").data(&number));
    }
    for _ in 0..5 {
        bench.run()?;
    }
    let sent = bench.sent();
    let numbers: Result<Vec<i32>, _> = sent.iter().map(|message| message.data()).collect();
    assert_eq!(numbers?, [2, 3, 4]);
    Ok(())
}

#[test]
fn storage_works_fails_and_is_read_back() -> Result<(), Error> {
    let mut bench = puppet().store(&41).start()?;
    bench.deliver(order("load"));
    bench.deliver(order("store").data(&42));
    bench.run()?;
    bench.run()?;
    assert_eq!(bench.sent()[0].data::<u32>()?, 41);
    assert_eq!(bench.stored::<u32>()?, Some(42));
    bench.fail_storage(Some("disk full"));
    bench.deliver(order("load"));
    assert_eq!(bench.run().unwrap_err().to_string(), "disk full");
    Ok(())
}

#[test]
fn a_paced_send_without_room_fails_after_its_time() -> Result<(), Error> {
    let mut bench = puppet().start()?;
    bench.room(false);
    bench.deliver(order("paced"));
    bench.run().unwrap_err();
    assert_eq!(bench.elapsed(), Duration::from_secs(2));
    bench.room(true);
    bench.deliver(order("paced"));
    bench.run()?;
    assert_eq!(bench.sent().len(), 1);
    Ok(())
}

#[test]
fn what_a_thread_of_the_role_sends_is_waited_for() -> Result<(), Error> {
    let mut bench = puppet().start()?;
    let error = bench.wait_for_sent(1, Duration::from_millis(10));
    assert!(error.unwrap_err().to_string().starts_with("0 messages"));
    bench.deliver(order("thread"));
    bench.run()?;
    let sent = bench.wait_for_sent(1, Duration::from_secs(60))?;
    assert_eq!(sent[0].type_name(), "later");
    Ok(())
}

#[test]
fn errors_and_panics_of_a_role_are_errors_of_the_bench() -> Result<(), Error> {
    let mut bench = puppet().start()?;
    bench.deliver(order("juggle"));
    let error = bench.run().unwrap_err();
    assert_eq!(error.to_string(), "no such command: juggle");
    bench.deliver(order("panic"));
    let error = bench.run().unwrap_err();
    assert_eq!(error.to_string(), "panicked: told to");
    bench.stop()?;
    assert_eq!(bench.sent()[0].data::<String>()?, "stopping: true");
    assert_eq!(bench.run().unwrap_err().to_string(), "the role was stopped");
    Ok(())
}

/// Waits for a listening socket.
struct Door(TcpListener, TransportHost);

#[derive(serde::Deserialize)]
struct DoorOptions {
    place: String,
}

impl Transport for Door {
    type Options = DoorOptions;

    fn init(options: DoorOptions, host: &TransportHost) -> Result<Self, Error> {
        host.info(&format!(
            "{} {} {}",
            options.place,
            host.module(),
            host.is_local()
        ));
        Ok(Self(TcpListener::bind("127.0.0.1:0")?, host.clone()))
    }

    fn bind(&self) -> Result<(), Error> {
        self.1.info("bound");
        Ok(())
    }

    fn accept(&self) -> Result<Option<Connection>, Error> {
        match self.1.wait_readable(self.0.as_fd(), None)? {
            Readiness::Ready => {
                let (stream, address) = self.0.accept()?;
                Ok(Some(Connection::new(stream, address.to_string())))
            }
            _ => Ok(None),
        }
    }

    fn addresses(&self, peer: &Peer<'_>) -> Result<Vec<String>, Error> {
        Ok(vec![
            peer.options::<std::collections::BTreeMap<String, String>>()?["place"].clone(),
        ])
    }

    fn connect(&self, peer: &Peer<'_>, address: &str, _: Duration) -> Result<Connection, Error> {
        match address {
            "here" => Ok(Connection::new(
                TcpStream::connect(self.0.local_addr()?)?,
                peer.node(),
            )),
            other => Err(format!("`{other}` is not here").into()),
        }
    }
}

impl Described for Door {
    const METADATA: &'static str = "{format: '1.0', kind: transport, name: door, version: '1',
        author: Somebody, description: Opens., options: {
            place: {type: text, default: '{transport} of {node}', description: A place.}}}";
}

#[test]
fn a_transport_is_driven_through_all_its_calls() -> Result<(), Error> {
    let alice = TransportBench::<Door>::new()
        .option("place", "here")
        .start()?;
    let bob = TransportBench::<Door>::new()
        .node("bob")
        .name("back")
        .local(false)
        .start()?;
    assert_eq!(bob.logged()[0].1, "back of bob door false");
    alice.local_init()?;
    alice.bind()?;
    assert_eq!(alice.logged()[1].1, "bound");
    assert!(alice.can_accept()? && alice.can_connect(&bob.peer())?);
    assert_eq!(alice.priority()?, 2);
    assert_eq!(bob.addresses(&alice.peer())?, ["here"]);
    assert_eq!(alice.addresses(&bob.peer())?, ["back of bob"]);

    let far = bob.connect(&alice.peer(), "there", Duration::from_secs(1));
    assert_eq!(far.unwrap_err().to_string(), "`there` is not here");
    let near = bob.connect(&alice.peer(), "here", Duration::from_secs(1))?;
    assert_eq!(near.address, "node");
    Ok(())
}

/// Says who it is at the other end by itself.
struct Secret(TransportHost);

impl Transport for Secret {
    type Options = NoOptions;

    fn init(_options: NoOptions, host: &TransportHost) -> Result<Self, Error> {
        Ok(Self(host.clone()))
    }

    fn own_address(_options: &NoOptions, host: &TransportHost) -> Result<Option<String>, Error> {
        Ok(Some(host.state_dir()?.display().to_string()))
    }

    fn local_init(&self) -> Result<(), Error> {
        self.0.set_status("keeping secrets");
        Ok(())
    }

    fn accept(&self) -> Result<Option<Connection>, Error> {
        let (stream, _other) = std::os::unix::net::UnixStream::pair()?;
        Ok(Some(Connection::authenticated(stream, "far", "bob")))
    }

    /// A signature of this node's, which is no address.
    fn addresses(&self, _peer: &Peer<'_>) -> Result<Vec<String>, Error> {
        Ok(vec![String::from_utf8(self.0.sign(b"binding")?)?])
    }

    /// Whether `signature` is one of the peer's.
    fn connect(
        &self,
        peer: &Peer<'_>,
        signature: &str,
        _timeout: Duration,
    ) -> Result<Connection, Error> {
        self.0
            .verify(peer.node(), b"binding", signature.as_bytes())?;
        self.accept()?.ok_or_else(|| "nobody".into())
    }
}

#[derive(serde::Deserialize)]
struct NoOptions {}

impl Described for Secret {
    const METADATA: &'static str = "{format: '1.0', kind: transport, name: secret, version: '1',
        author: Somebody, description: Secures its streams by itself.}";
}

#[test]
fn a_transport_has_a_state_folder_where_the_test_gives_it_one() -> Result<(), Error> {
    let error = TransportBench::<Secret>::new().own_address().unwrap_err();
    assert_eq!(error.to_string(), "the bench was given no state folder");
    let folder = Path::new("/state/node.secret");
    let bench = || TransportBench::<Secret>::new().state_dir(folder);
    assert_eq!(bench().own_address()?.as_deref(), folder.to_str());
    let error = bench().local(false).own_address().unwrap_err();
    assert!(
        error.to_string().contains("of the node that runs"),
        "{error}"
    );
    Ok(())
}

#[test]
fn what_a_transport_is_about_can_be_seen() -> Result<(), Error> {
    let secret = TransportBench::<Secret>::new().start()?;
    assert_eq!(secret.status(), "");
    secret.local_init()?;
    assert_eq!(secret.status(), "keeping secrets");
    Ok(())
}

#[test]
fn transports_of_two_nodes_prove_to_each_other_who_they_are() -> Result<(), Error> {
    let alice = TransportBench::<Secret>::new().node("alice").start()?;
    let bob = TransportBench::<Secret>::new().node("bob").start()?;
    let limit = Duration::from_secs(1);
    let signature = bob.addresses(&alice.peer())?.remove(0);
    let connection = alice.connect(&bob.peer(), &signature, limit)?;
    assert_eq!(connection.node.as_deref(), Some("bob"));
    let own = alice.addresses(&bob.peer())?.remove(0);
    let error = alice.connect(&bob.peer(), &own, limit).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the signature is not of `bob`, or of something else"
    );
    let remote = TransportBench::<Secret>::new().local(false).start()?;
    assert!(remote.addresses(&alice.peer()).is_err());
    Ok(())
}

#[test]
fn stopping_a_transport_ends_a_waiting_accept() -> Result<(), Error> {
    let door = TransportBench::<Door>::new().start()?;
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| door.accept().map(|connection| connection.is_none()));
        door.stop()?;
        assert!(waiting.join().expect("it does not panic")?);
        Ok(())
    })
}

#[test]
fn reserved_ports_are_free_and_differ() -> Result<(), Error> {
    let (one, other) = (reserve_port()?, reserve_port()?);
    assert_ne!(one, other);
    TcpListener::bind(("127.0.0.1", one))?;
    TcpListener::bind(("127.0.0.1", other))?;
    Ok(())
}
