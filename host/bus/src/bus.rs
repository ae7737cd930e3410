//! One bus as one node sees it: all the parts together.
