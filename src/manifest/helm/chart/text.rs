//! Text that remembers where each part of it was written.

use std::rc::Rc;

use crate::source::Place;

/// Stands in a rendered text for what only the cluster or the release decides: one line, no structure.
pub(super) const SOME_TEXT: char = '\u{e000}';
/// Stands in a rendered text for what nobody here can tell: it may be whole containers.
pub(super) const ANYTHING: char = '\u{e001}';

/// An index into [`Marks`].
pub(super) type Mark = u32;

/// Who wrote a part of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Writer {
    Template,
    /// `Chart.yaml`.
    Metadata,
    /// A chart's own `values.yaml`.
    Defaults,
    /// A values file of the environment.
    Environment,
}

/// Where a part of a text was written.
#[derive(Clone)]
pub(super) struct Origin {
    pub(super) place: Place,
    pub(super) writer: Writer,
    /// The field in a values file.
    pub(super) field: Option<Rc<str>>,
}

/// All origins of one chart; the first stands for none.
#[derive(Default)]
pub(super) struct Marks(Vec<Origin>);

impl Marks {
    pub(super) fn add(&mut self, place: Place, writer: Writer, field: Option<&str>) -> Mark {
        self.0.push(Origin { place, writer, field: field.map(Into::into) });
        u32::try_from(self.0.len()).unwrap_or(0)
    }

    pub(super) fn get(&self, mark: Mark) -> Option<&Origin> {
        self.0.get((mark as usize).checked_sub(1)?)
    }
}

/// A part of a text that was written in one place.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) text: Rc<str>,
    pub(super) mark: Mark,
    /// How many bytes behind the beginning of its place it begins.
    pub(super) skip: u32,
}

impl Piece {
    pub(super) fn part(&self, range: std::ops::Range<usize>) -> Self {
        let skip = self.skip.saturating_add(u32::try_from(range.start).unwrap_or(u32::MAX));
        Self { text: self.text.get(range).unwrap_or_default().into(), mark: self.mark, skip }
    }
}

/// A text in pieces.
#[derive(Clone, Debug, Default)]
pub(super) struct Text(pub(super) Vec<Piece>);

impl Text {
    pub(super) fn new(text: &str, mark: Mark) -> Self {
        let mut whole = Self::default();
        whole.push(text, mark);
        whole
    }

    pub(super) fn push(&mut self, text: &str, mark: Mark) {
        // An empty value is remembered too: it is where a digest could be written.
        if !text.is_empty() || mark != 0 {
            self.0.push(Piece { text: text.into(), mark, skip: 0 });
        }
    }

    pub(super) fn append(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(super) fn len(&self) -> usize {
        self.0.iter().map(|piece| piece.text.len()).sum()
    }

    /// Where each piece begins.
    pub(super) fn starts(&self) -> Vec<usize> {
        let mut at = 0;
        let start = |piece: &Piece| {
            let start = at;
            at += piece.text.len();
            start
        };
        self.0.iter().map(start).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|piece| piece.text.is_empty())
    }

    pub(super) fn plain(&self) -> String {
        self.0.iter().map(|piece| &*piece.text).collect()
    }

    pub(super) fn contains(&self, pattern: char) -> bool {
        self.0.iter().any(|piece| piece.text.contains(pattern))
    }

    /// Whether every character of it is known.
    pub(super) fn is_known(&self) -> bool {
        !self.contains(SOME_TEXT) && !self.contains(ANYTHING)
    }

    /// The place that stands for the whole where it is made anew: the last one that was written.
    pub(super) fn mark(&self) -> Mark {
        let written = self.0.iter().rev().find(|piece| piece.mark != 0 && !piece.text.is_empty());
        written.or(self.0.last()).map_or(0, |piece| piece.mark)
    }

    /// Without white space at both ends.
    pub(super) fn trim(self) -> Self {
        self.trim_start().trim_end()
    }

    pub(super) fn trim_start(mut self) -> Self {
        for piece in &mut self.0 {
            let lead = piece.text.len() - piece.text.trim_start().len();
            *piece = piece.part(lead..piece.text.len());
            if !piece.text.is_empty() {
                break;
            }
        }
        self
    }

    pub(super) fn trim_end(mut self) -> Self {
        for piece in self.0.iter_mut().rev() {
            *piece = piece.part(0..piece.text.trim_end().len());
            if !piece.text.is_empty() {
                break;
            }
        }
        self
    }

    /// With `width` spaces before each line.
    pub(super) fn indent(self, width: usize) -> Self {
        let blank = " ".repeat(width);
        let mut whole = Self::default();
        whole.push(&blank, 0);
        for piece in self.0 {
            let mut at = 0;
            for line in piece.text.split_inclusive('\n') {
                whole.0.push(piece.part(at..at + line.len()));
                at += line.len();
                if line.ends_with('\n') {
                    whole.push(&blank, 0);
                }
            }
            if at == 0 {
                whole.0.push(piece);
            }
        }
        whole
    }

    /// Changed as a whole where it is known, else some text.
    pub(super) fn map(&self, change: impl FnOnce(&str) -> String) -> Self {
        if self.is_known() {
            Self::new(&change(&self.plain()), self.mark())
        } else {
            Self::new(&SOME_TEXT.to_string(), self.mark())
        }
    }
}
