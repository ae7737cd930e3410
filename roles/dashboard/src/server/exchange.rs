//! One request and its answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;

use super::assets::Asset;
use super::body::{self, MAX_BODY, Outgoing};
use super::{Busy, LIMITS, Place, live};
use crate::access::{Denied, check_page};
use crate::feed::Filter;
use crate::history::Span;
use crate::hub::Hub;
use crate::sending::Sending;
use crate::site::Site;
use crate::watch::ask;

/// How many browsers are told things as they happen, at once.
const MAX_LIVE: usize = 32;

/// How long one is told things until it has to ask again.
const LONGEST_LIVE: Duration = Duration::from_secs(6 * 60 * 60);

/// How long a question of the page may take.
const ANSWER_TIME: Duration = Duration::from_secs(10);

/// What is sent with everything. Nothing is run, shown or asked for but what the node serves itself, whatever stands in
/// names and messages.
const HEADERS: [(&str, &str); 6] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    (
        "permissions-policy",
        "camera=(), microphone=(), geolocation=()",
    ),
];

const JSON: &str = "application/json";
const PLAIN: &str = "text/plain; charset=utf-8";
const EVENTS: &str = "text/event-stream";

type Answer = Response<Outgoing<Busy>>;

/// What is answered.
enum Content {
    Whole {
        status: StatusCode,
        content_type: &'static str,
        body: Bytes,
    },
    Asset(&'static Asset),
    /// What the browser shall keep.
    Cookie(String),
    Live(mpsc::Receiver<Bytes>),
}

impl Content {
    fn json(value: &impl Serialize) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => Self::Whole {
                status: StatusCode::OK,
                content_type: JSON,
                body: body.into(),
            },
            Err(error) => Self::text(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        }
    }

    /// A text for people, who may see it on the page.
    fn text(status: StatusCode, text: &str) -> Self {
        Self::Whole {
            status,
            content_type: PLAIN,
            body: format!("{text}\n").into(),
        }
    }
}

pub(super) async fn answer(request: Request<Incoming>, place: &Arc<Place>) -> Answer {
    let busy = place.busy();
    let headers = request.headers().clone();
    let content = content(request, place).await;
    let mut response = match content {
        Content::Whole {
            status,
            content_type,
            body,
        } => {
            let mut response = Response::new(Outgoing::whole(body, busy));
            *response.status_mut() = status;
            set(&mut response, header::CONTENT_TYPE, content_type);
            set(&mut response, header::CACHE_CONTROL, "no-store");
            response
        }
        Content::Asset(asset) => file(asset, &headers, busy),
        Content::Cookie(cookie) => {
            let mut response = Response::new(Outgoing::whole(Bytes::new(), busy));
            *response.status_mut() = StatusCode::NO_CONTENT;
            set(&mut response, header::CACHE_CONTROL, "no-store");
            if let Ok(cookie) = HeaderValue::try_from(cookie) {
                response.headers_mut().insert(header::SET_COOKIE, cookie);
            }
            response
        }
        Content::Live(pieces) => {
            let mut response = Response::new(Outgoing::live(pieces, busy));
            set(&mut response, header::CONTENT_TYPE, EVENTS);
            set(&mut response, header::CACHE_CONTROL, "no-store");
            response
        }
    };
    for (name, value) in HEADERS {
        set(&mut response, HeaderName::from_static(name), value);
    }
    response
}

fn set(response: &mut Answer, name: HeaderName, value: &'static str) {
    let value = HeaderValue::from_static(value);
    response.headers_mut().insert(name, value);
}

fn file(asset: &'static Asset, headers: &HeaderMap, busy: Busy) -> Answer {
    let mut response = if asset.is_known(headers) {
        let mut response = Response::new(Outgoing::whole(Bytes::new(), busy));
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        let (body, is_packed) = asset.body(headers);
        let mut response = Response::new(Outgoing::whole(body, busy));
        if is_packed {
            set(&mut response, header::CONTENT_ENCODING, "gzip");
        }
        set(&mut response, header::CONTENT_TYPE, asset.content_type);
        response
    };
    set(&mut response, header::ETAG, asset.etag);
    set(&mut response, header::VARY, "accept-encoding");
    // It is asked for each time whether there is another one: it comes with the module.
    set(&mut response, header::CACHE_CONTROL, "no-cache");
    response
}

async fn content(request: Request<Incoming>, place: &Arc<Place>) -> Content {
    let site = &place.shared().site;
    let headers = request.headers();
    if let Err(foreign) = site.names.check(headers) {
        return Content::text(StatusCode::MISDIRECTED_REQUEST, &foreign.to_string());
    }
    let path = request.uri().path();
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    if !path.starts_with("/api/") {
        return match Asset::at(path) {
            Some(asset) if is_read => Content::Asset(asset),
            Some(_) => Content::text(StatusCode::METHOD_NOT_ALLOWED, "this is only got"),
            None => Content::text(StatusCode::NOT_FOUND, "there is no such page"),
        };
    }
    if let Err(foreign) = check_page(headers) {
        return Content::text(StatusCode::FORBIDDEN, &foreign.to_string());
    }
    let now = Instant::now();
    let is_open = site.guard.admits(headers, now);
    if path == "/api/session" {
        let needed = site.guard.is_needed();
        return Content::json(&json!({"needed": needed, "open": is_open, "send": site.may_send}));
    }
    let is_login = path == "/api/login";
    if !is_open && !is_login {
        return Content::text(StatusCode::UNAUTHORIZED, "log in first");
    }
    match *request.method() {
        Method::GET if !is_login => told(&request, site).await,
        Method::POST => done(request, place).await,
        _ => Content::text(
            StatusCode::METHOD_NOT_ALLOWED,
            "that is not how it is asked for",
        ),
    }
}

/// What is done for whoever may have it done.
async fn done(request: Request<Incoming>, place: &Arc<Place>) -> Content {
    let site = &place.shared().site;
    let (head, body) = request.into_parts();
    // No form of another page can say so.
    let content_type = head.headers.get(header::CONTENT_TYPE);
    if content_type.is_none_or(|content_type| content_type != JSON) {
        let text = "send JSON, and say so";
        return Content::text(StatusCode::UNSUPPORTED_MEDIA_TYPE, text);
    }
    let read = tokio::time::timeout(LIMITS.body_time, body::read(body)).await;
    let Ok(Some(body)) = read else {
        let text = format!(
            "more than {} KiB, or it did not come in time",
            MAX_BODY / 1024
        );
        return Content::text(StatusCode::PAYLOAD_TOO_LARGE, &text);
    };
    match head.uri.path() {
        "/api/login" => {
            let Ok(Login { password }) = serde_json::from_slice(&body) else {
                return Content::text(StatusCode::BAD_REQUEST, "there is no `password`");
            };
            let ip = place.client().ip();
            let entered = site.guard.log_in(password, ip, Instant::now()).await;
            match entered {
                Ok(cookie) => Content::Cookie(cookie),
                Err(denied) => {
                    site.host.warn(&format!("{ip} was not let in: {denied}"));
                    let status = match denied {
                        Denied::TooOften { .. } => StatusCode::TOO_MANY_REQUESTS,
                        _ => StatusCode::FORBIDDEN,
                    };
                    Content::text(status, &denied.to_string())
                }
            }
        }
        "/api/logout" => Content::Cookie(site.guard.log_out(&head.headers)),
        "/api/send" if site.may_send => match serde_json::from_slice::<Sending>(&body) {
            Ok(sending) => sent(site, sending, place).await,
            Err(error) => {
                let text = format!("that is no message: {error}");
                Content::text(StatusCode::BAD_REQUEST, &text)
            }
        },
        "/api/send" => {
            let text = "nothing is sent from this page: its role has not `send: true` in the file";
            Content::text(StatusCode::FORBIDDEN, text)
        }
        _ => Content::text(StatusCode::NOT_FOUND, "there is no such page"),
    }
}

/// Sends a message as the role, and notes who had that done.
async fn sent(site: &Arc<Site>, sending: Sending, place: &Arc<Place>) -> Content {
    let host = site.host.clone();
    host.info(&format!("{} sends {sending}", place.client().ip()));
    let sent = tokio::task::spawn_blocking(move || sending.send(&host));
    match sent.await {
        Ok(Ok(())) => Content::json(&json!({"sent": true})),
        Ok(Err(reason)) => Content::text(StatusCode::BAD_REQUEST, &reason),
        Err(error) => Content::text(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

#[derive(Deserialize)]
struct Login {
    password: String,
}

/// What is told to whoever may see it.
async fn told(request: &Request<Incoming>, site: &Arc<Site>) -> Content {
    let query = Query::new(request.uri().query().unwrap_or_default());
    match request.uri().path() {
        "/api/live" => live(site, live::network),
        "/api/messages" | "/api/logs" => {
            let mut filter = Filter::default();
            for (word, value) in &query.0 {
                filter.set(word, value);
            }
            // A browser that comes back by itself says so in a header.
            let header = request.headers().get("last-event-id");
            let header = header.and_then(|number| number.to_str().ok());
            let since = header.or_else(|| query.get("since"));
            let since = since.and_then(|number| number.parse().ok());
            let choose: fn(&Hub) -> &crate::hub::Stream = match request.uri().path() {
                "/api/logs" => |hub| &hub.logs,
                _ => |hub| &hub.messages,
            };
            live(site, move |hub, pieces| {
                live::messages(hub, choose, filter, since, pieces)
            })
        }
        "/api/history" => {
            let span = match query.get("span") {
                Some("day") => Span::Day,
                _ => Span::Hour,
            };
            let now = site.hub.now();
            let plots = site.hub.history().plots(span);
            Content::json(&json!({"now": now, "plots": plots}))
        }
        "/api/why" => {
            let (node, peer) = (query.get("node"), query.get("peer"));
            let question = json!({"request": "explain", "node": node, "peer": peer});
            asked(site, question).await
        }
        "/api/role" => role(site, query.get("role")).await,
        "/api/modules" => asked(site, json!({"request": "modules"})).await,
        _ => Content::text(StatusCode::NOT_FOUND, "there is no such page"),
    }
}

/// Tells as things happen.
fn live<Telling>(
    site: &Arc<Site>,
    tell: impl FnOnce(Arc<Hub>, mpsc::Sender<Bytes>) -> Telling,
) -> Content
where
    Telling: Future<Output = ()> + Send + 'static,
{
    let hub = &site.hub;
    let watchers = [&hub.watchers, &hub.messages.watchers, &hub.logs.watchers];
    let watchers: usize = watchers.iter().map(|watchers| *watchers.borrow()).sum();
    if watchers >= MAX_LIVE {
        let text = "too many browsers look at this node: close some";
        return Content::text(StatusCode::SERVICE_UNAVAILABLE, text);
    }
    // The next piece is made when this one has been taken.
    let (pieces, taken) = mpsc::channel(1);
    // A browser whose session has ended meanwhile is not let in again.
    tokio::spawn(tokio::time::timeout(
        LONGEST_LIVE,
        tell(Arc::clone(hub), pieces),
    ));
    Content::Live(taken)
}

/// What the node answers, as it is.
async fn asked(site: &Arc<Site>, question: Value) -> Content {
    match ask::<Value>(&site.host, question, ANSWER_TIME).await {
        Ok(answer) => Content::json(&answer),
        Err(error) => Content::text(StatusCode::BAD_GATEWAY, &error.to_string()),
    }
}

/// A role of the node, without what it has stored: that is for nobody who looks at a page, and may be a key.
async fn role(site: &Arc<Site>, name: Option<&str>) -> Content {
    let question = json!({"request": "role", "role": name});
    match ask::<Map<String, Value>>(&site.host, question, ANSWER_TIME).await {
        Ok(mut answer) => {
            answer.remove("stored");
            Content::json(&answer)
        }
        Err(error) => Content::text(StatusCode::BAD_GATEWAY, &error.to_string()),
    }
}

/// What stands behind the path.
struct Query(Vec<(String, String)>);

impl Query {
    fn new(query: &str) -> Self {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        Self(
            pairs
                .map(|(word, value)| (word.to_owned(), decoded(value)))
                .collect(),
        )
    }

    fn get(&self, word: &str) -> Option<&str> {
        let mut pairs = self.0.iter();
        pairs
            .find(|pair| pair.0 == word)
            .map(|pair| pair.1.as_str())
    }
}

/// A value as it was before it was put into an address.
fn decoded(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        let digits = (byte == b'%').then(|| {
            let mut ahead = rest.clone();
            let high = char::from(ahead.next()?).to_digit(16)?;
            let low = char::from(ahead.next()?).to_digit(16)?;
            Some((u8::try_from(high * 16 + low).ok()?, ahead))
        });
        match (byte, digits.flatten()) {
            (_, Some((value, ahead))) => {
                bytes.push(value);
                rest = ahead;
            }
            (b'+', None) => bytes.push(b' '),
            (byte, None) => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_behind_a_path_is_read() {
        let query = Query::new("type=t%2A+%C3%A4%zz%&kind=event,log&node=");
        assert_eq!(query.get("type"), Some("t* ä%zz%"));
        assert_eq!(query.get("kind"), Some("event,log"));
        assert_eq!((query.get("node"), query.get("x")), (Some(""), None));
    }
}
