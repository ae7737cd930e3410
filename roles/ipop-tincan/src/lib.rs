//! IPOP's *tincan*: a network device whose frames go to other machines over ICE and DTLS, as a *controller* decides,
//! which speaks to it over UDP on this machine.
//!
//! ```text
//! controller ── UDP ──▶ port ─┐                        ┌─▶ tap ── kernel
//! XMPP server ── signalling ──┼─▶ engine ──▶ core ─────┼─▶ links ── UDP ── peers
//! network of Kōzō ── orders ──┘   (I/O)      (decides) └─▶ events
//! ```
//! `core` and `frames` decide, and are pure. One thread does all I/O but that of XMPP, which has one of its own; the
//! role's own waits for orders.

mod core;
mod counts;
mod engine;
mod frames;
mod links;
mod networks;
mod port;
mod signalling;
mod tap;
mod troubles;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use kozo_abi::{Error, Message, Role, RoleHost, export_role};
use kozo_ice::{Digest, Waker};
use kozo_ipop::{Api, Uid};
use serde::Deserialize;

use crate::core::{Core, Framings};
use crate::engine::{Engine, EngineError, Machine, Order};
use crate::links::Links;
use crate::port::Port;
use crate::signalling::Signalling;
use crate::tap::Tap;

/// How often the role looks whether its thread still runs.
const CARE_PERIOD: Duration = Duration::from_secs(1);

/// How many orders wait for the thread at most.
const MAX_ORDERS: usize = 64;

/// The options that `module.yaml` describes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Options {
    port: u16,
    api: ApiOption,
    interface: String,
    digest: DigestOption,
    verify_server: bool,
    ca_file: Option<PathBuf>,
}

#[derive(Deserialize)]
enum ApiOption {
    #[serde(rename = "14.01")]
    V14_01,
    #[serde(rename = "14.07")]
    V14_07,
    #[serde(rename = "both")]
    Both,
}

#[derive(Deserialize)]
enum DigestOption {
    #[serde(rename = "sha-1")]
    Sha1,
    #[serde(rename = "sha-256")]
    Sha256,
}

/// The data of orders: a uid, or a map that has one.
#[derive(Deserialize)]
#[serde(untagged)]
enum Named {
    Alone(String),
    Inside { uid: String },
}

struct IpopTincan {
    thread: Option<JoinHandle<Result<(), EngineError>>>,
    orders: SyncSender<Order>,
    waker: Waker,
    stopping: Arc<AtomicBool>,
}

impl Role for IpopTincan {
    type Options = Options;

    fn new(options: Options, host: &RoleHost) -> Result<Self, Error> {
        let framings = match options.api {
            ApiOption::V14_01 => Framings::Only(Api::V14_01),
            ApiOption::V14_07 => Framings::Only(Api::V14_07),
            ApiOption::Both => Framings::Both,
        };
        let digest = match options.digest {
            DigestOption::Sha1 => Digest::Sha1,
            DigestOption::Sha256 => Digest::Sha256,
        };
        check_interface(&options.interface)?;
        let port = Port::open(options.port)?;
        let tap = Tap::open(&options.interface)?;
        let links = Links::new(&options.interface, digest)
            .map_err(|error| format!("cannot open sockets for links: {error}"))?;
        let waker = links.waker();
        let wake = waker.clone();
        let trust = signalling::trust(options.verify_server, options.ca_file);
        let machine = Machine {
            port,
            tap,
            links,
            signalling: Signalling::new(trust, Arc::new(move || wake.wake())),
            host: host.clone(),
        };
        let (orders, receiver) = sync_channel(MAX_ORDERS);
        let stopping = Arc::new(AtomicBool::new(false));
        let engine = Engine::new(
            Core::new(framings),
            machine,
            receiver,
            Arc::clone(&stopping),
        );
        let thread = thread::Builder::new()
            .name("ipop tincan".to_owned())
            .spawn(move || engine.run())
            .map_err(|error| format!("cannot start a thread: {error}"))?;
        host.info(&format!(
            "waits for a controller on the UDP port {}, with the network device `{}`",
            options.port, options.interface
        ));
        Ok(Self {
            thread: Some(thread),
            orders,
            waker,
            stopping,
        })
    }

    fn run(&mut self, host: &RoleHost) -> Result<(), Error> {
        if let Some(message) = host.receive_timeout(CARE_PERIOD) {
            self.order(&message, host);
        }
        let has_ended = self.thread.as_ref().is_none_or(JoinHandle::is_finished);
        if !has_ended || host.stopping() {
            return Ok(());
        }
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(Err(error))) => Err(error.into()),
            _ => Err("the thread of the tincan has ended".into()),
        }
    }

    fn stop(&mut self, _host: &RoleHost) -> Result<(), Error> {
        self.end();
        Ok(())
    }
}

impl IpopTincan {
    fn order(&self, message: &Message, host: &RoleHost) {
        let name = message.type_name();
        let uid = match message.data::<Named>() {
            Ok(Named::Alone(uid) | Named::Inside { uid }) => uid.parse::<Uid>(),
            Err(_) => {
                return host.warn(&format!(
                    "`{name}`: its data has to be a uid, or a map with `uid`"
                ));
            }
        };
        let order = match (uid, name) {
            (Ok(uid), "ipop-connect") => Order::Connect(uid),
            (Ok(uid), _) => Order::Trim(uid),
            (Err(error), _) => return host.warn(&format!("`{name}`: {error}")),
        };
        match self.orders.try_send(order) {
            Ok(()) => self.waker.wake(),
            Err(TrySendError::Full(_)) => {
                host.warn(&format!(
                    "`{name}`: {MAX_ORDERS} orders wait already: it is dropped"
                ));
            }
            // `run` tells why.
            Err(TrySendError::Disconnected(_)) => {}
        }
    }

    fn end(&mut self) {
        self.stopping.store(true, Ordering::Release);
        self.waker.wake();
        if let Some(thread) = self.thread.take() {
            // What it has to say, `run` has told, or nobody asks any more.
            let _ = thread.join();
        }
    }
}

impl Drop for IpopTincan {
    fn drop(&mut self) {
        self.end();
    }
}

/// What the kernel takes for the name of an interface.
fn check_interface(name: &str) -> Result<(), Error> {
    let is_name = !name.is_empty()
        && name.len() <= 15
        && name != "."
        && name != ".."
        && name
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'/' | b':' | b'%'));
    match is_name {
        true => Ok(()),
        false => Err(format!(
            "`interface`: `{}` is no name of a network device: it has 1 to 15 letters, digits and other signs, without \
             `/`, `:`, `%` and spaces",
            name.escape_debug()
        )
        .into()),
    }
}

export_role!(IpopTincan);
