//! Datagrams as they go over the bus: a fixed header, and what is sealed and signed behind it.
