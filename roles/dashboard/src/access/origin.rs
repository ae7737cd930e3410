//! Whether it is this page that asks, and not one of somebody else in the same browser.

use std::net::{IpAddr, Ipv6Addr};

use hyper::header::{self, HeaderMap};

/// Why a request is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Foreign {
    /// Somebody's name may lead here without being this node's, to let pages of theirs read this one.
    #[error(
        "this is not served under that name: use an IP address or `localhost`, or add the name to `names` of the \
         role in the network's file"
    )]
    Name,
    /// A page of another server asks.
    #[error("pages of other servers may not ask this one")]
    Page,
}

/// The names under which the page is served, besides IP addresses.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names(Vec<String>);

impl Names {
    /// Those of the file, and `localhost`.
    pub(crate) fn new(names: &[String]) -> Self {
        let given = names.iter().map(|name| name.to_ascii_lowercase());
        Self(given.chain(["localhost".to_owned()]).collect())
    }

    /// Checks what a request says it is for. A name that leads here is not enough: it may be anybody's (DNS
    /// rebinding), but an address is nobody's name.
    pub(crate) fn check(&self, headers: &HeaderMap) -> Result<(), Foreign> {
        let mut hosts = headers.get_all(header::HOST).iter();
        let host = hosts.next().and_then(|host| host.to_str().ok());
        let is_only = hosts.next().is_none();
        match host.filter(|_| is_only).map(without_port) {
            Some(host) if is_address(host) => Ok(()),
            Some(host) if self.0.contains(&host.to_ascii_lowercase()) => Ok(()),
            _ => Err(Foreign::Name),
        }
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

fn is_address(host: &str) -> bool {
    match host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
    {
        Some(host) => host.parse::<Ipv6Addr>().is_ok(),
        None => host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_ipv4()),
    }
}

/// Checks that it is no other page that asks. Browsers say so, in one of two ways; other programs have no pages.
pub(crate) fn check_page(headers: &HeaderMap) -> Result<(), Foreign> {
    if let Some(site) = headers.get("sec-fetch-site")
        && site != "same-origin"
        && site != "none"
    {
        return Err(Foreign::Page);
    }
    let Some(origin) = headers.get(header::ORIGIN) else {
        return Ok(());
    };
    let origin = origin
        .to_str()
        .ok()
        .and_then(|origin| origin.split_once("://"));
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    match (origin, host) {
        (Some((_, origin)), Some(host)) if origin.eq_ignore_ascii_case(host) => Ok(()),
        _ => Err(Foreign::Page),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn only_addresses_and_names_of_the_file_are_served() {
        let names = Names::new(&["Hub.lan".to_owned()]);
        for host in [
            "127.0.0.1:7055",
            "[::1]:7055",
            "localhost:7055",
            "LOCALHOST",
            "hub.lan",
            "192.0.2.7",
        ] {
            assert_eq!(names.check(&headers(&[("host", host)])), Ok(()), "{host}");
        }
        for host in [
            "evil.example:7055",
            "127.0.0.1.evil.example",
            "[::1",
            "",
            "hub.lan:80x",
        ] {
            let checked = names.check(&headers(&[("host", host)]));
            assert_eq!(checked, Err(Foreign::Name), "{host}");
        }
        assert_eq!(names.check(&headers(&[])), Err(Foreign::Name));
        let two = [("host", "localhost"), ("host", "localhost")];
        assert_eq!(names.check(&headers(&two)), Err(Foreign::Name));
    }

    #[test]
    fn no_other_page_may_ask() {
        let host = ("host", "127.0.0.1:7055");
        for fine in [
            vec![host],
            vec![host, ("origin", "http://127.0.0.1:7055")],
            vec![host, ("sec-fetch-site", "same-origin")],
            vec![host, ("sec-fetch-site", "none")],
        ] {
            assert_eq!(check_page(&headers(&fine)), Ok(()), "{fine:?}");
        }
        for foreign in [
            vec![host, ("origin", "null")],
            vec![host, ("origin", "http://127.0.0.1:7056")],
            vec![host, ("origin", "http://evil.example")],
            vec![host, ("sec-fetch-site", "cross-site")],
            vec![host, ("sec-fetch-site", "same-site")],
        ] {
            assert_eq!(
                check_page(&headers(&foreign)),
                Err(Foreign::Page),
                "{foreign:?}"
            );
        }
    }
}
