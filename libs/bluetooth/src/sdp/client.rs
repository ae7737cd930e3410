//! Asking a device for a service.

use std::io;

use bluer::l2cap::{SeqPacket, Socket, SocketAddr};
use bluer::{Address, AddressType, Uuid};

use super::element::Element;
use crate::{Error, Result};

/// Where lists of services are asked for.
const PSM: u16 = 0x0001;

/// The number of the request for attributes of services, and of its answer.
const REQUEST: u8 = 0x06;
const ANSWER: u8 = 0x07;

/// How many bytes one answer may have: what our end announces as its largest packet by default.
const MAX_PACKET: usize = 672;

/// How many bytes all answers together may have: a record has about fifty.
const MAX_LIST: usize = 16 * 1024;

/// How long the place is at most at which the device wants to go on.
const MAX_CONTINUATION: usize = 16;

/// On which channels of RFCOMM the device at `address` has the service `uuid`; none if it has not. It
/// takes as long as the device lets it: to be used with a time limit.
///
/// # Errors
/// [`Error::NoList`], or the device is not reached, or answers nonsense.
pub async fn channels(local: Address, address: Address, uuid: Uuid) -> Result<Vec<u8>> {
    let failed = |error: io::Error| Error::from_socket(&address.to_string(), &error);
    let device = connect(local, address)
        .await
        .map_err(|error| match error.kind() {
            // The kernel there says that nobody listens where its daemon would.
            io::ErrorKind::ConnectionRefused => Error::NoList { address },
            _ => failed(error),
        })?;
    let mut answers = Answers::default();
    loop {
        let request = request(uuid, &answers.continuation);
        device.send(&request).await.map_err(failed)?;
        let mut packet = [0; MAX_PACKET];
        let length = device.recv(&mut packet).await.map_err(failed)?;
        if !answers.add(&packet[..length]).map_err(Error::BadAnswer)? {
            return answers.channels().map_err(Error::BadAnswer);
        }
    }
}

/// What a device has answered so far.
#[derive(Debug, Default)]
pub struct Answers {
    list: Vec<u8>,
    /// The place at which the device wants to go on.
    continuation: Vec<u8>,
}

impl Answers {
    /// Takes the next answer, and tells whether the device has more to say.
    ///
    /// # Errors
    /// What is wrong with the answer, or that there is no end to them.
    pub fn add(&mut self, packet: &[u8]) -> std::result::Result<bool, &'static str> {
        let answer = Answer::parse(packet)?;
        self.list.extend_from_slice(answer.part);
        self.continuation = answer.continuation.to_vec();
        let has_more = !self.continuation.is_empty();
        if has_more && (answer.part.is_empty() || self.list.len() > MAX_LIST) {
            return Err("it has no end");
        }
        Ok(has_more)
    }

    /// The channels of RFCOMM in the whole list.
    ///
    /// # Errors
    /// What is wrong with the list.
    pub fn channels(&self) -> std::result::Result<Vec<u8>, &'static str> {
        let mut channels = Element::parse(&self.list)?.channels();
        channels.dedup();
        Ok(channels)
    }
}

async fn connect(local: Address, address: Address) -> io::Result<SeqPacket> {
    let socket = Socket::new_seq_packet()?;
    socket.bind(SocketAddr::new(local, AddressType::BrEdr, 0))?;
    socket
        .connect(SocketAddr::new(address, AddressType::BrEdr, PSM))
        .await
}

/// The request for the protocols of all services with this UUID.
fn request(uuid: Uuid, continuation: &[u8]) -> Vec<u8> {
    let mut parameters = vec![0x35, 17, 0x1c];
    parameters.extend(uuid.as_bytes());
    // As many bytes an answer as the device likes; a list of one attribute, 4: the protocols.
    parameters.extend([0xff, 0xff, 0x35, 3, 0x09, 0x00, 0x04]);
    // Both lengths are far below their limits.
    #[allow(clippy::cast_possible_truncation)]
    parameters.push(continuation.len() as u8);
    parameters.extend(continuation);
    #[allow(clippy::cast_possible_truncation)]
    let [high, low] = (parameters.len() as u16).to_be_bytes();
    let mut request = vec![REQUEST, 0, 1, high, low];
    request.extend(parameters);
    request
}

/// One answer: a part of the list, and where to go on.
#[derive(Debug, PartialEq, Eq)]
struct Answer<'a> {
    part: &'a [u8],
    continuation: &'a [u8],
}

impl<'a> Answer<'a> {
    fn parse(packet: &'a [u8]) -> std::result::Result<Self, &'static str> {
        const TOO_SHORT: &str = "an answer ends too early";
        let (header, parameters) = packet.split_first_chunk::<5>().ok_or(TOO_SHORT)?;
        if header[0] != ANSWER {
            return Err("it is no answer to what was asked");
        }
        if usize::from(u16::from_be_bytes([header[3], header[4]])) != parameters.len() {
            return Err("an answer has another length than it says");
        }
        let (length, rest) = parameters.split_first_chunk::<2>().ok_or(TOO_SHORT)?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (part, rest) = rest.split_at_checked(length).ok_or(TOO_SHORT)?;
        let (length, continuation) = rest.split_first().ok_or(TOO_SHORT)?;
        if usize::from(*length) != continuation.len() || continuation.len() > MAX_CONTINUATION {
            return Err("an answer has a wrong end");
        }
        Ok(Self { part, continuation })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_what_the_specification_says() {
        let uuid = Uuid::from_u128(0x0001_0203_0405_0607_0809_0a0b_0c0d_0e0f);
        let expected = b"\x06\x00\x01\x00\x1b\
            \x35\x11\x1c\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\
            \xff\xff\x35\x03\x09\x00\x04\x00";
        assert_eq!(request(uuid, &[]), expected);
        assert!(request(uuid, b"\x01\x02").ends_with(b"\x04\x02\x01\x02"));
    }

    #[test]
    fn answers_are_cut_into_their_parts() {
        let answer = Answer::parse(b"\x07\x00\x01\x00\x08\x00\x03abc\x02\x10\x11").unwrap();
        assert_eq!(
            (answer.part, answer.continuation),
            (&b"abc"[..], &b"\x10\x11"[..])
        );
    }

    #[test]
    fn answers_that_make_no_sense_are_errors() {
        for packet in [
            &b""[..],
            b"\x07\x00\x01\x00",
            b"\x01\x00\x01\x00\x02\x00\x03",
            b"\x07\x00\x01\x00\x09\x00\x03abc\x02\x10\x11",
            b"\x07\x00\x01\x00\x02\x00\x03",
            b"\x07\x00\x01\x00\x05\x00\xffabc",
            b"\x07\x00\x01\x00\x05\x00\x03abc",
            b"\x07\x00\x01\x00\x07\x00\x03abc\x09\x01",
        ] {
            assert!(Answer::parse(packet).is_err(), "{packet:02x?}");
        }
    }
}
