//! Subjects, and the tokens that they are made of.
