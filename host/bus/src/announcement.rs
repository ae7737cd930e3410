//! What a node says of its session, signed by the node key.
