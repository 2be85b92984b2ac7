//! compose

use super::{Kind, Reader};

/// The kind.
pub static KIND: Kind =
    Kind { name: "compose", title: "", files: "", reads: "", reader: Reader::Document(|_, _| false) };
