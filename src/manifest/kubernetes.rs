//! kubernetes

use super::{Kind, Reader};

/// The kind.
pub static KIND: Kind =
    Kind { name: "kubernetes", title: "", files: "", reads: "", reader: Reader::Document(|_, _| false) };
