//! The registries as the commands ask them: with the log-ins of the user, and with progress shown on a terminal.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Read};
use std::path::Path;

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::{Asking, Common};
use crate::policy::Policy;
use crate::registry::{Offline, Registries};
use crate::resolution::Registry;

/// The largest file of log-ins, in bytes.
const MAX_AUTH: u64 = 1 << 20;

/// The registries as the command line asks for them; with `--offline` nobody.
pub(crate) fn connect(policy: &Policy, common: &Common, asking: &Asking) -> anyhow::Result<Box<dyn Registry>> {
    if common.offline {
        return Ok(Box::new(Offline));
    }
    let auth = asking.registry_auth.as_deref().map(read).transpose()?;
    let mut registries = dial(policy, &crate::cli::variables(), auth.as_deref())?;
    if std::io::stderr().is_terminal() && !common.quiet {
        registries.watch(progress());
    }
    Ok(Box::new(registries))
}

/// The registries with the log-ins of `auth`, and of docker's configuration in `env`.
pub(crate) fn dial(policy: &Policy, env: &BTreeMap<String, String>, auth: Option<&str>) -> anyhow::Result<Registries> {
    Ok(Registries::new(env, &policy.registries, auth)?)
}

fn read(path: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(MAX_AUTH + 1).read_to_string(&mut text));
    let read = read.with_context(|| format!("cannot read `{}`", path.display()))?;
    if read as u64 > MAX_AUTH {
        bail!("`{}` has more than {MAX_AUTH} bytes: it holds no log-ins", path.display());
    }
    Ok(text)
}

/// A line on the terminal that counts answers, and goes away when all are there.
fn progress() -> impl Fn(usize, usize) {
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{spinner} asked the registries {pos} of {len} questions") {
        bar.set_style(style);
    }
    move |answered, asked| {
        bar.set_length(asked as u64);
        bar.set_position(answered as u64);
        if answered == asked {
            bar.finish_and_clear();
        }
    }
}
