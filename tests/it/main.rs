//! One binary for all integration tests; a module for each subject.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::indexing_slicing)]

mod cli;
mod compose;
mod docs;
mod program;
mod stacks;
