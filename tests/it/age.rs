//! `stale-digest`: how long digests have been what they are, by real repositories.

use super::git::{Repository, digest, git_in};
use super::program::{Folder, Ran};

const FILE: &str = "compose.prod.yml";

fn two(web: &str, db: &str) -> String {
    let (web, db) = (digest(web), digest(db));
    format!("services:\n  web: {{image: 'web:1.0.0@{web}'}}\n  db: {{image: 'db:1.0.0@{db}'}}\n")
}

/// A web that is 100 days old, and a database of 20 days.
fn aged() -> Option<Repository> {
    let repository = Repository::new()?;
    repository.folder.write("digest-gate.yml", "version: 1\nmax-digest-age: 90d\n");
    for (days, web, db) in [(200, "w1", "d1"), (100, "w2", "d1"), (20, "w2", "d2")] {
        repository.folder.write(FILE, &two(web, db));
        repository.commit_days_ago(days, "refresh");
    }
    Some(repository)
}

/// The findings of the rule, each as far as it does not change with the day.
fn stale(ran: &Ran) -> Vec<String> {
    let lines = ran.stdout.lines().filter(|line| line.contains("[stale-digest]"));
    lines.map(|line| line.split(", since").next().unwrap().to_owned()).collect()
}

#[test]
fn a_digest_that_nobody_touches_is_stale() {
    let Some(repository) = aged() else { return };
    let ran = repository.run(&["check"]);
    // Git is read only as far back as it matters, so that an old commit says what it knows.
    assert_eq!(
        stale(&ran),
        ["warning[stale-digest]: its digest has not changed for at least 100 days"],
        "{}",
        ran.shown()
    );
    assert!(ran.stdout.contains("compose.prod.yml:2:"), "{}", ran.shown());
    assert_eq!(ran.status, 0);
    let error = repository.run(&["check", "--level", "stale-digest=error"]);
    assert_eq!(error.status, 1);
    assert_eq!(stale(&repository.run(&["verify", "--offline"])).len(), 1);
    // A new digest is new, committed or not; another tag alone is not.
    repository.folder.write(FILE, &two("w3", "d2"));
    assert_eq!(stale(&repository.run(&["check"])), Vec::<String>::new());
    repository.folder.write(FILE, &two("w2", "d2").replace("web:1.0.0", "web:1.0.1"));
    repository.commit_days_ago(10, "a tag");
    assert_eq!(stale(&repository.run(&["check"])).len(), 1);
    // Moving the file, or taking it away and putting it back, is no refresh.
    repository.git(&["mv", FILE, "docker-compose.prod.yml"]);
    repository.commit_days_ago(9, "moved");
    assert_eq!(stale(&repository.run(&["check"])).len(), 1);
    let text = std::fs::read_to_string(repository.path().join("docker-compose.prod.yml")).unwrap();
    repository.git(&["rm", "-q", "docker-compose.prod.yml"]);
    repository.commit_days_ago(8, "away");
    repository.folder.write("docker-compose.prod.yml", &text);
    repository.commit_days_ago(7, "back");
    assert_eq!(stale(&repository.run(&["check"])).len(), 1);
}

#[test]
fn it_is_judged_only_where_an_age_is_configured() {
    let Some(repository) = aged() else { return };
    repository.folder.write("digest-gate.yml", "version: 1\npolicy: strict\nlevels: {implicit-registry: off}\n");
    assert_eq!(stale(&repository.run(&["check"])), Vec::<String>::new());
    repository.folder.write("digest-gate.yml", "version: 1\nmax-digest-age: 90d\nlevels: {stale-digest: off}\n");
    assert_eq!(stale(&repository.run(&["check"])), Vec::<String>::new());
    let exempted = "version: 1\nmax-digest-age: 13w\nexceptions: [{image: web, rule: stale-digest, reason: frozen, expires: 2999-12-31}]\n";
    repository.folder.write("digest-gate.yml", exempted);
    let ran = repository.run(&["check"]);
    assert!(ran.stdout.contains("1 exempted"), "{}", ran.shown());
}

#[test]
fn what_git_does_not_know_is_counted() {
    let Some(repository) = aged() else { return };
    let clone = Folder::new(&[]);
    let from = format!("file://{}", repository.path().display());
    git_in(clone.path(), 0, &["clone", "-q", "--depth", "1", &from, "."]);
    let ran = clone.run(&["check"]);
    assert!(ran.stdout.contains("2 unchecked"), "{}", ran.shown());
    assert!(
        ran.stdout
            .contains("how old the digests of 2 images is was not checked (`max-digest-age`): the clone is shallow")
            && ran.stdout.contains("`fetch-depth: 0`"),
        "{}",
        ran.shown()
    );
    // What is there is known: the database changed in the newest commit, and the web is as old as it can be seen to be.
    git_in(clone.path(), 0, &["fetch", "-q", "--depth", "2"]);
    let ran = clone.run(&["check"]);
    assert_eq!(
        stale(&ran),
        ["warning[stale-digest]: its digest has not changed for at least 100 days"],
        "{}",
        ran.shown()
    );
    assert!(!ran.stdout.contains("unchecked"), "{}", ran.shown());
    let text = two("a", "b");
    let ran = clone.run_with(&["check", "-"], &text, &[]);
    assert!(ran.stdout.contains("2 unchecked"), "{}", ran.shown());
    let folder = Folder::new(&[("digest-gate.yml", "version: 1\nmax-digest-age: 90d\n"), (FILE, &text)]);
    let ran = folder.run(&["check"]);
    assert!(ran.stdout.contains("lies in no git repository") && ran.stdout.contains("2 unchecked"), "{}", ran.shown());
}
