//! Who else can read or change a file: judged by owners, modes and access lists of the file and of the
//! folders on the way to it. Root is never somebody else, and so isn't the user asked about. And what keeps a
//! user from a file ([`hindrance`]).

mod acl;
mod change;
mod permit;
mod read;
mod rights;

pub use change::{ChangeError, Choice, Writer, check_unchangeable};
pub use permit::{Wish, hindrance};
pub use read::{Reach, reach_of};
pub use rights::User;
