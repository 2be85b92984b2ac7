//! The rules of overlays, told by small builds in memory.
