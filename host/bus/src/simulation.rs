//! Many nodes on one engine that is hostile, with a seed.
