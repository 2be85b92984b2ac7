//! Scan reports and VEX documents: what scanners found in which digest, and what its makers say of it.
//!
//! A report counts for the digests that it names itself, and for no other: the digest alone decides, because the same
//! digest in a mirror is the same bytes. A report that names none counts for nothing, unless whoever runs the gate says
//! what was scanned. A VEX document only ever takes findings back; it is no report.

mod cyclonedx;
mod grype;
mod openvex;
mod purl;
mod read;
mod sarif;
#[cfg(test)]
mod tests;
mod trivy;
mod vex;

use std::collections::BTreeMap;

use crate::policy::Scan;
use crate::reference::Reference;
use crate::resolution::{Answer, Content, Description, Fix, Grade, Scanned, Unanswered, Vulnerability};
use crate::source::{Source, sha256};
use purl::Package;
use vex::{Said, Statement};

pub use read::Broken;

/// How many findings, or statements, one file may have.
const MAX_FINDINGS: usize = 200_000;
/// How many names of a vulnerability, and how many digests of an image, are looked at.
const MAX_NAMES: usize = 64;
/// How many remarks are made.
const MAX_REMARKS: usize = 20;

/// Everything that was read.
#[derive(Debug, Default)]
pub struct Scans {
    reports: Vec<Report>,
    statements: Vec<Statement>,
    /// By file: what of it counts for nothing, for people.
    remarks: Vec<String>,
    /// What was read: path and SHA-256.
    files: Vec<(String, String)>,
}

/// One scan of one image.
#[derive(Debug, Default)]
struct Report {
    /// The file, as it is shown.
    file: String,
    /// The digests of what was scanned: of an index, of the image of one platform in it, or of both.
    digests: Vec<String>,
    /// The image as the scanner calls it, for people.
    image: Option<String>,
    found: Vec<Found>,
    /// Why it counts for nothing, for people.
    void: Option<String>,
    /// How many findings the scanner itself left out.
    left_out: usize,
}

/// One line of a report.
#[derive(Debug)]
struct Found {
    grade: Option<Grade>,
    /// All names; the scanner's own first.
    ids: Vec<String>,
    /// What has it, for people.
    part: String,
    fix: Fix,
    /// What has it, where the report says so exactly.
    package: Option<Package>,
}

impl Scans {
    /// Reads one file, whose format is known by its content. `about` is the digest that was scanned, where whoever runs
    /// the gate says so.
    ///
    /// # Errors
    /// It is no file of a known format, or one that is broken: with file, line and column.
    pub fn read(&mut self, source: &Source, about: Option<&str>) -> Result<(), Broken> {
        let read = read::read(source)?;
        self.files.push((source.path().to_owned(), sha256(source.text())));
        for mut report in read.reports {
            source.path().clone_into(&mut report.file);
            report.digests.truncate(MAX_NAMES);
            if let Some(digest) = about {
                report.is_about(digest);
            }
            self.remarks.extend(report.remark());
            self.reports.push(report);
        }
        if read.is_vex && !read.statements.iter().any(Statement::names_an_image) {
            self.remarks
                .push(format!("{}: no statement names the digest of an image: it takes nothing back", source.path()));
        }
        self.statements.extend(read.statements);
        Ok(())
    }

    /// What was read: the path of each file and its SHA-256.
    #[must_use]
    pub fn files(&self) -> &[(String, String)] {
        &self.files
    }

    /// Whether a report is for this digest.
    #[must_use]
    pub fn names(&self, digest: &str) -> bool {
        self.reports.iter().any(|report| report.void.is_none() && report.names(digest))
    }

    /// What the reports say of an image; nothing where it has no digest that one could be for. `registry` is what the
    /// registry says of this digest: a report of the image of one platform counts for the index that has it.
    #[must_use]
    pub fn of(&self, image: &Reference, registry: &Answer<Description>, policy: Scan) -> Answer<Scanned> {
        let Some(digest) = image.digest() else { return Answer::Missing };
        let mut digests = vec![digest];
        if let Answer::Found(Description { content: Content::Index(entries), .. }) = registry {
            digests.extend(entries.iter().map(|(_, digest)| digest.as_str()));
        }
        let reports: Vec<_> = self
            .reports
            .iter()
            .filter(|report| report.void.is_none() && digests.iter().any(|digest| report.names(digest)))
            .collect();
        if reports.is_empty() {
            return Answer::Unanswered(self.unreported(image, registry));
        }
        let said = Said::of(&self.statements);
        let mut found: BTreeMap<(&str, &str), Vulnerability> = BTreeMap::new();
        for report in reports {
            for line in report.found.iter().filter(|line| line.counts(policy)) {
                if !said.take_back(line, digest, report) {
                    join(&mut found, line);
                }
            }
        }
        let mut found: Vec<_> = found.into_values().collect();
        found.sort_by(|a, b| {
            let unfixed = |it: &Vulnerability| !matches!(it.fix, Fix::In(_));
            b.grade.cmp(&a.grade).then_with(|| unfixed(a).cmp(&unfixed(b))).then_with(|| a.id.cmp(&b.id))
        });
        Answer::Found(Scanned { gate: policy.gate, found })
    }

    fn unreported(&self, image: &Reference, registry: &Answer<Description>) -> Unanswered {
        let mut reason = "no scan report is for its digest".to_owned();
        let of_other = |report: &&Report| report.void.is_none() && report.is_of(image);
        if let Some(report) = self.reports.iter().find(of_other) {
            let digest = report.digests.first().map_or("no digest", String::as_str);
            reason = format!("{reason}; {} is for another: {digest}", report.file);
        }
        if let Answer::Unanswered(why) = registry {
            reason = format!("{reason}; for which platforms it is is not known: {}", why.reason);
        }
        let digest = image.digest().unwrap_or_default();
        let help = format!("scan exactly `{}@{digest}` and give the report to `--scan-report`", image.name());
        Unanswered { reason, help }
    }

    /// What was read and counts for nothing, for people: lower case, no full stop. `digests` are those that the images
    /// have, with those of their platforms.
    #[must_use]
    pub fn remarks(&self, is_deployed: &dyn Fn(&str) -> bool) -> Vec<String> {
        let idle = self.reports.iter().filter(|report| {
            report.void.is_none() && !report.digests.is_empty() && !report.digests.iter().any(|it| is_deployed(it))
        });
        let idle = idle.map(|report| {
            let image = report.image.as_ref().map(|image| format!(" ({})", purl::short(image))).unwrap_or_default();
            let digest = report.digests.first().map_or("", String::as_str);
            format!(
                "{}: a report of {digest}{image}, which no deployed image is known to have: it counts for nothing",
                report.file
            )
        });
        let mut remarks: Vec<_> = self.remarks.iter().cloned().chain(idle).collect();
        let more = remarks.len().saturating_sub(MAX_REMARKS);
        remarks.truncate(MAX_REMARKS);
        remarks.extend((more > 0).then(|| format!("and {more} more remarks about scan reports")));
        remarks
    }
}

/// Adds a line to what was found: the same one in several reports is one, as grave as the gravest says.
fn join<'r>(found: &mut BTreeMap<(&'r str, &'r str), Vulnerability>, line: &'r Found) {
    let Some((id, aliases)) = line.ids.split_first() else { return };
    let one = || Vulnerability {
        grade: line.grade,
        id: id.clone(),
        aliases: aliases.to_vec(),
        part: line.part.clone(),
        fix: line.fix.clone(),
    };
    let known = found.entry((id, &line.part)).or_insert_with(one);
    known.grade = known.grade.max(line.grade);
    if !matches!(known.fix, Fix::In(_)) {
        known.fix = line.fix.clone();
    }
}

impl Report {
    fn names(&self, digest: &str) -> bool {
        self.digests.iter().any(|it| it == digest)
    }

    /// Whether it is of the same repository.
    fn is_of(&self, image: &Reference) -> bool {
        let scanned = self.image.as_deref().and_then(|it| Reference::parse(it).ok());
        scanned.is_some_and(|it| it.registry() == image.registry() && it.repository() == image.repository())
    }

    /// Takes the word of whoever runs the gate for what was scanned. A report that says otherwise counts for nothing.
    fn is_about(&mut self, digest: &str) {
        if self.digests.is_empty() {
            self.digests.push(digest.to_owned());
        } else if !self.names(digest) {
            let other = self.digests.first().map_or("another", String::as_str);
            self.void = Some(format!("it was given as a report of {digest}, and is one of {other}"));
        }
    }

    /// What the reader should know of it.
    fn remark(&self) -> Option<String> {
        let file = &self.file;
        if let Some(why) = &self.void {
            return Some(format!("{file}: {why}: it counts for nothing"));
        }
        if self.digests.is_empty() {
            let image = self.image.as_ref().map(|image| format!(" (it is of {})", purl::short(image)));
            return Some(format!(
                "{file}: it names no digest{}: it counts for nothing; scan `REPOSITORY@DIGEST`, or say what was scanned: \
                 `--scan-report REPOSITORY@DIGEST={file}`",
                image.unwrap_or_default()
            ));
        }
        (self.left_out > 0).then(|| {
            let many = if self.left_out == 1 { "one finding was" } else { "findings were" };
            let count = if self.left_out == 1 { String::new() } else { format!("{} ", self.left_out) };
            format!("{file}: {count}{many} left out by the scanner's own settings")
        })
    }
}

impl Found {
    /// Whether it is at or above the gate. What nobody graded may be.
    fn counts(&self, policy: Scan) -> bool {
        let is_grave = self.grade.is_none_or(|grade| grade >= policy.gate);
        is_grave && !(policy.ignore_unfixed && self.fix == Fix::Nowhere)
    }
}

/// The grade of a scanner's word; none for `unknown` and for words nobody knows.
fn grade(word: &str) -> Option<Grade> {
    let word = word.trim();
    if word.eq_ignore_ascii_case("negligible") {
        return Some(Grade::Low);
    }
    Grade::ALL.iter().find(|(name, _)| word.eq_ignore_ascii_case(name)).map(|(_, grade)| *grade)
}
