//! A relay that does what a test tells it, and remembers what it heard.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use kozo_co2::document::MethodCall;
use kozo_co2::http::{Limits, Listener, Service, serve};
use kozo_co2::methods::{Builtin, Host, Method, Prepared, Table};
use kozo_co2::page::Page;
use kozo_co2::{Fault, Struct, Value};
use tokio::sync::oneshot;

use super::{call, members, text};

/// A relay on a thread of its own.
pub(super) struct Relay {
    pub(super) address: SocketAddr,
    heard: Arc<Heard>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

struct Heard {
    table: Table,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    registered: u32,
    satellites: BTreeMap<String, Struct>,
    calls: Vec<(Builtin, Struct)>,
    /// Messages are refused, for another reason than that nobody knows their sender.
    is_full: bool,
    /// It tells nothing about its satellites.
    tells_nothing: bool,
}

impl Service for Heard {
    async fn call(&self, call: MethodCall, client: SocketAddr) -> Result<Value, Fault> {
        let call = match self.table.prepare(call, client)? {
            Prepared::Answer(value) => return Ok(value),
            Prepared::Call(call) => call,
        };
        let Method::Builtin(builtin) = call.method else {
            return Err(Fault::unsupported("this"));
        };
        let mut state = self.state.lock().unwrap();
        state.calls.push((builtin, call.argument.clone()));
        let known = |state: &State| match call.text("host_id") {
            Ok(id) if state.satellites.contains_key(id) => Ok(id.to_owned()),
            Ok(id) => Err(id.to_owned()),
            Err(_) => Err(String::new()),
        };
        match builtin {
            Builtin::Register => {
                state.registered += 1;
                let port = call.integer("port")?;
                let host_id = format!("{}@{}:{port}", 100_000_000 + state.registered, client.ip());
                state.satellites.insert(host_id.clone(), call.argument);
                Ok(text(&host_id))
            }
            Builtin::Relay if state.is_full => Err(Fault::registry("the queue is full")),
            Builtin::Relay => {
                known(&state)
                    .map_err(|id| Fault::registry(format_args!("{id} is not registered")))?;
                Ok(text("OK"))
            }
            Builtin::Deregister => {
                let id = known(&state).map_err(|id| Fault::missing(&id, "not registered"))?;
                state.satellites.remove(&id);
                Ok(text("OK"))
            }
            Builtin::SatelliteCtime if !state.tells_nothing => {
                known(&state).map_err(|id| Fault::missing(&id, "not registered"))?;
                Ok(Value::Double(0.0))
            }
            _ => Err(Fault::unsupported("this")),
        }
    }

    fn page(&self, _: &str) -> Option<Page> {
        None
    }

    fn log(&self, _: &str) {}

    fn warn(&self, text: &str) {
        println!("{text}");
    }
}

impl Relay {
    pub(super) fn start() -> Self {
        Self::at(0)
    }

    pub(super) fn at(port: u16) -> Self {
        let heard = Arc::new(Heard {
            table: Table::new(Host::Relay),
            state: Mutex::default(),
        });
        let (stop, stopped) = oneshot::channel::<()>();
        let (bound, address) = std::sync::mpsc::channel();
        let service = Arc::clone(&heard);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(async move {
                let server = Listener::bind("127.0.0.1", port).await.unwrap();
                bound.send(server.address()).unwrap();
                let stop = async {
                    let _ = stopped.await;
                };
                serve(server, service, Limits::default(), stop).await;
            });
        });
        Self {
            address: address.recv().unwrap(),
            heard,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/RPC2", self.address)
    }

    /// Takes what was called by this method, in turn.
    pub(super) fn calls(&self, wanted: Builtin) -> Vec<Struct> {
        let calls = self.heard.state.lock().unwrap().calls.clone();
        let calls = calls.into_iter().filter(|(builtin, _)| *builtin == wanted);
        calls.map(|(_, argument)| argument).collect()
    }

    /// The data of what was sent to all others.
    pub(super) fn relayed(&self) -> Vec<Value> {
        let calls = self.calls(Builtin::Relay).into_iter();
        calls.filter_map(|mut call| call.remove("data")).collect()
    }

    /// Ids and registrations of those who are registered.
    pub(super) fn satellites(&self) -> Vec<(String, Struct)> {
        self.heard
            .state
            .lock()
            .unwrap()
            .satellites
            .clone()
            .into_iter()
            .collect()
    }

    /// Forgets all satellites, as one does that was killed and had not written them down.
    pub(super) fn forget(&self) {
        self.heard.state.lock().unwrap().satellites.clear();
    }

    /// Refuses messages from now on, or takes them again.
    pub(super) fn is_full(&self, is_full: bool) {
        self.heard.state.lock().unwrap().is_full = is_full;
    }

    /// Has no method any more that tells about its satellites.
    pub(super) fn tell_nothing(&self) {
        self.heard.state.lock().unwrap().tells_nothing = true;
    }

    /// Passes on a message of another satellite to the only one that is registered.
    pub(super) fn notify(&self, data: Value) -> Result<Value, String> {
        let (host_id, registration) = self.satellites().pop().unwrap();
        let (_, place) = host_id.split_once('@').unwrap();
        let argument = members([
            ("host_id", text("124571645@192.0.2.7:2004")),
            ("data", data),
            ("notify_pass", registration["notify_pass"].clone()),
        ]);
        call(&format!("http://{place}/RPC2"), "notify", argument)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
