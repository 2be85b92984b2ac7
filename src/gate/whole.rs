//! What is read together to decide an image: so that it can be read again as it was at another time.

/// A file on its own, or files that are deployed together. Paths are from the root, with `/` between their parts.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Whole {
    /// Text that no file holds: standard input.
    #[default]
    Text,
    /// A file, with what stands beside it.
    File(String),
    /// Compose files in merge order.
    Stack { files: Vec<String>, env_files: Vec<String>, profiles: Option<Vec<String>> },
    /// The file of a kustomization.
    Overlay(String),
    /// The folder of a chart, and values files over its own.
    Chart { folder: String, values: Vec<String> },
}
