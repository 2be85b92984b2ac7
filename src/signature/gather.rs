//! What is stored beside an image that may be a signature: by the referrers of its digest, and by the tags of cosign.
//!
//! What is stored there was put there by whoever may push. It is looked at in bounded number and size, and nothing of
//! it counts before it is proven.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::material::Form;
use crate::reference::check_digest;
use crate::resolution::{Answer, Artifacts, Asked, Manifest, Object, Referrer, Unanswered};

/// How many signatures are looked at that are stored in one way.
pub(super) const MAX_SIGNATURES: usize = 64;

/// Artifact types under which signatures are stored; others are not opened. cosign leaves that of the empty
/// configuration in the index of the tag `sha256-…`.
const ARTIFACT_TYPES: &[&str] =
    &["application/vnd.dev.sigstore.", "application/vnd.dev.cosign.", "application/vnd.oci.empty."];

/// A signature as it is stored: not read yet.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) form: Form,
    pub(super) blob: Asked,
    /// In bytes, as its manifest says.
    pub(super) size: u64,
    pub(super) annotations: BTreeMap<String, String>,
}

/// Everything that is stored beside one image.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    pub(super) signatures: Vec<Stored>,
    /// Why something of it could not be looked at.
    pub(super) open: Option<Unanswered>,
    /// What was found and is no signature: texts that follow `found`.
    pub(super) refused: Vec<String>,
    /// The types of what is stored there and is no signature of ours.
    pub(super) others: BTreeSet<String>,
    /// How many signatures were not looked at because there are too many.
    pub(super) left: usize,
}

#[derive(Deserialize)]
struct ImageManifest {
    #[serde(default)]
    layers: Vec<Layer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Layer {
    media_type: String,
    digest: String,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

/// Looks for what is stored beside each image; the shelves stand in the order of the images.
pub(super) fn shelves(images: &[Asked], artifacts: &dyn Artifacts) -> Vec<Shelf> {
    let mut shelves: Vec<Shelf> = images.iter().map(|_| Shelf::default()).collect();
    let mut manifests: Vec<(usize, Asked)> = Vec::new();
    for (index, (image, answer)) in images.iter().zip(artifacts.referrers(images)).enumerate() {
        let Some(shelf) = shelves.get_mut(index) else { continue };
        let referrers = referrers(answer, shelf);
        manifests.extend(referrers.into_iter().map(|digest| (index, beside(image, Object::Digest(digest)))));
    }
    for (index, image) in images.iter().enumerate() {
        let tags = [".sig", ".att"].map(|end| tag(image, end));
        manifests.extend(tags.map(|tag| (index, beside(image, Object::Tag(tag)))));
    }
    let asked: Vec<Asked> = manifests.iter().map(|(_, asked)| asked.clone()).collect();
    let answers = if asked.is_empty() { Vec::new() } else { artifacts.manifests(&asked) };
    for ((index, asked), answer) in manifests.iter().zip(answers) {
        if let Some(shelf) = shelves.get_mut(*index) {
            open(asked, answer, shelf);
        }
    }
    shelves
}

/// The digests of the referrers that may hold signatures.
fn referrers(answer: Answer<Vec<Referrer>>, shelf: &mut Shelf) -> Vec<String> {
    let referrers = match answer {
        Answer::Found(referrers) => referrers,
        Answer::Missing => Vec::new(),
        Answer::Unanswered(why) => {
            shelf.open.get_or_insert(why);
            Vec::new()
        }
    };
    let mut digests = BTreeSet::new();
    for referrer in referrers {
        let kind = referrer.artifact_type.as_deref().filter(|kind| !kind.is_empty());
        match kind {
            Some(kind) if !ARTIFACT_TYPES.iter().any(|ours| kind.starts_with(ours)) => {
                shelf.others.insert(kind.to_owned());
            }
            _ if check_digest(&referrer.digest).is_err() => {
                shelf.refused.push("a referrer without a digest".to_owned());
            }
            _ if digests.len() >= MAX_SIGNATURES && !digests.contains(&referrer.digest) => shelf.left += 1,
            _ => {
                digests.insert(referrer.digest);
            }
        }
    }
    digests.into_iter().collect()
}

/// The tag under which cosign stores signatures (`.sig`) or attestations (`.att`).
fn tag(image: &Asked, end: &str) -> String {
    format!("{}{end}", image.object.as_str().replacen(':', "-", 1))
}

fn beside(image: &Asked, object: Object) -> Asked {
    Asked { object, ..image.clone() }
}

/// Takes the signatures out of a manifest.
fn open(asked: &Asked, answer: Answer<Manifest>, shelf: &mut Shelf) {
    let manifest = match answer {
        Answer::Found(manifest) => manifest,
        Answer::Missing => return,
        Answer::Unanswered(why) => {
            shelf.open.get_or_insert(why);
            return;
        }
    };
    let Ok(manifest) = serde_json::from_slice::<ImageManifest>(&manifest.bytes) else {
        shelf.refused.push(format!("something that is no manifest at `{}`", asked.object.as_str()));
        return;
    };
    let mut known = Vec::new();
    for layer in manifest.layers {
        if let Some(form) = Form::of(&layer.media_type) {
            known.push((form, layer));
        } else {
            shelf.others.insert(layer.media_type);
        }
    }
    // Referrers come first, and have one bound together.
    let room = match asked.object {
        Object::Digest(_) => MAX_SIGNATURES.saturating_sub(shelf.signatures.len()),
        Object::Tag(_) => MAX_SIGNATURES,
    };
    shelf.left += known.len().saturating_sub(room);
    for (form, layer) in known.into_iter().take(room) {
        if check_digest(&layer.digest).is_err() {
            shelf.refused.push("a signature without a digest".to_owned());
            continue;
        }
        let blob = beside(asked, Object::Digest(layer.digest));
        shelf.signatures.push(Stored { form, blob, size: layer.size, annotations: layer.annotations });
    }
}
