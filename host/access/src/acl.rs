//! Access lists of files (POSIX.1e), as Linux keeps them: an extended attribute with a version and an
//! entry for each user or group, all in little-endian order.

/// The attribute that holds them.
pub(super) const ATTRIBUTE: &str = "system.posix_acl_access";

/// The longest list that is read, in bytes: more than the 507 entries that ext4 can keep.
pub(super) const MAX_LEN: usize = 8 * 1024;

const VERSION: u32 = 2;
const HEAD_LEN: usize = 4;
const ENTRY_LEN: usize = 8;

const USER: u16 = 0x02;
const GROUP_OBJECT: u16 = 0x04;
const GROUP: u16 = 0x08;
const MASK: u16 = 0x10;

/// Whom an entry is for. The owner and all others are in the mode of the file as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whom {
    /// This user.
    User(u32),
    /// The group of the file.
    GroupObject,
    /// This group.
    Group(u32),
}

/// Whom a list gives something, and what: a sum of 4 (read), 2 (write) and 1 (execute or search).
/// `None` when it is not such a list.
pub(super) fn parse(bytes: &[u8]) -> Option<Vec<(Whom, u32)>> {
    let (head, entries) = bytes.split_at_checked(HEAD_LEN)?;
    let entries = entries.chunks_exact(ENTRY_LEN);
    if u32::from_le_bytes(head.try_into().ok()?) != VERSION || !entries.remainder().is_empty() {
        return None;
    }
    let mut mask = u32::MAX;
    let mut found = Vec::new();
    for entry in entries {
        let number = |at: usize| u16::from_le_bytes([entry[at], entry[at + 1]]);
        let id = u32::from_le_bytes([entry[4], entry[5], entry[6], entry[7]]);
        let bits = u32::from(number(2));
        match number(0) {
            USER => found.push((Whom::User(id), bits)),
            GROUP_OBJECT => found.push((Whom::GroupObject, bits)),
            GROUP => found.push((Whom::Group(id), bits)),
            MASK => mask = bits,
            _ => {}
        }
    }
    for (_, bits) in &mut found {
        *bits &= mask;
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_gives_what_its_mask_lets_through() {
        // As `setfacl -m u:998:rw,m::r` leaves them on a file of mode 0600.
        let mut bytes = vec![2, 0, 0, 0];
        for (tag, bits, id) in [
            (0x01_u16, 6_u16, u32::MAX),
            (USER, 6, 998),
            (GROUP_OBJECT, 0, u32::MAX),
            (MASK, 4, u32::MAX),
            (0x20, 0, u32::MAX),
        ] {
            bytes.extend(tag.to_le_bytes());
            bytes.extend(bits.to_le_bytes());
            bytes.extend(id.to_le_bytes());
        }
        let expected = [(Whom::User(998), 4), (Whom::GroupObject, 0)];
        assert_eq!(parse(&bytes).unwrap(), expected);
        assert_eq!(parse(&bytes[..bytes.len() - 1]), None);
        assert_eq!(parse(&[3, 0, 0, 0]), None);
        assert_eq!(parse(&[]), None);
    }
}
