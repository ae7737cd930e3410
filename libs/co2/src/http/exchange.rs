//! One request and its answer.

use std::sync::Arc;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Version};

use super::body::{self, BodyError, Pieces};
use super::server::{Busy, Place, Service};
use crate::document::{read_call, write_answer};
use crate::time;

/// The paths that calls go to: Python's server class has both.
const PATHS: [&str; 2] = ["/RPC2", "/"];

/// How much of a request's first line is logged, in characters.
const MAX_LINE: usize = 200;

const XML: &str = "text/xml";
const HTML: &str = "text/html; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";

type Answer<S> = Response<Pieces<Busy<S>>>;

pub(super) async fn exchange<S: Service>(
    request: Request<Incoming>,
    place: &Arc<Place<S>>,
) -> Answer<S> {
    let busy = place.busy();
    let line = first_line(&request);
    let content = answer(request, place).await;
    let service = &place.shared().service;
    service.log(&crate::log::request(
        place.client().ip(),
        time::now(),
        &line,
        content.status.as_u16(),
    ));
    let mut response = Response::new(Pieces::new([content.body], busy));
    *response.status_mut() = content.status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(content.content_type),
    );
    if content.content_type == HTML {
        // Nothing of a page is to be run, whatever a peer calls itself.
        let policy = HeaderValue::from_static("default-src 'none'");
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    if content.status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD, POST"));
    }
    if content.close {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// What is answered.
struct Content {
    status: StatusCode,
    content_type: &'static str,
    body: Bytes,
    /// Whether the connection cannot go on, since not all of the request was read.
    close: bool,
}

impl Content {
    fn ok(content_type: &'static str, body: String) -> Self {
        Self {
            status: StatusCode::OK,
            content_type,
            body: Bytes::from(body),
            close: false,
        }
    }

    fn refused(status: StatusCode, text: &'static str) -> Self {
        Self {
            status,
            content_type: PLAIN,
            body: Bytes::from_static(text.as_bytes()),
            close: true,
        }
    }
}

async fn answer<S: Service>(request: Request<Incoming>, place: &Place<S>) -> Content {
    let service = &place.shared().service;
    match *request.method() {
        Method::POST => called(request, place).await,
        Method::GET | Method::HEAD => match service.page(request.uri().path()) {
            Some(page) => Content::ok(HTML, page.html()),
            None => Content::refused(StatusCode::NOT_FOUND, "there is no such page\n"),
        },
        _ => Content::refused(
            StatusCode::METHOD_NOT_ALLOWED,
            "pages are got, and calls are posted\n",
        ),
    }
}

async fn called<S: Service>(request: Request<Incoming>, place: &Place<S>) -> Content {
    if !PATHS.contains(&request.uri().path()) {
        return Content::refused(StatusCode::NOT_FOUND, "calls go to the path /RPC2\n");
    }
    let headers = request.headers();
    if is_of_a_page(headers) {
        return Content::refused(StatusCode::FORBIDDEN, "pages in a browser may not call\n");
    }
    if headers
        .get(header::CONTENT_ENCODING)
        .is_some_and(|coding| coding != "identity")
    {
        return Content::refused(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "send the document uncompressed\n",
        );
    }
    let charset = charset(headers).map(str::to_owned);
    let shared = place.shared();
    let read = body::read(request.into_body(), &shared.memory);
    let body = match tokio::time::timeout(shared.limits.body_time, read).await {
        Ok(Ok(body)) => body,
        Ok(Err(BodyError::TooLarge)) => {
            return Content::refused(
                StatusCode::PAYLOAD_TOO_LARGE,
                "the document is larger than 1 MiB\n",
            );
        }
        Ok(Err(BodyError::Busy)) => {
            return Content::refused(
                StatusCode::SERVICE_UNAVAILABLE,
                "there are too many large documents at a time: try again\n",
            );
        }
        Ok(Err(BodyError::Broken)) => {
            return Content::refused(StatusCode::BAD_REQUEST, "the document ends too early\n");
        }
        Err(_) => {
            return Content::refused(
                StatusCode::REQUEST_TIMEOUT,
                "the document did not come in time\n",
            );
        }
    };
    let answer = match read_call(&body, charset.as_deref()) {
        Ok(call) => {
            drop(body);
            shared.service.call(call, place.client()).await
        }
        Err(error) => Err(error.into()),
    };
    Content::ok(XML, write_answer(answer))
}

/// Whether a browser sends this for a page: no other program says where it comes from. The pages that are shown here
/// call nothing, and one of another server can have this one's name, if whoever names it lets it lead here.
fn is_of_a_page(headers: &HeaderMap) -> bool {
    headers.contains_key(header::ORIGIN)
}

/// The encoding that HTTP names.
pub(super) fn charset(headers: &HeaderMap) -> Option<&str> {
    let content_type = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let (_, parameters) = content_type.split_once(';')?;
    parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let is_charset = name.trim().eq_ignore_ascii_case("charset");
        is_charset.then(|| value.trim().trim_matches('"'))
    })
}

fn first_line(request: &Request<Incoming>) -> String {
    let version = match request.version() {
        Version::HTTP_10 => "HTTP/1.0",
        _ => "HTTP/1.1",
    };
    let line = format!("{} {} {version}", request.method(), request.uri());
    match line.chars().count() > MAX_LINE {
        true => line.chars().take(MAX_LINE).chain(['…']).collect(),
        false => line,
    }
}
