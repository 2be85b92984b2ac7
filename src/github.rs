//! The GitHub door: what the runner says about the event, and the only place that posts.
//!
//! Everything here is decoration: the verdict is the exit status, and no answer of GitHub changes it. The functions
//! block; the runtime that octocrab needs lives inside [`Client`].

mod check_run;
mod client;
mod error;
pub mod event;
mod transport;

pub use check_run::{Outcome, publish};
pub use client::{Client, Patience};
pub use error::ClientError;
pub use event::{Event, EventError};
