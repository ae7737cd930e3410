//! What is known of the sessions of other nodes, bounded.
