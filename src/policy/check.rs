//! From the written configuration to the checked one: every error in it at its place.

use std::sync::Arc;

use jiff::civil::Date;

use super::error::{PolicyErrors, Wrong};
use super::floor::{self, Use};
use super::nearest::suggest;
use super::pattern::{Pattern, Repositories, registry_prefix};
use super::raw::{Errors, Raw, RawChart, RawEnvironment, RawException, RawStack};
use super::{Chart, Environment, Exception, Named, Policy, SetLevel, Stack};
use super::{commit, refresh, scan, signatures};
use crate::rule::{self, Base, Level, RULES, Rule};
use crate::source::Source;
use crate::yaml::Node;

/// The words of `policy`.
pub(super) const BASES: &[(&str, Base)] = &[("default", Base::Default), ("strict", Base::Strict)];

/// The longest name of an environment, in characters.
pub(super) const MAX_NAME: usize = 64;

pub(super) fn check(source: &Arc<Source>, raw: &Raw, root: Node<'_>, used: Use) -> Result<Policy, PolicyErrors> {
    let mut errors = Errors { source, found: Vec::new() };
    floor::check_keys(used, root, &mut errors);
    if raw.version != 1 {
        let help = "write `version: 1`, or use a digest-gate that reads this version";
        errors.add(at(root, "version"), format!("version {} is not known", raw.version), help);
    }
    let policy = Policy {
        base: base(raw, root, &mut errors),
        environments: environments(raw, root, &mut errors),
        allowed_registries: allowed_registries(raw, root, &mut errors),
        max_digest_age: raw.max_digest_age.as_deref().and_then(|text| max_digest_age(text, root, &mut errors)),
        exceptions: exceptions(raw, root, used, &mut errors),
        registries: refresh::registries(&raw.registries, root, &mut errors),
        refresh: refresh::refresh(raw.refresh.as_ref(), root, &mut errors),
        signatures: signatures::signatures(&raw.signatures, root, &mut errors),
        commit_references: commit::forms(&raw.commit_reference, root, &mut errors),
        scan: scan::scan(raw.scan.as_ref(), root, &mut errors),
        levels: levels(raw, root, &mut errors),
        notices: Vec::new(),
        base_place: root.get("policy").map(|node| errors.place(node)),
        max_age_place: root.get("max-digest-age").map(|node| errors.place(node)),
        allowed_place: root.get("allow-registries").map(|node| errors.place(node)),
        floor: None,
    };
    errors.done().map(|()| policy)
}

/// The value of a key; the mapping itself where it is not there.
pub(super) fn at<'t>(node: Node<'t>, key: &str) -> Node<'t> {
    node.get(key).unwrap_or(node)
}

pub(super) fn take<T>(result: Result<T, Wrong>, node: Node<'_>, errors: &mut Errors<'_>) -> Option<T> {
    result.map_err(|wrong| errors.add(node, wrong.message, wrong.help)).ok()
}

fn base(raw: &Raw, root: Node<'_>, errors: &mut Errors<'_>) -> Base {
    let word = raw.policy.as_deref();
    word.and_then(|word| take(named_base(word), at(root, "policy"), errors)).unwrap_or_default()
}

/// The policy of a word.
pub(super) fn named_base(word: &str) -> Result<Base, Wrong> {
    let words = BASES.iter().map(|(name, _)| *name);
    let base = BASES.iter().find(|(name, _)| *name == word).map(|(_, base)| *base);
    base.ok_or_else(|| Wrong::new(format!("`{word}` is no policy"), suggest(word, words)))
}

fn environments(raw: &Raw, root: Node<'_>, errors: &mut Errors<'_>) -> Vec<Environment> {
    let Some(node) = root.get("environments") else { return Vec::new() };
    if raw.environments.is_empty() {
        let help = "add one: `production: { manifests: [deploy/prod/**] }`, or remove the key";
        errors.add(node, "no environment is named", help);
    }
    // The tree gives the order of the text; that both readings have the same keys was made sure of before.
    let named = node.entries().filter_map(|(key, value)| {
        let name = key.scalar()?;
        Some(environment(name, raw.environments.get(name)?, key, value, errors))
    });
    named.collect()
}

fn environment(
    name: &str,
    raw: &RawEnvironment,
    key: Node<'_>,
    node: Node<'_>,
    errors: &mut Errors<'_>,
) -> Environment {
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(word) {
        let help = "letters, digits, `.`, `_` and `-`, at most 64";
        errors.add(key, "no name for an environment", help);
    }
    for key in ["manifests", "stacks", "overlays", "charts"] {
        if let Some(list) = node.get(key).filter(|list| list.items().next().is_none()) {
            errors.add(list, format!("`{key}` of `{name}` is empty"), "add what is deployed, or remove the key");
        }
    }
    if ["manifests", "stacks", "overlays", "charts"].iter().all(|key| node.get(key).is_none()) {
        let help = "add what is deployed: `manifests: [deploy/prod/**]`, or `stacks`, `overlays`, `charts`";
        errors.add(node, format!("`{name}` names nothing that is deployed"), help);
    }
    let manifests = raw.manifests.iter().zip(at(node, "manifests").items());
    let patterns =
        manifests.filter_map(|(text, node)| take(Pattern::new(text, Some(errors.place(node))), node, errors));
    let manifests = patterns.collect();
    let overlays = raw.overlays.iter().zip(at(node, "overlays").items());
    let overlays = overlays.filter_map(|(text, node)| named(text, node, errors)).collect();
    let stacks = raw.stacks.iter().zip(at(node, "stacks").items());
    let stacks = stacks.filter_map(|(raw, node)| stack(raw, node, errors)).collect();
    let charts = raw.charts.iter().zip(at(node, "charts").items());
    let charts = charts.filter_map(|(raw, node)| chart(raw, node, errors)).collect();
    Environment { name: name.into(), enforce: raw.enforce.unwrap_or(true), manifests, stacks, overlays, charts }
}

/// One file or folder by its path from the root.
pub(super) fn named(text: &str, node: Node<'_>, errors: &mut Errors<'_>) -> Option<Named> {
    let place = errors.place(node);
    let pattern = take(Pattern::new(text, Some(place.clone())), node, errors)?;
    if !pattern.is_literal() {
        errors.add(
            node,
            format!("`{text}` is a glob"),
            "name one file or folder: the order and the choice matter here",
        );
        return None;
    }
    Some(Named { path: pattern.base().to_owned(), place })
}

fn stack(raw: &RawStack, node: Node<'_>, errors: &mut Errors<'_>) -> Option<Stack> {
    let files_node = at(node, "files");
    if raw.files.is_empty() {
        errors.add(files_node, "the stack has no file", "add its files in merge order");
    }
    let files: Vec<_> =
        raw.files.iter().zip(files_node.items()).filter_map(|(text, node)| named(text, node, errors)).collect();
    let env_file = match &raw.env_file {
        Some(text) => Some(named(text, at(node, "env-file"), errors)?),
        None => None,
    };
    (files.len() == raw.files.len()).then(|| Stack { files, env_file, profiles: raw.profiles.clone() })
}

fn chart(raw: &RawChart, node: Node<'_>, errors: &mut Errors<'_>) -> Option<Chart> {
    let folder = named(&raw.chart, at(node, "chart"), errors)?;
    let values = raw.values.iter().zip(at(node, "values").items());
    let values: Vec<_> = values.filter_map(|(text, node)| named(text, node, errors)).collect();
    (values.len() == raw.values.len()).then_some(Chart { folder, values })
}

fn levels(raw: &Raw, root: Node<'_>, errors: &mut Errors<'_>) -> Vec<SetLevel> {
    let mut levels = Vec::new();
    for (key, value) in root.get("levels").into_iter().flat_map(Node::entries) {
        let Some((id, word)) = key.scalar().and_then(|id| raw.levels.get_key_value(id)) else { continue };
        let rule = take(named_rule(id), key, errors);
        let level = take(named_level(word), value, errors);
        let place = Some(errors.place(key));
        levels.extend(rule.zip(level).map(|(rule, level)| SetLevel { rule, level, place }));
    }
    levels
}

/// The rule of an id.
pub(super) fn named_rule(id: &str) -> Result<&'static Rule, Wrong> {
    let ids = RULES.iter().map(|rule| rule.id);
    rule::find(id).ok_or_else(|| Wrong::new(format!("`{id}` is no rule"), suggest(id, ids)))
}

/// The level of a word.
pub(super) fn named_level(word: &str) -> Result<Level, Wrong> {
    let words = Level::ALL.iter().map(|(word, _)| *word);
    Level::from_word(word).ok_or_else(|| Wrong::new(format!("`{word}` is no level"), suggest(word, words)))
}

fn allowed_registries(raw: &Raw, root: Node<'_>, errors: &mut Errors<'_>) -> Vec<String> {
    let prefixes = raw.allow_registries.iter().zip(at(root, "allow-registries").items());
    prefixes.filter_map(|(text, node)| take(registry_prefix(text), node, errors)).collect()
}

/// A number of days, at least one: today's digests are not stale.
fn max_digest_age(text: &str, root: Node<'_>, errors: &mut Errors<'_>) -> Option<u32> {
    let at_least_one = |days: u32| match days {
        0 => Err(Wrong::new("every digest would be stale", "write the days between two reviews: `90d`")),
        days => Ok(days),
    };
    take(refresh::days(text).and_then(at_least_one), at(root, "max-digest-age"), errors)
}

fn exceptions(raw: &Raw, root: Node<'_>, used: Use, errors: &mut Errors<'_>) -> Vec<Exception> {
    let exceptions = raw.exceptions.iter().zip(at(root, "exceptions").items());
    exceptions.filter_map(|(raw, node)| exception(raw, node, used, errors)).collect()
}

fn exception(raw: &RawException, node: Node<'_>, used: Use, errors: &mut Errors<'_>) -> Option<Exception> {
    let images = take(Repositories::new(&raw.image), at(node, "image"), errors);
    let path = raw.path.as_deref().map(|text| {
        let node = at(node, "path");
        take(Pattern::new(text, Some(errors.place(node))), node, errors)
    });
    let rule = raw.rule.as_deref().map(|id| take(exemptable_rule(id, raw), at(node, "rule"), errors));
    let named =
        raw.vulnerability.as_deref().map(|name| take(scan::of_exception(name, raw), at(node, "vulnerability"), errors));
    if raw.reason.trim().is_empty() {
        errors.add(at(node, "reason"), "the reason is empty", "say why the image is exempted");
    }
    let expires = at(node, "expires");
    Some(Exception {
        images: images?,
        // What is none here although it is written is among the errors, and then there is no policy.
        path: path.flatten(),
        rule: rule.flatten(),
        vulnerability: named.flatten(),
        reason: raw.reason.clone(),
        ticket: raw.ticket.clone(),
        expires: date(&raw.expires),
        expires_text: raw.expires.clone(),
        place: errors.place(at(node, "image")),
        expires_place: errors.place(expires),
        of_floor: used == Use::Floor,
    })
}

/// The rule of an exception, where an exception can be made from it.
fn exemptable_rule(id: &str, exception: &RawException) -> Result<&'static Rule, Wrong> {
    let rule = named_rule(id)?;
    if super::NOT_EXEMPTABLE.contains(&id) {
        let help = "mend what it reports, or lower it for everybody under `levels`";
        return Err(Wrong::new(format!("there is no exception from `{id}`"), help));
    }
    if super::EXEMPTABLE_BY_PATH.contains(&id) && (exception.path.is_none() || exception.image != "**") {
        let help = "write `image: \"**\"` and the `path` of the file";
        return Err(Wrong::new(format!("an exception from `{id}` is about a file and about no image"), help));
    }
    Ok(rule)
}

/// A day, strictly `YYYY-MM-DD`.
pub(super) fn date(text: &str) -> Option<Date> {
    let shape = |(index, b): (usize, u8)| if matches!(index, 4 | 7) { b == b'-' } else { b.is_ascii_digit() };
    (text.len() == 10 && text.bytes().enumerate().all(shape)).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_a_day_of_the_calendar() {
        assert!(date("2027-01-31").is_some());
        assert!(date("2028-02-29").is_some());
        for text in ["2027-02-29", "2027-1-31", "20270131", "2027-01-31T00", "31.01.2027", "never", "", "-027-01-31"] {
            assert!(date(text).is_none(), "{text}");
        }
    }
}
