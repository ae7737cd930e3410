//! Bad input from the network. The daemon lives on, its other links stand, and its memory is
//! bounded.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kozo_ground::interest::{Interest, Kind};
use kozo_wire::{Frame, Hello, MAX_FRAME_LEN, MAX_HELLO_LEN, MAX_INTERESTS, RoleInterests};
use rustix::net::{AddressFamily, SocketType, bind, connect, ipproto, socket};
use serde_json::Value;

use super::guest::Guest;
use super::injector::Injector;
use super::process::{DEADLINE, Process};
use super::scene::Scene;

/// More connections than a daemon bears before they have said who they are.
const TOO_MANY: usize = 320;

/// More memory than a daemon ever needs for all that is done to it here, in bytes: a few frames
/// of the longest kind, and what the program itself takes.
const MEMORY: usize = 160 * 1024 * 1024;

/// A daemon that is ill-treated, and a link of its with another node that must not notice.
struct House {
    scene: Scene,
    clock: Process,
    scribe: Process,
    injector: Injector,
    told: usize,
}

impl House {
    fn new() -> Self {
        Self::of(Scene::new(&["clock", "scribe", "guest"]))
    }

    fn of(mut scene: Scene) -> Self {
        let port = Injector::on(&mut scene, "clock");
        for node in ["clock", "scribe"] {
            scene.role(
                node,
                "logger",
                &format!("{{file: {node}.log, flushEvery: 1}}"),
            );
        }
        let mut clock = scene.start("clock");
        let scribe = scene.start("scribe");
        clock.wait_for_link("scribe");
        Self {
            scene,
            clock,
            scribe,
            injector: Injector::connect(port),
            told: 0,
        }
    }

    fn tcp(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.scene.port("clock"))).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream
    }

    /// Authenticated, but nothing is said yet.
    fn guest(&self) -> Guest {
        Guest::connect(&self.scene, "guest", "clock").unwrap()
    }

    /// With a hello.
    fn member(&self) -> Guest {
        Guest::join(&self.scene, "guest", "clock", Vec::new())
    }

    /// The next reason for which the daemon ended a link with the guest, or had none.
    fn reason(&mut self) -> String {
        let line = self.clock.wait_for("the guest's link ends", |line| {
            let about_guest = line["target"] == "link" && line["fields"]["peer"] == "guest";
            let message = line["message"].as_str().unwrap_or_default();
            about_guest && (message == "down" || message.starts_with("there is no link"))
        });
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        text(&line["message"]) + ": " + &text(&line["fields"]["reason"])
    }

    /// All is as if nothing had happened.
    fn is_well(&mut self) {
        self.told += 1;
        let text = format!("sign of life {}", self.told);
        self.injector.send(&format!("('log', '{text}')"));
        self.scribe.wait_for_text("role", &text);
        let link_lost = |process: &Process, peer: &str| {
            process.has_line(|line| line["message"] == "down" && line["fields"]["peer"] == peer)
        };
        assert!(!link_lost(&self.clock, "scribe"));
        assert!(!link_lost(&self.scribe, "clock"));
        assert!(!self.clock.has_said("panicked"));
        let memory = self.clock.peak_memory();
        assert!(memory < MEMORY, "{memory} bytes");
    }
}

#[test]
fn what_is_not_ssh_is_refused() {
    let mut house = House::new();
    let long = vec![b'x'; 1 << 20];
    let zeros = vec![0; 1 << 16];
    let mut key_exchange = b"SSH-2.0-x\r\n".to_vec();
    key_exchange.extend([0xff; 64]);
    for bytes in [
        &b"GET / HTTP/1.1\r\nHost: clock\r\n\r\n"[..],
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"SSH-1.5-old\r\n",
        b"\r\n\r\n",
        &long,
        &zeros,
        &key_exchange,
    ] {
        let mut stream = house.tcp();
        // It may have hung up before all is written; and it tells no more than its own version.
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        house.clock.wait_for("the connection ends", |line| {
            // Whichever end closed it first.
            let words = ["refused a connection", "a connection came to nothing"];
            words.iter().any(|words| line["message"] == *words)
        });
        assert!(!String::from_utf8_lossy(&answer).contains("clock"));
    }
    house.is_well();
}

#[test]
fn who_says_nothing_makes_room_for_others_and_nodes_that_are_linked_do_not_notice() {
    let mut house = House::new();
    let mut silent: Vec<_> = (0..TOO_MANY).map(|_| house.tcp()).collect();
    house
        .clock
        .wait_for_text("link", "too many have not said who they are");
    // The first of them is cut off, behind the greeting.
    silent[0].read_to_end(&mut Vec::new()).unwrap();
    house.member();
    house.is_well();
}

#[test]
fn strangers_leave_files_to_a_node_that_may_open_few_and_are_no_fault_of_its_transport() {
    // Fewer than the callers that a node bears elsewhere; and the daemon is given fewer still.
    const FILES: usize = 256;
    let scene = Scene::new(&["clock", "guest"]);
    let limits = format!("ulimit -Sn 64 && ulimit -Hn {FILES} && exec \"$@\"");
    let (file, control) = (scene.write(), scene.control("clock"));
    let [file, control] = [&file, &control].map(|path| path.to_str().unwrap());
    let arguments = ["run", file, "clock", "--control", control];
    let clock = Process::start_through("sh", &["-c", &limits, "sh"], &arguments);
    clock.wait_for_any_text("listening on");
    let all = std::fs::read_to_string(format!("/proc/{}/limits", clock.id())).unwrap();
    let files = all
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"));
    let files: Vec<_> = files.unwrap().split_whitespace().take(2).collect();
    assert_eq!(files, [FILES.to_string(), FILES.to_string()]);
    let port = scene.port("clock");
    let silent: Vec<_> = (0..TOO_MANY)
        .map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap())
        .collect();
    let mut guest = Guest::join(&scene, "guest", "clock", Vec::new());
    guest.say(|frames| frames.heartbeat(7, 0));
    guest.wait_for("an echo", |frame| *frame == Frame::Echo { clock: 7 });
    assert!(!clock.has_said("cannot accept a connection"));
    drop(silent);
}

#[test]
fn a_frame_that_breaks_the_protocol_ends_the_link_and_the_log_says_why() {
    let mut house = House::new();
    let frame = |body: &[u8]| {
        let length = u32::try_from(body.len()).unwrap();
        [&length.to_be_bytes()[..], body].concat()
    };
    let announce = |length: usize| u32::try_from(length).unwrap().to_be_bytes().to_vec();
    let nested = |depth: usize| {
        [
            &[0x99, 4, 1, 100, 0, 0xa1, b'r', 0xa1, b't', 0xc0][..],
            &[0xcb, 0, 0, 0, 0, 0, 0, 0, 0],
            &vec![0x91; depth],
            &[0xc0],
        ]
        .concat()
    };
    // Before the hello.
    for (bytes, reason) in [
        (vec![0xff; 64], "a frame of 4294967295 bytes is announced"),
        (announce(MAX_HELLO_LEN + 1), "and 262144 are the limit"),
        (frame(&[]), "not an array that starts with its number"),
        (frame(b"hello"), "not an array that starts with its number"),
        (frame(&[0x92, 1, 0xc0]), "a hello cannot be read"),
        (frame(&[0x92, 1, 0x80]), "missing field `protocol`"),
        // A list of 4 billion and a text as long, in a frame of a few bytes.
        (
            frame(&[0x92, 1, 0xdf, 0xff, 0xff, 0xff, 0xff]),
            "a hello cannot be read",
        ),
        (
            frame(&[0x92, 1, 0xdb, 0xff, 0xff, 0xff, 0xff]),
            "a hello cannot be read",
        ),
        (frame(&[0x93, 2, 1, 0]), "a frame came before the hello"),
        (frame(&[0x92, 5, 1]), "a frame came before the hello"),
    ] {
        let mut guest = house.guest();
        guest.send(&bytes);
        guest.wait_for_end();
        let said = house.reason();
        assert!(said.contains(reason), "{said}");
    }
    // Behind it.
    for (bytes, reason) in [
        (announce(MAX_FRAME_LEN + 1), "bytes is announced"),
        (frame(&[0x91, 2]), "a heartbeat frame is malformed"),
        (frame(&[0x92, 3, 0xa0]), "an echo frame is malformed"),
        (
            frame(&[0x92, 5, 0xff]),
            "an acknowledgement frame is malformed",
        ),
        (frame(&[0x92, 6, 1]), "a bye frame is malformed"),
        (
            frame(&[0x99, 4, 1, 100, 9]),
            "the message is of an unknown kind, 9",
        ),
        (
            frame(&[0x99, 4, 1, 100, 0, 0xa1, b'/']),
            "the sending role's name is not a name",
        ),
        (
            frame(&nested(1 << 16)),
            "the data is not one MessagePack value",
        ),
        (
            frame(&[&nested(1)[..], &[0]].concat()),
            "1 bytes too many follow the message",
        ),
    ] {
        let mut guest = house.member();
        guest.send(&bytes);
        guest.wait_for_end();
        let said = house.reason();
        assert!(said.contains(reason), "{said}");
    }
    house.is_well();
}

/// What is made of a good hello.
type Change<'a> = &'a dyn Fn(&mut Hello);

#[test]
fn a_hello_that_is_not_true_ends_the_link() {
    let mut house = House::new();
    let wanted = vec![Interest::default(); MAX_INTERESTS + 1];
    let cases: [(&str, Change<'_>); 5] = [
        ("it calls itself \"scribe\" in its hello", &|hello| {
            hello.node = "scribe".to_owned()
        }),
        ("it speaks version 2 of the protocol", &|hello| {
            hello.protocol = 2
        }),
        ("who dials has to name the link", &|hello| hello.link = None),
        ("4097 interests", &|hello| {
            hello.interests = vec![RoleInterests {
                role: "guest".to_owned(),
                interests: wanted.clone(),
            }];
        }),
        ("role \"../guest\"", &|hello| {
            hello.interests = vec![RoleInterests {
                role: "../guest".to_owned(),
                interests: Vec::new(),
            }];
        }),
    ];
    for (reason, change) in cases {
        let mut guest = house.guest();
        let mut hello = guest.hello();
        change(&mut hello);
        guest.say(|frames| frames.hello(&hello));
        guest.wait_for_end();
        let said = house.reason();
        assert!(said.contains(reason), "{said}");
    }
    // A second one.
    let mut guest = house.member();
    let hello = guest.hello();
    guest.say(|frames| frames.hello(&hello));
    guest.wait_for_end();
    assert!(house.reason().contains("a second hello came"));
    house.is_well();
}

#[test]
fn a_node_that_is_authenticated_and_says_nothing_is_given_up() {
    let mut scene = Scene::new(&["clock", "scribe", "guest"]);
    // Only the guest's silence ends soon: the other two may have much to do.
    scene.node_option("guest", "overrideMainConfiguration: {heartbeat: 1}");
    let mut house = House::of(scene);
    let mut guest = house.guest();
    guest.wait_for_end();
    let said = house.reason();
    assert!(said.contains("the peer is silent"), "{said}");
    house.is_well();
}

#[test]
fn a_frame_that_never_ends_and_one_that_is_unknown_do_no_harm() {
    let mut house = House::new();
    // What a later version may send is skipped.
    let mut guest = house.member();
    guest.send(&[0, 0, 0, 4, 0x93, 99, 0xc0, 0xc0]);
    guest.say(|frames| frames.heartbeat(5, 0));
    guest.wait_for("an echo", |frame| *frame == Frame::Echo { clock: 5 });
    // The longest message that is allowed begins, and its sender goes.
    let length = u32::try_from(MAX_FRAME_LEN).unwrap();
    guest.send(&length.to_be_bytes());
    for _ in 0..64 {
        guest.send(&[0x99; 32 * 1024]);
    }
    drop(guest);
    house.reason();
    house.is_well();
}

#[test]
fn a_message_comes_from_the_node_that_is_authenticated_whatever_it_says() {
    let mut house = House::new();
    let mut guest = house.member();
    // There is no place for a node in a message; a role's name that looks like one is no name.
    guest.send_message(1, Kind::Log, "", "I am timer1@scribe");
    house
        .clock
        .wait_for_text("role", "<guest@guest> I am timer1@scribe");
    let mut body = vec![0x99, 4, 2, 100, 2, 0xad];
    body.extend(b"timer1@scribe");
    body.extend([0xa0, 0xc0, 0xcb, 0, 0, 0, 0, 0, 0, 0, 0, 0xa1, b'x']);
    let length = u32::try_from(body.len()).unwrap();
    guest.send(&[&length.to_be_bytes()[..], &body].concat());
    guest.wait_for_end();
    let said = house.reason();
    assert!(
        said.contains("the sending role's name is not a name"),
        "{said}"
    );
    house.is_well();
}

#[test]
fn a_link_that_works_outlives_those_over_which_nothing_is_said() {
    let mut house = House::new();
    let mut member = house.member();
    let mut silent: Vec<_> = (0..6).map(|_| house.guest()).collect();
    silent[0].wait_for_end();
    member.say(|frames| frames.heartbeat(7, 0));
    member.wait_for("an echo", |frame| *frame == Frame::Echo { clock: 7 });
    house.is_well();
}

#[test]
fn new_links_in_the_place_of_old_ones_do_not_pile_up() {
    let mut house = House::new();
    let mut links: Vec<_> = (0..12).map(|_| house.guest()).collect();
    // Each is one of few that the guest may have: the oldest ones give way.
    links[0].wait_for_end();
    let said = house.reason();
    assert!(said.contains("there are too many links"), "{said}");
    house.is_well();
}

/// A connection from an address of this machine's own, of which 127.0.0.0/8 has many.
fn stranger(port: u16, address: [u8; 4], words: &[u8]) -> std::io::Result<TcpStream> {
    let tcp = Some(ipproto::TCP);
    let socket = socket(AddressFamily::INET, SocketType::STREAM, tcp)?;
    bind(&socket, &SocketAddr::from((address, 0)))?;
    connect(&socket, &SocketAddr::from(([127, 0, 0, 1], port)))?;
    let mut stream = TcpStream::from(socket);
    stream.set_nonblocking(true)?;
    stream.write_all(words)?;
    Ok(stream)
}

/// Whether the daemon has hung up.
fn is_over(stream: &mut TcpStream) -> bool {
    let mut greeting = [0; 64];
    loop {
        match stream.read(&mut greeting) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() != ErrorKind::WouldBlock,
        }
    }
}

/// Strangers from 60 addresses who come back whenever they are cut off, say nothing or not enough,
/// and others who talk nonsense, from the address that nodes come from as well.
fn besiege(port: u16, stop: &AtomicBool) {
    const HALVES: [&[u8]; 3] = [b"", b"SSH-2.0-x\r\n", b"SSH-2.0-x\r\n\0\0\0\x14"];
    let come = |number: usize| {
        let machine = u8::try_from(number % 60).unwrap();
        stranger(port, [127, 0, 1, machine], HALVES[number % 3]).ok()
    };
    let mut held: Vec<_> = (0..180).map(come).collect();
    while !stop.load(Ordering::Relaxed) {
        for (number, held) in held.iter_mut().enumerate() {
            if held.as_mut().is_none_or(is_over) {
                *held = come(number);
            }
        }
        for _ in 0..50 {
            // It may be refused while it speaks.
            let _ = stranger(port, [127, 0, 0, 1], &[0xff; 512]);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_node_that_dials_in_is_linked_although_strangers_besiege_the_port() {
    // Each may find the machine busy, and lose its place to a stranger for that.
    const TRIES: usize = 20;
    let mut house = House::new();
    let (port, stop) = (house.scene.port("clock"), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| besiege(port, &stop));
        // Whatever fails here, the strangers end.
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            house.clock.wait_for("strangers are refused", |line| {
                let text = line["message"].as_str().unwrap_or_default();
                text.starts_with("refused a connection")
            });
            for _ in 0..5 {
                let linked =
                    (0..TRIES).find_map(|_| Guest::connect(&house.scene, "guest", "clock").ok());
                let mut guest = linked.expect("the node is kept out");
                let hello = guest.hello();
                guest.say(|frames| frames.hello(&hello));
                guest.wait_for("a hello", |frame| matches!(frame, Frame::Hello(_)));
            }
            house.is_well();
        }));
        stop.store(true, Ordering::Relaxed);
        if let Err(panic) = result {
            std::panic::resume_unwind(panic);
        }
    });
}
