//! What every command needs before it starts: the workspace, the policy, the manifests that are asked for.

use std::borrow::Cow;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use jiff::civil::Date;
use jiff::{Timestamp, tz::TimeZone};

use crate::cli::{Common, Input};
use crate::gate::{self, Collected, Judged, Request, Targets};
use crate::history;
use crate::policy::{self, Environment, Floor, Policy};
use crate::rule::JudgedBy;
use crate::source::{MAX_BYTES, Source};
use crate::walk::Workspace;

/// What goes before the configuration.
pub(crate) struct Wishes<'a> {
    pub(crate) config: Option<&'a Path>,
    /// The policy of an organisation, which nothing lowers.
    pub(crate) policy_file: Option<&'a Path>,
    pub(crate) policy: Option<&'a str>,
    pub(crate) levels: Vec<&'a str>,
    pub(crate) threads: usize,
    /// Whether every image is wanted, or only what the rules say of them.
    pub(crate) keep_images: bool,
}

/// Where the user stands and what is required there.
pub(crate) struct Setup {
    pub(crate) workspace: Workspace,
    pub(crate) policy: Policy,
    /// What the policy was read from: the configuration, and the policy file.
    pub(crate) configuration: Vec<Arc<Source>>,
    threads: usize,
    keep_images: bool,
}

impl Setup {
    /// What the command line asks for, in the current folder.
    pub(crate) fn new(common: &Common, keep_images: bool) -> anyhow::Result<Self> {
        if common.verbose {
            start_log();
        }
        let current = std::env::current_dir().context("cannot tell the current folder")?;
        let wishes = Wishes {
            config: common.config.as_deref(),
            policy_file: common.policy_file.as_deref(),
            policy: common.policy.as_deref(),
            levels: common.levels.iter().map(String::as_str).collect(),
            threads: common.threads(),
            keep_images,
        };
        Self::at(&current, &wishes)
    }

    /// Looks for the repository of a folder and reads its configuration.
    pub(crate) fn at(current: &Path, wishes: &Wishes<'_>) -> anyhow::Result<Self> {
        let location = match wishes.config {
            Some(file) => policy::find::named(current, file)?,
            None => policy::find::find(current)?,
        };
        let workspace = Workspace::new(&location.root, current).context("cannot open the current folder")?;
        let configuration = location.file.as_ref().map(|file| policy::find::read(file, &workspace.shown(file)));
        let mut configuration: Vec<_> = configuration.transpose()?.into_iter().collect();
        let mut policy = configuration.first().map(Policy::parse).transpose()?.unwrap_or_default();
        if let Some(file) = wishes.policy_file {
            configuration.push(raise(&mut policy, &workspace, &current.join(file))?);
        }
        if let Some(base) = wishes.policy {
            policy.set_base(policy::parse_base(base)?);
        }
        for level in &wishes.levels {
            let (rule, level) = policy::parse_level(level)?;
            policy.set_level(rule, level);
        }
        Ok(Self { workspace, policy, configuration, threads: wishes.threads, keep_images: wishes.keep_images })
    }

    /// Reads and judges what the user asks for.
    pub(crate) fn judge(&self, input: &Input) -> anyhow::Result<Judged> {
        self.judge_asked(&self.asked(input)?)
    }

    /// Judges manifests by everything that needs no server.
    pub(crate) fn judge_asked(&self, asked: &Asked<'_>) -> anyhow::Result<Judged> {
        let request = self.request(&self.workspace, asked.targets());
        let collected = self.collect(&request)?;
        Ok(gate::conclude(collected, &request, JudgedBy::Check))
    }

    /// Reads manifests, and judges each image by what it is and how old its digest is.
    pub(crate) fn collect(&self, request: &Request<'_>) -> anyhow::Result<Collected> {
        let mut collected = gate::collect(request)?;
        history::judge(&mut collected, &self.policy, self.workspace.root(), request.today);
        Ok(collected)
    }

    /// Which manifests the user asks for.
    pub(crate) fn asked<'s>(&'s self, input: &Input) -> anyhow::Result<Asked<'s>> {
        if input.paths.is_empty() {
            return self.environments(input.environment.as_deref());
        }
        let (stdin, paths): (Vec<_>, Vec<_>) = input.paths.iter().cloned().partition(|path| path == Path::new("-"));
        let stdin = if stdin.is_empty() { None } else { Some(read_stdin(&input.stdin_path)?) };
        Ok(Asked::Paths { paths, stdin })
    }

    /// The environments of the configuration, or the one that is named; without any the conventional names.
    pub(crate) fn environments(&self, name: Option<&str>) -> anyhow::Result<Asked<'_>> {
        if let Some(name) = name {
            return Ok(Asked::Environments(vec![Cow::Borrowed(self.policy.environment(name)?)]));
        }
        if self.policy.environments.is_empty() {
            return Ok(Asked::Environments(vec![Cow::Owned(Environment::conventional())]));
        }
        Ok(Asked::Environments(self.policy.environments.iter().map(Cow::Borrowed).collect()))
    }

    /// The request to judge `targets` as they are in `workspace`.
    pub(crate) fn request<'r>(&'r self, workspace: &'r Workspace, targets: Targets<'r>) -> Request<'r> {
        Request {
            workspace,
            policy: &self.policy,
            targets,
            // How old a digest is can only be told of images that are known.
            keep_images: self.keep_images || self.policy.judged_age().is_some(),
            threads: self.threads,
            today: self.today(),
        }
    }

    /// The day it is, in UTC.
    #[expect(clippy::unused_self, reason = "one day for everything that is done with one setup")]
    pub(crate) fn today(&self) -> Date {
        TimeZone::UTC.to_datetime(Timestamp::now()).date()
    }
}

/// The manifests that the user asks for.
pub(crate) enum Asked<'s> {
    Paths { paths: Vec<PathBuf>, stdin: Option<Arc<Source>> },
    Environments(Vec<Cow<'s, Environment>>),
}

impl Asked<'_> {
    /// The text from standard input, where it is asked for.
    pub(crate) fn stdin(&self) -> Option<&Arc<Source>> {
        match self {
            Self::Paths { stdin, .. } => stdin.as_ref(),
            Self::Environments(_) => None,
        }
    }

    /// The same with another text from standard input.
    pub(crate) fn with_stdin(&self, changed: Option<Arc<Source>>) -> Self {
        match self {
            Self::Paths { paths, stdin } => Self::Paths { paths: paths.clone(), stdin: changed.or(stdin.clone()) },
            Self::Environments(environments) => Self::Environments(environments.clone()),
        }
    }

    pub(crate) fn targets(&self) -> Targets<'_> {
        match self {
            Self::Paths { paths, stdin } => Targets::Paths { paths, stdin: stdin.clone() },
            Self::Environments(environments) => Targets::Environments(environments.iter().map(Cow::as_ref).collect()),
        }
    }
}

/// Lays the policy file of an organisation below the policy.
fn raise(policy: &mut Policy, workspace: &Workspace, file: &Path) -> anyhow::Result<Arc<Source>> {
    let source = policy::find::read(file, &workspace.shown(file)).context("the policy file")?;
    policy.raise(Floor::parse(&source)?)?;
    if policy::find::is_of_repository(file, workspace.root())? {
        policy.notices.push(format!(
            "the policy file `{}` lies in the repository it is for: whoever changes the one can change the other; take \
             it from a checkout of its own",
            source.path()
        ));
    }
    Ok(source)
}

fn read_stdin(name: &str) -> anyhow::Result<Arc<Source>> {
    let mut bytes = Vec::new();
    std::io::stdin().take(MAX_BYTES + 1).read_to_end(&mut bytes).context("cannot read standard input")?;
    if bytes.len() as u64 > MAX_BYTES {
        bail!("standard input has more than {MAX_BYTES} bytes");
    }
    Source::from_bytes(name, name, bytes).context("standard input is not text")
}

fn start_log() {
    let filter = tracing_subscriber::EnvFilter::new("digest_gate=debug");
    // A second call in one process finds the log already started.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .without_time()
        .with_target(false)
        .try_init();
}
