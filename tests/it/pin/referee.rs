//! What the real programs deploy of a tree, next to what this program says of it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::process::Command;

use digest_gate::gate::{Deployed, Whole};
use digest_gate::manifest::{Alone, read};
use digest_gate::source::Source;
use digest_gate::yaml;

use super::Tree;
use crate::program::has_referee;

/// Which programs are there.
pub(super) struct Referees {
    compose: bool,
    kustomize: bool,
    helm: bool,
}

impl Referees {
    pub(super) fn on_path() -> Self {
        Self { compose: has_referee("docker-compose"), kustomize: has_referee("kustomize"), helm: has_referee("helm") }
    }

    /// What is deployed otherwise than said; nothing where all agree.
    pub(super) fn differences(&self, tree: &Tree, images: &[Deployed]) -> String {
        let wholes: BTreeSet<&Whole> = images.iter().map(|deployed| &*deployed.whole).collect();
        let mut wrong = String::new();
        for whole in wholes {
            let Some(theirs) = self.deployed(tree, whole) else {
                if self.judges(whole) {
                    writeln!(wrong, "{whole:?} is not deployed at all").unwrap();
                }
                continue;
            };
            let of_whole = images.iter().filter(|deployed| *deployed.whole == *whole && !deployed.image.built);
            let ours: BTreeSet<_> = of_whole.filter_map(|it| it.image.effective().map(str::to_owned)).collect();
            if ours != theirs {
                writeln!(wrong, "{whole:?} is said to deploy {ours:#?}\nand deploys {theirs:#?}").unwrap();
            }
        }
        wrong
    }

    fn judges(&self, whole: &Whole) -> bool {
        match whole {
            Whole::Stack { .. } => self.compose,
            Whole::Overlay(_) => self.kustomize,
            Whole::Chart { .. } => self.helm,
            _ => false,
        }
    }

    /// The images that a program deploys; `None` where it is not there, is for something else, or refuses.
    pub(super) fn deployed(&self, tree: &Tree, whole: &Whole) -> Option<BTreeSet<String>> {
        let root = tree.folder.path();
        if !self.judges(whole) {
            return None;
        }
        let mut command = match whole {
            Whole::Stack { files, env_files, profiles } => {
                let mut command = Command::new("docker-compose");
                command.args(files.iter().flat_map(|file| ["-f", file]));
                command.args(env_files.iter().flat_map(|file| ["--env-file", file]));
                let all = vec!["*".to_owned()];
                command.args(profiles.as_ref().unwrap_or(&all).iter().flat_map(|name| ["--profile", name]));
                command.args(["config", "--images"]);
                command
            }
            Whole::Overlay(file) => {
                let mut command = Command::new("kustomize");
                command.arg("build").arg(root.join(file).parent().unwrap());
                command
            }
            Whole::Chart { folder, values } => {
                let mut command = Command::new("helm");
                command.args(["template", "rel", folder]);
                command.args(values.iter().flat_map(|file| ["-f", file]));
                command
            }
            _ => return None,
        };
        let path = std::env::var_os("PATH").unwrap_or_default();
        let output = command.current_dir(root).env_clear().env("HOME", root).env("PATH", path).output().unwrap();
        let text = String::from_utf8(output.stdout).ok().filter(|_| output.status.success())?;
        if matches!(whole, Whole::Stack { .. }) {
            return Some(text.lines().map(str::to_owned).collect());
        }
        let found = read(&Source::new("built.yaml", text), &Alone, &mut yaml::Tree::default());
        assert!(found.unreadable.is_empty(), "{:?}", found.unreadable);
        Some(found.images.iter().filter_map(|image| image.effective().map(str::to_owned)).collect())
    }
}
