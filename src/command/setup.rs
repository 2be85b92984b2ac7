//! What every command needs before it starts: the workspace, the policy, the manifests that are asked for.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use jiff::{Timestamp, tz::TimeZone};

use crate::cli::{Common, Input};
use crate::gate::{self, Judged, Request, Targets};
use crate::policy::{self, Environment, Policy};
use crate::source::{MAX_BYTES, Source};
use crate::walk::Workspace;

/// Where the user stands and what is required there.
pub(crate) struct Setup {
    pub(crate) workspace: Workspace,
    pub(crate) policy: Policy,
    pub(crate) threads: usize,
}

impl Setup {
    /// Looks for the repository and reads its configuration.
    pub(crate) fn new(common: &Common) -> anyhow::Result<Self> {
        if common.verbose {
            start_log();
        }
        let current = std::env::current_dir().context("cannot tell the current folder")?;
        let location = match &common.config {
            Some(file) => policy::find::named(&current, file)?,
            None => policy::find::find(&current)?,
        };
        let workspace = Workspace::new(&location.root, &current).context("cannot open the current folder")?;
        let mut policy = match &location.file {
            Some(file) => Policy::parse(&policy::find::read(file, &workspace.shown(file))?)?,
            None => Policy::default(),
        };
        if let Some(base) = &common.policy {
            policy.set_base(policy::parse_base(base)?);
        }
        for level in &common.levels {
            let (rule, level) = policy::parse_level(level)?;
            policy.set_level(rule, level);
        }
        Ok(Self { workspace, policy, threads: common.threads() })
    }

    /// Reads and judges what the user asks for.
    pub(crate) fn judge(&self, input: &Input) -> anyhow::Result<Judged> {
        let conventional;
        let targets = if !input.paths.is_empty() {
            let (stdin, paths): (Vec<_>, Vec<_>) = input.paths.iter().cloned().partition(|path| path == Path::new("-"));
            let stdin = if stdin.is_empty() { None } else { Some(read_stdin(&input.stdin_path)?) };
            return self.judge_paths(&paths, stdin);
        } else if self.policy.environments.is_empty() {
            if let Some(name) = &input.environment {
                self.policy.environment(name)?;
            }
            conventional = Environment::conventional();
            Targets::Environments(vec![&conventional])
        } else {
            match &input.environment {
                Some(name) => Targets::Environments(vec![self.policy.environment(name)?]),
                None => Targets::Environments(self.policy.environments.iter().collect()),
            }
        };
        self.run(targets)
    }

    fn judge_paths(&self, paths: &[PathBuf], stdin: Option<Arc<Source>>) -> anyhow::Result<Judged> {
        self.run(Targets::Paths { paths, stdin })
    }

    pub(crate) fn run(&self, targets: Targets<'_>) -> anyhow::Result<Judged> {
        let today = TimeZone::UTC.to_datetime(Timestamp::now()).date();
        let request =
            Request { workspace: &self.workspace, policy: &self.policy, targets, threads: self.threads, today };
        Ok(gate::judge(&request)?)
    }
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
