//! The documents of a registry: image manifests, image indexes, configurations, and what else is kept beside them.

use jiff::Timestamp;
use serde::Deserialize;

use crate::reference::check_digest;
use crate::resolution::Platform;

pub(super) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_ARTIFACT: &str = "application/vnd.oci.artifact.manifest.v1+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const NOTHING: &str = "application/vnd.oci.empty.v1+json";
const SCHEMA_1: &str = "application/vnd.docker.distribution.manifest.v1";

/// Everything that a manifest can be, for the header `Accept`.
pub(super) const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.artifact.manifest.v1+json";

/// What a media type says of a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Index,
    Image,
    /// A manifest of OCI 1.1's release candidates, for anything but images.
    Artifact,
    /// Docker's schema 1: its digest does not cover its bytes, and no runtime pulls it any more.
    Schema1,
    Unknown,
}

pub(super) fn kind(media_type: &str) -> Kind {
    match media_type {
        OCI_INDEX | DOCKER_LIST => Kind::Index,
        OCI_MANIFEST | DOCKER_MANIFEST => Kind::Image,
        OCI_ARTIFACT => Kind::Artifact,
        _ if media_type.starts_with(SCHEMA_1) => Kind::Schema1,
        _ => Kind::Unknown,
    }
}

/// A media type without its parameters, in lower case.
pub(super) fn bare(media_type: &str) -> String {
    media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// A manifest or an index.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document {
    schema_version: Option<u64>,
    media_type: Option<String>,
    artifact_type: Option<String>,
    pub(super) config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    pub(super) manifests: Option<Vec<Descriptor>>,
    #[serde(default)]
    pub(super) annotations: Annotations,
}

/// The annotations that say something of an image.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Annotations {
    #[serde(rename = "org.opencontainers.image.created")]
    created: Option<String>,
    /// What `BuildKit` writes at an attestation.
    #[serde(rename = "vnd.docker.reference.type")]
    reference_type: Option<String>,
}

impl Annotations {
    pub(super) fn created(&self) -> Option<Timestamp> {
        self.created.as_deref()?.parse().ok()
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    #[serde(default)]
    pub(super) media_type: String,
    pub(super) digest: String,
    platform: Option<RawPlatform>,
    #[serde(default)]
    pub(super) annotations: Option<Annotations>,
}

#[derive(Debug, Deserialize)]
struct RawPlatform {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
    variant: Option<String>,
    #[serde(rename = "os.version")]
    os_version: Option<String>,
}

/// The configuration of an image.
#[derive(Debug, Deserialize)]
pub(super) struct Config {
    created: Option<String>,
    #[serde(flatten)]
    platform: RawPlatform,
}

/// What a document turned out to be.
#[derive(Debug)]
pub(super) enum Nature {
    Index(Document),
    /// An image, with the digest of its configuration.
    Image(String, Document),
    /// What it is, for people.
    Artifact(String, Document),
}

impl Document {
    /// Reads a manifest of a media type; without one that tells, by what the document says of itself.
    ///
    /// # Errors
    /// What is wrong with it: lower case, no full stop.
    pub(super) fn read(bytes: &[u8], media_type: &str) -> Result<(Self, String), String> {
        let document: Self = serde_json::from_slice(bytes).map_err(|error| {
            format!("it is not JSON of a manifest (line {}, column {})", error.line(), error.column())
        })?;
        let told = document.media_type.as_deref().map(bare).unwrap_or_default();
        let media_type = match (kind(media_type), kind(&told)) {
            (Kind::Unknown, Kind::Unknown) => document.guess().ok_or("it is no manifest")?.to_owned(),
            (Kind::Unknown, _) => told,
            (_, Kind::Unknown) if told.is_empty() => media_type.to_owned(),
            _ if told == media_type => told,
            _ => return Err(format!("it is sent as `{media_type}` and calls itself something else")),
        };
        document.check(kind(&media_type))?;
        Ok((document, media_type))
    }

    /// The media type by the fields, which OCI lets a document leave out.
    fn guess(&self) -> Option<&'static str> {
        match self.schema_version {
            Some(2) if self.manifests.is_some() => Some(OCI_INDEX),
            Some(2) if self.config.is_some() => Some(OCI_MANIFEST),
            Some(1) => Some("application/vnd.docker.distribution.manifest.v1+json"),
            _ => None,
        }
    }

    /// Nothing may be read as an image by one and as an index by another (CVE-2021-41190).
    fn check(&self, kind: Kind) -> Result<(), String> {
        let has_images = self.manifests.is_some();
        let has_layers = self.config.is_some() || self.layers.is_some();
        let fits = match kind {
            Kind::Index => has_images && !has_layers,
            Kind::Image => self.config.is_some() && !has_images,
            Kind::Artifact | Kind::Schema1 | Kind::Unknown => true,
        };
        if !fits {
            return Err("its fields are not those of its media type".to_owned());
        }
        let descriptors = self.manifests.iter().flatten().chain(&self.config).chain(self.layers.iter().flatten());
        match descriptors.map(|it| check_digest(&it.digest)).find_map(Result::err) {
            Some(error) => Err(format!("it names a digest that is none: {error}")),
            None => Ok(()),
        }
    }

    /// What the document is.
    pub(super) fn nature(self, media_type: &str) -> Nature {
        if kind(media_type) == Kind::Index {
            return Nature::Index(self);
        }
        let config =
            self.config.as_ref().filter(|config| matches!(config.media_type.as_str(), OCI_CONFIG | DOCKER_CONFIG));
        match (config.map(|config| config.digest.clone()), self.stranger()) {
            (Some(config), None) => Nature::Image(config, self),
            (_, what) => {
                let what = what.unwrap_or_else(|| "no image".to_owned());
                Nature::Artifact(what, self)
            }
        }
    }

    /// What it is, if it is no image: by its own type, its configuration or its layers.
    fn stranger(&self) -> Option<String> {
        let config = self.config.as_ref().map_or("", |config| config.media_type.as_str());
        let own = self.artifact_type.as_deref().unwrap_or_default();
        let layers = self.layers.iter().flatten().map(|layer| layer.media_type.as_str());
        let is_image = matches!(config, OCI_CONFIG | DOCKER_CONFIG);
        let by_layer = layers.clone().find_map(known);
        let named = known(own).or_else(|| known(config)).or(by_layer);
        match named {
            Some(named) => Some(named.to_owned()),
            None if !own.is_empty() => Some(format!("an artifact of type `{own}`")),
            None if is_image => None,
            None if config == NOTHING || config.is_empty() => Some(
                layers
                    .clone()
                    .next()
                    .map_or_else(|| "no image".to_owned(), |layer| format!("an artifact of `{layer}`")),
            ),
            None => Some(format!("an artifact of type `{config}`")),
        }
    }
}

/// What a media type stands for, of those that registries hold beside images.
fn known(media_type: &str) -> Option<&'static str> {
    let known = [
        ("application/vnd.in-toto", "an attestation"),
        ("application/vnd.dsse.envelope", "an attestation"),
        ("application/vnd.dev.cosign.simplesigning", "a signature"),
        ("application/vnd.dev.cosign.artifact.sig", "a signature"),
        ("application/vnd.cncf.notary.signature", "a signature"),
        ("application/vnd.dev.sigstore.bundle", "a signature or attestation"),
        ("application/vnd.cncf.helm", "a Helm chart"),
        ("application/vnd.cncf.flux", "a Flux artifact"),
        ("application/vnd.docker.plugin", "a Docker plugin"),
        ("application/vnd.cyclonedx", "a bill of materials"),
        ("application/spdx", "a bill of materials"),
        ("text/spdx", "a bill of materials"),
        ("application/vnd.buildkit.cacheconfig", "a build cache"),
    ];
    known.into_iter().find(|(prefix, _)| media_type.starts_with(prefix)).map(|(_, what)| what)
}

impl Descriptor {
    /// For which machine it is; none where the index does not say.
    pub(super) fn platform(&self) -> Option<Platform> {
        self.platform.as_ref().map(RawPlatform::platform).filter(|it| !it.os.is_empty() && !it.architecture.is_empty())
    }

    /// Whether it is what `BuildKit` stores beside an image: nothing that can be run.
    pub(super) fn is_attestation(&self) -> bool {
        let is_marked = self.annotations.as_ref().is_some_and(|annotations| annotations.reference_type.is_some());
        is_marked || self.platform().is_some_and(|it| it.os == "unknown" && it.architecture == "unknown")
    }

    pub(super) fn created(&self) -> Option<Timestamp> {
        self.annotations.as_ref().and_then(Annotations::created)
    }
}

impl RawPlatform {
    fn platform(&self) -> Platform {
        let said = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        Platform {
            os: self.os.clone(),
            architecture: self.architecture.clone(),
            variant: said(&self.variant),
            os_version: said(&self.os_version),
        }
    }
}

impl Config {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(bytes).map_err(|error| {
            format!("the configuration of the image is none (line {}, column {})", error.line(), error.column())
        })
    }

    pub(super) fn created(&self) -> Option<Timestamp> {
        self.created.as_deref()?.parse().ok()
    }

    /// For which machine the image is; `unknown` where it does not say.
    pub(super) fn platform(&self) -> Platform {
        let mut platform = self.platform.platform();
        for part in [&mut platform.os, &mut platform.architecture] {
            if part.is_empty() {
                "unknown".clone_into(part);
            }
        }
        platform
    }
}

#[cfg(test)]
mod tests;
