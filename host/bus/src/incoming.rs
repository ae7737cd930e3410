//! What comes from other nodes: order, ages, fragments, counts.
