//! One binary for all integration tests; a module for each subject.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::indexing_slicing)]

mod charts;
mod cli;
mod compose;
mod docs;
mod kustomize;
mod program;
mod yaml;
