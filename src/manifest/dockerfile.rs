//! dockerfile

use super::{Kind, Reader};

/// The kind.
pub static KIND: Kind =
    Kind { name: "dockerfile", title: "", files: "", reads: "", reader: Reader::Document(|_, _| false) };
