//! The file of holds as the commands read and change it.

use std::sync::Arc;

use anyhow::Context;
use jiff::civil::Date;

use super::setup::Setup;
use crate::edit::Changed;
use crate::policy::{Hold, Holds, find};
use crate::source::Source;

/// The file of holds of a repository.
pub(crate) struct HoldFile {
    /// Empty where there is none yet.
    source: Arc<Source>,
    pub(crate) holds: Holds,
}

impl HoldFile {
    /// Reads it; a wrong one is an error: to go on without it would be to forget what is held.
    pub(crate) fn read(setup: &Setup) -> anyhow::Result<Self> {
        let (name, is_there) = find::holds(setup.workspace.root())?;
        let path = setup.workspace.root().join(name);
        let shown = setup.workspace.shown(&path);
        if !is_there {
            let source = Source::from_bytes(&shown, name, Vec::new()).context("a file of holds")?;
            return Ok(Self { source, holds: Holds::default() });
        }
        let read = find::read(&path, &shown)?;
        let holds = Holds::parse(&read)?;
        let source = Source::from_bytes(&shown, name, read.text().as_bytes().to_vec()).context("a file of holds")?;
        Ok(Self { source, holds })
    }

    /// The holds that count on a day; says which ones count no more.
    pub(crate) fn counting(&self, today: Date) -> Vec<Hold> {
        for ended in self.holds.ended(today) {
            super::say("note", &ended);
        }
        self.holds.on(today).cloned().collect()
    }

    /// The file with other holds; none where that changes nothing.
    pub(crate) fn with(&self, holds: &Holds) -> Option<Changed> {
        let text = holds.text();
        let is_same = self.source.text() == text || self.source.text().is_empty() && holds.all.is_empty();
        (!is_same).then(|| Changed::whole(&self.source, text))
    }
}
