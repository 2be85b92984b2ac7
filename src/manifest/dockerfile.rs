//! dockerfile

use super::{Kind, Reader};

/// The kind.
pub static KIND: Kind =
    Kind { name: "dockerfile", title: "", files: "", reads: "", reader: Reader::Document(|_, _| false) };
pub(super) fn looks_like(_: &str) -> bool {
    false
}
pub(super) fn read(_: &std::sync::Arc<crate::source::Source>, _: &mut super::Found) -> bool {
    false
}
