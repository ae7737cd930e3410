//! The page's files, which are part of the module, compressed.

use bytes::Bytes;
use hyper::header::{self, HeaderMap};

/// A file of the page.
#[derive(Debug)]
pub(super) struct Asset {
    /// Where browsers find it.
    pub(super) path: &'static str,
    pub(super) content_type: &'static str,
    /// Another one when the file is another one.
    pub(super) etag: &'static str,
    plain: &'static [u8],
    packed: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

impl Asset {
    /// The file at a path.
    pub(super) fn at(path: &str) -> Option<&'static Self> {
        ASSETS.iter().find(|asset| asset.path == path)
    }

    /// Whether a browser has it already.
    pub(super) fn is_known(&self, headers: &HeaderMap) -> bool {
        let known = headers.get(header::IF_NONE_MATCH);
        let known = known.and_then(|known| known.to_str().ok());
        known.is_some_and(|known| known.split(',').any(|tag| tag.trim() == self.etag))
    }

    /// The file, and whether it is compressed.
    pub(super) fn body(&self, headers: &HeaderMap) -> (Bytes, bool) {
        let accepted = headers.get(header::ACCEPT_ENCODING);
        let accepted = accepted.and_then(|accepted| accepted.to_str().ok());
        let packed = accepted.is_some_and(|accepted| {
            let mut codings = accepted.split(',').map(str::trim);
            codings.any(|coding| {
                let (name, quality) = coding.split_once(';').unwrap_or((coding, ""));
                name.trim() == "gzip" && !matches!(quality.trim(), "q=0" | "q=0.0" | "q=0.000")
            })
        });
        match packed {
            true => (Bytes::from_static(self.packed), true),
            false => (Bytes::from_static(self.plain), false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a first visit may take, in bytes over the wire, without headers.
    const MAX_PAGE: usize = 60 * 1024;

    #[test]
    fn all_of_the_page_is_small_over_the_wire() {
        let total: usize = ASSETS.iter().map(|asset| asset.packed.len()).sum();
        assert!(total < MAX_PAGE, "{total}");
        assert!(Asset::at("/").is_some_and(|asset| asset.content_type.starts_with("text/html")));
        assert!(Asset::at("/../Cargo.toml").is_none());
    }

    #[test]
    fn a_browser_gets_what_it_can_read() {
        let asset = Asset::at("/").unwrap();
        let mut headers = HeaderMap::new();
        assert!(!asset.body(&headers).1);
        headers.insert(header::ACCEPT_ENCODING, "br, gzip;q=0".parse().unwrap());
        assert!(!asset.body(&headers).1);
        headers.insert(header::ACCEPT_ENCODING, "br, gzip".parse().unwrap());
        assert!(asset.body(&headers).1);
        headers.insert(header::IF_NONE_MATCH, asset.etag.parse().unwrap());
        assert!(asset.is_known(&headers));
    }
}
