//! What this node sends: the outbox, batches, lanes, the ring of what was sent.
