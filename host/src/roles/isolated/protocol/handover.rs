//! A descriptor that goes from the host to a role's process, before anything else does.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

/// The byte that it goes with: there has to be one.
const BYTE: [u8; 1] = [0];

/// Hands a descriptor over. Waits for nothing: there is room for the first byte.
pub(in crate::roles::isolated) fn send(
    stream: &UnixStream,
    descriptor: BorrowedFd<'_>,
) -> io::Result<()> {
    let descriptors = [descriptor];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
    let bytes = [IoSlice::new(&BYTE)];
    sendmsg(stream, &bytes, &mut ancillary, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Takes it. Nothing may have been read from the stream before.
pub(in crate::roles::isolated) fn receive(stream: &UnixStream) -> io::Result<OwnedFd> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut byte = BYTE;
    let mut bytes = [IoSliceMut::new(&mut byte)];
    recvmsg(stream, &mut bytes, &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    let descriptor = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    descriptor.ok_or_else(|| io::ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn a_descriptor_goes_over_before_the_first_byte_that_counts() {
        let (host, mut role) = UnixStream::pair().unwrap();
        let (near, mut far) = UnixStream::pair().unwrap();
        send(&host, near.as_fd()).unwrap();
        (&host).write_all(b"frame").unwrap();
        drop(near);
        let received = UnixStream::from(receive(&role).unwrap());
        (&received).write_all(b"!").unwrap();
        let mut got = [0; 5];
        role.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"frame");
        far.read_exact(&mut got[..1]).unwrap();
        assert_eq!(got[0], b'!');
    }

    #[test]
    fn who_hands_nothing_over_is_found_out() {
        let (host, role) = UnixStream::pair().unwrap();
        (&host).write_all(b"frame").unwrap();
        assert!(receive(&role).is_err());
    }
}
