//! A repository on GitHub, and the paths of the API below it.

/// Whose repository, and which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    pub owner: String,
    pub name: String,
}

impl Repository {
    /// Reads `owner/name`, each of the characters GitHub gives to names: they become part of a path.
    #[must_use]
    pub fn parse(full: &str) -> Option<Self> {
        let plain = |part: &str| {
            !matches!(part, "" | "." | "..")
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
        };
        let (owner, name) = full.split_once('/').filter(|(owner, name)| plain(owner) && plain(name))?;
        Some(Self { owner: owner.to_owned(), name: name.to_owned() })
    }

    /// The path of something of the repository: `/pulls`; of the repository itself where `rest` is empty.
    pub(super) fn path(&self, rest: &str) -> String {
        format!("/repos/{}/{}{rest}", self.owner, self.name)
    }
}
