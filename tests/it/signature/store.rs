//! A registry in memory: manifests by tag and digest, blobs, and what refers to what.

use std::collections::BTreeMap;

use digest_gate::resolution::{Answer, Artifacts, Asked, Manifest, Referrer, Unanswered};
use serde_json::{Value, json};

use crate::daemon::{Daemon, OCI_CONFIG, OCI_INDEX, OCI_MANIFEST, digest};

pub(super) const SIMPLE: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
pub(super) const ENVELOPE: &str = "application/vnd.dsse.envelope.v1+json";
pub(super) const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

#[derive(Default)]
pub(super) struct Store {
    /// By tag and by digest.
    manifests: BTreeMap<String, Vec<u8>>,
    blobs: BTreeMap<String, Vec<u8>>,
    referrers: BTreeMap<String, Vec<Referrer>>,
    /// What nobody answers, by its name.
    pub(super) silent: Vec<String>,
}

impl Store {
    fn blob(&mut self, bytes: &[u8]) -> String {
        let digest = digest(bytes);
        self.blobs.insert(digest.clone(), bytes.to_vec());
        digest
    }

    fn layer(&mut self, media_type: &str, bytes: &[u8], annotations: &[(String, String)]) -> Value {
        let annotations: BTreeMap<_, _> = annotations.iter().cloned().collect();
        let digest = self.blob(bytes);
        json!({ "mediaType": media_type, "digest": digest, "size": bytes.len(), "annotations": annotations })
    }

    /// Puts one more layer into the manifest of a tag.
    pub(super) fn tag(&mut self, tag: &str, media_type: &str, bytes: &[u8], annotations: &[(String, String)]) {
        let layer = self.layer(media_type, bytes, annotations);
        let manifest = self.manifests.get(tag).map(|bytes| serde_json::from_slice(bytes).unwrap());
        let mut manifest: Value = manifest.unwrap_or_else(|| super::image(OCI_CONFIG));
        manifest["layers"].as_array_mut().unwrap().push(layer);
        self.put(tag, &serde_json::to_vec(&manifest).unwrap());
    }

    pub(super) fn put(&mut self, tag: &str, manifest: &[u8]) {
        self.manifests.insert(tag.to_owned(), manifest.to_vec());
    }

    /// Lets something refer to an image.
    pub(super) fn refer(&mut self, image: &str, artifact_type: Option<&str>, media_type: &str, bytes: &[u8]) {
        let layer = self.layer(media_type, bytes, &[]);
        let mut manifest = super::image("application/vnd.oci.empty.v1+json");
        manifest["layers"] = json!([layer]);
        manifest["subject"] = json!({ "mediaType": OCI_MANIFEST, "digest": image, "size": 1 });
        if let Some(kind) = artifact_type {
            manifest["artifactType"] = json!(kind);
        }
        let manifest = serde_json::to_vec(&manifest).unwrap();
        let digest = digest(&manifest);
        self.put(&digest, &manifest);
        let referrer = Referrer {
            digest,
            media_type: OCI_MANIFEST.to_owned(),
            artifact_type: artifact_type.map(str::to_owned),
            annotations: Vec::new(),
        };
        self.referrers.entry(image.to_owned()).or_default().push(referrer);
    }

    /// Puts a signature where cosign puts it.
    pub(super) fn sig(&mut self, image: &str, payload: &[u8], annotations: &[(String, String)]) {
        self.tag(&format!("{}.sig", image.replace(':', "-")), SIMPLE, payload, annotations);
    }

    /// Puts a bundle where cosign and GitHub put it.
    pub(super) fn bundle(&mut self, image: &str, bundle: &Value) {
        self.refer(image, Some(BUNDLE), BUNDLE, &serde_json::to_vec(bundle).unwrap());
    }

    pub(super) fn lose(&mut self, bytes: &[u8]) {
        self.blobs.remove(&digest(bytes));
    }

    /// Puts everything into a real registry, beside the image: what refers to it under the tag of its digest.
    pub(super) fn push(&self, daemon: &Daemon, repository: &str) {
        daemon.push_blob(repository, b"{}");
        daemon.push_manifest(repository, "1", OCI_MANIFEST, &super::image(OCI_CONFIG));
        for bytes in self.blobs.values() {
            daemon.push_blob(repository, bytes);
        }
        for (name, bytes) in &self.manifests {
            daemon.push_bytes(repository, name, OCI_MANIFEST, bytes);
        }
        for (image, referrers) in &self.referrers {
            let entry = |it: &Referrer| {
                let size = self.manifests[&it.digest].len();
                json!({ "mediaType": it.media_type, "digest": it.digest, "size": size, "artifactType": it.artifact_type })
            };
            let manifests: Vec<_> = referrers.iter().map(entry).collect();
            let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests });
            daemon.push_manifest(repository, &image.replace(':', "-"), OCI_INDEX, &index);
        }
    }

    fn answer<T>(&self, asked: &Asked, found: impl Fn(&str) -> Option<T>) -> Answer<T> {
        let name = asked.object.as_str();
        if self.silent.iter().any(|silent| name.contains(silent)) {
            let reason = format!("{} did not answer", asked.registry);
            return Answer::Unanswered(Unanswered { reason, help: "run again later".to_owned() });
        }
        found(name).map_or(Answer::Missing, Answer::Found)
    }
}

impl Artifacts for Store {
    fn manifests(&self, asked: &[Asked]) -> Vec<Answer<Manifest>> {
        let found = |name: &str| {
            let bytes = self.manifests.get(name)?.clone();
            Some(Manifest { digest: digest(&bytes), media_type: OCI_MANIFEST.to_owned(), bytes })
        };
        asked.iter().map(|asked| self.answer(asked, found)).collect()
    }

    fn referrers(&self, asked: &[Asked]) -> Vec<Answer<Vec<Referrer>>> {
        let found = |name: &str| Some(self.referrers.get(name).cloned().unwrap_or_default());
        asked.iter().map(|asked| self.answer(asked, found)).collect()
    }

    fn blobs(&self, asked: &[Asked], limit: usize) -> Vec<Answer<Vec<u8>>> {
        let found = |name: &str| self.blobs.get(name).filter(|bytes| bytes.len() <= limit).cloned();
        asked.iter().map(|asked| self.answer(asked, found)).collect()
    }
}
