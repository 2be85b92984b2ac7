//! From digests that move to the pull request that moves them, for the command line and for the action.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, anyhow, bail};
use sha2::{Digest as _, Sha256};

use super::moves::{self, Ending};
use super::setup::Setup;
use crate::cli::{CLEAN, Common, FINDINGS, Input, Moving, Proposing};
use crate::edit::Changed;
use crate::github::{Client, Fate, File, Proposed, PullRequest, Repository, propose};
use crate::pin::{Choice, Missed, Moves};
use crate::policy;
use crate::report::counted;
use crate::report::proposal::{Purpose, proposal};

/// What a pull request is asked for with.
#[derive(Default)]
pub(crate) struct Ask<'a> {
    pub(crate) purpose: Purpose,
    /// A CVE, a POA&M number, the occasion.
    pub(crate) reason: Option<&'a str>,
    /// In place of the configured ones.
    pub(crate) branch: Option<&'a str>,
    pub(crate) base: Option<&'a str>,
    /// Beside the configured ones.
    pub(crate) labels: Vec<&'a str>,
    pub(crate) reviewers: Vec<&'a str>,
    /// What was selected, where it is a part: it has a pull request of its own, for it must not replace that of the
    /// whole.
    pub(crate) part: Vec<String>,
    /// Whether every manifest could be read.
    pub(crate) is_complete: bool,
}

impl Proposing {
    /// The repository in which the pull request is asked for, if one is: known before anybody is asked for digests.
    pub(crate) fn place(&self) -> anyhow::Result<Option<(Client, Repository)>> {
        self.pull_request.then(|| connect(&crate::cli::variables())).transpose()
    }

    /// What the command line asks for; everything else is as configured.
    pub(crate) fn ask(&self, purpose: Purpose, part: Vec<String>, is_complete: bool) -> Ask<'_> {
        Ask { purpose, reason: self.reason.as_deref(), part, is_complete, ..Ask::default() }
    }
}

/// The selection of the command line; nothing where it is everything.
pub(crate) fn part(input: &Input, moving: &Moving) -> Vec<String> {
    let paths = input.paths.iter().map(|path| format!("path {}", path.display()));
    let images = moving.images.iter().map(|image| format!("image {image}"));
    let services = moving.services.iter().map(|service| format!("service {service}"));
    let environment = input.environment.iter().map(|name| format!("environment {name}"));
    paths.chain(images).chain(services).chain(environment).collect()
}

/// The repository that the environment names, with its token: that of a workflow, or a user's own.
pub(crate) fn connect(env: &BTreeMap<String, String>) -> anyhow::Result<(Client, Repository)> {
    let variable = |name: &str| env.get(name).map(String::as_str).filter(|value| !value.is_empty());
    let Some(token) = variable("GITHUB_TOKEN").or_else(|| variable("GH_TOKEN")) else {
        bail!(
            "`--pull-request` needs a token in GITHUB_TOKEN or GH_TOKEN, with `contents` and `pull requests` to write"
        );
    };
    dial(env, token)
}

/// The repository that the environment names, with a token.
pub(crate) fn dial(env: &BTreeMap<String, String>, token: &str) -> anyhow::Result<(Client, Repository)> {
    let variable = |name: &str| env.get(name).map(String::as_str).filter(|value| !value.is_empty());
    let repository = variable("GITHUB_REPOSITORY").and_then(Repository::parse);
    let repository = repository.context("GITHUB_REPOSITORY names no repository: set it to `owner/name`")?;
    let api_url = variable("GITHUB_API_URL").unwrap_or("https://api.github.com");
    Ok((Client::new(api_url, token, env)?, repository))
}

/// Opens the pull request, updates it, or closes it where nothing moves.
pub(crate) fn open(
    (client, repository): &(Client, Repository),
    setup: &Setup,
    moves: &Moves,
    ask: &Ask<'_>,
) -> anyhow::Result<Proposed> {
    let wanted = wanted(setup, moves, ask)?;
    let unchecked = moves.choices.iter().filter(|it| matches!(it, Choice::Missed(Missed::Unchecked(_)))).count();
    if wanted.files.is_empty() && (unchecked > 0 || !ask.is_complete) {
        // Nobody knows that nothing is left.
        let why = if unchecked > 0 {
            format!("{} unchecked", counted(unchecked, "image"))
        } else {
            "a manifest could not be read".to_owned()
        };
        let notice = format!("nothing moves, but {why}: a pull request that is open stays as it is");
        return Ok(Proposed::nothing(vec![notice]));
    }
    Ok(propose(client, repository, &wanted)?)
}

fn wanted(setup: &Setup, moves: &Moves, ask: &Ask<'_>) -> anyhow::Result<PullRequest> {
    let refresh = &setup.policy.refresh;
    for (key, branch) in [("branch", ask.branch), ("base", ask.base)] {
        if let Some(branch) = branch {
            policy::branch(branch).map_err(|wrong| anyhow!(wrong)).with_context(|| format!("the input `{key}`"))?;
        }
    }
    let all = |configured: &[String], asked: &[&str]| {
        let mut all: Vec<_> = configured.iter().cloned().chain(asked.iter().map(|it| (*it).to_owned())).collect();
        all.sort();
        all.dedup();
        all
    };
    let root = policy::find::top_of(setup.workspace.root());
    let files: Vec<_> =
        moves.changed.iter().map(|changed| file(setup, &root, changed)).collect::<anyhow::Result<_>>()?;
    let words = proposal(moves, ask.purpose, ask.reason);
    Ok(PullRequest {
        branch: ask.branch.map_or_else(|| branch(&refresh.branch, ask), str::to_owned),
        base: ask.base.map(str::to_owned).or_else(|| refresh.base.clone()),
        title: words.title,
        message: words.message,
        body: words.body,
        labels: all(&refresh.labels, &ask.labels),
        reviewers: all(&refresh.reviewers, &ask.reviewers),
        files,
    })
}

/// The branch for a purpose, and for a part of the images.
fn branch(refresh: &str, ask: &Ask<'_>) -> String {
    let whole = match ask.purpose {
        Purpose::Refresh => refresh.to_owned(),
        other => format!("digest-gate/{}", other.word()),
    };
    if ask.part.is_empty() {
        return whole;
    }
    let mut part = ask.part.clone();
    part.sort();
    let hash = Sha256::digest(part.join("\n"));
    let short = hash.iter().take(4).fold(0_u32, |short, byte| short << 8 | u32::from(*byte));
    format!("{whole}-{short:08x}")
}

/// A file that changes, as the repository names it.
pub(crate) fn file(setup: &Setup, root: &Path, changed: &Changed) -> anyhow::Result<File> {
    let source = &changed.source;
    // One that is not there yet has no place behind links.
    let path = setup.workspace.real_path(source).unwrap_or_else(|_| setup.workspace.root().join(source.relative()));
    let Ok(below) = path.strip_prefix(root) else {
        bail!("`{}` lies outside of the repository: a pull request cannot change it", source.path());
    };
    let parts: Option<Vec<_>> = below.iter().map(|part| part.to_str()).collect();
    let path = parts.with_context(|| format!("the name of `{}` is not UTF-8", source.path()))?.join("/");
    Ok(File { path, before: source.text().to_owned(), after: changed.text.clone() })
}

/// What became of the pull request, in a sentence without full stop.
pub(crate) fn told(proposed: &Proposed) -> String {
    let number = proposed.number.map(|number| format!(" #{number}")).unwrap_or_default();
    match proposed.fate {
        Fate::Opened => format!("opened pull request{number}"),
        Fate::Updated => format!("updated pull request{number}"),
        Fate::Unchanged => format!("pull request{number} stays as it is"),
        Fate::Closed => format!("closed pull request{number}: nothing is left to change"),
        Fate::Nothing => "nothing to propose".to_owned(),
    }
}

/// The same, with the web page.
pub(crate) fn told_with_page(proposed: &Proposed) -> String {
    let page = proposed.url.as_deref().filter(|url| !url.is_empty()).map(|url| format!(": {url}"));
    format!("{}{}", told(proposed), page.unwrap_or_default())
}

/// Opens the pull request of the command line and tells what came of it.
pub(crate) fn finish(
    place: &(Client, Repository),
    setup: &Setup,
    common: &Common,
    moves: &Moves,
    ask: &Ask<'_>,
    grave: impl Fn(&Missed) -> bool,
) -> anyhow::Result<u8> {
    moves::show(common, moves, Ending::Proposed)?;
    let proposed = open(place, setup, moves, ask)?;
    for notice in &proposed.notices {
        super::say("note", notice);
    }
    super::say("note", &told_with_page(&proposed));
    Ok(if moves::is_left_undone(moves, grave) { FINDINGS } else { CLEAN })
}
