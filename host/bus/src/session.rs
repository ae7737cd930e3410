//! One run of a node: its id and its keys.
