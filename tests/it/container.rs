//! The action as its users run it: the image is built, a workflow runner runs the workflow of `examples/`, and GitHub's
//! API is a stand-in on this machine.
//!
//! It needs a Docker Engine, `act` and a static busybox, for which `.ci/run` cares; no image is pulled, so that the
//! job's image and the builder are made here. The builder holds the binary that `.ci/static` built outside, and a
//! `cargo` that puts it where the build would have.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::program::skipped;
use super::standin::{Fault, Standin, github_api};

const JOB: &str = "digest-gate-test-job";
const BUILDER: &str = "digest-gate-test-builder";
const ACTION: &str = "digest-gate-test-action";
/// Bytes the image may have; its users pull it in every job. It holds the clients of the registries and of GitHub, a reader
/// of git's packs, and the verification of signatures with its cryptography.
const MAX_IMAGE: u64 = 17_000_000;

const PINNED: &str =
    "docker.io/library/busybox:1.38.0@sha256:fd8d9aa63ba2f0982b5304e1ee8d3b90a210bc1ffb5314d980eb6962f1a9715d";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
}

fn docker(arguments: &[&str]) -> Output {
    let output = Command::new("docker").args(arguments).output().unwrap();
    assert!(output.status.success(), "docker {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// The static binary, where everything that is needed is here.
fn ready() -> Option<PathBuf> {
    let binary = std::env::var_os("DIGEST_GATE_STATIC").map(PathBuf::from).filter(|path| path.is_file());
    let missing = if binary.is_none() {
        "DIGEST_GATE_STATIC names no binary of .ci/static"
    } else if !succeeds("docker", &["info"]) {
        "no Docker Engine answers"
    } else if !succeeds("act", &["--version"]) {
        "`act` is not on PATH"
    } else if !Path::new("/bin/busybox").is_file() {
        "there is no /bin/busybox"
    } else if github_api().is_none() {
        "the description of GitHub's API is not here"
    } else {
        return binary;
    };
    skipped(&format!("the action was not run in a workflow runner: {missing}"));
    None
}

/// The job's image and the builder: a busybox each, the builder with the binary and the programs `.ci/static` calls.
fn make_images(binary: &Path) {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    fs::copy("/bin/busybox", folder.path().join("busybox")).unwrap();
    fs::copy(binary, folder.path().join("digest-gate")).unwrap();
    put("rustc", "#!/bin/sh\necho 'host: x86_64-unknown-linux-gnu'\n");
    put(
        "cargo",
        "#!/bin/sh\nset -eu\n[ \"$*\" = 'build --release --locked --bin digest-gate --target x86_64-unknown-linux-gnu' ]\n\
         test -f src/main.rs -a -f Cargo.lock\n\
         mkdir -p target/x86_64-unknown-linux-gnu/release\ncp /digest-gate-built target/x86_64-unknown-linux-gnu/release/digest-gate\n",
    );
    put("job", "FROM scratch\nCOPY busybox /bin/busybox\nRUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]\n");
    put(
        "builder",
        &format!(
            "FROM {JOB}\nCOPY digest-gate /digest-gate-built\nCOPY rustc cargo /bin/\nRUN chmod +x /bin/rustc /bin/cargo\n"
        ),
    );
    let context = folder.path().to_str().unwrap();
    for (file, tag) in [("job", JOB), ("builder", BUILDER)] {
        docker(&["build", "-q", "-t", tag, "-f", &format!("{context}/{file}"), context]);
    }
}

fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
    }
}

/// A repository with the action at its root, the workflow of `examples/`, and a production manifest.
fn repository(manifest: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["action.yml", "Cargo.toml", "Cargo.lock", "src", "examples/workflows", ".ci/static", ".dockerignore"] {
        copy(&root().join(name), &folder.path().join(name));
    }
    let dockerfile = fs::read_to_string(root().join("Dockerfile")).unwrap();
    let line = dockerfile.lines().find(|line| line.starts_with("ARG BUILDER=")).unwrap();
    fs::write(folder.path().join("Dockerfile"), dockerfile.replace(line, &format!("ARG BUILDER={BUILDER}"))).unwrap();
    let workflow = fs::read_to_string(root().join("examples/workflows/gate.yml")).unwrap();
    assert!(workflow.contains("- uses: org/digest-gate@v1"));
    let workflow = workflow.replace("- uses: org/digest-gate@v1", "- id: gate\n        uses: ./");
    let echo = "      - if: always()\n        shell: sh\n        env:\n          OUTPUTS: ${{ toJSON(steps.gate.outputs) }}\n        run: echo \"$OUTPUTS\"\n";
    let put = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    put(".github/workflows/gate.yml", &format!("{workflow}{echo}"));
    put("deploy/prod/compose.yml", manifest);
    for arguments in [
        &["init", "-q"][..],
        &["remote", "add", "origin", "https://github.com/Codertocat/Hello-World.git"],
        &["add", "-A"],
        &["-c", "user.name=test", "-c", "user.email=test@example.com", "commit", "-qm", "a manifest"],
    ] {
        let status = Command::new("git").current_dir(folder.path()).args(arguments).status().unwrap();
        assert!(status.success(), "git {arguments:?}");
    }
    folder
}

struct Ran {
    passed: bool,
    log: String,
}

impl Ran {
    /// The lines of the runner's log that hold a text.
    fn lines(&self, text: &str) -> Vec<&str> {
        self.log.lines().filter(|line| line.contains(text)).collect()
    }

    fn has(&self, text: &str) -> bool {
        self.log.contains(text)
    }
}

/// Runs the workflow for a pull request.
fn act(repository: &Path, api: &str) -> Ran {
    let event = github_api().unwrap().join("webhooks/pull_request.opened.json");
    let output = Command::new("act")
        .current_dir(repository)
        .args(["pull_request", "-P", &format!("ubuntu-latest={JOB}"), "--network", "host", "--pull=false"])
        .args(["--rebuild=true", "--env", &format!("GITHUB_API_URL={api}"), "-s", "GITHUB_TOKEN=ghs_secretoftherun"])
        .arg("-e")
        .arg(event)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ran { passed: output.status.success(), log: text(&output.stdout) + &text(&output.stderr) }
}

/// The sha of the pull request's head in the payload, on which a check run belongs.
fn head_sha() -> String {
    let event = fs::read_to_string(github_api().unwrap().join("webhooks/pull_request.opened.json")).unwrap();
    let event: serde_json::Value = serde_json::from_str(&event).unwrap();
    event["pull_request"]["head"]["sha"].as_str().unwrap().to_owned()
}

#[test]
fn a_workflow_fails_on_an_undigested_image_and_passes_on_a_clean_one() {
    let Some(binary) = ready() else { return };
    make_images(&binary);
    fails_on_an_undigested_image();
    passes_on_a_clean_manifest();
    keeps_its_verdict_with_a_read_only_token();
    the_image_holds_one_file();
}

fn fails_on_an_undigested_image() {
    let folder = repository(&format!(
        "services:\n  web:\n    image: docker.io/library/nginx:1.27.1\n  cache:\n    image: {PINNED}\n"
    ));
    let api = Standin::start([]);
    let ran = act(folder.path(), &api.url());
    assert!(!ran.passed, "{}", ran.log);
    let annotations = ran.lines("::error");
    assert_eq!(annotations.len(), 1, "{}", ran.log);
    assert!(
        annotations[0].contains("::error file=deploy/prod/compose.yml,line=3,col=12,endLine=3,endColumn=42,title=digest-gate%3A unpinned::`docker.io/library/nginx:1.27.1` has no digest"),
        "{}",
        annotations[0]
    );
    for (name, value) in [("result", "fail"), ("images", "2"), ("unpinned", "1"), ("findings", "1"), ("errors", "1")] {
        assert!(ran.has(&format!("::set-output:: {name}={value}")), "{name}: {}", ran.log);
    }
    assert!(ran.has("::set-output:: images-json=[\"docker.io/library/busybox:1.38.0@sha256:"), "{}", ran.log);
    assert!(ran.has("Summary - ## digest-gate") && ran.has("1 of 2") | ran.has("2 images: 1 pinned"), "{}", ran.log);
    assert!(!ran.has("ghs_secretoftherun"), "{}", ran.log);
    let sequence = api.sequence();
    assert_eq!(sequence.len(), 3, "{sequence:?}");
    let requests = api.requests();
    let methods: Vec<_> = requests.iter().map(|request| request.method.as_str()).collect();
    assert_eq!(methods, ["POST", "PATCH", "PATCH"]);
    assert_eq!(requests[0].path, "/repos/Codertocat/Hello-World/check-runs");
    assert_eq!(requests[0].body["head_sha"], head_sha().as_str());
    assert_eq!(requests[0].body["status"], "in_progress");
    assert_eq!(requests[1].body["output"]["annotations"][0]["path"], "deploy/prod/compose.yml");
    assert_eq!(requests[1].body["output"]["annotations"][0]["start_line"], 3);
    assert_eq!(requests[2].body["conclusion"], "failure");
    let bearer = requests.iter().all(|request| request.header("authorization") == Some("Bearer ghs_secretoftherun"));
    assert!(bearer, "{requests:?}");
}

fn passes_on_a_clean_manifest() {
    let folder = repository(&format!("services:\n  cache:\n    image: {PINNED}\n"));
    let api = Standin::start([]);
    let ran = act(folder.path(), &api.url());
    assert!(ran.passed, "{}", ran.log);
    assert!(ran.lines("::error").is_empty(), "{}", ran.log);
    assert!(ran.has("::set-output:: result=pass") && ran.has("::set-output:: unpinned=0"), "{}", ran.log);
    let requests = api.requests();
    let conclusion = &requests.last().unwrap().body["conclusion"];
    assert_eq!(conclusion, "success");
}

fn keeps_its_verdict_with_a_read_only_token() {
    let folder = repository("services:\n  web:\n    image: docker.io/library/nginx:1.27.1\n");
    let api = Standin::start([(1, Fault::Status(403, vec![]))]);
    let ran = act(folder.path(), &api.url());
    assert!(!ran.passed, "{}", ran.log);
    assert_eq!(ran.lines("::error").len(), 1, "{}", ran.log);
    let notices = ran.lines("::notice");
    assert_eq!(notices.len(), 1, "{}", ran.log);
    assert!(notices[0].contains("`checks: write`"), "{}", notices[0]);
    assert_eq!(api.requests().len(), 1);
}

fn the_image_holds_one_file() {
    let folder = repository("services: {}\n");
    docker(&["build", "-q", "-t", ACTION, folder.path().to_str().unwrap()]);
    let inspected = docker(&["image", "inspect", ACTION]);
    let image: serde_json::Value = serde_json::from_slice(&inspected.stdout).unwrap();
    let size = image[0]["Size"].as_u64().unwrap();
    assert!(size < MAX_IMAGE, "{size} bytes");
    assert_eq!(image[0]["Config"]["User"], "");
    assert_eq!(image[0]["Config"]["Entrypoint"], serde_json::json!(["/digest-gate"]));
    assert_eq!(image[0]["RootFS"]["Layers"].as_array().unwrap().len(), 1, "the image has one layer, with one file");
    let ran = docker(&["run", "--rm", "--network", "none", ACTION, "--version"]);
    assert!(String::from_utf8_lossy(&ran.stdout).starts_with("digest-gate "), "{ran:?}");
}

/// What is compiled into the program, from wherever it is, is there where the image is built.
#[test]
fn the_image_is_built_from_everything_that_is_compiled_in() {
    let source = root().join("src");
    let dockerfile = fs::read_to_string(root().join("Dockerfile")).unwrap();
    let mut seen = 0;
    let mut folders = vec![source];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            if path.ends_with("tests.rs") {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let text = text.split("#[cfg(test)]").next().unwrap();
            for include in text.split("include_str!(\"").skip(1).filter_map(|rest| rest.split('"').next()) {
                let file = folder.join(include).canonicalize().unwrap();
                let top = file.strip_prefix(root()).unwrap().iter().next().unwrap().to_str().unwrap();
                assert!(dockerfile.contains(&format!("COPY {top} {top}\n")), "{include} of {}", path.display());
                let ignore = fs::read_to_string(root().join(".dockerignore")).unwrap();
                assert!(ignore.lines().any(|line| line == format!("!{top}")), "{top} is left out of the context");
                seen += 1;
            }
        }
    }
    assert!(seen > 0, "the workflows that `init` writes are compiled in");
}
