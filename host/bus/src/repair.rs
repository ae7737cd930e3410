//! What is missing, and asking for it.
