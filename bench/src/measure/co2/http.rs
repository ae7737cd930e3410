//! As much of HTTP as the callers and the satellites of this measurement need.

/// What a request or an answer that is here as a whole consists of.
pub(super) struct Whole<'a> {
    /// Everything above the empty line.
    pub(super) head: &'a str,
    pub(super) body: &'a [u8],
    /// How long both are together, in bytes.
    pub(super) length: usize,
}

/// The first request or answer in these bytes, once all of it is there.
pub(super) fn whole(bytes: &[u8]) -> Option<Whole<'_>> {
    let end = find(bytes, b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let length = end + 4 + field(head, "content-length")?.parse::<usize>().ok()?;
    Some(Whole {
        head,
        body: bytes.get(end + 4..length)?,
        length,
    })
}

/// What a head says under a name, in lower case.
pub(super) fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = lines.find(|(key, _)| key.eq_ignore_ascii_case(name))?;
    Some(value.trim())
}

pub(super) fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|part| part == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_whole_with_its_last_byte() {
        let bytes = b"POST /RPC2 HTTP/1.1\r\ncontent-Length: 3\r\n\r\nabcPOST";
        assert!(whole(&bytes[..bytes.len() - 5]).is_none());
        let request = whole(bytes).unwrap();
        assert_eq!(request.body, b"abc");
        assert_eq!(request.length, bytes.len() - 4);
        assert!(request.head.starts_with("POST"));
    }
}
