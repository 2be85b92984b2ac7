//! digest-gate.

pub mod finding;
pub mod github;
pub mod manifest;
pub mod reference;
pub mod rule;
pub mod source;
pub mod yaml;
