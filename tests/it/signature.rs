//! Signatures and provenance: what is accepted and what is refused, with which words.

mod cosign;
mod der;
mod hostile;
mod keyless;
mod keys;
mod published;
mod run;
mod sigstore;
mod store;

use digest_gate::policy::Policy;
use digest_gate::reference::Reference;
use digest_gate::resolution::Signed;
use digest_gate::signature::{self, Known, Trust, TrustError};
use digest_gate::source::Source;
use digest_gate::walk::Workspace;
use serde_json::{Value, json};

use super::daemon::OCI_MANIFEST;
use super::program::Folder;
use store::Store;

/// The digest of the [`image`] that is asked about, and that of another one.
pub(crate) const DIGEST: &str = "sha256:0e97a42f190d34e4711542bb089876fe24410f98ef9cd002d3d4568f46028eb3";
pub(crate) const OTHER: &str = "sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210";

/// The manifest of an image without layers.
pub(crate) fn image(config: &str) -> Value {
    let empty = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
    json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": { "mediaType": config, "digest": empty, "size": 2 },
        "layers": []
    })
}

/// Reads the keys and roots of a configuration whose files lie in a folder.
fn trust(configuration: &str, folder: &Folder) -> Result<Trust, TrustError> {
    let source = Source::new("digest-gate.yml", format!("version: 1\nsignatures:\n{configuration}"));
    let policy = Policy::parse(&source).unwrap_or_else(|errors| panic!("{errors}"));
    let workspace = Workspace::new(folder.path(), folder.path()).unwrap();
    Trust::read(&policy, &workspace, None)
}

/// What is known of the signatures of an image.
fn known(configuration: &str, folder: &Folder, store: &Store, image: &str) -> Known {
    let trust = trust(configuration, folder).unwrap_or_else(|error| panic!("{error}"));
    let reference = Reference::parse(image).unwrap();
    signature::look(&[Some(&reference)], &trust, store)
}

/// What is said of an image: one line for each entry that is for it.
fn said(known: &Known) -> String {
    let line = |signed: &Signed| match signed {
        Signed::Yes => "accepted".to_owned(),
        Signed::No(message) => message.clone(),
        Signed::Open(why) => format!("unchecked: {}", why.reason),
    };
    known.images[0].iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A snapshot below `snapshots/`.
fn reviewed(name: &str, text: &str) {
    insta::with_settings!({ snapshot_path => "../../snapshots", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, text);
    });
}
