//! Interpolation
