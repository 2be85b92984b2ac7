//! How long digests have been what they are, and what `stale-digest` says of that.

use std::path::Path;

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan as _, tz::TimeZone};

use super::{Depth, Entry, Histories, ImageHistory, Repository, Value};
use crate::finding::Finding;
use crate::gate::{Collected, Deployed};
use crate::policy::Policy;
use crate::reference::Reference;
use crate::resolution::Age;
use crate::rule::{Facts, STALE_DIGEST};

/// Adds what the rule says of the images that were collected. Git is asked only where the policy has an age to judge; what
/// it does not know is counted as unchecked, with a notice.
pub fn judge(collected: &mut Collected, policy: &Policy, root: &Path, today: Date) {
    let (Some(limit), Some(severity)) = (policy.judged_age(), policy.level(&STALE_DIGEST).severity()) else { return };
    let is_pinned = |deployed: &Deployed| deployed.image.reference().is_some_and(Reference::is_pinned);
    let pinned = collected.images.iter().filter(|deployed| is_pinned(deployed) && !deployed.image.partial);
    let pinned: Vec<_> = pinned.cloned().collect();
    if pinned.is_empty() {
        return;
    }
    let oldest = today.saturating_sub(i64::from(limit).days());
    let oldest = TimeZone::UTC.to_timestamp(oldest.at(0, 0, 0, 0)).unwrap_or(Timestamp::MIN);
    let read = Repository::open(root).and_then(|git| super::of(&git, &pinned, Depth::Newest(oldest)));
    let (ages, why) = match &read {
        Ok(histories) => (ages(histories, limit, today), histories.unanswered().map(|it| (it.reason, it.help))),
        Err(error) => {
            let help = "run it in a checkout of the repository".to_owned();
            (vec![None; pinned.len()], Some((error.to_string(), help)))
        }
    };
    let open = ages.iter().filter(|age| age.is_none()).count();
    for (deployed, age) in pinned.iter().zip(&ages) {
        let facts = Facts { age: age.as_ref(), ..policy.facts(&deployed.image) };
        let verdict = STALE_DIGEST.judge.and_then(|judge| judge(&facts));
        collected.findings.extend(verdict.map(|verdict| {
            let Deployed { image, environment, enforced, .. } = deployed;
            Finding::about(image, environment, *enforced, &STALE_DIGEST, severity, verdict)
        }));
    }
    if open > 0 {
        collected.counts.unchecked += open;
        let (reason, help) = why.unwrap_or_else(|| {
            let reason = "what is decided outside of the repository's files has no history".to_owned();
            (reason, "check the files themselves".to_owned())
        });
        let images =
            if open == 1 { "the digest of 1 image".to_owned() } else { format!("the digests of {open} images") };
        collected.notices.push(format!("how old {images} is was not checked (`max-digest-age`): {reason}; {help}"));
    }
}

/// The age of each image's digest; none where it is not known.
fn ages(histories: &Histories, limit: u32, today: Date) -> Vec<Option<Age>> {
    let is_cut = histories.unanswered().is_some();
    let known = |history: &Option<ImageHistory>| {
        let age = age(history.as_ref()?, today)?;
        // Of what is cut off only this is known: that it is not younger.
        (!(is_cut && age.is_at_least) || age.days > i64::from(limit)).then_some(age)
    };
    histories.images.iter().map(known).collect()
}

/// The age of the digest an image has now: since the oldest commit that had it, without another one in between.
fn age(history: &ImageHistory, today: Date) -> Option<Age> {
    let now = history.entries.first()?.value.digest();
    let is_same = |entry: &&Entry| entry.value == Value::Nothing || entry.value.digest() == now;
    let same = history.entries.iter().take_while(is_same);
    let first = same.filter(|entry| entry.value != Value::Nothing).last()?;
    let Some(commit) = &first.commit else {
        return Some(Age { days: 0, since: today, is_at_least: false });
    };
    // A clock that ran ahead makes no digest younger than today.
    let since = TimeZone::UTC.to_datetime(commit.date).date().min(today);
    let days = today.duration_since(since).as_secs() / (24 * 60 * 60);
    Some(Age { days, since, is_at_least: first.may_be_older })
}
