//! SLSA provenance: who built an image, from which repository and ref, and whether that is what is required.
//!
//! Sources: <https://slsa.dev/spec/v1.0/provenance>, <https://slsa.dev/spec/v0.2/provenance>,
//! <https://actions.github.io/buildtypes/workflow/v1>.

use serde_json::Value;
use sigstore_verify::crypto::CertificateInfo;

use crate::policy::{Glob, Provenance};

/// The predicate types that are read.
pub(super) const TYPES: &[&str] = &["https://slsa.dev/provenance/v1", "https://slsa.dev/provenance/v0.2"];

/// What provenance says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Built {
    builder: Option<String>,
    /// Without `git+`, ref and `.git`.
    source: Option<String>,
    git_ref: Option<String>,
}

impl Built {
    /// Reads a predicate of one of [`TYPES`].
    pub(super) fn read(predicate_type: &str, predicate: &Value) -> Self {
        let text = |pointer: &str| predicate.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        if predicate_type == "https://slsa.dev/provenance/v0.2" {
            let (source, git_ref) = parted(text("/invocation/configSource/uri"));
            return Self { builder: text("/builder/id"), source, git_ref };
        }
        let parameters = "/buildDefinition/externalParameters";
        let (source, git_ref) = if let Some(repository) = text(&format!("{parameters}/workflow/repository")) {
            // A workflow of GitHub, or of who follows its build type.
            (parted(Some(repository)).0, text(&format!("{parameters}/workflow/ref")))
        } else {
            let elsewhere = ["/source/uri", "/source", "/configSource/uri"];
            let found = elsewhere.iter().find_map(|end| text(&format!("{parameters}{end}")));
            parted(found.or_else(|| text("/buildDefinition/resolvedDependencies/0/uri")))
        };
        Self { builder: text("/runDetails/builder/id"), source, git_ref }
    }

    /// What of it is not as required: a text that follows `found provenance`; none where all is.
    pub(super) fn misses(&self, required: &Provenance, certificate: Option<&CertificateInfo>) -> Option<String> {
        let claims = certificate.map(|certificate| &certificate.ci_claims);
        let source = claims.and_then(|claims| claims.source_repository_uri.clone());
        let git_ref = claims.and_then(|claims| claims.source_repository_ref.as_deref());
        let (source, _) = parted(source);
        differs("builder", required.builder.as_ref(), self.builder.as_deref())
            .or_else(|| differs("source", required.source.as_ref(), self.source.as_deref()))
            .or_else(|| differs("ref", required.git_ref.as_ref(), self.git_ref.as_deref()))
            // Where the certificate names them too, its word counts as well: no workflow can write it.
            .or_else(|| source.and_then(|source| certified("source", required.source.as_ref(), &source)))
            .or_else(|| git_ref.and_then(|git_ref| certified("ref", required.git_ref.as_ref(), git_ref)))
    }
}

fn differs(what: &str, required: Option<&Glob>, found: Option<&str>) -> Option<String> {
    let required = required?;
    match found {
        Some(found) if required.matches(found) => None,
        Some(found) => Some(format!("whose {what} is `{found}`")),
        None => Some(format!("that names no {what}")),
    }
}

fn certified(what: &str, required: Option<&Glob>, found: &str) -> Option<String> {
    required
        .filter(|required| !required.matches(found))
        .map(|_| format!("whose certificate names the {what} `{found}`"))
}

/// A source and its ref, as they are written in one URI: `git+https://host/org/app@refs/tags/v1`, `…app.git#refs/…`.
fn parted(uri: Option<String>) -> (Option<String>, Option<String>) {
    let Some(uri) = uri else { return (None, None) };
    let uri = uri.strip_prefix("git+").unwrap_or(&uri);
    let (source, git_ref) = match (uri.split_once("@refs/"), uri.split_once('#')) {
        (Some((source, rest)), _) => (source, Some(format!("refs/{rest}"))),
        (None, Some((source, rest))) => (source, Some(rest.to_owned())),
        (None, None) => (uri, None),
    };
    (Some(source.strip_suffix(".git").unwrap_or(source).to_owned()), git_ref)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn required(builder: &str, source: &str, git_ref: &str) -> Provenance {
        let glob = |text: &str| (!text.is_empty()).then(|| Glob::new(text).unwrap());
        Provenance { builder: glob(builder), source: glob(source), git_ref: glob(git_ref) }
    }

    fn github() -> Built {
        let predicate = json!({
            "buildDefinition": {
                "externalParameters": {
                    "workflow": { "ref": "refs/tags/v1", "repository": "https://github.com/org/app" }
                },
                "resolvedDependencies": [{ "uri": "git+https://github.com/evil/app@refs/heads/main" }]
            },
            "runDetails": { "builder": { "id": "https://github.com/org/b/.github/workflows/b.yml@refs/tags/v2" } }
        });
        Built::read(TYPES[0], &predicate)
    }

    #[test]
    fn builder_source_and_ref_are_read_from_every_version() {
        let built = |builder: &str, source: &str, git_ref: &str| Built {
            builder: Some(builder.to_owned()),
            source: Some(source.to_owned()),
            git_ref: Some(git_ref.to_owned()),
        };
        let app = "https://github.com/org/app";
        assert_eq!(
            github(),
            built("https://github.com/org/b/.github/workflows/b.yml@refs/tags/v2", app, "refs/tags/v1")
        );
        let old = json!({
            "builder": { "id": "b" },
            "invocation": { "configSource": { "uri": "git+https://github.com/org/app@refs/heads/a@b" } }
        });
        assert_eq!(Built::read(TYPES[1], &old), built("b", app, "refs/heads/a@b"));
        for uri in ["git+https://github.com/org/app@refs/tags/v1", "https://github.com/org/app.git#refs/tags/v1"] {
            let resolved = json!({
                "buildDefinition": { "externalParameters": {}, "resolvedDependencies": [{ "uri": uri }] },
                "runDetails": { "builder": { "id": "b" } }
            });
            assert_eq!(Built::read(TYPES[0], &resolved), built("b", app, "refs/tags/v1"));
        }
        for nothing in [json!(null), json!([]), json!({ "buildDefinition": 1, "builder": { "id": 2 } })] {
            assert_eq!(Built::read(TYPES[0], &nothing), Built::default());
            assert_eq!(Built::read(TYPES[1], &nothing), Built::default());
        }
    }

    #[test]
    fn what_is_not_as_required_is_named() {
        let misses = |required: &Provenance| github().misses(required, None);
        assert_eq!(
            misses(&required("https://github.com/org/b/**@refs/tags/*", "https://github.com/org/*", "refs/tags/*")),
            None
        );
        assert_eq!(misses(&required("", "", "refs/heads/main")).unwrap(), "whose ref is `refs/tags/v1`");
        assert_eq!(
            misses(&required("", "https://github.com/org/other", "")).unwrap(),
            "whose source is `https://github.com/org/app`"
        );
        assert_eq!(Built::default().misses(&required("b", "", ""), None).unwrap(), "that names no builder");
    }
}
