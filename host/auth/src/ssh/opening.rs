//! How far a caller's side of SSH's opening has come, told by the bytes alone.
//!
//! It is a line with the version, and a packet with what the caller can. Up to there an answer costs
//! nothing; what follows begins the key exchange, which costs computing time.

/// Looks at what a caller sends until the key exchange begins.
#[derive(Debug, Default)]
pub struct Opening {
    state: State,
}

#[derive(Debug, Default)]
enum State {
    /// The line with the version has not ended. The SSH library limits its length, and what it has
    /// to say.
    #[default]
    Line,
    /// The packet's length is coming: what is known of it, and how many of its four bytes are.
    Length(u32, u8),
    /// So many bytes of the packet are left.
    Packet(u32),
}

impl Opening {
    /// Looks at the next bytes; returns how many of them still belong to the opening.
    pub fn look(&mut self, bytes: &[u8]) -> usize {
        let mut looked_at = 0;
        while let Some(&byte) = bytes.get(looked_at) {
            self.state = match self.state {
                State::Line if byte == b'\n' => State::Length(0, 0),
                State::Line => State::Line,
                State::Length(length, known) => {
                    let length = length << 8 | u32::from(byte);
                    match known {
                        3 => State::Packet(length),
                        _ => State::Length(length, known + 1),
                    }
                }
                State::Packet(0) => break,
                State::Packet(left) => State::Packet(left - 1),
            };
            looked_at += 1;
        }
        looked_at
    }

    /// Whether the line with the version is there.
    pub fn has_greeted(&self) -> bool {
        !matches!(self.state, State::Line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPENING: &[u8] = b"SSH-2.0-kozo\r\n\0\0\0\x05\x04\x14abc";

    #[test]
    fn it_ends_behind_the_first_packet_however_it_is_cut() {
        for cut in 0..=OPENING.len() {
            let mut opening = Opening::default();
            assert_eq!(opening.look(&OPENING[..cut]), cut);
            assert_eq!(opening.has_greeted(), cut >= b"SSH-2.0-kozo\r\n".len());
            let rest = [&OPENING[cut..], b"\0\0\0\x2c"].concat();
            assert_eq!(opening.look(&rest), OPENING.len() - cut);
            assert_eq!(opening.look(b"x"), 0);
        }
    }

    #[test]
    fn what_is_no_ssh_is_none_for_ever() {
        let mut opening = Opening::default();
        assert_eq!(opening.look(&[0xff; 4096]), 4096);
        assert!(!opening.has_greeted());
        // A packet that is announced and never ends: the SSH library refuses it.
        opening.look(b"\n\xff\xff\xff\xff");
        assert_eq!(opening.look(&[0; 100]), 100);
    }
}
