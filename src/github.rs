//! The GitHub door: what the runner says about the event, and the only place that posts.
//!
//! The report of a check is decoration: the verdict is the exit status, and no answer of GitHub changes it. A pull
//! request is what its command is for, and fails with it. The functions block; the runtime that octocrab needs lives
//! inside [`Client`].

mod check_run;
mod client;
mod comment;
mod error;
pub mod event;
mod git_data;
mod hunks;
mod pull_request;
mod repository;
mod suggestions;
mod transport;

pub use check_run::{Outcome, publish};
pub use client::{Client, Patience};
pub use comment::{Commented, sticky};
pub use error::ClientError;
pub use event::{Event, EventError};
pub use pull_request::{Fate, File, ProposeError, Proposed, PullRequest, propose};
pub use repository::Repository;
pub use suggestions::{Suggested, Suggestion, suggest};
