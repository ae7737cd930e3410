//! A relay on the bench, and satellites that are servers in the test.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use kozo_abi::bench::{RoleBench, StartedRole, reserve_port};
use kozo_co2::document::{MethodCall, write_call};
use kozo_co2::http::{CallError, Client, Endpoint, Limits, Listener, Service, serve};
use kozo_co2::page::Page;
use kozo_co2::{Fault, Struct, Value};
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::Co2Relay;

/// How long anything that a test waits for may take. Generous: a busy machine is no failure.
const DEADLINE: Duration = Duration::from_secs(60);

pub(super) fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async { timeout(2 * DEADLINE, test).await.unwrap() });
}

pub(super) fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

pub(super) fn members(members: &[(&str, Value)]) -> Value {
    let members = members.iter().cloned();
    Value::Struct(
        members
            .map(|(key, value)| (key.to_owned(), value))
            .collect(),
    )
}

pub(super) fn bench(port: u16) -> RoleBench<Co2Relay> {
    // Nobody is pinged unless a test is about that.
    RoleBench::new()
        .option("port", port)
        .option("pingInterval", 0)
}

/// A relay that runs.
pub(super) struct Scene {
    pub(super) role: StartedRole,
    pub(super) port: u16,
    ip: &'static str,
}

impl Scene {
    pub(super) fn start() -> Self {
        Self::start_with(|bench| bench)
    }

    pub(super) fn start_with(
        options: impl FnOnce(RoleBench<Co2Relay>) -> RoleBench<Co2Relay>,
    ) -> Self {
        Self::start_at(reserve_port().unwrap(), options)
    }

    pub(super) fn start_at(
        port: u16,
        options: impl FnOnce(RoleBench<Co2Relay>) -> RoleBench<Co2Relay>,
    ) -> Self {
        let role = options(bench(port)).start().unwrap();
        let ip = match std::net::TcpStream::connect(("127.0.0.1", port)) {
            Ok(_) => "127.0.0.1",
            Err(_) => "::1",
        };
        Self { role, port, ip }
    }

    fn client(&self) -> Client {
        let address = SocketAddr::new(self.ip.parse().unwrap(), self.port);
        Client::new(Endpoint::from(address), DEADLINE)
    }

    pub(super) async fn call(&self, method: &str, arguments: Vec<Value>) -> Result<Value, Fault> {
        answer(self.client(), method, arguments).await
    }

    /// Calls with a document as it is.
    pub(super) async fn call_written(&self, document: String) -> Result<Value, Fault> {
        result(self.client().call([document.into()]).await)
    }

    pub(super) async fn call_from(
        &self,
        source: &str,
        method: &str,
        arguments: Vec<Value>,
    ) -> Result<Value, Fault> {
        let client = self.client().from_address(Some(source.parse().unwrap()));
        answer(client, method, arguments).await
    }

    pub(super) async fn ask(&self, method: &str) -> Value {
        self.call(method, Vec::new()).await.unwrap()
    }

    pub(super) async fn register(&self, port: u16) -> Result<String, Fault> {
        self.register_with(port, "").await
    }

    async fn register_with(&self, port: u16, pass: &str) -> Result<String, Fault> {
        let registration = members(&[
            ("port", Value::Integer(port.into())),
            ("notify_pass", text(pass)),
        ]);
        match self.call("relay.register", vec![registration]).await? {
            Value::String(id) => Ok(id),
            other => panic!("no id: {other:?}"),
        }
    }

    pub(super) async fn send(&self, satellite: &Satellite, data: Value) -> Result<(), Fault> {
        let message = members(&[("host_id", text(&satellite.id)), ("data", data)]);
        let answer = self.call("relay.relay", vec![message]).await?;
        assert_eq!(answer, text("OK"));
        Ok(())
    }

    pub(super) async fn properties(&self, id: &str) -> Struct {
        let about = members(&[("host_id", text(id))]);
        match self
            .call("relay.get_satellite_props_raw", vec![about])
            .await
        {
            Ok(Value::Struct(members)) => members,
            other => panic!("no properties: {other:?}"),
        }
    }

    /// Waits until the properties of a satellite fit.
    pub(super) async fn until(&self, id: &str, fits: impl Fn(&Struct) -> bool) {
        let waiting = async {
            loop {
                if fits(&self.properties(id).await) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(DEADLINE, waiting).await.unwrap();
    }

    pub(super) async fn until_property(&self, id: &str, key: &str, value: &Value) {
        self.until(id, |properties| properties[key] == *value).await;
    }

    /// Waits for a line of the log that contains a text. What was logged before it is not there any more.
    pub(super) async fn until_logged(&mut self, text: &str) -> String {
        let waiting = async {
            loop {
                let logged = self.role.logged().into_iter().map(|(_, line)| line);
                if let Some(line) = logged.into_iter().find(|line| line.contains(text)) {
                    return line;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(DEADLINE, waiting).await.unwrap()
    }

    /// The states of the first events of satellites, of which there are so many.
    pub(super) fn states(&mut self, count: usize) -> Vec<String> {
        #[derive(Deserialize)]
        struct Event {
            state: String,
        }
        let sent = self.role.wait_for_sent(count, DEADLINE).unwrap();
        sent.iter()
            .take(count)
            .map(|message| {
                assert_eq!(message.type_name(), "satellite");
                message.data::<Event>().unwrap().state
            })
            .collect()
    }

    pub(super) async fn page(&self, path: &str) -> String {
        let mut stream = TcpStream::connect((self.ip, self.port)).await.unwrap();
        let request = format!("GET {path} HTTP/1.0\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut page = String::new();
        stream.read_to_string(&mut page).await.unwrap();
        page
    }
}

async fn answer(mut client: Client, method: &str, arguments: Vec<Value>) -> Result<Value, Fault> {
    let document = write_call(method, arguments).unwrap();
    result(client.call([document.into()]).await)
}

fn result(result: Result<Value, CallError>) -> Result<Value, Fault> {
    match result {
        Ok(value) => Ok(value),
        Err(CallError::Fault(fault)) => Err(fault),
        Err(other) => panic!("{other}"),
    }
}

/// A satellite: a server in the test, which says what its `notify` got.
pub(super) struct Satellite {
    pub(super) id: String,
    pub(super) pass: &'static str,
    pub(super) port: u16,
    heard: mpsc::UnboundedReceiver<Struct>,
    stall: watch::Sender<bool>,
    stop: watch::Sender<bool>,
    served: JoinHandle<()>,
}

impl Satellite {
    pub(super) async fn registered(scene: &Scene, pass: &'static str) -> Self {
        Self::new(scene, "127.0.0.1", pass, false).await
    }

    pub(super) async fn registered_at(scene: &Scene, ip: &str, pass: &'static str) -> Self {
        Self::new(scene, ip, pass, false).await
    }

    /// One whose `notify` does not return until it is told to [go on](Self::go_on).
    pub(super) async fn stalled(scene: &Scene) -> Self {
        Self::new(scene, "127.0.0.1", "", true).await
    }

    async fn new(scene: &Scene, ip: &str, pass: &'static str, stalls: bool) -> Self {
        let server = Listener::bind(ip, 0).await.unwrap();
        let port = server.address().port();
        let (hears, heard) = mpsc::unbounded_channel();
        let (stall, stalled) = watch::channel(stalls);
        let (stop, mut stopped) = watch::channel(false);
        let ear = Arc::new(Ear { hears, stalled });
        let served = tokio::spawn(serve(server, ear, Limits::default(), async move {
            let _ = stopped.wait_for(|&stop| stop).await;
        }));
        let id = scene.register_with(port, pass).await.unwrap();
        Self {
            id,
            pass,
            port,
            heard,
            stall,
            stop,
            served,
        }
    }

    /// The argument of the next `notify`.
    pub(super) async fn next(&mut self) -> Struct {
        timeout(DEADLINE, self.heard.recv()).await.unwrap().unwrap()
    }

    pub(super) fn try_next(&mut self) -> Option<Struct> {
        self.heard.try_recv().ok()
    }

    /// Whether its `notify` still does not return.
    pub(super) fn is_stalling(&self) -> bool {
        *self.stall.borrow()
    }

    pub(super) fn go_on(&self) {
        self.stall.send(false).unwrap();
    }

    /// Ends its server without a word to the relay.
    pub(super) async fn leave(self) {
        self.stop.send(true).unwrap();
        self.served.await.unwrap();
    }
}

struct Ear {
    hears: mpsc::UnboundedSender<Struct>,
    stalled: watch::Receiver<bool>,
}

impl Service for Ear {
    async fn call(&self, call: MethodCall, _: SocketAddr) -> Result<Value, Fault> {
        if call.method == "notify" {
            let Some(Value::Struct(argument)) = call.arguments.into_iter().next() else {
                return Err(Fault::registry("no struct"));
            };
            let _ = self.hears.send(argument);
            let _ = self.stalled.clone().wait_for(|&stalled| !stalled).await;
        }
        Ok(text("OK"))
    }

    fn page(&self, _: &str) -> Option<Page> {
        None
    }

    fn log(&self, _: &str) {}

    fn warn(&self, text: &str) {
        panic!("{text}");
    }
}
