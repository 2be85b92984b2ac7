//! digest-gate.

pub mod exception;
pub mod finding;
pub mod manifest;
pub mod policy;
pub mod reference;
pub mod report;
pub mod rule;
pub mod source;
pub mod walk;
pub mod yaml;
