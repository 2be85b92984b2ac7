//! The GitHub door: what the runner says about the event (posting is not written yet).

pub mod event;
