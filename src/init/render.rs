//! The configuration as text, with the reason of each choice beside it.

use std::fmt::Write as _;

use super::detect::Proposed;

const HEAD: &str = "\
# What digest-gate judges in this repository. `digest-gate schema` prints all keys; `digest-gate check` says at once
# what is wrong with this file.
version: 1

# `default` requires a digest on every image. `strict` also requires the registry and a full version beside it.
policy: default
";

const TAIL: &str = "
# Exceptions are dated and reasoned, listed in every report, and end: one that is past its day fails the gate.
# exceptions:
#   - image: ghcr.io/org/tool
#     rule: unpinned
#     reason: the vendor publishes no stable digest
#     ticket: POAM-17
#     expires: 2027-01-31
";

const NOTHING: &str = "
# No manifest that deploys an image was found. Until one is named here, the conventional names of production manifests
# are judged: compose.prod.yml, *.production.yml, docker-stack*.yml, folders prod and production, overlays/prod*.
# environments:
#   production:
#     enforce: true
#     manifests: [deploy/prod/**]
";

/// The text of the configuration.
pub(super) fn configuration(environments: &[Proposed]) -> String {
    let mut text = HEAD.to_owned();
    if environments.is_empty() {
        text.push_str(NOTHING);
    } else {
        text.push_str("\nenvironments:\n");
    }
    for environment in environments {
        push_environment(&mut text, environment);
    }
    text.push_str(TAIL);
    text
}

fn push_environment(text: &mut String, environment: &Proposed) {
    let mut line = |line: &str| {
        text.push_str(line);
        text.push('\n');
    };
    line(&format!("  {}:", environment.name));
    if environment.is_guess {
        line(
            "    # No name in this repository says production, so this is everything that deploys an image: take out what",
        );
        line("    # is not production.");
    }
    if environment.enforce {
        line("    # Errors block.");
    } else {
        line("    # Everything is said, nothing blocks.");
    }
    line(&format!("    enforce: {}", environment.enforce));
    if !environment.stacks.is_empty() {
        line("    # Compose files that are deployed together, in merge order: the merged services are judged.");
        line("    stacks:");
    }
    for stack in &environment.stacks {
        line(&format!("      - files: [{}]", list(&stack.files)));
        if let Some(file) = &stack.env_file {
            line("        # In place of `.env`.");
            line(&format!("        env-file: {}", quoted(file)));
        }
    }
    if !environment.overlays.is_empty() {
        line("    # Kustomizations, judged as they build.");
        line("    overlays:");
    }
    for folder in &environment.overlays {
        line(&format!("      - {}", quoted(folder)));
    }
    if !environment.charts.is_empty() {
        line("    # Helm charts, judged with the values of this environment over their own; the last file counts.");
        line("    charts:");
    }
    for chart in &environment.charts {
        line(&format!("      - chart: {}", quoted(&chart.folder)));
        if !chart.values.is_empty() {
            line(&format!("        values: [{}]", list(&chart.values)));
        }
    }
    if !environment.manifests.is_empty() {
        line("    # Files that are judged one by one. A pattern that matches nothing fails the gate.");
        line("    manifests:");
    }
    for pattern in &environment.manifests {
        line(&format!("      - {}", quoted(pattern)));
    }
}

/// What was found, one environment a line.
pub(super) fn summary(environments: &[Proposed]) -> String {
    if environments.is_empty() {
        return "names nothing yet: no manifest that deploys an image was found\n".to_owned();
    }
    let mut text = "names what is deployed\n".to_owned();
    for environment in environments {
        let counts = [
            (environment.stacks.len(), "stack"),
            (environment.overlays.len(), "overlay"),
            (environment.charts.len(), "chart"),
            (environment.manifests.len(), "pattern"),
        ];
        let counts = counts.iter().filter(|(count, _)| *count > 0);
        let counts: Vec<_> =
            counts.map(|(count, noun)| format!("{count} {noun}{}", if *count == 1 { "" } else { "s" })).collect();
        let how = if environment.enforce { "errors block" } else { "nothing blocks" };
        let guess = if environment.is_guess { "; no name says production: look it through" } else { "" };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{:22} {how}: {}{guess}", environment.name, counts.join(", "));
    }
    text
}

fn list(paths: &[String]) -> String {
    paths.iter().map(|path| quoted(path)).collect::<Vec<_>>().join(", ")
}

/// A path as YAML: plain where every reader takes it for text.
fn quoted(path: &str) -> String {
    let is_plain = path.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '-' | '_' | '*'))
        && path.starts_with(|c: char| c.is_ascii_alphabetic())
        && path.contains(['/', '.']);
    if is_plain { path.to_owned() } else { format!("'{}'", path.replace('\'', "''")) }
}
