//! The client: calls one peer, over a connection that it keeps where the peer does.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{self, HeaderMap};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpSocket, TcpStream, lookup_host};

use super::body::Pieces;
use super::endpoint::Endpoint;
use crate::document::{DocumentError, MAX_DOCUMENT, read_answer};
use crate::fault::Fault;
use crate::value::Value;

/// What the client calls itself.
const USER_AGENT: &str = concat!("kozo-co2/", env!("CARGO_PKG_VERSION"));

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The peer answers with a fault.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// There is no connection, and nothing was sent.
    #[error("cannot connect to {endpoint}: {source}")]
    Connect {
        /// To whom.
        endpoint: Endpoint,
        /// Why.
        source: io::Error,
    },
    /// The connection broke after the call was sent, or a part of it.
    #[error("the connection to {endpoint} broke before the answer: {source}")]
    Broken {
        /// With whom.
        endpoint: Endpoint,
        /// Why.
        source: hyper::Error,
    },
    /// The time is over.
    #[error("{endpoint} did not answer in {} s", .limit.as_secs_f64())]
    Late {
        /// Who.
        endpoint: Endpoint,
        /// How long it had.
        limit: Duration,
    },
    /// The peer answers, but not as XML-RPC does.
    #[error("{endpoint} answered with the HTTP status {status}")]
    Status {
        /// Who.
        endpoint: Endpoint,
        /// With what.
        status: StatusCode,
    },
    /// The answer is larger than a document may be.
    #[error("{endpoint} answered with more than 1 MiB")]
    TooLarge {
        /// Who.
        endpoint: Endpoint,
    },
    /// The answer is none of XML-RPC.
    #[error("{endpoint} answered with something else than XML-RPC: {source}")]
    Document {
        /// Who.
        endpoint: Endpoint,
        /// What is wrong with it.
        source: DocumentError,
    },
}

/// Calls one peer, one call at a time.
#[derive(Debug)]
pub struct Client {
    endpoint: Endpoint,
    /// The address of this machine that calls come from.
    source: Option<IpAddr>,
    limit: Duration,
    kept: Option<SendRequest<Pieces>>,
}

impl Client {
    /// A client of a peer, which has `limit` for everything about a call.
    pub fn new(endpoint: Endpoint, limit: Duration) -> Self {
        Self {
            endpoint,
            source: None,
            limit,
            kept: None,
        }
    }

    /// Lets calls come from an address of this machine.
    #[must_use]
    pub fn from_address(mut self, source: Option<IpAddr>) -> Self {
        self.source = source;
        self
    }

    /// Whom it calls.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Sends a call, given as a document in pieces, such as [`write_call`](crate::document::write_call) makes, and
    /// waits for the answer. Once a part of it was written, it is not sent a second time.
    ///
    /// # Errors
    /// There is no result, for a reason that is the peer's ([`CallError::Fault`]), or the network's.
    pub async fn call(
        &mut self,
        document: impl IntoIterator<Item = Bytes>,
    ) -> Result<Value, CallError> {
        // Whatever is under way when the time ends is dropped with its connection.
        let limit = self.limit;
        let pieces = Pieces::new(document, ());
        match tokio::time::timeout(limit, self.exchange(pieces)).await {
            Ok(result) => result,
            Err(_) => Err(CallError::Late {
                endpoint: self.endpoint.clone(),
                limit,
            }),
        }
    }

    /// Whether a connection is kept that is open, as far as is known by now.
    pub fn is_connected(&self) -> bool {
        self.kept.as_ref().is_some_and(|kept| !kept.is_closed())
    }

    /// Closes the connection, if one is kept.
    pub fn close(&mut self) {
        self.kept = None;
    }

    async fn exchange(&mut self, document: Pieces) -> Result<Value, CallError> {
        let mut request = self.request(document);
        let kept = match self.kept.take() {
            Some(mut kept) => kept.ready().await.is_ok().then_some(kept),
            None => None,
        };
        let (mut sender, mut is_new) = match kept {
            Some(kept) => (kept, false),
            None => (self.connect().await?, true),
        };
        let response = loop {
            match sender.try_send_request(request).await {
                Ok(response) => break response,
                Err(mut error) => match error.take_message() {
                    // The peer had closed it, and nothing of the call was written.
                    Some(unsent) if !is_new => {
                        request = unsent;
                        sender = self.connect().await?;
                        is_new = true;
                    }
                    _ => {
                        return Err(CallError::Broken {
                            endpoint: self.endpoint.clone(),
                            source: error.into_error(),
                        });
                    }
                },
            }
        };
        let status = response.status();
        let charset = charset(response.headers());
        let body = self.read(response.into_body()).await?;
        // Where the peer does not keep the connection, it has ended by the next call.
        self.kept = Some(sender);
        if status != StatusCode::OK {
            return Err(CallError::Status {
                endpoint: self.endpoint.clone(),
                status,
            });
        }
        match read_answer(&body, charset.as_deref()) {
            Ok(answer) => Ok(answer?),
            Err(source) => Err(CallError::Document {
                endpoint: self.endpoint.clone(),
                source,
            }),
        }
    }

    fn request(&self, document: Pieces) -> Request<Pieces> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(&self.endpoint.path)
            .header(header::HOST, self.endpoint.authority())
            .header(header::USER_AGENT, USER_AGENT)
            .header(header::CONTENT_TYPE, "text/xml")
            .body(document);
        // The parts of an endpoint have been checked.
        request.unwrap_or_else(|_| Request::new(Pieces::new([], ())))
    }

    async fn connect(&self) -> Result<SendRequest<Pieces>, CallError> {
        let stream = self.stream().await;
        let stream = stream.map_err(|source| CallError::Connect {
            endpoint: self.endpoint.clone(),
            source,
        })?;
        let _ = stream.set_nodelay(true);
        let made = http1::Builder::new()
            .max_buf_size(MAX_DOCUMENT)
            .handshake(TokioIo::new(stream))
            .await;
        let (sender, connection) = made.map_err(|source| CallError::Broken {
            endpoint: self.endpoint.clone(),
            source,
        })?;
        // It ends with the sender, and what is wrong with it comes to the call.
        tokio::spawn(connection);
        Ok(sender)
    }

    async fn stream(&self) -> io::Result<TcpStream> {
        let mut last = None;
        for address in lookup_host((self.endpoint.host.as_str(), self.endpoint.port)).await? {
            match self.stream_to(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| io::Error::other("the name has no address")))
    }

    async fn stream_to(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        if let Some(source) = self.source.filter(|ip| ip.is_ipv4() == address.is_ipv4()) {
            socket.bind(SocketAddr::new(source, 0))?;
        }
        socket.connect(address).await
    }

    async fn read(&self, mut body: Incoming) -> Result<Vec<u8>, CallError> {
        let too_large = || CallError::TooLarge {
            endpoint: self.endpoint.clone(),
        };
        if body.size_hint().lower() > MAX_DOCUMENT as u64 {
            return Err(too_large());
        }
        let mut read = Vec::new();
        while let Some(frame) =
            std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await
        {
            let frame = frame.map_err(|source| CallError::Broken {
                endpoint: self.endpoint.clone(),
                source,
            })?;
            if let Ok(data) = frame.into_data() {
                if read.len() + data.len() > MAX_DOCUMENT {
                    return Err(too_large());
                }
                read.extend_from_slice(&data);
            }
        }
        Ok(read)
    }
}

fn charset(headers: &HeaderMap) -> Option<String> {
    super::exchange::charset(headers).map(str::to_owned)
}
