//! The action as the container runs it, between a registry and a stand-in for GitHub: `refresh`, `pin`, `verify`,
//! `images`, and what `check` posts into a pull request.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};

use crate::daemon::{Daemon, OCI_INDEX};
use crate::git::Repository;
use crate::program::{Folder, Ran};
use crate::scan::{INDEX, TRIVY};
use crate::standin::{Fault, Standin};

const BEFORE: &str = "2026-09-01T00:00:00Z";
const NOW: &str = "2026-11-20T00:00:00Z";
const FILE: &str = "deploy/prod/compose.yml";
const TOKEN: &str = "ghs_notARealTokenButSecret";
const SHA: &str = "ec26c3e57ca3a959ca5aad62de7213c562f8c821";

fn publish(daemon: &Daemon, day: &str) -> String {
    let amd64 = daemon.push_image("org/app", "", "linux/amd64", day);
    let arm64 = daemon.push_image("org/app", "", "linux/arm64", day);
    daemon.push_index("org/app", "1.2.3", OCI_INDEX, &[("linux/amd64", &amd64), ("linux/arm64", &arm64)])
}

fn manifest(daemon: &Daemon, digest: &str) -> String {
    format!("services:\n  app:\n    image: {}/org/app:1.2.3{digest}\n", daemon.address)
}

fn pinned(digest: &str) -> String {
    format!("@{digest}")
}

/// A workspace whose files are the `main` of the repository behind the stand-in.
fn workspace(standin: &Standin, files: &[(&str, &str)]) -> Folder {
    let folder = Folder::new(files);
    fs::create_dir(folder.path().join(".git")).unwrap();
    standin.repository(|it| it.push("main", "octocat", "manifests", files));
    folder
}

struct Outcome {
    ran: Ran,
    outputs: BTreeMap<String, String>,
    summary: String,
}

impl Outcome {
    fn output(&self, name: &str) -> &str {
        self.outputs.get(name).unwrap_or_else(|| panic!("no output {name}: {}", self.ran.shown()))
    }
}

/// Runs the action for an event that has this payload.
fn run_for(folder: &Folder, standin: &Standin, payload: &Value, inputs: &[(&str, &str)]) -> Outcome {
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("event.json"), payload.to_string()).unwrap();
    let event = if payload.get("pull_request").is_some() { "pull_request" } else { "schedule" };
    let runner = [
        ("GITHUB_WORKSPACE", folder.path().to_str().unwrap().to_owned()),
        ("GITHUB_REPOSITORY", "Codertocat/Hello-World".to_owned()),
        ("GITHUB_API_URL", standin.url()),
        ("GITHUB_EVENT_NAME", event.to_owned()),
        ("GITHUB_EVENT_PATH", path("event.json")),
        ("GITHUB_SHA", SHA.to_owned()),
        ("GITHUB_OUTPUT", path("output")),
        ("GITHUB_STEP_SUMMARY", path("summary")),
    ];
    let mut environment: Vec<(String, String)> =
        runner.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let token = [("token", TOKEN)];
    for (name, value) in token.iter().chain(inputs) {
        environment.retain(|(known, _)| *known != format!("INPUT_{}", name.to_uppercase()));
        environment.push((format!("INPUT_{}", name.to_uppercase()), (*value).to_owned()));
    }
    let environment: Vec<_> = environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let ran = folder.run_with(&["action"], "", &environment);
    let read = |name: &str| fs::read_to_string(path(name)).unwrap_or_default();
    let (output, summary) = (read("output"), read("summary"));
    assert!(!format!("{}{output}{summary}", ran.shown()).contains(TOKEN));
    Outcome { ran, outputs: outputs(&output), summary }
}

fn run(folder: &Folder, standin: &Standin, inputs: &[(&str, &str)]) -> Outcome {
    run_for(folder, standin, &json!({}), inputs)
}

/// The outputs as the runner reads them.
fn outputs(text: &str) -> BTreeMap<String, String> {
    let mut outputs = BTreeMap::new();
    let mut lines = text.lines();
    while let Some((name, delimiter)) = lines.next().and_then(|line| line.split_once("<<")) {
        let value: Vec<_> = lines.by_ref().take_while(|line| *line != delimiter).collect();
        outputs.insert(name.to_owned(), value.join("\n"));
    }
    outputs
}

/// For a snapshot: the registry has another port and other digests in every run.
fn shown(daemon: &Daemon, text: &str) -> String {
    text.replace(&daemon.address, "REGISTRY")
}

fn snapshot(name: &str, text: &str) {
    insta::with_settings!({
        snapshot_path => "../../snapshots", prepend_module_to_snapshot => false, omit_expression => true,
        filters => vec![(r"sha256:[0-9a-f]{64}", "sha256:DIGEST"), (r"\b[0-9a-f]{40}\b", "COMMIT")],
    }, {
        insta::assert_snapshot!(name, text);
    });
}

#[test]
fn a_refresh_is_one_pull_request_from_its_opening_to_its_end() {
    let Some(daemon) = Daemon::start() else { return };
    let standin = Standin::start([]);
    let old = publish(&daemon, BEFORE);
    let folder = workspace(&standin, &[(FILE, &manifest(&daemon, &pinned(&old)))]);
    let refresh = [("command", "refresh"), ("reason", "CVE-2026-1\n::error::x"), ("labels", "security\nimages")];
    let nothing = run(&folder, &standin, &refresh);
    assert_eq!((nothing.ran.status, nothing.output("pull-request")), (0, ""), "{}", nothing.ran.shown());
    assert_eq!(standin.repository(|it| it.pulls.len()), 0);

    let new = publish(&daemon, NOW);
    let opened = run(&folder, &standin, &refresh);
    assert_eq!(opened.ran.status, 0, "{}", opened.ran.shown());
    standin.repository(|it| {
        let (pull, commit) = (it.open()[0].clone(), it.commits[&it.branches["digest-gate/refresh"]].clone());
        assert_eq!(it.text("digest-gate/refresh", FILE), manifest(&daemon, &pinned(&new)));
        assert_eq!(pull.labels, ["images", "security"]);
        assert_eq!(opened.output("pull-request-commit"), it.branches["digest-gate/refresh"]);
        let outputs: Vec<_> = opened.outputs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let parts = [
            ("log", opened.ran.stdout.as_str()),
            ("outputs", &outputs.join("\n")),
            ("summary", &opened.summary),
            ("title", &pull.title),
            ("message", &commit.message),
            ("body", &pull.body),
        ];
        let parts: Vec<_> = parts.iter().map(|(name, text)| format!("===== {name}\n{}", text.trim_end())).collect();
        snapshot("action-refresh", &shown(&daemon, &parts.join("\n")));
    });
    assert_eq!(opened.ran.stderr, "");
    assert_eq!(fs::read_to_string(folder.path().join(FILE)).unwrap(), manifest(&daemon, &pinned(&old)));

    let again = run(&folder, &standin, &refresh);
    assert!(again.ran.stdout.contains("pull request #3 stays as it is"), "{}", again.ran.shown());
    let newer = publish(&daemon, "2026-11-25T00:00:00Z");
    let updated = run(&folder, &standin, &refresh);
    assert_eq!((updated.output("pull-request"), updated.output("moved")), ("3", "1"));
    standin.repository(|it| {
        assert_eq!((it.pulls.len(), it.text("digest-gate/refresh", FILE)), (1, manifest(&daemon, &pinned(&newer))));
    });

    // It is merged.
    folder.write(FILE, &manifest(&daemon, &pinned(&newer)));
    standin.repository(|it| it.push("main", "octocat", "merged", &[(FILE, &manifest(&daemon, &pinned(&newer)))]));
    let closed = run(&folder, &standin, &refresh);
    assert_eq!((closed.ran.status, closed.output("pull-request-commit")), (0, ""), "{}", closed.ran.shown());
    assert!(closed.ran.stdout.contains("closed pull request #3: nothing is left to change"), "{}", closed.ran.shown());
    assert!(standin.repository(|it| it.open().is_empty() && it.branches.len() == 1));
}

#[test]
fn what_nobody_answered_closes_nothing() {
    let Some(daemon) = Daemon::start() else { return };
    let standin = Standin::start([]);
    let old = publish(&daemon, BEFORE);
    let folder = workspace(&standin, &[(FILE, &manifest(&daemon, &pinned(&old)))]);
    publish(&daemon, NOW);
    assert_eq!(run(&folder, &standin, &[("command", "refresh")]).output("moved"), "1");
    drop(daemon);
    let refresh = [("command", "refresh"), ("policy", "strict")];
    let unchecked = run(&folder, &standin, &refresh);
    assert_eq!((unchecked.ran.status, unchecked.output("result"), unchecked.output("unchecked")), (1, "fail", "1"));
    let notice = "::notice title=digest-gate::nothing moves, but 1 image unchecked: a pull request that is open stays";
    assert!(unchecked.ran.stdout.contains(notice), "{}", unchecked.ran.shown());
    assert!(unchecked.ran.stdout.contains(&format!("::error file={FILE},line=3,")), "{}", unchecked.ran.shown());
    assert_eq!(standin.repository(|it| it.open().len()), 1);
    folder.write("deploy/prod/broken.yml", "a: [\n");
    let broken = run(&folder, &standin, &refresh);
    assert_eq!((broken.ran.status, broken.output("result")), (2, "error"), "{}", broken.ran.shown());
    assert!(broken.ran.stdout.contains("::error file=deploy/prod/broken.yml,line="), "{}", broken.ran.shown());
}

#[test]
fn a_part_has_a_pull_request_of_its_own() {
    let Some(daemon) = Daemon::start() else { return };
    let standin = Standin::start([]);
    publish(&daemon, BEFORE);
    let text = format!("{}  other:\n    image: {}/org/other:1.0.0\n", manifest(&daemon, ""), daemon.address);
    let other = daemon.push_image("org/other", "1.0.0", "linux/amd64", BEFORE);
    let folder = workspace(&standin, &[(FILE, &text)]);
    let whole = run(&folder, &standin, &[("command", "pin")]);
    assert_eq!((whole.ran.status, whole.output("moved")), (0, "2"), "{}", whole.ran.shown());
    let image = format!("{}/org/other", daemon.address);
    let part = run(&folder, &standin, &[("command", "pin"), ("image", &image)]);
    assert_eq!((part.output("moved"), part.output("pull-request")), ("1", "4"), "{}", part.ran.shown());
    standin.repository(|it| {
        assert_eq!(it.open()[0].head, "digest-gate/pin");
        assert_eq!(it.open()[0].title, "Pin 2 image digests");
        let branch = it.open()[1].head.clone();
        assert!(branch.starts_with("digest-gate/pin-") && branch.len() == "digest-gate/pin-".len() + 8, "{branch}");
        assert_eq!(it.text(&branch, FILE), text.replace("other:1.0.0", &format!("other:1.0.0@{other}")));
    });
    let named = run(&folder, &standin, &[("command", "pin"), ("branch", "pins/all"), ("base", "nowhere")]);
    assert_eq!((named.ran.status, named.output("result")), (2, "error"));
    assert!(named.ran.stdout.contains("there is no branch `nowhere`"), "{}", named.ran.shown());
}

#[test]
fn what_cannot_be_done_is_said_with_the_way_out() {
    let Some(daemon) = Daemon::start() else { return };
    let standin = Standin::start([(9, Fault::Status(403, vec![]))]);
    let old = publish(&daemon, BEFORE);
    let folder = workspace(&standin, &[(FILE, &manifest(&daemon, &pinned(&old)))]);
    publish(&daemon, NOW);
    let refused = run(&folder, &standin, &[("command", "refresh")]);
    assert_eq!((refused.ran.status, refused.output("result")), (2, "error"), "{}", refused.ran.shown());
    let said = "::error title=digest-gate::the token may not write commits (POST ";
    assert!(refused.ran.stdout.contains(said), "{}", refused.ran.shown());
    assert!(refused.ran.stdout.contains("`contents: write` and `pull-requests: write`"), "{}", refused.ran.shown());
    assert_eq!(standin.sequence().last().unwrap(), "POST git/trees", "no check run is posted for a refresh");
    // A checkout that is behind the base.
    standin.repository(|it| it.push("main", "octocat", "another", &[(FILE, "services: {}\n")]));
    let behind = run(&folder, &standin, &[("command", "refresh")]);
    assert!(behind.ran.stdout.contains("check out `main` and run again"), "{}", behind.ran.shown());
    for (inputs, said) in [
        (
            &[("command", "deploy")][..],
            "the input `command` is `deploy`: write one of `check`, `verify`, `images`, `pin`",
        ),
        (&[("command", "refresh"), ("token", "")], "the input `command` needs the input `token`"),
        (&[("command", "refresh"), ("branch", "a b")], "`a b` is no branch"),
        (&[("command", "refresh"), ("image", "ghcr.io")], "the input `image`"),
        (&[("suggestions", "yes")], "the input `suggestions` is `yes`: write one of `off`, `on`"),
        (&[("comment", "on"), ("token", "")], "the inputs `comment` and `suggestions` need the input `token`"),
        (&[("command", "verify"), ("registry-auth", "{\"auths\": 1}")], "cannot use `registry-auth`"),
    ] {
        let wrong = run(&folder, &standin, &[&[("check-run", "off")], inputs].concat());
        assert_eq!((wrong.ran.status, wrong.output("result")), (2, "error"), "{}", wrong.ran.shown());
        assert!(wrong.ran.stdout.contains(said), "{}", wrong.ran.shown());
    }
}

#[test]
fn verify_and_images_set_their_outputs() {
    let Some(daemon) = Daemon::start() else { return };
    let standin = Standin::start([]);
    let old = publish(&daemon, BEFORE);
    let text = format!("{}  open:\n    image: nginx\n", manifest(&daemon, &pinned(&old)));
    let folder = workspace(&standin, &[(FILE, &text)]);
    publish(&daemon, NOW);
    let image = [("image", "ignored"), ("check-run", "off")];
    let listed = run(&folder, &standin, &[&[("command", "images")], &image[..]].concat());
    assert_eq!((listed.ran.status, listed.output("result"), listed.ran.stdout.as_str()), (0, "pass", ""));
    let images = format!("[\"{}/org/app:1.2.3@{old}\"]", daemon.address);
    assert_eq!((listed.output("images-json"), listed.output("unpinned")), (images.as_str(), "1"));
    assert!(standin.requests().is_empty());
    let only = [("command", "verify"), ("manifests", FILE), ("levels", "tag-moved=error\nunpinned=off")];
    folder.write(FILE, &manifest(&daemon, &pinned(&old)));
    let verified = run(&folder, &standin, &[&only[..], &[("check-run", "off")]].concat());
    assert_eq!((verified.ran.status, verified.output("errors")), (1, "1"), "{}", verified.ran.shown());
    assert!(verified.ran.stdout.contains("title=digest-gate%3A tag-moved::"), "{}", verified.ran.shown());
    let proven = run(&folder, &standin, &[&only[..], &[("check-run", "off"), ("evidence", "proof/run")]].concat());
    assert_eq!(proven.ran.status, 1, "{}", proven.ran.shown());
    assert!(folder.path().join("proof/run/statement.json").is_file());
    let again = run(&folder, &standin, &[&only[..], &[("check-run", "off"), ("evidence", "proof/run")]].concat());
    assert_eq!((again.ran.status, again.output("result")), (2, "error"), "{}", again.ran.shown());
    // The result of scanners is asked for by digest.
    folder.write("scans/empty.json", "{\"SchemaVersion\": 2}");
    let scanned =
        run(&folder, &standin, &[&only[..2], &[("check-run", "off"), ("scan-report", "scans/gone.json")]].concat());
    assert_eq!(scanned.ran.status, 2);
    assert!(scanned.ran.stdout.contains("the scan report `scans/gone.json`"), "{}", scanned.ran.shown());
    folder.write("deploy/prod/broken.yml", "a: [\n");
    let broken = run(&folder, &standin, &[("command", "images")]);
    assert_eq!((broken.ran.status, broken.output("result")), (2, "error"), "{}", broken.ran.shown());
}

#[test]
fn a_rollback_is_a_pull_request_with_its_holds() {
    let (Some(daemon), Some(git)) = (Daemon::start(), Repository::new()) else { return };
    let standin = Standin::start([]);
    let (old, new) = (publish(&daemon, BEFORE), publish(&daemon, NOW));
    git.write(FILE, &manifest(&daemon, &pinned(&old)), "before");
    git.write(FILE, &manifest(&daemon, &pinned(&new)), "refresh");
    standin.repository(|it| it.push("main", "octocat", "refresh", &[(FILE, &manifest(&daemon, &pinned(&new)))]));
    let rollback = [("command", "rollback"), ("reason", "log-in fails"), ("hold-until", "14d")];
    let opened = run(&git.folder, &standin, &rollback);
    assert_eq!((opened.ran.status, opened.output("moved")), (0, "1"), "{}", opened.ran.shown());
    standin.repository(|it| {
        let pull = it.open()[0].clone();
        assert_eq!(
            (pull.head.as_str(), pull.title.as_str()),
            ("digest-gate/rollback", "Roll back 1 image digest: log-in fails")
        );
        assert_eq!(it.text(&pull.head, FILE), manifest(&daemon, &pinned(&old)));
        let holds = it.text(&pull.head, "digest-gate-holds.yml");
        assert!(holds.contains(&old) && holds.contains("log-in fails"), "{holds}");
    });
    assert_eq!(git.git(&["status", "--porcelain"]), "", "nothing in the workspace changes");
    let again = run(&git.folder, &standin, &rollback);
    assert!(again.ran.stdout.contains("pull request #3 stays as it is"), "{}", again.ran.shown());
    for (inputs, said) in [
        ([("command", "rollback"), ("hold-until", "soon")], "the input `hold-until`: `soon` is no number of days"),
        ([("command", "rollback"), ("to", "nowhere")], "the input `to`: "),
    ] {
        let wrong = run(&git.folder, &standin, &inputs);
        assert_eq!((wrong.ran.status, wrong.output("result")), (2, "error"), "{}", wrong.ran.shown());
        assert!(wrong.ran.stdout.contains(said), "{}", wrong.ran.shown());
    }
    // It is merged, and the refresh that follows leaves it alone.
    git.write(FILE, &manifest(&daemon, &pinned(&old)), "back");
    git.write(
        "digest-gate-holds.yml",
        &standin.repository(|it| it.text("digest-gate/rollback", "digest-gate-holds.yml")),
        "held",
    );
    standin.repository(|it| it.branches.insert("main".to_owned(), it.branches["digest-gate/rollback"].clone()));
    let held = run(&git.folder, &standin, &[("command", "refresh")]);
    assert_eq!((held.ran.status, held.output("moved")), (0, "0"), "{}", held.ran.shown());
    assert!(held.ran.stdout.contains("is left: "), "{}", held.ran.shown());
    // The command line does the same.
    let url = standin.url();
    let environment =
        [("GITHUB_REPOSITORY", "Codertocat/Hello-World"), ("GITHUB_API_URL", url.as_str()), ("GITHUB_TOKEN", TOKEN)];
    let ran = git.folder.run_with(&["rollback", "--to", &new, "--no-hold", "--pull-request"], "", &environment);
    assert!(ran.status == 0 && ran.stderr.contains("pull request #3: https://"), "{}", ran.shown());
    standin.repository(|it| assert_eq!(it.text("digest-gate/rollback", FILE), manifest(&daemon, &pinned(&new))));
}

/// A pull request whose head is in `head`.
#[test]
fn verify_reads_scan_reports_and_writes_evidence() {
    let Some(daemon) = Daemon::start() else { return };
    let standin = Standin::start([]);
    let digest = publish(&daemon, BEFORE);
    let folder = workspace(&standin, &[(FILE, &manifest(&daemon, &pinned(&digest)))]);
    folder.write("scans/scan-0/trivy.json", &TRIVY.replace(INDEX, &digest));
    let inputs = [("command", "verify"), ("scan-report", "scans"), ("check-run", "off"), ("evidence", "out/evidence")];
    let verified = run(&folder, &standin, &inputs);
    assert_eq!((verified.ran.status, verified.output("errors")), (1, "1"), "{}", verified.ran.shown());
    assert!(
        verified.ran.stdout.contains("title=digest-gate%3A vulnerable::3 critical, 2 high"),
        "{}",
        verified.ran.shown()
    );
    let read = |name: &str| fs::read_to_string(folder.path().join("out/evidence").join(name)).unwrap();
    let index: Value = serde_json::from_str(&read("evidence.json")).unwrap();
    assert_eq!((&index["commit"], &index["scanReports"][0]["name"]), (&SHA.into(), &"scans/scan-0/trivy.json".into()));
    let predicate: Value = serde_json::from_str(&read("predicate.json")).unwrap();
    assert_eq!((&predicate["result"], &predicate["failedTests"]), (&"FAILED".into(), &json!(["vulnerable"])));
    let again = run(&folder, &standin, &inputs);
    assert_eq!(
        (again.ran.status, again.output("result")),
        (2, "error"),
        "the folder is not empty: {}",
        again.ran.shown()
    );
    let critical = [("scan-gate", "severe"), ("command", "verify")];
    assert_eq!(run(&folder, &standin, &critical).ran.status, 2);
}

fn pull_request(head: &str) -> Value {
    json!({ "pull_request": {
        "number": 2,
        "head": { "sha": SHA, "repo": { "full_name": head } },
        "base": { "sha": "1".repeat(40), "repo": { "full_name": "Codertocat/Hello-World" } },
        "user": { "login": "octocat" },
    } })
}

const POSTS: [(&str, &str); 2] = [("suggestions", "on"), ("comment", "on")];

#[test]
fn a_check_suggests_and_comments_in_a_pull_request() {
    let Some(daemon) = Daemon::start() else { return };
    let standin = Standin::start([]);
    let digest = publish(&daemon, BEFORE);
    let text = manifest(&daemon, "");
    let folder = workspace(&standin, &[(FILE, &text), ("deploy/prod/b.yml", &text)]);
    let lines: Vec<_> = text.lines().collect();
    standin
        .repository(|it| it.patches.push((FILE.to_owned(), Some(format!("@@ -0,0 +1,3 @@\n+{}", lines.join("\n+"))))));
    let event = pull_request("Codertocat/Hello-World");
    let checked = run_for(&folder, &standin, &event, &POSTS);
    assert_eq!((checked.ran.status, checked.output("unpinned")), (1, "2"), "{}", checked.ran.shown());
    assert!(!checked.ran.stdout.contains("::notice"), "{}", checked.ran.shown());
    let posted = [
        "GET issues/2/comments",
        "POST issues/2/comments",
        "GET pulls/2/files",
        "GET pulls/2/comments",
        "POST pulls/2/reviews",
    ];
    let all = standin.sequence();
    assert_eq!(all[all.len() - posted.len()..], posted, "{all:?}");
    standin.repository(|it| {
        let block = format!("```suggestion\n    image: {}/org/app:1.2.3@{digest}\n```", daemon.address);
        let review = &it.reviews[0];
        assert_eq!((review["commit_id"].as_str(), review["event"].as_str()), (Some(SHA), Some("COMMENT")));
        assert_eq!(review["comments"][0]["line"], 3);
        assert!(review["comments"][0]["body"].as_str().unwrap().contains(&block), "{review:#}");
        assert!(review["comments"][0]["body"].as_str().unwrap().contains("has no digest: this is what its tag serves"));
        assert!(review["body"].as_str().unwrap().contains("1 line outside of this diff"), "{review:#}");
        assert!(
            it.comments[0].body.starts_with("<!-- digest-gate: digest_gate report -->\n❌ **fail"),
            "{}",
            it.comments[0].body
        );
        assert_eq!(it.comments.len(), 2);
    });
    let again = run_for(&folder, &standin, &event, &POSTS);
    assert_eq!(again.ran.status, 1);
    standin.repository(|it| assert_eq!((it.comments.len(), it.reviews.len()), (2, 1), "neither is repeated"));
    // Unless they are asked for, nothing but the check run is posted.
    standin.forget();
    run_for(&folder, &standin, &event, &[]);
    assert!(standin.sequence().iter().all(|request| request.contains("check-runs")), "{:?}", standin.sequence());
    // And never where there is no pull request.
    standin.forget();
    run(&folder, &standin, &POSTS);
    assert!(standin.sequence().iter().all(|request| request.contains("check-runs")), "{:?}", standin.sequence());
}

#[test]
fn a_fork_gets_one_notice_and_no_registry_is_asked_for_it() {
    let Some(daemon) = Daemon::start() else { return };
    publish(&daemon, BEFORE);
    let standin = Standin::start([(1, Fault::Status(403, vec![])), (3, Fault::Status(403, vec![]))]);
    let folder = workspace(&standin, &[(FILE, &manifest(&daemon, ""))]);
    daemon.forget();
    let checked = run_for(&folder, &standin, &pull_request("mallory/Hello-World"), &POSTS);
    assert_eq!(checked.ran.status, 1, "{}", checked.ran.shown());
    let notices: Vec<_> = checked.ran.stdout.lines().filter(|line| line.starts_with("::notice")).collect();
    assert_eq!(notices.len(), 1, "{}", checked.ran.shown());
    assert!(
        notices[0].contains(
            "the token may not write check runs and comments and suggestions, so this step's annotations and summary \
             are the report; to post it, give the job `checks: write` and `pull-requests: write`"
        ),
        "{}",
        notices[0]
    );
    assert_eq!(standin.sequence(), ["POST check-runs in_progress", "GET issues/2/comments", "POST issues/2/comments"]);
    assert!(daemon.requests().is_empty(), "{:?}", daemon.requests());
}

#[test]
fn suggestions_that_cannot_be_made_change_no_verdict() {
    let standin = Standin::start([]);
    let folder = workspace(&standin, &[(FILE, "services: {app: {image: 'localhost:1/org/app:1.2.3'}}\n")]);
    let event = pull_request("Codertocat/Hello-World");
    let off = [("suggestions", "on"), ("check-run", "off")];
    let checked = run_for(&folder, &standin, &event, &off);
    assert_eq!(checked.ran.status, 1, "{}", checked.ran.shown());
    let notice = "::notice title=digest-gate::no digest is suggested for 1 image: the registry did not answer";
    assert!(checked.ran.stdout.contains(notice), "{}", checked.ran.shown());
    assert!(standin.requests().is_empty());
    let auth = run_for(&folder, &standin, &event, &[&off[..], &[("registry-auth", "{\"auths\": 1}")]].concat());
    assert_eq!(auth.ran.status, 1, "{}", auth.ran.shown());
    assert!(
        auth.ran.stdout.contains("no digest could be suggested: cannot use `registry-auth`"),
        "{}",
        auth.ran.shown()
    );
    folder
        .write(FILE, &format!("services: {{app: {{image: 'localhost:1/org/app:1.2.3@sha256:{}'}}}}\n", "0".repeat(64)));
    assert_eq!(run_for(&folder, &standin, &event, &off).ran.status, 0);
    assert!(standin.requests().is_empty(), "nothing lacks a digest");
}

#[test]
fn the_command_line_opens_the_same_pull_request() {
    let Some(daemon) = Daemon::start() else { return };
    let standin = Standin::start_at("127.0.0.1:0", "/api/v3", []);
    let old = publish(&daemon, BEFORE);
    let folder = workspace(&standin, &[(FILE, &manifest(&daemon, &pinned(&old)))]);
    let new = publish(&daemon, NOW);
    let url = standin.url();
    let environment =
        [("GITHUB_REPOSITORY", "Codertocat/Hello-World"), ("GITHUB_API_URL", url.as_str()), ("GH_TOKEN", TOKEN)];
    let refresh = ["refresh", "--pull-request", "--reason", "POAM-17"];
    let ran = folder.run_with(&refresh, "", &environment);
    assert_eq!(ran.status, 0, "{}", ran.shown());
    snapshot("refresh-pull-request", &shown(&daemon, &ran.shown()));
    standin.repository(|it| {
        assert_eq!(it.open()[0].title, "Refresh 1 image digest: POAM-17");
        assert_eq!(it.text("digest-gate/refresh", FILE), manifest(&daemon, &pinned(&new)));
    });
    // A folder below the root of the repository, and a configuration in it.
    folder.write("deploy/digest-gate.yml", "version: 1\nrefresh: {branch: bots/digests, labels: [images]}\n");
    let below = folder.path().join("deploy");
    let ran = crate::program::run_in(&below, &["refresh", "--pull-request", "prod"], "", &environment);
    assert_eq!(ran.status, 0, "{}", ran.shown());
    standin.repository(|it| {
        let pull = it.open()[1].clone();
        assert!(pull.head.starts_with("bots/digests-") && pull.labels == ["images"], "{pull:?}");
        assert_eq!(it.text(&pull.head, FILE), manifest(&daemon, &pinned(&new)));
    });
    for (environment, said) in [
        (&environment[..2], "`--pull-request` needs a token in GITHUB_TOKEN or GH_TOKEN"),
        (&environment[1..], "GITHUB_REPOSITORY names no repository: set it to `owner/name`"),
    ] {
        let ran = folder.run_with(&refresh, "", environment);
        assert!(ran.status == 2 && ran.stderr.contains(said), "{}", ran.shown());
    }
    for arguments in [&["refresh", "--reason", "x"][..], &["pin", "--pull-request", "--write"]] {
        assert_eq!(folder.run(arguments).status, 2);
    }
}
