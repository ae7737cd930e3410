//! Requests between two nodes and their answers: keys, repairs, questions.
