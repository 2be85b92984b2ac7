//! digest-gate: proves that every image a production manifest deploys is pinned to the bytes that were reviewed.
//!
//! ```text
//!             bytes                located images             findings                  reports
//!  walk ──▶ source ──▶ manifest ──▶ LocatedImage ──▶ rule ──▶ Finding ──▶ report ──▶ terminal, annotations,
//!  (I/O)              (one file a kind)     │      (pure)               (pure)      summary, check run, SARIF, …
//!                                           │
//!                                           └──▶ registry ──▶ answers ──▶ verify ──▶ Finding
//!                                                 (I/O)          │
//!                                                                └──▶ pin ──▶ Edit ──▶ diff, files, pull request
//! ```
//!
//! [`gate`] joins them: from a request to a report. Input and output happen at named doors: [`walk`] and
//! [`policy::find`] read files, [`edit::write`] changes them, [`registry`] asks, `command` prints, [`github`] posts.
//! Everything between is a function of its arguments. A gate fails closed: what cannot be parsed, decided or looked up
//! is a finding or is counted as unchecked, never silence.
//!
//! The layers, each using only those before it:
//!
//! - text: [`source`] (bytes, spans, lines), [`reference`] (the grammar of image references), [`edit`] (splices)
//! - data: [`resolution`] (what registries answer), [`http`] (the one way to other machines)
//! - reading: [`yaml`] (a tree of byte ranges), [`manifest`] (kinds, located images)
//! - judging: [`rule`], [`finding`], [`policy`] (the configuration), [`exception`]
//! - running: [`walk`], [`gate`]
//! - asking: [`registry`], [`scan`] (reports of scanners), and what is made of the answers: [`pin`], [`verify`],
//!   [`signature`] (whether what is stored beside an image proves who made it)
//! - beginning: [`init`] (what is written for a repository that has no configuration yet)
//! - output: [`report`] (one file a format), [`github`] (posts to it), `command` (one file a command), [`cli`]

pub mod cli;
mod command;
pub mod commit;
pub mod edit;
pub mod exception;
pub mod finding;
pub mod gate;
pub mod github;
pub mod history;
pub mod http;
pub mod init;
pub mod manifest;
pub mod pin;
pub mod policy;
pub mod reference;
pub mod registry;
pub mod report;
pub mod resolution;
pub mod rollback;
pub mod rule;
pub mod runner;
pub mod scan;
pub mod signature;
pub mod source;
pub mod verify;
pub mod walk;
pub mod yaml;
