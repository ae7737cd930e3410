//! The role on the bench, with a relay that does what tests tell it, and plug-ins in a real Python.

mod foreign;
mod network;
mod plughost;
mod plugins;
mod relay;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use bytes::Bytes;
use kozo_abi::Message;
use kozo_abi::bench::{Incoming, RoleBench, StartedRole, reserve_port};
use kozo_co2::document::write_call;
use kozo_co2::http::{CallError, Client, Endpoint};
use kozo_co2::{Struct, Value};

use crate::Satellite;

/// Generous: it is waited for only where something is wrong.
const DEADLINE: Duration = Duration::from_secs(60);

/// A role that runs, and all that it has logged and sent.
struct Running {
    role: StartedRole,
    port: u16,
    logged: Vec<String>,
    /// How many of these lines a test has waited for.
    read: usize,
    sent: Vec<Message>,
}

impl Running {
    fn start(change: impl FnOnce(RoleBench<Satellite>) -> RoleBench<Satellite>) -> Self {
        let port = reserve_port().unwrap();
        let bench = RoleBench::new().name("studio").option("port", port);
        Self {
            role: change(bench).start().unwrap(),
            port,
            logged: Vec::new(),
            read: 0,
            sent: Vec::new(),
        }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/RPC2", self.port)
    }

    fn call(&self, method: &str, argument: Value) -> Result<Value, String> {
        call(&self.url(), method, argument)
    }

    fn deliver(&mut self, message: Incoming) {
        assert!(self.role.deliver(message), "its interests do not let it in");
        self.role.run().unwrap();
    }

    /// Waits until something is so; what it has logged helps to see why it is not.
    fn until<T>(&mut self, what: &str, mut is_so: impl FnMut(&mut Self) -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            let logged = self.role.logged().into_iter().map(|(_, line)| line);
            self.logged.extend(logged);
            let sent = self.role.sent();
            self.sent.extend(sent);
            if let Some(found) = is_so(self) {
                return found;
            }
            assert!(
                began.elapsed() < DEADLINE,
                "no {what}; logged: {:#?}",
                self.logged
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits for a line of the log that contains a text, from where the last one was found.
    fn until_logged(&mut self, text: &str) -> String {
        self.until(text, |this| {
            let unread = this.logged.iter().skip(this.read);
            let place = unread.clone().position(|line| line.contains(text))?;
            this.read += place + 1;
            this.logged.get(this.read - 1).cloned()
        })
    }

    /// Waits for a message of this type, and takes it.
    fn until_sent(&mut self, type_name: &str) -> Message {
        self.until(type_name, |this| {
            let place = this
                .sent
                .iter()
                .position(|message| message.type_name() == type_name)?;
            Some(this.sent.remove(place))
        })
    }

    /// Stops it; what it has logged since.
    fn stop(&mut self) -> Vec<String> {
        self.role.stop().unwrap();
        let logged = self.role.logged().into_iter().map(|(_, line)| line);
        self.logged.extend(logged);
        self.logged.clone()
    }
}

fn call(url: &str, method: &str, argument: Value) -> Result<Value, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let document = write_call(method, vec![argument]).unwrap();
    let mut client = Client::new(url.parse::<Endpoint>().unwrap(), DEADLINE);
    let called = runtime.block_on(client.call([Bytes::from(document)]));
    called.map_err(|error| match error {
        CallError::Fault(fault) => fault.text,
        other => kozo_abi::error_text(&other),
    })
}

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

fn members<const N: usize>(list: [(&str, Value); N]) -> Value {
    let owned = list.into_iter().map(|(key, value)| (key.to_owned(), value));
    Value::Struct(owned.collect::<Struct>())
}

/// The data of a message, as a value of XML-RPC.
fn data(message: &Message) -> Value {
    kozo_co2::messagepack::from_messagepack(message.data_bytes(), kozo_co2::Allowed::ALL).unwrap()
}

/// A message with a value of XML-RPC as its data.
fn with(message: Incoming, value: &Value) -> Incoming {
    struct Data<'a>(&'a Value);
    impl serde::Serialize for Data<'_> {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            match self.0 {
                Value::Integer(number) => serializer.serialize_i32(*number),
                Value::Long(number) => serializer.serialize_i64(*number),
                Value::Boolean(value) => serializer.serialize_bool(*value),
                Value::Double(number) => serializer.serialize_f64(*number),
                Value::String(text) => serializer.serialize_str(text),
                Value::Array(items) => serializer.collect_seq(items.iter().map(Data)),
                Value::Struct(members) => {
                    let members = members.iter().map(|(key, value)| (key, Data(value)));
                    serializer.collect_map(members)
                }
                _ => serializer.serialize_unit(),
            }
        }
    }
    message.data(&Data(value))
}

/// The Pythons that plug-ins are tried with: Python 3, and Python 2 where there is one.
fn pythons() -> Vec<String> {
    let mut found = vec!["python3".to_owned()];
    match python2() {
        Some(python) => found.push(python),
        None => println!(
            "skipped: plug-ins under Python 2.7: there is none on PATH, and PYTHON2 names none"
        ),
    }
    found
}

/// A Python 2.7 that works.
fn python2() -> Option<String> {
    let python = std::env::var("PYTHON2").unwrap_or_else(|_| "python2.7".to_owned());
    let works = std::process::Command::new(&python)
        .args(["-c", "import xmlrpclib"])
        .output();
    works
        .is_ok_and(|output| output.status.success())
        .then_some(python)
}

/// A folder with packages: file names with slashes, and texts.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let file: PathBuf = folder.path().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
    folder
}
