//! One binary for all integration tests; a module for each subject.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::indexing_slicing)]

mod action;
mod age;
mod charts;
mod cli;
mod commit;
mod compose;
mod container;
mod daemon;
mod digests;
mod docs;
mod evidence;
mod floor;
mod git;
mod github;
mod history;
mod init;
mod kustomize;
mod layers;
mod openapi;
mod overlays;
mod pin;
mod program;
mod pull_request;
mod registry;
mod rollback;
mod scan;
mod signature;
mod stacks;
mod standin;
mod suggestions;
mod tls;
mod yaml;
