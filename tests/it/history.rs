//! `history` held against repositories of the real git.

use super::cli::snapshot;
use super::git::{Repository, digest, git_in, history_in};
use super::program::{Folder, run_in, skipped};

fn service(image: &str, name: &str) -> String {
    format!("services:\n  web:\n    image: ghcr.io/org/{image}@{}\n", digest(name))
}

fn two(web: &str, db: &str) -> String {
    format!("{}  db:\n    image: postgres:16.4@{}\n", service("web:1.0", web), digest(db))
}

#[test]
fn what_history_prints() {
    let Some(repository) = Repository::new() else { return };
    repository.write("compose.prod.yml", &two("w1", "d1"), "pin everything");
    repository.write("README.md", "nothing", "say nothing\n\nat length");
    repository.write("compose.prod.yml", &two("w2", "d2"), "refresh 2 image digests\u{1b}[2J");
    repository.write("compose.prod.yml", &two("w3", "d2").replace("1.0", "1.1"), "web 1.1");
    let ran = repository.run(&["history"]);
    snapshot("history-human", &ran.shown());
    snapshot("history-json", &repository.run(&["history", "--format", "json"]).shown());
    repository.folder.write("compose.prod.yml", &two("w4", "d2"));
    let ran = repository.run(&["history", "--image", "ghcr.io/**"]);
    snapshot("history-not-committed", &ran.shown());
    let ran = repository.run(&["history", "--format", "sarif"]);
    assert_eq!(ran.status, 2, "{}", ran.shown());
}

#[test]
fn without_a_repository_there_is_no_history() {
    let folder = Folder::new(&[("compose.prod.yml", &two("a", "b"))]);
    let ran = folder.run(&["history"]);
    assert_eq!(ran.status, 2);
    assert!(ran.stderr.contains("lies in no git repository"), "{}", ran.shown());
    let Some(empty) = Repository::new() else { return };
    empty.folder.write("compose.prod.yml", &two("a", "b"));
    assert_eq!(empty.history(&[]), ["-: services.web.image 1.0@a", "-: services.db.image 16.4@b"]);
}

#[test]
fn a_file_is_followed_over_its_renames() {
    let Some(repository) = Repository::new() else { return };
    let filler = "# a line that stays\n".repeat(8);
    repository.write("old.yml", &format!("{filler}{}", service("web:1", "a")), "one");
    repository.write("old.yml", &format!("{filler}{}", service("web:1", "b")), "two");
    repository.git(&["mv", "old.yml", "moved.yml"]);
    repository.commit("moved");
    std::fs::remove_file(repository.path().join("moved.yml")).unwrap();
    repository.folder.write("other.yml", &filler);
    repository.write("deploy/prod/web.yml", &format!("{filler}{}", service("web:1", "c")), "moved and changed");
    let expected =
        ["moved and changed: services.web.image 1@c", "two: services.web.image 1@b", "one: services.web.image 1@a"];
    assert_eq!(repository.history(&[]), expected);
    let ran = repository.run(&["history", "--format", "json"]);
    assert!(ran.stdout.contains(r#""path_then":"old.yml""#), "{}", ran.shown());
}

#[test]
fn a_branch_had_what_was_merged_and_not_what_was_tried() {
    let Some(repository) = Repository::new() else { return };
    repository.write("compose.prod.yml", &service("web:1", "a"), "one");
    repository.git(&["switch", "-q", "-c", "topic"]);
    repository.write("compose.prod.yml", &service("web:1", "tried"), "tried");
    repository.write("compose.prod.yml", &service("web:1", "b"), "made good");
    repository.git(&["switch", "-q", "main"]);
    repository.write("README.md", "meanwhile", "meanwhile");
    repository.git(&["merge", "-q", "--no-ff", "-m", "merge topic", "topic"]);
    assert_eq!(repository.history(&[]), ["merge topic: services.web.image 1@b", "one: services.web.image 1@a"]);
}

#[test]
fn a_shallow_clone_is_told() {
    let Some(repository) = Repository::new() else { return };
    for name in ["a", "b", "c"] {
        repository.write("compose.prod.yml", &service("web:1", name), name);
    }
    let clone = Folder::new(&[]);
    let from = format!("file://{}", repository.path().display());
    git_in(clone.path(), 9, &["clone", "-q", "--depth", "2", &from, "."]);
    let ran = clone.run(&["history", "--format", "json"]);
    assert_eq!(history_in(clone.path(), &[]), ["c: services.web.image 1@c", "b: services.web.image 1@b"]);
    assert!(ran.stdout.contains(r#""may_be_older":true"#), "{}", ran.shown());
    assert!(ran.stdout.contains(r#""unchecked":1"#), "{}", ran.shown());
    assert!(ran.stderr.starts_with("warning: the clone is shallow: nothing older than "), "{}", ran.shown());
    assert!(ran.stderr.contains("`fetch-depth: 0`"), "{}", ran.shown());
}

#[test]
fn worktrees_packs_and_both_object_formats_say_the_same() {
    for format in ["sha1", "sha256"] {
        let Some(repository) = Repository::of_format(format) else { return };
        for name in ["a", "b", "c"] {
            repository.write("deploy/prod/compose.yml", &service("web:1", name), name);
        }
        let expected = ["c", "b", "a"].map(|name| format!("{name}: services.web.image 1@{name}"));
        assert_eq!(repository.history(&[]), expected, "{format}, loose");
        repository.git(&["gc", "-q"]);
        repository.git(&["commit-graph", "write", "--reachable"]);
        assert!(repository.path().join(".git/objects/pack").read_dir().unwrap().next().is_some());
        assert_eq!(repository.history(&[]), expected, "{format}, packed");
        let tree = Folder::new(&[]);
        let path = tree.path().join("tree").display().to_string();
        repository.git(&["worktree", "add", "-q", "--detach", &path, "HEAD~1"]);
        assert_eq!(history_in(&tree.path().join("tree"), &[]), expected[1..], "{format}, a worktree");
    }
}

#[test]
fn a_configuration_in_a_folder_has_the_history_of_that_folder() {
    let Some(repository) = Repository::new() else { return };
    repository.folder.write(
        "team/digest-gate.yml",
        "version: 1\nenvironments:\n  production: {manifests: [prod/**]}\n  staging: {enforce: false, manifests: [staging/**]}\n",
    );
    repository.folder.write("team/staging/a.yml", &service("web:1", "a"));
    repository.write("team/prod/a.yml", &service("web:1", "a"), "one");
    repository.write("team/staging/a.yml", &service("web:1", "b"), "two");
    repository.write("team/prod/a.yml", &service("web:1", "b"), "three");
    let ran = run_in(&repository.path().join("team"), &["history"], "", &[]);
    snapshot("history-environments", &ran.shown());
    let staging = history_in(&repository.path().join("team"), &["--environment", "staging"]);
    assert_eq!(staging, ["two: services.web.image 1@b", "one: services.web.image 1@a"]);
}

#[test]
fn containers_change_their_order_and_services_their_names() {
    let Some(repository) = Repository::new() else { return };
    let pod = |images: &[(&str, &str)]| {
        let container = |(image, name): &(&str, &str)| format!("  - image: {image}@{}\n", digest(name));
        let containers: String = images.iter().map(container).collect();
        format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: web}}\nspec:\n  containers:\n{containers}")
    };
    repository.write("prod/pod.yml", &pod(&[("app:1", "a1"), ("proxy:1", "p1")]), "one");
    repository.write("prod/pod.yml", &pod(&[("proxy:1", "p1"), ("app:1", "a2")]), "reordered");
    repository.write("prod/compose.yml", "services: {}\n", "no services");
    let old = format!("services: {{one: {{image: 'x:1@{}'}}, two: {{image: 'x:1@{}'}}}}\n", digest("1"), digest("2"));
    repository.write("prod/compose.yml", &old, "services");
    repository.write("prod/compose.yml", &old.replace("two", "deux"), "renamed");
    assert_eq!(
        repository.history(&[]),
        [
            "services: services.one.image 1@1",
            "services: services.two.image 1@2",
            "one: spec.containers[1].image 1@p1",
            "reordered: spec.containers[1].image 1@a2",
            "one: spec.containers[0].image 1@a1",
        ]
    );
}

#[test]
fn what_was_broken_or_away_for_a_while_has_its_history_before_it() {
    let Some(repository) = Repository::new() else { return };
    repository.write("compose.prod.yml", &service("web:1", "a"), "one");
    repository.write("compose.prod.yml", "services: [\n", "broken");
    repository.write("compose.prod.yml", &service("web:1", "b"), "two");
    repository.git(&["rm", "-q", "compose.prod.yml"]);
    repository.commit("away");
    repository.write("compose.prod.yml", &service("web:1", "b"), "back");
    repository.write("compose.prod.yml", &service("web:${V}", "b"), "undecided");
    repository.write("compose.prod.yml", &service("web:1", "c"), "three");
    assert_eq!(
        repository.history(&[]),
        [
            "three: services.web.image 1@c",
            "back: services.web.image 1@b",
            "away: services.web.image gone",
            "two: services.web.image 1@b",
            "one: services.web.image 1@a",
        ]
    );
}

#[test]
fn a_whole_is_read_as_it_was_deployed() {
    let Some(repository) = Repository::new() else { return };
    let configuration = "version: 1\nenvironments:\n  production:\n    stacks:\n    - files: [compose.yml, compose.over.yml]\n      env-file: prod.env\n    overlays: [k8s/prod]\n    charts: [{chart: app, values: [values.prod.yaml]}]\n";
    repository.folder.write("digest-gate.yml", configuration);
    repository.folder.write("compose.yml", "services: {web: {image: nginx}, db: {image: 'db:1'}}\n");
    repository.folder.write("compose.over.yml", "services: {web: {image: 'ghcr.io/org/web:${WEB}'}}\n");
    repository.folder.write("k8s/base/kustomization.yaml", "resources: [pod.yaml]\n");
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers:\n  - name: web\n    image: ";
    repository.folder.write("k8s/base/pod.yaml", &format!("{pod}app\n"));
    repository.folder.write("app/Chart.yaml", "apiVersion: v2\nname: app\nversion: 0.1.0\n");
    repository.folder.write("app/values.yaml", "image: {tag: '1', digest: ''}\n");
    let template = "chart/app:{{ .Values.image.tag }}@{{ .Values.image.digest }}\n";
    repository.folder.write("app/templates/pod.yaml", &format!("{pod}{template}"));
    for name in ["a", "b"] {
        repository.folder.write("prod.env", &format!("WEB=1@{}\n", digest(name)));
        repository.folder.write("values.prod.yaml", &format!("image: {{digest: '{}'}}\n", digest(name)));
        let images = format!("images: [{{name: app, newTag: '1', digest: '{}'}}]\n", digest(name));
        repository.folder.write("k8s/prod/kustomization.yaml", &format!("resources: [../base]\n{images}"));
        repository.commit(name);
    }
    repository.write("app/values.yaml", "image: {tag: '2', digest: ''}\n", "another tag");
    let mut lines = repository.history(&[]);
    lines.sort();
    assert_eq!(
        lines,
        [
            "a: image.digest 1@a",
            "a: services.db.image 1@-",
            "a: services.web.image 1@a",
            "a: spec.containers[0].image 1@a",
            "another tag: image.digest 2@b",
            "b: image.digest 1@b",
            "b: services.web.image 1@b",
            "b: spec.containers[0].image 1@b",
        ]
    );
}

#[cfg(unix)]
#[test]
fn links_are_followed_in_the_past_and_never_out() {
    use std::os::unix::fs::symlink;
    let Some(repository) = Repository::new() else { return };
    repository.folder.write("real/a.yml", &service("web:1", "a"));
    std::fs::create_dir(repository.path().join("prod")).unwrap();
    symlink("../real/a.yml", repository.path().join("prod/a.yml")).unwrap();
    repository.commit("one");
    repository.write("real/a.yml", &service("web:1", "b"), "two");
    std::fs::remove_file(repository.path().join("prod/a.yml")).unwrap();
    symlink("/etc/passwd", repository.path().join("prod/a.yml")).unwrap();
    repository.commit("out");
    std::fs::remove_file(repository.path().join("prod/a.yml")).unwrap();
    symlink("../real/a.yml", repository.path().join("prod/a.yml")).unwrap();
    repository.write("real/a.yml", &service("web:1", "c"), "three");
    let expected = [("three", "c"), ("two", "b"), ("one", "a")];
    let expected = expected.map(|(subject, name)| format!("{subject}: services.web.image 1@{name}"));
    assert_eq!(repository.history(&["prod"]), expected);
}

#[cfg(unix)]
#[test]
fn another_owner_and_a_hostile_configuration_change_nothing() {
    use std::os::unix::fs::chown;
    for format in ["sha1", "sha256"] {
        let Some(repository) = Repository::of_format(format) else { return };
        repository.write("compose.prod.yml", &service("web:1", "a"), "one");
        repository.write("compose.prod.yml", &service("web:1", "b"), "two");
        let expected = repository.history(&[]);
        let touch = format!("touch {}", repository.path().join("started").display());
        for key in ["core.fsmonitor", "core.sshCommand", "core.pager", "core.editor", "diff.external", "core.hooksPath"]
        {
            repository.git(&["config", key, &touch]);
        }
        repository.git(&["config", "filter.x.smudge", &touch]);
        repository.git(&["config", "filter.x.clean", &touch]);
        std::fs::write(repository.path().join(".git/info/attributes"), "* filter=x\n").unwrap();
        assert_eq!(repository.history(&[]), expected);
        let mut folders = vec![repository.path().to_owned()];
        while let Some(path) = folders.pop() {
            if chown(&path, Some(12_345), Some(12_345)).is_err() {
                skipped("only the superuser can give files away: a repository of another owner was not read");
                return;
            }
            if path.is_dir() {
                folders.extend(path.read_dir().unwrap().map(|entry| entry.unwrap().path()));
            }
        }
        assert_eq!(repository.history(&[]), expected, "{format}");
        assert!(!repository.path().join("started").exists());
    }
}

#[test]
fn what_git_does_not_have_is_told() {
    let Some(repository) = Repository::new() else { return };
    repository.write("compose.prod.yml", &service("web:1", "a"), "one");
    let lost = repository.git(&["rev-parse", "HEAD:compose.prod.yml"]);
    repository.write("compose.prod.yml", &service("web:1", "b"), "two");
    let (folder, file) = lost.trim().split_at(2);
    std::fs::remove_file(repository.path().join(".git/objects").join(folder).join(file)).unwrap();
    assert_eq!(repository.history(&[]), ["two: services.web.image 1@b"]);
    let ran = repository.run(&["history"]);
    assert!(ran.stderr.contains("git has no object"), "{}", ran.shown());
    assert!(ran.stdout.contains("or earlier"), "{}", ran.shown());
}
