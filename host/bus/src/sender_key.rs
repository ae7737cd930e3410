//! The key that a session seals its datagrams with, one an epoch.
