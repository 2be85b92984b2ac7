//! The command line: one list of commands and options for the parser, the help, the man page and the completions.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use clap::builder::PossibleValuesParser;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use jiff::Timestamp;

use crate::command;
use crate::pin::Selection;
use crate::policy::{Policy, Repositories};
use crate::report::{self, Style};
use crate::resolution::Grade;
use crate::rule;

/// Nothing blocks.
pub const CLEAN: u8 = 0;
/// At least one enforced finding of severity error.
pub const FINDINGS: u8 = 1;
/// It could not be judged: bad option, bad configuration, unreadable input.
pub const FAILED: u8 = 2;

#[derive(Parser)]
#[command(
    name = "digest-gate",
    version,
    about = "Proves that every image a production manifest deploys is pinned to the bytes that were reviewed",
    after_help = "Exit status: 0 clean, 1 at least one enforced error, 2 could not judge."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Judge manifests: is every image pinned by digest? Asks no server
    Check {
        #[command(flatten)]
        input: Input,
        /// Write the evidence of the run into this folder, which must be new or empty
        #[arg(long, value_name = "DIR")]
        evidence: Option<PathBuf>,
        #[command(flatten)]
        message: Message,
        #[command(flatten)]
        common: Common,
    },
    /// List every image reference with its exact place
    Images {
        #[command(flatten)]
        input: Input,
        #[command(flatten)]
        common: Common,
        /// List stage names, `scratch`, images that are built where they are deployed and parts of references, too
        #[arg(long)]
        all: bool,
    },
    /// Add the missing digests: a diff is printed, `--write` changes the files
    Pin {
        #[command(flatten)]
        input: Input,
        #[command(flatten)]
        moving: Moving,
        #[command(flatten)]
        proposing: Proposing,
        #[command(flatten)]
        asking: Asking,
        #[command(flatten)]
        common: Common,
    },
    /// Move digests to what their tags serve now: a diff is printed, `--write` changes the files
    Refresh {
        #[command(flatten)]
        input: Input,
        #[command(flatten)]
        moving: Moving,
        #[command(flatten)]
        proposing: Proposing,
        #[command(flatten)]
        waiting: Waiting,
        #[command(flatten)]
        asking: Asking,
        #[command(flatten)]
        common: Common,
    },
    /// Judge manifests and ask the registries: does the digest exist, has the tag moved, is it signed as required
    Verify {
        #[command(flatten)]
        input: Input,
        #[command(flatten)]
        scanning: Scanning,
        /// Write the evidence of the run into this folder, which must be new or empty
        #[arg(long, value_name = "DIR")]
        evidence: Option<PathBuf>,
        #[command(flatten)]
        asking: Asking,
        /// Trust this `trusted_root.json` in place of the embedded and configured ones
        #[arg(long, value_name = "FILE")]
        trusted_root: Option<PathBuf>,
        #[command(flatten)]
        common: Common,
    },
    /// Return to the digests that were deployed before: a diff is printed, `--write` changes the files and holds the
    /// images there, so that no refresh undoes it
    Rollback {
        #[command(flatten)]
        input: Input,
        #[command(flatten)]
        moving: Moving,
        #[command(flatten)]
        returning: Returning,
        #[command(flatten)]
        asking: Asking,
        #[command(flatten)]
        common: Common,
    },
    /// The digests each image had, read from git: when, by whom, and which were deployed together
    History {
        #[command(flatten)]
        input: Input,
        /// Only images of this repository, or glob over repositories; may be given several times
        #[arg(long = "image", value_name = "REPOSITORY")]
        images: Vec<String>,
        #[command(flatten)]
        common: Common,
    },
    /// What a rule means, why, and how to fix it
    Explain {
        /// The rule; without it all rules are listed
        #[arg(value_parser = PossibleValuesParser::new(rule::RULES.iter().map(|rule| rule.id)), hide_possible_values = true)]
        rule: Option<String>,
    },
    /// Write a configuration and workflows for what this repository deploys; never over files that are there
    Init {
        /// Show what would be written, and write nothing
        #[arg(long)]
        print: bool,
    },
    /// The JSON Schema of the configuration
    Schema,
    /// A completion script
    Completions { shell: clap_complete::Shell },
    /// The manual page, in roff
    Man,
    /// What the container runs on GitHub: options come from `INPUT_*` and `GITHUB_*`
    Action,
}

/// What is looked at.
#[derive(Args)]
pub(crate) struct Input {
    /// Files or folders, judged as production; `-` is standard input. Without one the configured environments are
    /// looked at, without a configuration the conventional production names
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// The name under which standard input is reported, and by which its kind is decided
    #[arg(long, value_name = "NAME", default_value = crate::manifest::STDIN)]
    pub(crate) stdin_path: String,
    /// Look only at this environment of the configuration
    #[arg(long, value_name = "NAME", conflicts_with = "paths")]
    pub(crate) environment: Option<String>,
}

/// Options of the commands that move digests.
#[derive(Args)]
pub(crate) struct Moving {
    /// Change the files, all of them or none, instead of printing a diff
    #[arg(long)]
    pub(crate) write: bool,
    /// Only images of this repository, or glob over repositories; may be given several times
    #[arg(long = "image", value_name = "REPOSITORY")]
    pub(crate) images: Vec<String>,
    /// Only the service, workload or field of this name; may be given several times
    #[arg(long = "service", value_name = "NAME")]
    pub(crate) services: Vec<String>,
}

impl Moving {
    /// Which images are moved, with those that the configuration ignores.
    pub(crate) fn selection(&self, policy: &Policy) -> anyhow::Result<Selection> {
        let images = self.images.iter().map(|text| Repositories::new(text).map_err(|wrong| anyhow!(wrong)));
        let images = images.collect::<anyhow::Result<_>>().context("--image")?;
        let ignored = policy.refresh.ignored.clone();
        Ok(Selection { images, services: self.services.clone(), ignored, held: Vec::new() })
    }
}

/// The pull request that moves digests.
#[derive(Args)]
pub(crate) struct Proposing {
    /// Open a pull request, update the one that is open, or close it where nothing moves, in `GITHUB_REPOSITORY` with the
    /// token in `GITHUB_TOKEN` or `GH_TOKEN`; no file here is changed
    #[arg(long, conflicts_with = "write")]
    pub(crate) pull_request: bool,
    /// Why: a CVE, a POA&M number, the occasion. Title and commit message carry it
    #[arg(long, value_name = "TEXT", requires = "pull_request")]
    pub(crate) reason: Option<String>,
}

/// How old a digest must be before it is taken.
#[derive(Args)]
pub(crate) struct Waiting {
    /// Take digests of this age and older, for example `3d`; goes before the configuration's `refresh.cooldown`
    #[arg(long, value_name = "DAYS")]
    pub(crate) cooldown: Option<String>,
    /// Remember in this file when a digest was first seen, and wait from there instead of from its creation
    #[arg(long, value_name = "FILE")]
    pub(crate) first_seen: Option<PathBuf>,
}

/// Which scan reports are judged, and how.
#[derive(Args)]
pub(crate) struct Scanning {
    /// A report of Trivy, Grype or Docker Scout (JSON, SARIF), a VEX document (CycloneDX, OpenVEX), or a folder of them;
    /// may be given several times. Then every image must have a report of its digest. A report that names no digest is
    /// given as `REPOSITORY@DIGEST=FILE`
    #[arg(long = "scan-report", value_name = "FILE")]
    pub(crate) reports: Vec<String>,
    /// The lowest severity that counts; goes before the configuration's `scan.gate`, which is `high` by default
    #[arg(long = "scan-gate", value_name = "SEVERITY", value_parser = PossibleValuesParser::new(Grade::ALL.map(|(word, _)| word)))]
    pub(crate) gate: Option<String>,
}

/// Where images return to, and for how long they stay there.
#[derive(Args)]
pub(crate) struct Returning {
    /// A digest or its beginning, a commit or its beginning, a tag, or a day (`2026-11-02`: as the branch was at its
    /// end). Without it, to the newest state of the branch in which one of the images had another digest
    #[arg(long, value_name = "DIGEST|COMMIT|DATE")]
    pub(crate) to: Option<String>,
    /// Hold the images until this day, or for this many days (`14d`); without it for 30 days
    #[arg(long, value_name = "DATE|DAYS")]
    pub(crate) hold_until: Option<String>,
    /// Let the next refresh move the images again
    #[arg(long, conflicts_with_all = ["hold_until", "lift"])]
    pub(crate) no_hold: bool,
    /// Why: kept with the hold, and carried by the pull request
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// Open a pull request, or update the one that is open, in `GITHUB_REPOSITORY` with the token in `GITHUB_TOKEN` or
    /// `GH_TOKEN`; no file here is changed
    #[arg(long, conflicts_with_all = ["write", "lift"])]
    pub(crate) pull_request: bool,
    /// Return nothing: lift the holds of the images that are named, so that a refresh moves them again
    #[arg(long, conflicts_with_all = ["to", "hold_until", "reason"])]
    pub(crate) lift: bool,
}

/// How registries are asked.
#[derive(Args)]
pub(crate) struct Asking {
    /// Log in to registries with this file: lines `HOST USER PASSWORD`, or docker's `config.json`; goes before docker's own
    #[arg(long, value_name = "FILE")]
    pub(crate) registry_auth: Option<PathBuf>,
}

/// The message of a commit.
#[derive(Args)]
pub(crate) struct Message {
    /// Judge this commit message, too; `-` is standard input. A commit that moves digests must say why: the files as
    /// they are are compared with the newest commit, as a `commit-msg` hook has them
    #[arg(long, value_name = "FILE")]
    pub(crate) commit_message: Option<PathBuf>,
    /// The message is that of the newest commit, which is compared with its first parent
    #[arg(long, requires = "commit_message")]
    pub(crate) committed: bool,
}

/// Options of every command that reads manifests.
#[derive(Args)]
pub(crate) struct Common {
    /// The configuration; without it `digest-gate.yml` or `.github/digest-gate.yml` of the repository
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The policy of an organisation: a floor that neither the configuration nor other options lower
    #[arg(long, value_name = "FILE")]
    pub(crate) policy_file: Option<PathBuf>,
    /// What is printed
    #[arg(long, default_value = "human", value_parser = PossibleValuesParser::new(report::FORMATS.iter().map(|format| format.name)))]
    pub(crate) format: String,
    /// Write to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Start from this policy instead of the configured one
    #[arg(long, value_name = "POLICY", value_parser = PossibleValuesParser::new(["default", "strict"]))]
    pub(crate) policy: Option<String>,
    /// Change what a rule weighs; may be given several times
    #[arg(long = "level", value_name = "RULE=error|warning|note|off")]
    pub(crate) levels: Vec<String>,
    /// When to use colours
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,
    /// Print nothing when nothing blocks
    #[arg(long, short)]
    pub(crate) quiet: bool,
    /// Say on standard error what is read and decided
    #[arg(long, short)]
    pub(crate) verbose: bool,
    /// Ask no server. `check` and `images` never do
    #[arg(long)]
    pub(crate) offline: bool,
    /// How many threads read files
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) threads: Option<u16>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

impl Common {
    /// As many threads as the machine has, unless the user says otherwise.
    pub(crate) fn threads(&self) -> usize {
        self.threads.map_or_else(all_threads, usize::from)
    }

    /// How text for people is laid out.
    pub(crate) fn style(&self) -> Style {
        let plain = ["NO_COLOR", "TERM"].map(environment);
        let color = match self.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                self.output.is_none()
                    && std::io::stdout().is_terminal()
                    && !matches!(&plain, [Some(no_color), _] if !no_color.is_empty())
                    && !matches!(&plain, [_, Some(term)] if term == "dumb")
            }
        };
        Style { color, ..Style::default() }
    }
}

/// The command line as it is understood: what documents say is held against it.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

/// As many threads as the machine has, within reason: the files of one repository do not feed more.
pub(crate) fn all_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(16)
}

#[expect(clippy::disallowed_methods, reason = "the command line is the edge at which the environment is read")]
fn environment(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// The variables of the environment that are text.
pub(crate) fn variables() -> BTreeMap<String, String> {
    let text = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    std::env::vars_os().filter_map(text).collect()
}

/// The time that reports give, where the environment has one (`SOURCE_DATE_EPOCH`, in seconds): without it reports of
/// the same are the same.
///
/// # Errors
/// It is none.
pub(crate) fn source_date() -> anyhow::Result<Option<Timestamp>> {
    let Some(text) = environment("SOURCE_DATE_EPOCH") else { return Ok(None) };
    let text = text.to_string_lossy();
    let date = text.parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    date.map(Some)
        .with_context(|| format!("`SOURCE_DATE_EPOCH` is `{text}`: write seconds since 1970, or leave it away"))
}

/// Runs the program and says how it ended.
pub fn run(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors; a closed pipe is none either.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { FAILED } else { CLEAN });
        }
    };
    let result = match cli.command {
        Command::Check { input, message, evidence, common } => {
            command::check::run(&input, &common, &message, evidence.as_deref())
        }
        Command::Images { input, common, all } => command::images::run(&input, &common, all),
        Command::Pin { input, moving, proposing, asking, common } => {
            command::pin::run(&input, &common, &moving, &proposing, &asking)
        }
        Command::Refresh { input, moving, proposing, waiting, asking, common } => {
            command::refresh::run(&input, &common, &moving, &proposing, &asking, &waiting)
        }
        Command::Verify { input, scanning, evidence, asking, trusted_root, common } => {
            let (evidence, trusted_root) = (evidence.as_deref(), trusted_root.as_deref());
            command::verify::run(&input, &common, &asking, &scanning, evidence, trusted_root)
        }
        Command::Rollback { input, moving, returning, asking, common } => {
            command::rollback::run(&input, &common, &moving, &asking, &returning)
        }
        Command::History { input, images, common } => command::history::run(&input, &common, &images),
        Command::Explain { rule } => command::explain::run(rule.as_deref()),
        Command::Init { print } => command::init::run(print),
        Command::Schema => command::print(&format!("{:#}\n", crate::policy::schema())),
        Command::Completions { shell } => command::print(&completions(shell)),
        Command::Man => manual().and_then(|text| command::print(&text)),
        Command::Action => command::action::run(),
    };
    ExitCode::from(result.unwrap_or_else(|error| {
        command::complain(&error);
        FAILED
    }))
}

fn completions(shell: clap_complete::Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "digest-gate", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

fn manual() -> anyhow::Result<String> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut page)?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
