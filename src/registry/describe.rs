//! What stands behind a digest: the platforms of an index, what an image says of itself, and when it was created.

use jiff::Timestamp;

use super::client::Client;
use super::document::{Config, Descriptor, Document, Kind, Nature, kind};
use super::open::open;
use crate::resolution::{Answer, Asked, Content, Description, Manifest, Object, Platform, Unanswered};

/// Longest configuration of an image, in bytes.
const MAX_CONFIG: usize = 8 << 20;

/// How many images of an index are asked when they were created, where the index does not say: they are built together,
/// and Docker Hub counts every one.
const LOOK_UPS: usize = 3;

/// What an image says of itself.
struct Image {
    content: Content,
    created: Option<Timestamp>,
}

impl Client {
    /// What a name serves, as closely as its documents tell.
    pub(super) async fn describe(&self, asked: &Asked) -> Answer<Description> {
        let manifest = match self.manifest(asked).await {
            Answer::Found(manifest) => manifest,
            Answer::Missing => return Answer::Missing,
            Answer::Unanswered(why) => return Answer::Unanswered(why),
        };
        let asked = Asked { object: Object::Digest(manifest.digest.clone()), ..asked.clone() };
        match self.description(&asked, manifest).await {
            Ok(description) => Answer::Found(description),
            Err(why) => Answer::Unanswered(why),
        }
    }

    async fn description(&self, asked: &Asked, manifest: Manifest) -> Result<Description, Unanswered> {
        let Manifest { digest, media_type, bytes } = manifest;
        let (document, _) = Document::read(&bytes, &media_type).map_err(|why| unreadable(asked, &why))?;
        drop(bytes);
        let Image { content, created } = match document.nature(&media_type) {
            Nature::Index(index) => self.index(asked, index).await?,
            Nature::Image(config, manifest) => self.image(asked, &config, &manifest).await?,
            Nature::Artifact(what, manifest) => {
                Image { content: Content::Artifact(what), created: manifest.annotations.created() }
            }
        };
        Ok(Description { digest, media_type, content, created })
    }

    async fn image(&self, asked: &Asked, config: &str, manifest: &Document) -> Result<Image, Unanswered> {
        let config = Asked { object: Object::Digest(config.to_owned()), ..asked.clone() };
        let bytes = match self.blob(&config, MAX_CONFIG).await {
            Answer::Found(bytes) => bytes,
            Answer::Missing => return Err(unreadable(asked, "its configuration is not there")),
            Answer::Unanswered(why) => return Err(why),
        };
        let config = Config::read(&bytes).map_err(|why| unreadable(asked, &why))?;
        let created = manifest.annotations.created().or_else(|| config.created());
        Ok(Image { content: Content::Image(config.platform()), created })
    }

    async fn index(&self, asked: &Asked, index: Document) -> Result<Image, Unanswered> {
        let mut created = index.annotations.created();
        let entries = index.manifests.unwrap_or_default();
        let entries: Vec<_> = entries.iter().filter(|entry| !entry.is_attestation()).collect();
        let newest = entries.iter().filter_map(|entry| entry.created()).max();
        created = created.or(newest);
        let mut known: Vec<Option<Platform>> = entries.iter().map(|entry| entry.platform()).collect();
        let mut strangers = vec![false; entries.len()];
        let mut dates = Vec::new();
        for at in order(&entries, created.is_none()) {
            let Some((entry, (known, stranger))) = entries.get(at).zip(known.get_mut(at).zip(strangers.get_mut(at)))
            else {
                continue;
            };
            match self.entry(asked, entry).await? {
                Some(Image { content: Content::Image(platform), created }) => {
                    known.get_or_insert(platform);
                    dates.extend(created);
                }
                Some(Image { content: Content::Artifact(_), .. }) => *stranger = true,
                Some(Image { content: Content::Index(_), .. }) | None => {}
            }
        }
        let unknown =
            || Platform { os: "unknown".to_owned(), architecture: "unknown".to_owned(), ..Platform::default() };
        let images: Vec<_> = entries
            .iter()
            .zip(known)
            .zip(strangers)
            .filter(|(_, stranger)| !stranger)
            .map(|((entry, platform), _)| (platform.unwrap_or_else(unknown), entry.digest.clone()))
            .collect();
        let content = if images.is_empty() {
            Content::Artifact("an index without any image".to_owned())
        } else {
            Content::Index(images)
        };
        Ok(Image { content, created: created.or_else(|| dates.into_iter().max()) })
    }

    /// What an entry of an index is; none where the registry does not have it.
    async fn entry(&self, asked: &Asked, entry: &Descriptor) -> Result<Option<Image>, Unanswered> {
        let asked = Asked { object: Object::Digest(entry.digest.clone()), ..asked.clone() };
        let manifest = match self.manifest(&asked).await {
            Answer::Found(manifest) => manifest,
            Answer::Missing => return Ok(None),
            Answer::Unanswered(why) => return Err(why),
        };
        let (document, media_type) =
            Document::read(&manifest.bytes, &manifest.media_type).map_err(|why| unreadable(&asked, &why))?;
        drop(manifest);
        match document.nature(&media_type) {
            Nature::Index(_) => Ok(None),
            Nature::Artifact(what, _) => Ok(Some(Image { content: Content::Artifact(what), created: None })),
            Nature::Image(config, manifest) => match (entry.platform(), manifest.annotations.created()) {
                (Some(platform), Some(created)) => {
                    Ok(Some(Image { content: Content::Image(platform), created: Some(created) }))
                }
                _ => self.image(&asked, &config, &manifest).await.map(Some),
            },
        }
    }
}

/// Which entries of an index are looked at: those that do not say what they are, and where a date is wanted a few more,
/// the most common platforms first.
fn order(entries: &[&Descriptor], wants_date: bool) -> Vec<usize> {
    let rank = |entry: &Descriptor| match entry.platform() {
        None => 0,
        Some(platform) if platform.to_string() == "linux/amd64" => 1,
        Some(platform) if platform.architecture == "arm64" && platform.os == "linux" => 2,
        Some(_) => 3,
    };
    let mut order: Vec<_> = entries
        .iter()
        .enumerate()
        .filter(|(_, entry)| kind(&entry.media_type) != Kind::Index)
        .map(|(at, entry)| (rank(entry), at))
        .filter(|(rank, _)| wants_date || *rank == 0)
        .collect();
    order.sort_unstable();
    order.into_iter().map(|(_, at)| at).take(LOOK_UPS).collect()
}

fn unreadable(asked: &Asked, why: &str) -> Unanswered {
    open(format!("{asked} cannot be read: {why}"), "check what was pushed under this name")
}
