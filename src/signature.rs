//! Signatures and provenance of pinned images: what is stored beside them, whether it holds, and whether it is what
//! `signatures` requires.
//!
//! ```text
//!  digests ──▶ gather ──▶ material ──▶ claim ──▶ proof ──▶ provenance ──▶ Signed
//!              (asks)     (bundles)    (for this  (who      (built where)
//!                                      image?)    signed?)
//! ```
//!
//! An image must meet every entry of `signatures` that is for it; one signature is enough for an entry. Whatever is
//! stored in a registry is hostile until it is proven: it is bounded in number and size, and what cannot be read or
//! proven is named and does not count.

mod claim;
mod gather;
mod material;
mod proof;
mod provenance;
mod trust;

use std::collections::{BTreeMap, BTreeSet};

use sigstore_verify::crypto::CertificateInfo;
use sigstore_verify::types::bundle::VerificationMaterialContent;

use crate::policy::{Key, Requirement, Signer};
use crate::reference::Reference;
use crate::resolution::{Answer, Artifacts, Asked, Object, Signed};
use crate::source::Place;
use claim::Claim;
use gather::{Shelf, Stored};
use material::Evidence;
use provenance::Built;
use trust::Entry;

pub use trust::{Trust, TrustError};

/// How many signatures are held in memory at once.
const AT_ONCE: usize = 16;
/// How many of those that do not count are named.
const NAMED: usize = 3;
/// The statement by which cosign says no more than that an image is signed.
const SIGNED: &str = "https://sigstore.dev/cosign/sign/v1";

/// What is known of the signatures of images.
#[derive(Debug, Default)]
pub struct Known {
    /// Beside the references: one answer for each entry of `signatures` that is for the image.
    pub images: Vec<Vec<Signed>>,
    /// Of how many images it stayed open whether they are signed.
    pub open: usize,
    /// The entries of the repository that are for none of the images: `digest-gate.yml:3: …`, without full stop.
    pub idle: Vec<String>,
}

/// Looks for the signatures that are required of images. A reference without a digest has none.
#[must_use]
pub fn look(references: &[Option<&Reference>], trust: &Trust, artifacts: &dyn Artifacts) -> Known {
    let required: Vec<Vec<&Entry>> = references.iter().map(|reference| trust.required(*reference)).collect();
    let mut looked: BTreeMap<Asked, Image<'_>> = BTreeMap::new();
    for (reference, entries) in references.iter().zip(&required) {
        if let Some(asked) = reference.and_then(pinned).filter(|_| !entries.is_empty()) {
            looked.entry(asked).or_insert_with(|| Image::new(entries));
        }
    }
    search(&mut looked, artifacts);
    let answers: BTreeMap<&Asked, Vec<Signed>> = looked.iter().map(|(asked, image)| (asked, image.answers())).collect();
    let is_open = |signed: &Vec<Signed>| signed.iter().any(|signed| matches!(signed, Signed::Open(_)));
    let open = answers.values().filter(|signed| is_open(signed)).count();
    let answer = |(reference, entries): (Option<&Reference>, &Vec<&Entry>)| match reference.and_then(pinned) {
        Some(asked) => answers.get(&asked).cloned().unwrap_or_default(),
        None => entries.iter().map(|entry| unpinned(entry)).collect(),
    };
    Known {
        images: references.iter().copied().zip(&required).map(answer).collect(),
        open,
        idle: idle(trust, &required),
    }
}

/// A pattern with a slip in it would require nothing in silence.
fn idle(trust: &Trust, required: &[Vec<&Entry>]) -> Vec<String> {
    let is_used = |entry: &Entry| required.iter().flatten().any(|it| std::ptr::eq(*it, entry));
    let idle = trust.entries.iter().filter(|entry| !entry.required.of_floor && !is_used(entry));
    let notice = |entry: &Entry| {
        let Requirement { images, place, .. } = &entry.required;
        format!("{} requires signatures of `{}`, and no such image is deployed", at(place), images.text)
    };
    idle.map(notice).collect()
}

fn at(place: &Place) -> String {
    format!("{}:{}", place.source.path(), place.start().line)
}

fn unpinned(entry: &Entry) -> Signed {
    Signed::No(format!("found no digest, for which a signature is made, required {}", wanted(&entry.required)))
}

impl Trust {
    /// The entries that are for an image.
    fn required(&self, reference: Option<&Reference>) -> Vec<&Entry> {
        let Some(reference) = reference else { return Vec::new() };
        let name = format!("{}/{}", reference.registry(), reference.repository());
        self.entries.iter().filter(|entry| entry.required.images.matches(&name)).collect()
    }
}

fn pinned(reference: &Reference) -> Option<Asked> {
    let object = Object::Digest(reference.digest()?.to_owned());
    Some(Asked { registry: reference.registry().to_owned(), repository: reference.repository(), object })
}

/// One image, and how far it is with each entry that is for it.
struct Image<'t> {
    progress: Vec<Progress<'t>>,
    shelf: Shelf,
}

struct Progress<'t> {
    entry: &'t Entry,
    is_met: bool,
    /// What was found and does not count: texts that follow `found`.
    found: BTreeSet<String>,
}

impl<'t> Image<'t> {
    fn new(entries: &[&'t Entry]) -> Self {
        let progress = |entry: &&'t Entry| Progress { entry, is_met: false, found: BTreeSet::new() };
        Self { progress: entries.iter().map(progress).collect(), shelf: Shelf::default() }
    }

    fn is_done(&self) -> bool {
        self.progress.iter().all(|progress| progress.is_met)
    }

    /// Takes one signature into account.
    fn take(&mut self, stored: &Stored, digest: &str, answer: Answer<Vec<u8>>) {
        let bytes = match answer {
            Answer::Found(bytes) => bytes,
            Answer::Missing => {
                self.shelf.refused.push("a signature that the registry has lost".to_owned());
                return;
            }
            Answer::Unanswered(why) => {
                self.shelf.open.get_or_insert(why);
                return;
            }
        };
        let read = material::read(stored.form, bytes, &stored.annotations)
            .and_then(|evidence| Ok((claim::read(&evidence, digest)?, evidence)));
        let (claim, evidence) = match read {
            Ok(read) => read,
            Err(found) => {
                self.shelf.refused.push(proof::plain(&found));
                return;
            }
        };
        for progress in self.progress.iter_mut().filter(|progress| !progress.is_met) {
            match meets(progress.entry, &claim, &evidence, digest) {
                Ok(()) => progress.is_met = true,
                Err(found) => {
                    progress.found.insert(proof::plain(&found));
                }
            }
        }
    }

    fn answers(&self) -> Vec<Signed> {
        let answer = |progress: &Progress<'_>| match &self.shelf.open {
            _ if progress.is_met => Signed::Yes,
            Some(why) => Signed::Open(why.clone()),
            None => {
                Signed::No(format!("found {}, required {}", self.found(progress), wanted(&progress.entry.required)))
            }
        };
        self.progress.iter().map(answer).collect()
    }

    /// Everything that was found instead of what is required.
    fn found(&self, progress: &Progress<'_>) -> String {
        let mut found = progress.found.clone();
        found.extend(self.shelf.refused.iter().cloned());
        let more = found.len().saturating_sub(NAMED) + self.shelf.left;
        let mut text = found.into_iter().take(NAMED).collect::<Vec<_>>().join(" and ");
        if text.is_empty() {
            "no signature".clone_into(&mut text);
            let others: Vec<_> = self.shelf.others.iter().take(NAMED).map(|kind| format!("`{kind}`")).collect();
            if !others.is_empty() {
                text = format!("no signature (but {})", proof::plain(&others.join(", ")));
            }
        }
        if more > 0 { format!("{text} and {more} more") } else { text }
    }
}

/// Looks at everything that is stored beside the images, until each is met.
fn search(images: &mut BTreeMap<Asked, Image<'_>>, artifacts: &dyn Artifacts) {
    let asked: Vec<Asked> = images.keys().cloned().collect();
    if asked.is_empty() {
        return;
    }
    let mut stored: Vec<(Asked, Stored)> = Vec::new();
    for (asked, mut shelf) in asked.iter().zip(gather::shelves(&asked, artifacts)) {
        let signatures = std::mem::take(&mut shelf.signatures);
        for signature in signatures {
            let limit = signature.form.limit();
            if signature.size > limit as u64 {
                shelf.refused.push(format!("a signature of {} bytes, more than {limit}", signature.size));
            } else {
                stored.push((asked.clone(), signature));
            }
        }
        if let Some(image) = images.get_mut(asked) {
            image.shelf = shelf;
        }
    }
    for group in stored.chunks(AT_ONCE) {
        let open = |(asked, _): &&(Asked, Stored)| images.get(asked).is_some_and(|image| !image.is_done());
        let group: Vec<_> = group.iter().filter(open).collect();
        let blobs: Vec<Asked> = group.iter().map(|(_, stored)| stored.blob.clone()).collect();
        let limit = group.iter().map(|(_, stored)| stored.form.limit()).max().unwrap_or_default();
        let answers = if blobs.is_empty() { Vec::new() } else { artifacts.blobs(&blobs, limit) };
        for ((asked, stored), answer) in group.into_iter().zip(answers) {
            if let Some(image) = images.get_mut(asked) {
                image.take(stored, asked.object.as_str(), answer);
            }
        }
    }
}

/// Whether a signature is what an entry requires.
fn meets(entry: &Entry, claim: &Claim, evidence: &Evidence, digest: &str) -> Result<(), String> {
    let required = &entry.required;
    let (what, built) = kind(claim, required)?;
    let is_by_key = matches!(evidence.bundle.verification_material.content, VerificationMaterialContent::PublicKey(_));
    let (who, certificate) = if is_by_key {
        (by_key(entry, evidence, digest, what)?, None)
    } else {
        let certificate = proof::by_certificate(evidence, digest, &entry.roots)
            .map_err(|why| format!("{what} that does not hold ({why})"))?;
        (signer_of(&certificate), Some(certificate))
    };
    if let Some(certificate) = &certificate
        && !required.signers.iter().any(|signer| is_of(signer, certificate))
    {
        return Err(format!("{what} by {who}"));
    }
    let missed = required.provenance.as_ref().zip(built).and_then(|(it, built)| built.misses(it, certificate.as_ref()));
    missed.map_or(Ok(()), |missed| Err(format!("{what} by {who} {missed}")))
}

/// What is said of the image, for people, where an entry asks for that.
fn kind(claim: &Claim, required: &Requirement) -> Result<(&'static str, Option<Built>), String> {
    let Claim::Attested { predicate_type, predicate } = claim else {
        let counts = required.provenance.is_none() && required.predicate_type.is_none();
        return if counts { Ok(("a signature", None)) } else { Err("a signature that attests nothing".to_owned()) };
    };
    let is_provenance = provenance::TYPES.contains(&predicate_type.as_str());
    match (&required.provenance, &required.predicate_type) {
        (Some(_), _) if is_provenance => Ok(("provenance", Some(Built::read(predicate_type, predicate)))),
        (None, Some(wanted)) if wanted == predicate_type => Ok(("an attestation", None)),
        (None, None) if is_provenance => Ok(("provenance", None)),
        (None, None) if predicate_type == SIGNED => Ok(("a signature", None)),
        _ => Err(format!("an attestation of the type `{predicate_type}`")),
    }
}

/// The key of an entry with which something was signed.
fn by_key(entry: &Entry, evidence: &Evidence, digest: &str, what: &str) -> Result<String, String> {
    let mut missed = format!("{what} made with a key");
    for (signer, key) in entry.required.signers.iter().zip(&entry.keys) {
        let (Signer::Key { transparency_log, .. }, Some(key)) = (signer, key) else { continue };
        match proof::by_key(evidence, digest, key, transparency_log.then_some(&entry.roots)) {
            Ok(()) => return Ok(shown(signer)),
            Err(why) => missed = format!("{what} that does not hold ({why})"),
        }
    }
    Err(missed)
}

/// Whether a certificate is that of a signer.
fn is_of(signer: &Signer, certificate: &CertificateInfo) -> bool {
    let Signer::Identity { identity, issuer } = signer else { return false };
    certificate.identity.as_ref().is_some_and(|found| identity.matches(found.as_str()))
        && certificate.issuer.as_deref() == Some(issuer)
}

fn signer_of(certificate: &CertificateInfo) -> String {
    let identity = certificate.identity.as_ref().map_or("nobody", |identity| identity.as_str());
    format!("`{identity}` (issuer `{}`)", certificate.issuer.as_deref().unwrap_or("none"))
}

fn shown(signer: &Signer) -> String {
    match signer {
        Signer::Identity { identity, issuer } => format!("`{}` (issuer `{issuer}`)", identity.text),
        Signer::Key { key: Key::File(file), .. } => format!("the key `{}`", file.path),
        Signer::Key { key: Key::Pem { .. }, .. } => "the key of the configuration".to_owned(),
    }
}

/// What an entry requires, for people: a text that follows `required`.
fn wanted(required: &Requirement) -> String {
    let what = match (&required.predicate_type, &required.provenance) {
        (Some(kind), _) => format!("an attestation of the type `{kind}`"),
        (None, Some(_)) => "provenance".to_owned(),
        (None, None) => "a signature".to_owned(),
    };
    let who = required.signers.iter().map(shown).collect::<Vec<_>>().join(" or ");
    let built = required.provenance.iter().flat_map(|it| {
        [("builder", &it.builder), ("source", &it.source), ("ref", &it.git_ref)]
            .map(|(what, glob)| Some((what, glob.as_ref()?)))
    });
    let built: Vec<_> = built.flatten().map(|(what, glob)| format!("{what} `{}`", glob.text)).collect();
    let built = if built.is_empty() { String::new() } else { format!(" with {}", built.join(", ")) };
    let from = if required.of_floor { format!(" (as {} requires)", at(&required.place)) } else { String::new() };
    format!("{what} by {who}{built}{from}")
}
