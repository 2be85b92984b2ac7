//! The file of `--first-seen`: when each digest was first seen, so that waiting does not depend on what a registry says.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::edit::write::replace;
use crate::pin::Dates;
use crate::source::MAX_BYTES;

/// The file, and what was read of it.
pub(crate) struct FirstSeen {
    path: PathBuf,
    dates: Dates,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Content {
    /// The time at which each digest was first seen, by digest.
    digests: BTreeMap<String, String>,
}

impl Content {
    fn dates(self) -> anyhow::Result<Dates> {
        let date = |(digest, text): (String, String)| {
            let date = text.parse::<Timestamp>().with_context(|| format!("`{text}` is no time"))?;
            Ok((digest, date))
        };
        self.digests.into_iter().map(date).collect()
    }
}

impl FirstSeen {
    /// Reads the file; one that is not there yet remembers nothing.
    #[expect(clippy::disallowed_methods, reason = "a file of this program, not a manifest")]
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        let dates = match path.metadata() {
            Err(error) if error.kind() == ErrorKind::NotFound => Dates::new(),
            Err(error) => return Err(error).with_context(|| format!("cannot read `{shown}`")),
            Ok(metadata) if metadata.len() > MAX_BYTES => bail!("`{shown}` has more than {MAX_BYTES} bytes"),
            Ok(_) => {
                let bytes = std::fs::read(path).with_context(|| format!("cannot read `{shown}`"))?;
                let dates = serde_json::from_slice(&bytes).map_err(anyhow::Error::from).and_then(Content::dates);
                dates.with_context(|| {
                    format!("`{shown}` is no file of `--first-seen`: name another one, or remove it to begin anew")
                })?
            }
        };
        Ok(Self { path: path.to_owned(), dates })
    }

    /// The dates, to be given back to [`Self::write`].
    pub(crate) fn take(&mut self) -> Dates {
        std::mem::take(&mut self.dates)
    }

    /// Writes the file, whole or not at all.
    pub(crate) fn write(&self, dates: Dates) -> anyhow::Result<()> {
        let content = Content { digests: dates.into_iter().map(|(digest, at)| (digest, at.to_string())).collect() };
        let text = serde_json::to_string_pretty(&content).map_err(io::Error::from);
        text.and_then(|text| replace(&self.path, &format!("{text}\n")))
            .with_context(|| format!("cannot write `{}`", self.path.display()))
    }
}
