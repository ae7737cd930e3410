use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddrV4, TcpListener, TcpStream};
use std::time::Duration;

use kozo_abi::bench::{RoleBench, StartedRole, reserve_port};
use kozo_abi::{Error, Kind, Level, Message};
use rustix::net::{AddressFamily, SocketType};

use super::MessageInjector;
use super::admission::MAX_CONNECTIONS;
use super::connection::MAX_LINE;

/// Long enough for anything that happens at all.
const LIMIT: Duration = Duration::from_secs(60);

fn start(log: bool) -> Result<(StartedRole, u16), Error> {
    let port = reserve_port()?;
    let bench = RoleBench::<MessageInjector>::new()
        .option("bindAddress", "127.0.0.1")
        .option("bindPort", port)
        .option("log", log)
        .start()?;
    Ok((bench, port))
}

struct Client(BufReader<TcpStream>);

impl Client {
    fn connect(port: u16) -> Result<Self, Error> {
        Self::connect_from(Ipv4Addr::LOCALHOST, port)
    }

    /// Connects from one of the many addresses that this machine has for itself.
    fn connect_from(from: Ipv4Addr, port: u16) -> Result<Self, Error> {
        let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None)?;
        rustix::net::bind(&socket, &SocketAddrV4::new(from, 0))?;
        rustix::net::connect(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))?;
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(LIMIT))?;
        stream.set_write_timeout(Some(LIMIT))?;
        Ok(Self(BufReader::new(stream)))
    }

    fn write(&mut self, bytes: impl AsRef<[u8]>) -> Result<(), Error> {
        Ok(self.0.get_mut().write_all(bytes.as_ref())?)
    }

    fn answer(&mut self) -> Result<String, Error> {
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        Ok(line)
    }

    fn ask(&mut self, line: &str) -> Result<String, Error> {
        self.write(format!("{line}\n"))?;
        self.answer()
    }
}

fn one(bench: &mut StartedRole) -> Result<Message, Error> {
    let mut sent = bench.wait_for_sent(1, LIMIT)?;
    assert_eq!(sent.len(), 1);
    Ok(sent.remove(0))
}

#[test]
fn each_line_becomes_a_message_and_is_answered() -> Result<(), Error> {
    let (mut bench, port) = start(false)?;
    let mut client = Client::connect(port)?;
    assert_eq!(client.ask("('event', 'tick', {'a': [1, None]})")?, "ok\n");
    let sent = one(&mut bench)?;
    assert_eq!((sent.kind(), sent.type_name()), (Kind::Event, "tick"));
    assert_eq!(sent.channel(), None);
    // {"a": [1, nil]}
    assert_eq!(sent.data_bytes(), b"\x81\xa1a\x92\x01\xc0");

    assert_eq!(client.ask(r#"["order", "open", "garage", true]"#)?, "ok\n");
    let sent = one(&mut bench)?;
    assert_eq!((sent.kind(), sent.type_name()), (Kind::Order, "open"));
    assert_eq!(sent.channel(), Some("garage"));
    assert!(sent.data::<bool>()?);

    assert_eq!(client.ask("[log, hello]\r")?, "ok\n");
    let sent = one(&mut bench)?;
    assert_eq!(sent.kind(), Kind::Log);
    assert_eq!(sent.data::<String>()?, "hello");
    Ok(())
}

#[test]
fn an_error_is_answered_with_one_line_and_the_connection_goes_on() -> Result<(), Error> {
    let (mut bench, port) = start(false)?;
    let mut client = Client::connect(port)?;
    let answer = client.ask("('event', exit(), 1)")?;
    assert_eq!(
        answer,
        "error: character 11: \"exit\" is no value: a text needs quotes\n"
    );
    client.write(b"\xff\xfe\n\n")?;
    assert_eq!(client.answer()?, "error: the line is not UTF-8\n");
    assert!(client.ask("[event, *x, 1]")?.starts_with("error: "));
    assert_eq!(client.ask("('log', 'on')")?, "ok\n");
    assert_eq!(one(&mut bench)?.data::<String>()?, "on");
    Ok(())
}

#[test]
fn a_line_that_is_too_long_is_refused_and_skipped() -> Result<(), Error> {
    let (mut bench, port) = start(false)?;
    let mut client = Client::connect(port)?;
    let answer = client.ask(&format!("('log', '{}')", "x".repeat(10 * MAX_LINE)))?;
    assert_eq!(answer, "error: a line has 65536 bytes at most\n");
    assert_eq!(client.ask("('log', 'on')")?, "ok\n");
    assert_eq!(one(&mut bench)?.data::<String>()?, "on");
    Ok(())
}

#[test]
fn a_last_line_without_an_end_is_sent_and_answered() -> Result<(), Error> {
    let (mut bench, port) = start(false)?;
    let mut client = Client::connect(port)?;
    client.write("('log', 'one')\n('log', 'two')")?;
    client.0.get_ref().shutdown(Shutdown::Write)?;
    let mut answers = String::new();
    client.0.read_to_string(&mut answers)?;
    assert_eq!(answers, "ok\nok\n");
    assert_eq!(bench.wait_for_sent(2, LIMIT)?.len(), 2);
    Ok(())
}

#[test]
fn messages_and_errors_are_logged() -> Result<(), Error> {
    let (mut bench, port) = start(true)?;
    let mut client = Client::connect(port)?;
    client.ask("('event', 'tick', 'a\tb')")?;
    let sent = bench.wait_for_sent(2, LIMIT)?;
    let text = sent[1].data::<String>()?;
    assert!(text.starts_with("sent for 127.0.0.1:"), "{text}");
    assert!(text.ends_with(r": ('event', 'tick', 'a\tb')"), "{text}");
    client.ask("nonsense")?;
    let text = one(&mut bench)?.data::<String>()?;
    assert!(text.starts_with("refused a line of 127.0.0.1:"), "{text}");
    let printed = bench.logged();
    assert!(printed.contains(&(Level::Info, text)));
    Ok(())
}

#[test]
fn several_clients_are_served_up_to_a_limit() -> Result<(), Error> {
    let (_bench, port) = start(false)?;
    let mut clients = Vec::new();
    for _ in 0..MAX_CONNECTIONS {
        let mut client = Client::connect(port)?;
        assert_eq!(client.ask("('log', 'x')")?, "ok\n");
        clients.push(client);
    }
    let mut refused = Client::connect(port)?;
    assert_eq!(
        refused.answer()?,
        "error: 16 connections are open, which is the limit\n"
    );
    // When one goes, there is room for another; the server has to notice first.
    clients.pop();
    let deadline = std::time::Instant::now() + LIMIT;
    loop {
        let mut client = Client::connect(port)?;
        if client
            .ask("('log', 'x')")
            .is_ok_and(|answer| answer == "ok\n")
        {
            break;
        }
        assert!(std::time::Instant::now() < deadline);
    }
    for client in &mut clients {
        assert_eq!(client.ask("('log', 'x')")?, "ok\n");
    }
    Ok(())
}

#[test]
fn clients_that_say_nothing_make_room_for_others() -> Result<(), Error> {
    let (_bench, port) = start(false)?;
    let mut idle = Vec::new();
    for _ in 0..2 * MAX_CONNECTIONS {
        idle.push(Client::connect(port)?);
    }
    let mut client = Client::connect(port)?;
    assert_eq!(client.ask("('log', 'x')")?, "ok\n");
    assert_eq!(
        idle[0].answer()?,
        "error: other clients need the place, and this connection says nothing or is one of many\n"
    );
    assert_eq!(idle[0].answer()?, "");
    Ok(())
}

#[test]
fn a_machine_that_keeps_every_place_at_work_locks_no_other_out() -> Result<(), Error> {
    let (_bench, port) = start(false)?;
    let mut clients = Vec::new();
    for _ in 0..MAX_CONNECTIONS {
        let mut client = Client::connect(port)?;
        assert_eq!(client.ask("('log', 'x')")?, "ok\n");
        clients.push(client);
    }
    for _ in 0..MAX_CONNECTIONS / 2 {
        let mut other = Client::connect_from(Ipv4Addr::new(127, 0, 0, 2), port)?;
        assert_eq!(other.ask("('log', 'x')")?, "ok\n");
        clients.push(other);
    }
    let mut refused = Client::connect_from(Ipv4Addr::new(127, 0, 0, 2), port)?;
    assert!(refused.answer()?.contains("which is the limit"));
    assert!(clients[0].answer()?.contains("is one of many"));
    assert_eq!(clients[MAX_CONNECTIONS - 1].ask("('log', 'x')")?, "ok\n");
    Ok(())
}

/// What a browser sends for a form, or for a fetch of a page on another site.
const POST: &str = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n\r\n\
    ('log', 'forged')\n[order, gpio set, garage, true]\n";

#[test]
fn a_web_page_gets_no_word_in() -> Result<(), Error> {
    let (mut bench, port) = start(true)?;
    for _ in 0..3 {
        let mut page = Client::connect(port)?;
        page.write(POST)?;
        let answer = page.answer()?;
        assert!(answer.starts_with("error: that is no message"), "{answer}");
        assert_eq!(page.answer()?, "", "the connection is closed");
    }
    Client::connect(port)?.ask("('log', 'real')")?;
    // Three lines of the role's own, the message, and what the role says of it.
    let texts: Vec<String> = bench
        .wait_for_sent(5, LIMIT)?
        .iter()
        .map(|message| message.data())
        .collect::<Result<_, _>>()?;
    for text in &texts[..3] {
        assert!(text.contains("another protocol"), "{text}");
    }
    assert_eq!(texts[3], "real");
    Ok(())
}

#[test]
fn http_in_pieces_or_behind_a_message_gets_no_word_in_either() -> Result<(), Error> {
    let (mut bench, port) = start(false)?;
    let mut slow = Client::connect(port)?;
    slow.write("\r\nP")?;
    assert!(slow.answer()?.starts_with("error: that is no message"));
    let mut late = Client::connect(port)?;
    assert_eq!(late.ask("('log', 'one')")?, "ok\n");
    assert!(late.ask("help")?.starts_with("error: expected "));
    late.write(POST)?;
    assert!(late.answer()?.starts_with("error: that is no message"));
    assert_eq!(late.answer()?, "");
    Client::connect(port)?.ask("('log', 'two')")?;
    let sent = bench.wait_for_sent(2, LIMIT)?;
    assert_eq!(sent[0].data::<String>()?, "one");
    assert_eq!(sent[1].data::<String>()?, "two");
    Ok(())
}

#[test]
fn a_client_that_is_refused_again_and_again_does_not_fill_the_log() -> Result<(), Error> {
    let (mut bench, port) = start(true)?;
    let mut client = Client::connect(port)?;
    for _ in 0..200 {
        assert!(client.ask("(nonsense")?.starts_with("error: "));
    }
    let refused = bench
        .logged()
        .into_iter()
        .filter(|(_, text)| text.starts_with("refused a line"));
    assert!(refused.count() < 100);
    Ok(())
}

#[test]
fn a_client_that_reads_no_answers_holds_nobody_up() -> Result<(), Error> {
    let (_bench, port) = start(false)?;
    let mut deaf = Client::connect(port)?;
    deaf.0.get_ref().set_nonblocking(true)?;
    // Until the server takes no more of it.
    let lines = "(x\n".repeat(32 * 1024);
    while deaf.0.get_mut().write(lines.as_bytes()).is_ok() {}
    let mut other = Client::connect(port)?;
    assert_eq!(other.ask("('log', 'x')")?, "ok\n");
    Ok(())
}

#[test]
fn stopping_closes_every_connection_and_the_port() -> Result<(), Error> {
    let (mut bench, port) = start(false)?;
    let mut client = Client::connect(port)?;
    client.ask("('log', 'x')")?;
    bench.stop()?;
    assert_eq!(client.0.read(&mut [0; 8])?, 0);
    TcpListener::bind(("127.0.0.1", port))?;
    Ok(())
}

#[test]
fn a_port_that_is_in_use_is_named() -> Result<(), Error> {
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let port = taken.local_addr()?.port();
    let error = RoleBench::<MessageInjector>::new()
        .option("bindAddress", "127.0.0.1")
        .option("bindPort", port)
        .start()
        .unwrap_err()
        .to_string();
    let expected = format!("cannot listen on 127.0.0.1:{port}: ");
    assert!(error.starts_with(&expected), "{error}");
    assert!(error.contains("`bindPort`"), "{error}");
    Ok(())
}

#[test]
fn an_address_that_is_none_is_an_error() -> Result<(), Error> {
    let error = RoleBench::<MessageInjector>::new()
        .option("bindAddress", "no address")
        .older_host()
        .start()
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("cannot listen on no address:7050: "),
        "{error}"
    );
    Ok(())
}

#[test]
fn only_an_address_that_others_reach_is_warned_of() -> Result<(), Error> {
    let warnings = |bench: &mut StartedRole| {
        let logged = bench.logged().into_iter();
        logged.filter(|(level, _)| *level == Level::Warn).count()
    };
    let (mut bench, _) = start(false)?;
    assert_eq!(warnings(&mut bench), 0);
    let mut bench = RoleBench::<MessageInjector>::new()
        .option("bindAddress", "0.0.0.0")
        .option("bindPort", reserve_port()?)
        .start()?;
    assert_eq!(warnings(&mut bench), 1);
    Ok(())
}

#[test]
fn it_waits_without_work_of_its_own() -> Result<(), Error> {
    let (mut bench, _) = start(false)?;
    bench.run()?;
    assert!(bench.elapsed() > Duration::from_secs(1));
    Ok(())
}
