//! Rolling back is the inverse of refreshing: on generated histories of every kind of place that a digest is written in.

use std::fs;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::super::git::Repository;
use super::super::program::skipped;

/// How many images there are.
const IMAGES: usize = 9;
/// Those whose tag stands with the digest in one text.
const TAGGED: [usize; 6] = [0, 1, 2, 3, 7, 8];
/// How many histories are made; `DIGEST_GATE_CASES` asks for more.
const CASES: u32 = 12;

/// What happened between two commits.
#[derive(Clone, Debug)]
enum Step {
    /// These images got new digests; with `tags`, new tags too.
    Move { which: Vec<bool>, tags: bool },
    /// The rest of the files moved on.
    Edit,
}

/// Everything that decides the texts.
#[derive(Clone, Debug, PartialEq)]
struct State {
    digests: [u32; IMAGES],
    tags: [u32; IMAGES],
    edits: u32,
}

impl State {
    fn after(&self, step: &Step, next: &mut u32) -> Self {
        let mut state = self.clone();
        match step {
            Step::Edit => state.edits += 1,
            Step::Move { which, tags } => {
                for index in (0..IMAGES).filter(|index| which[*index]) {
                    *next += 1;
                    state.digests[index] = *next;
                    if *tags && TAGGED.contains(&index) {
                        state.tags[index] = *next;
                    }
                }
            }
        }
        state
    }

    /// With the digests of another state, and the tags that stood with them.
    fn returned_to(&self, other: &Self) -> Self {
        let mut state = self.clone();
        for index in (0..IMAGES).filter(|index| self.digests[*index] != other.digests[*index]) {
            state.digests[index] = other.digests[index];
            state.tags[index] = other.tags[index];
        }
        state
    }

    fn files(&self) -> Vec<(&'static str, String)> {
        let d = |index: usize| format!("sha256:{:064x}", self.digests[index]);
        let r = |name: &str, index: usize| format!("ghcr.io/o/{name}:1.{}@{}", self.tags[index], d(index));
        let more = |mark: &str| format!("{mark} edited\n").repeat(self.edits as usize);
        let compose = format!(
            "{}x-image: &image '{}'\nservices:\n  web:\n    image: {} # note\n  db: {{image: \"{}\"}}\n  one: {{image: *image}}\n  two: {{image: *image}}\n",
            more("#"),
            r("shared", 2),
            r("web", 0),
            r("db", 1)
        );
        let pod = format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: web}}\nspec:\n  initContainers:\n  - {{name: i, image: 'ghcr.io/o/api@{}'}}\n  containers:\n{}  - name: c\n    image: {}\n",
            d(4),
            more("  #"),
            r("api", 3)
        );
        let overlay =
            format!("resources: [pod.yaml]\nimages:\n- name: app\n  newTag: '1'\n  digest: {}\n{}", d(5), more("#"));
        let base = "apiVersion: v1\nkind: Pod\nmetadata: {name: o}\nspec:\n  containers: [{name: c, image: app}]\n";
        let values = format!("image:\n  repository: ghcr.io/o/h\n  tag: '1'\n  digest: \"{}\"\n{}", d(6), more("#"));
        vec![
            ("prod/compose.yml", compose.replace('\n', "\r\n")),
            ("prod/pod.yml", pod),
            ("prod/overlay/kustomization.yaml", overlay),
            ("prod/overlay/pod.yaml", base.to_owned()),
            ("prod/chart/values.yaml", values),
            ("prod/Dockerfile", format!("{}FROM {} AS base\nRUN true\n", more("#"), r("base", 7))),
            ("prod/env/compose.yml", "services: {env: {image: '${IMAGE}'}}".to_owned()),
            ("prod/env/.env", format!("A=b\nIMAGE={}\n{}", r("env", 8), more("#"))),
        ]
    }

    fn write(&self, repository: &Repository) {
        for (path, text) in self.files() {
            repository.folder.write(path, &text);
        }
    }
}

fn read(repository: &Repository, state: &State) -> Vec<(&'static str, String)> {
    let read = |path: &'static str| (path, fs::read_to_string(repository.path().join(path)).unwrap());
    state.files().into_iter().map(|(path, _)| read(path)).collect()
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let moved = (prop::collection::vec(any::<bool>(), IMAGES), any::<bool>());
    let step = prop_oneof![
        4 => moved.prop_map(|(which, tags)| Step::Move { which, tags }),
        1 => Just(Step::Edit),
    ];
    prop::collection::vec(step, 1..6)
}

/// Rolls a history back, to the last known digests and to each of its commits.
fn check(repository: &Repository, steps: &[Step], is_committed: bool) -> Result<(), TestCaseError> {
    let mut next = 0;
    let mut states = vec![State { digests: [0; IMAGES], tags: [0; IMAGES], edits: 0 }];
    let mut commits = Vec::new();
    for step in steps {
        let state = states.last().unwrap();
        state.write(repository);
        commits.push(repository.commit("state"));
        let after = state.after(step, &mut next);
        states.push(after);
    }
    let now = states.last().unwrap().clone();
    now.write(repository);
    if is_committed {
        commits.push(repository.commit("now"));
    }
    let earlier = &states[..states.len() - 1];
    let last_known = earlier.iter().rev().find(|state| state.digests != now.digests);
    let ran = repository.run(&["rollback", "--offline", "--write", "--no-hold"]);
    let expected = last_known.map_or_else(|| now.clone(), |state| now.returned_to(state));
    prop_assert_eq!(ran.status, i32::from(last_known.is_none()), "{}", ran.shown());
    prop_assert_eq!(read(repository, &now), expected.files());
    if matches!(steps.last(), Some(Step::Move { .. })) && last_known == earlier.last() {
        prop_assert_eq!(expected.files(), earlier.last().unwrap().files(), "the inverse of the refresh");
    }
    for (commit, state) in commits.iter().zip(&states) {
        now.write(repository);
        let ran = repository.run(&["rollback", "--offline", "--write", "--no-hold", "--to", commit]);
        prop_assert_eq!(ran.status, 0, "{}", ran.shown());
        prop_assert_eq!(read(repository, &now), now.returned_to(state).files());
    }
    Ok(())
}

#[test]
fn rolling_back_a_refresh_gives_the_same_bytes() {
    let cases = std::env::var("DIGEST_GATE_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(CASES);
    let config = Config { failure_persistence: None, ..Config::with_cases(cases) };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let outcome = runner.run(&(steps(), any::<bool>()), |(steps, is_committed)| {
        let Some(repository) = Repository::new() else {
            skipped("no `git` on PATH: nothing was rolled back");
            return Ok(());
        };
        check(&repository, &steps, is_committed)
    });
    outcome.unwrap();
}
