//! workflow

use super::{Kind, Reader};

/// The kind.
pub static KIND: Kind =
    Kind { name: "workflow", title: "", files: "", reads: "", reader: Reader::Document(|_, _| false) };
