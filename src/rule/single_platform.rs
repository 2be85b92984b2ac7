//! `single-platform`: one platform of a multi-platform index is pinned.

use super::{Facts, JudgedBy, Level, Rule, Verdict};
use crate::resolution::{Answer, Content};

pub(super) static RULE: Rule = Rule {
    id: "single-platform",
    default: Level::Warning,
    strict: Level::Error,
    summary: "the digest is that of one platform, while the tag serves an index of several",
    why: "on a node of another architecture the image does not start, and a signature of the index does not cover it by \
          its own digest",
    fix: "write the digest of the index: `docker buildx imagetools inspect IMAGE` prints it as `Digest`",
    example: None,
    judged_by: JudgedBy::Verify,
    judge: Some(judge),
};

fn judge(facts: &Facts<'_>) -> Option<Verdict> {
    let registry = facts.registry?;
    let digest = facts.image.reference()?.digest()?;
    let Content::Image(platform) = &registry.digest.found()?.content else { return None };
    let Some(Answer::Found(now)) = &registry.tag else { return None };
    let Content::Index(entries) = &now.content else { return None };
    let platforms: Vec<_> = entries.iter().map(|(platform, _)| platform.to_string()).collect();
    let message = if now.has(digest) {
        format!("this is only the image for {platform}; the tag serves an index for {}", platforms.join(", "))
    } else {
        format!("this is an image for {platform} alone, while the tag serves an index for {}", platforms.join(", "))
    };
    Some(Verdict { message, help: format!("write the digest of the index: `{}`", now.digest) })
}
