//! From a server's address to a connection over which it has let this node in.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_tungstenite::bytes::{ByteReader, ByteWriter};
use async_tungstenite::tokio::client_async_with_config;
use async_tungstenite::tungstenite;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tungstenite::protocol::WebSocketConfig;

use crate::fault::{Fault, Told};
use crate::info::Info;
use crate::login::{Login, Proof};
use crate::options::Reach;
use crate::protocol::{MAX_MESSAGE, Op, PING, PONG, Reader};
use crate::servers::{Scheme, Server};

/// How many addresses of a name are tried.
const MAX_ADDRESSES: usize = 8;

/// The least time for one of several addresses.
const LEAST_TIME: Duration = Duration::from_secs(1);

pub(crate) type Reading = Box<dyn AsyncRead + Unpin + Send>;
pub(crate) type Writing = Box<dyn AsyncWrite + Unpin + Send>;

/// A connection that stands.
pub(crate) struct Connection {
    pub(crate) reading: Reading,
    pub(crate) writing: Writing,
    /// With what has come already.
    pub(crate) reader: Reader,
    pub(crate) info: Info,
    /// What the login says about how long it holds.
    pub(crate) about: String,
}

/// Connects to a server and logs in, in `reach.connect_timeout` at most. The addresses that its name leads to are in
/// `addresses` then.
///
/// # Errors
/// What keeps it, in words.
pub(crate) async fn connect(
    server: &Server,
    reach: &Reach,
    addresses: &mut Vec<SocketAddr>,
) -> Result<Connection, Fault> {
    // How far it had come tells most about what is missing.
    let mut stage = Fault::Late;
    let steps = steps(server, reach, addresses, &mut stage);
    match timeout(reach.connect_timeout, steps).await {
        Ok(result) => result,
        Err(_) => Err(stage),
    }
}

async fn steps(
    server: &Server,
    reach: &Reach,
    addresses: &mut Vec<SocketAddr>,
    stage: &mut Fault,
) -> Result<Connection, Fault> {
    let config = || reach.identity.client_config();
    let found = lookup_host((server.host.as_str(), server.port)).await;
    let found = found.map_err(|_| Fault::NoHost)?;
    addresses.extend(found.take(MAX_ADDRESSES));
    let stream = dial(addresses, reach.connect_timeout).await?;
    *stage = Fault::Mute;
    let at_once = reach.tls_first || server.scheme == Scheme::Wss;
    let (mut reading, mut writing) = match (at_once, server.scheme.is_websocket()) {
        (false, false) => halves(stream),
        (true, false) => halves(encrypt(stream, server, config()?).await?),
        (false, true) => websocket(stream, server).await?,
        (true, true) => websocket(encrypt(stream, server, config()?).await?, server).await?,
    };
    let mut reader = Reader::default();
    let mut info = read_info(&mut reading, &mut reader).await?;
    info.check()?;
    if !at_once {
        let wanted = server.scheme == Scheme::Tls;
        let offered = info.tls_required || info.tls_available;
        if wanted && !offered {
            return Err(Fault::NoTls);
        }
        let prepared = info.tls_available && reach.identity.is_given();
        if server.scheme.is_websocket() {
            // There it is below the WebSocket, or not at all.
        } else if wanted || info.tls_required || prepared {
            if !reader.is_empty() {
                return Err(Fault::Injected);
            }
            let stream = Halves { reading, writing };
            (reading, writing) = halves(encrypt(stream, server, config()?).await?);
        }
    }
    *stage = Fault::LoginLate;
    let proof = reach.login.prove(info.nonce.as_deref())?;
    let about = proof.about.clone();
    let no_login = reach.login == Login::None && reach.identity.certificate.is_none();
    let explained = |fault| match fault {
        Fault::Login(_) if no_login => Fault::NoLogin,
        Fault::Login(_) => Fault::Login(about.clone()),
        Fault::Expired(_) => Fault::Expired(about.clone()),
        fault => fault,
    };
    writing.write_all(&hello(reach, &proof)?).await?;
    writing.flush().await?;
    loop {
        match reader.next()? {
            Some(Op::Pong) => break,
            Some(Op::Ping) => {
                writing.write_all(PONG).await?;
                writing.flush().await?;
            }
            // With what it tells only those who are logged in.
            Some(Op::Info(json)) => info = Info::parse(json)?,
            Some(Op::Error(text)) => {
                let fault = match Told::parse(text) {
                    Told::Fatal(fault) => fault,
                    _ => Fault::Told(text.to_owned()),
                };
                return Err(explained(fault));
            }
            Some(Op::Ok | Op::Message { .. }) => {}
            None => {
                if reading.read_buf(reader.room()).await? == 0 {
                    return Err(Fault::Closed);
                }
            }
        }
    }
    info.check()?;
    Ok(Connection {
        reading,
        writing,
        reader,
        info,
        about: proof.about,
    })
}

/// TCP, to the first address that takes it.
async fn dial(addresses: &[SocketAddr], limit: Duration) -> Result<TcpStream, Fault> {
    let each = match addresses.len() {
        0 | 1 => limit,
        // One that leads nowhere leaves time for the others.
        count => (limit / u32::try_from(count).unwrap_or(u32::MAX)).max(LEAST_TIME),
    };
    let mut last = Fault::NoHost;
    for address in addresses {
        last = match timeout(each, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Each write is a batch already.
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Ok(Err(error)) => error.into(),
            Err(_) => Fault::Late,
        };
    }
    Err(last)
}

async fn encrypt<S>(
    stream: S,
    server: &Server,
    config: Arc<ClientConfig>,
) -> Result<tokio_rustls::client::TlsStream<S>, Fault>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let name = ServerName::try_from(server.name.clone())
        .map_err(|_| Fault::Other(format!("`{}` is no name for TLS", server.name)))?;
    Ok(TlsConnector::from(config).connect(name, stream).await?)
}

async fn websocket<S>(stream: S, server: &Server) -> Result<(Reading, Writing), Fault>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // The path and the host are all that the request has of it.
    let url = format!("ws://{}{}", server.authority(), server.path);
    let config = WebSocketConfig::default()
        .max_message_size(Some(2 * MAX_MESSAGE))
        .max_frame_size(Some(2 * MAX_MESSAGE));
    let (stream, _) = client_async_with_config(url, stream, Some(config))
        .await
        .map_err(|error| match error {
            tungstenite::Error::Io(error) => error.into(),
            error => Fault::WebSocket(error.to_string()),
        })?;
    let (sender, receiver) = stream.split();
    Ok((
        Box::new(ByteReader::new(receiver)),
        Box::new(ByteWriter::new(sender)),
    ))
}

fn halves<S>(stream: S) -> (Reading, Writing)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (reading, writing) = tokio::io::split(stream);
    (Box::new(reading), Box::new(writing))
}

/// Both again as one stream, for TLS to be put on it.
struct Halves {
    reading: Reading,
    writing: Writing,
}

impl AsyncRead for Halves {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::pin::Pin::new(&mut self.reading).poll_read(context, buffer)
    }
}

impl AsyncWrite for Halves {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<io::Result<usize>> {
        std::pin::Pin::new(&mut self.writing).poll_write(context, bytes)
    }

    fn poll_flush(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::pin::Pin::new(&mut self.writing).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::pin::Pin::new(&mut self.writing).poll_shutdown(context)
    }
}

async fn read_info(reading: &mut Reading, reader: &mut Reader) -> Result<Info, Fault> {
    loop {
        match reader.next()? {
            Some(Op::Info(json)) => return Info::parse(json),
            Some(Op::Error(text)) => {
                return Err(match Told::parse(text) {
                    Told::Fatal(fault) => fault,
                    _ => Fault::Told(text.to_owned()),
                });
            }
            Some(_) => {}
            None => {
                let read = reading.read_buf(reader.room()).await;
                match read.map_err(Fault::from) {
                    Ok(0) | Err(Fault::Closed) => return Err(Fault::Mute),
                    Ok(_) => {}
                    Err(fault) => return Err(fault),
                }
            }
        }
    }
}

/// Who this is and what it can do, with a question behind, whose answer says that it is let in.
fn hello(reach: &Reach, proof: &Proof) -> Result<Vec<u8>, Fault> {
    #[derive(Serialize)]
    struct Connect<'a> {
        verbose: bool,
        pedantic: bool,
        tls_required: bool,
        name: &'a str,
        lang: &'static str,
        version: &'static str,
        /// That it understands more than one `INFO`.
        protocol: u8,
        /// Not to get what this node publishes itself.
        echo: bool,
        headers: bool,
        no_responders: bool,
        #[serde(flatten)]
        proof: &'a Proof,
    }
    let connect = Connect {
        verbose: false,
        pedantic: false,
        tls_required: false,
        name: &reach.name,
        lang: "kozo",
        version: env!("CARGO_PKG_VERSION"),
        protocol: 1,
        echo: false,
        headers: true,
        no_responders: true,
        proof,
    };
    let json = serde_json::to_string(&connect).map_err(|error| Fault::Other(error.to_string()))?;
    let mut bytes = format!("CONNECT {json}\r\n").into_bytes();
    bytes.extend_from_slice(PING);
    Ok(bytes)
}
