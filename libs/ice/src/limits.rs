//! How much there may be of what others can make more of.

/// Peers of an endpoint.
pub const PEERS: usize = 1024;
/// Candidates that a peer may name; the others are counted as dropped.
pub const CANDIDATES_PER_PEER: usize = 32;
/// Bytes of a candidate's foundation (RFC 8839).
pub const FOUNDATION: usize = 32;
/// Addresses of this machine that are used, the first ones of the system's list.
pub const ADDRESSES: usize = 16;
/// STUN and TURN servers of a peer, each.
pub const SERVERS_PER_PEER: usize = 8;
/// Bytes of a datagram of the application. A datagram of UDP has no more than 65,507, and DTLS and TURN need some.
pub const DATAGRAM: usize = 16 * 1024;
/// Datagrams that wait to be sent, of all peers: what comes in more than the system takes at a time.
pub const QUEUED_DATAGRAMS: usize = 4096;
/// Events that wait to be fetched; beyond that datagrams are dropped, and nothing else.
pub const QUEUED_EVENTS: usize = 8192;
