//! The one pull request: which requests make it, update it and close it, and what happens when something is in the way.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use digest_gate::github::{Client, Fate, File, Patience, ProposeError, Proposed, PullRequest, Repository, propose};

use crate::standin::{Fault, Standin};

const TOKEN: &str = "ghs_notARealTokenButSecret";
const BRANCH: &str = "digest-gate/refresh";
const OLD: &str = "services:\r\n  web: {image: 'nginx:1.27'}\r\n";

fn text(digest: char) -> String {
    OLD.replace("1.27", &format!("1.27@sha256:{}", digest.to_string().repeat(64)))
}

fn wanted(digest: char) -> PullRequest {
    PullRequest {
        branch: BRANCH.to_owned(),
        base: None,
        title: "Refresh 1 image digest: CVE-2026-1".to_owned(),
        message: format!("Refresh 1 image digest: CVE-2026-1\n\nnginx {digest}\n\nReason: x\nDigest-Gate: refresh\n"),
        body: format!("| image |\n|---|\n| nginx {digest} |\n"),
        labels: Vec::new(),
        reviewers: Vec::new(),
        files: vec![File { path: "deploy/prod/compose.yml".to_owned(), before: OLD.to_owned(), after: text(digest) }],
    }
}

fn nothing() -> PullRequest {
    PullRequest { files: Vec::new(), ..wanted('0') }
}

/// A repository with a manifest, and an API in front of it.
fn start(faults: impl IntoIterator<Item = (usize, Fault)>) -> Standin {
    let standin = Standin::start(faults);
    standin.repository(|it| {
        let files = [("deploy/prod/compose.yml", OLD), ("100755 deploy.sh", "#!/bin/sh\n"), ("README.md", "é\n")];
        it.push("main", "octocat", "a manifest", &files);
    });
    standin
}

struct Ran {
    proposed: Result<Proposed, ProposeError>,
    pauses: Vec<u64>,
}

fn run(standin: &Standin, wanted: &PullRequest) -> Ran {
    let pauses = Arc::new(Mutex::new(Vec::new()));
    let patience = Patience {
        pause: {
            let pauses = Arc::clone(&pauses);
            Arc::new(move |time: Duration| pauses.lock().unwrap().push(time.as_secs()))
        },
        ..Patience::default()
    };
    let client = Client::with_patience(&standin.url(), TOKEN, &BTreeMap::new(), patience).unwrap();
    let proposed = propose(&client, &Repository::parse("Codertocat/Hello-World").unwrap(), wanted);
    assert!(!format!("{proposed:?}").contains(TOKEN));
    let pauses = pauses.lock().unwrap().clone();
    Ran { proposed, pauses }
}

fn fate(standin: &Standin, wanted: &PullRequest) -> Fate {
    run(standin, wanted).proposed.unwrap().fate
}

/// Requests in short, with the names of objects left away.
fn sequence(standin: &Standin) -> Vec<String> {
    let is_id = |part: &&str| part.len() == 40 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let short = |line: String| {
        let parts = line.split('/').map(|part| if is_id(&part) || part.contains("...") { "_" } else { part });
        parts.collect::<Vec<_>>().join("/")
    };
    standin.sequence().into_iter().map(short).collect()
}

const LOOK: [&str; 2] = ["GET /repos/Codertocat/Hello-World", "GET git/ref/heads/digest-gate/refresh"];
const BASE: &str = "GET git/ref/heads/main";
const READ: [&str; 4] = ["GET git/commits/_", "GET git/trees/_", "GET git/trees/_", "GET git/trees/_"];
const WRITE: [&str; 3] = ["POST git/blobs", "POST git/trees", "POST git/commits"];
const AGAIN: [&str; 3] = [BASE, "GET compare/_", "GET pulls"];

fn first() -> Vec<&'static str> {
    [&LOOK[..], &[BASE], &READ, &WRITE, &["POST git/refs", "POST pulls"]].concat()
}

/// The number of a request of the first run, 1-based.
fn number(request: &str) -> usize {
    first().iter().position(|it| *it == request).unwrap() + 1
}

/// Asserts that there is one open pull request with one commit that holds these bytes.
fn assert_there(standin: &Standin, digest: char) {
    standin.repository(|it| {
        let open = it.open();
        assert_eq!(open.len(), 1);
        let wanted = wanted(digest);
        assert_eq!((&open[0].title, &open[0].body), (&wanted.title, &wanted.body));
        assert_eq!((open[0].head.as_str(), open[0].base.as_str()), (BRANCH, "main"));
        assert_eq!(it.text(BRANCH, "deploy/prod/compose.yml"), text(digest));
        let commit = &it.commits[&it.branches[BRANCH]];
        assert_eq!(commit.parents, [it.branches["main"].clone()]);
        assert_eq!(commit.message, wanted.message);
        let (before, mut after) = (it.files(&it.branches["main"]), it.files(&it.branches[BRANCH]));
        after.insert("deploy/prod/compose.yml".to_owned(), before["deploy/prod/compose.yml"].clone());
        assert_eq!(before, after, "nothing else changed");
    });
}

#[test]
fn the_first_one_is_opened() {
    let standin = start([]);
    let proposed = run(&standin, &wanted('1')).proposed.unwrap();
    let url = "https://github.com/Codertocat/Hello-World/pull/3".to_owned();
    let commit = standin.repository(|it| it.branches.get(BRANCH).cloned());
    assert!(commit.is_some());
    assert_eq!(proposed, Proposed { fate: Fate::Opened, number: Some(3), url: Some(url), commit, notices: vec![] });
    assert_eq!(sequence(&standin), first());
    assert_there(&standin, '1');
    let requests = standin.requests();
    let commit = &requests[number("POST git/commits") - 1].body;
    assert!(commit.get("author").is_none() && commit.get("committer").is_none(), "GitHub signs what names nobody");
}

#[test]
fn nothing_is_sent_twice() {
    let standin = start([]);
    run(&standin, &wanted('1')).proposed.unwrap();
    standin.forget();
    assert_eq!(fate(&standin, &wanted('1')), Fate::Unchanged);
    assert_eq!(sequence(&standin), [&LOOK[..], &AGAIN].concat());
    // The base goes on with other files: the proposal is the same.
    standin.repository(|it| it.push("main", "octocat", "more", &[("README.md", "more\n")]));
    standin.forget();
    assert_eq!(fate(&standin, &wanted('1')), Fate::Unchanged);
    assert_eq!(sequence(&standin), [&LOOK[..], &AGAIN].concat());
}

#[test]
fn it_is_updated_in_place() {
    let standin = start([]);
    run(&standin, &wanted('1')).proposed.unwrap();
    standin.forget();
    let proposed = run(&standin, &wanted('2')).proposed.unwrap();
    let commit = standin.repository(|it| it.branches.get(BRANCH).cloned());
    assert_eq!((proposed.fate, proposed.number, proposed.commit), (Fate::Updated, Some(3), commit));
    let replace =
        ["GET git/ref/heads/digest-gate/refresh", "PATCH git/refs/heads/digest-gate/refresh", "PATCH pulls/3"];
    assert_eq!(sequence(&standin), [&LOOK[..], &AGAIN, &READ, &WRITE, &replace].concat());
    assert_eq!(standin.requests().last().unwrap().body, serde_json::json!({ "body": wanted('2').body }));
    assert_there(&standin, '2');

    // Words alone need no commit.
    standin.forget();
    let other = PullRequest { title: "Refresh".to_owned(), ..wanted('2') };
    assert_eq!(fate(&standin, &other), Fate::Updated);
    assert_eq!(sequence(&standin), [&LOOK[..], &AGAIN, &["PATCH pulls/3"]].concat());
}

#[test]
fn a_base_that_moved_on_in_the_same_file_is_built_upon() {
    let standin = start([]);
    run(&standin, &wanted('1')).proposed.unwrap();
    let more = |text: &str| format!("{text}# more\r\n");
    standin.repository(|it| it.push("main", "octocat", "more", &[("deploy/prod/compose.yml", &more(OLD))]));
    let error = run(&standin, &wanted('2')).proposed.unwrap_err();
    let path = "deploy/prod/compose.yml".to_owned();
    assert_eq!(error, ProposeError::Moved { path, base: "main".to_owned() });
    assert!(error.to_string().ends_with("check out `main` and run again"), "{error}");
    let mut next = wanted('1');
    next.files[0].before = more(OLD);
    next.files[0].after = more(&text('1'));
    assert_eq!(fate(&standin, &next), Fate::Updated);
    standin.repository(|it| {
        assert_eq!(it.text(BRANCH, "deploy/prod/compose.yml"), more(&text('1')));
        assert_eq!(it.commits[&it.branches[BRANCH]].parents, [it.branches["main"].clone()]);
    });
}

#[test]
fn it_is_closed_when_nothing_is_left() {
    let standin = start([]);
    assert_eq!(fate(&standin, &nothing()), Fate::Nothing);
    assert_eq!(sequence(&standin), LOOK);
    run(&standin, &wanted('1')).proposed.unwrap();
    standin.forget();
    let proposed = run(&standin, &nothing()).proposed.unwrap();
    assert_eq!((proposed.fate, proposed.number, proposed.commit), (Fate::Closed, Some(3), None));
    let close = [
        "GET issues/3/comments",
        "POST issues/3/comments",
        "PATCH pulls/3",
        "DELETE git/refs/heads/digest-gate/refresh",
    ];
    assert_eq!(sequence(&standin), [&LOOK[..], &AGAIN, &close].concat());
    standin.repository(|it| {
        assert!(it.open().is_empty() && !it.branches.contains_key(BRANCH));
        assert_eq!(it.comments.len(), 1);
        assert!(it.comments[0].body.contains("Nothing is left to change"));
    });
    standin.forget();
    assert_eq!(fate(&standin, &nothing()), Fate::Nothing);
    assert_eq!(sequence(&standin), LOOK);
    // Merged by hand, and the branch left behind: it goes.
    run(&standin, &wanted('2')).proposed.unwrap();
    standin.repository(|it| {
        it.push("main", "octocat", "merged", &[("deploy/prod/compose.yml", &text('2'))]);
        it.pulls.iter_mut().for_each(|pull| pull.is_open = false);
    });
    assert_eq!(fate(&standin, &nothing()), Fate::Nothing);
    assert!(!standin.repository(|it| it.branches.contains_key(BRANCH)));
}

#[test]
fn the_work_of_others_is_not_overwritten() {
    let standin = start([]);
    run(&standin, &wanted('1')).proposed.unwrap();
    let theirs = standin.repository(|it| it.push(BRANCH, "mona\u{1b}[31m", "by hand", &[("README.md", "mine\n")]));
    standin.forget();
    let error = run(&standin, &wanted('2')).proposed.unwrap_err();
    let expected = format!(
        "`{BRANCH}` holds commit {} of mona [31m, which digest-gate did not make and does not overwrite; merge it, or \
         delete the branch and run again",
        &theirs[..12]
    );
    assert_eq!(error.to_string(), expected);
    assert_eq!(sequence(&standin), [&LOOK[..], &AGAIN].concat());
    // With nothing left it stays, too.
    let proposed = run(&standin, &nothing()).proposed.unwrap();
    assert_eq!((proposed.fate, proposed.notices.len()), (Fate::Unchanged, 1));
    assert!(proposed.notices[0].starts_with("nothing is left to change, and `digest-gate/refresh` holds commit"));
    standin.repository(|it| assert_eq!((it.open().len(), &it.branches[BRANCH]), (1, &theirs)));

    // Below one of ours, and without any ancestor in common.
    standin.repository(|it| it.push(BRANCH, "mona", &wanted('1').message, &[("README.md", "again\n")]));
    assert!(matches!(run(&standin, &wanted('2')).proposed, Err(ProposeError::Foreign { .. })));
    standin.repository(|it| {
        it.branches.remove(BRANCH);
        it.push(BRANCH, "mona", &wanted('1').message, &[("a", "b")]);
    });
    assert!(matches!(run(&standin, &wanted('2')).proposed, Err(ProposeError::Foreign { .. })));
    // More commits than one page of the comparison shows.
    standin.repository(|it| {
        it.branches.insert(BRANCH.to_owned(), it.branches["main"].clone());
        for number in 0..101 {
            it.push(BRANCH, "mona", &wanted('1').message, &[("README.md", &number.to_string())]);
        }
    });
    assert!(matches!(run(&standin, &wanted('2')).proposed, Err(ProposeError::Foreign { .. })));
}

#[test]
fn a_branch_that_moves_meanwhile_is_not_overwritten() {
    let standin = start([]);
    run(&standin, &wanted('1')).proposed.unwrap();
    // The look before the move, as if somebody had deleted the branch by then.
    let number = 2 * LOOK.len() + AGAIN.len() + READ.len() + WRITE.len() - 1;
    let moved = start([(first().len() + number, Fault::Status(404, vec![]))]);
    run(&moved, &wanted('1')).proposed.unwrap();
    let error = run(&moved, &wanted('2')).proposed.unwrap_err();
    assert_eq!(error, ProposeError::BranchMoved { branch: BRANCH.to_owned() });
    assert_there(&moved, '1');
}

#[test]
fn the_branch_is_never_that_of_others() {
    let standin = start([]);
    for branch in ["main", "release"] {
        let base = (branch == "release").then(|| branch.to_owned());
        let error =
            run(&standin, &PullRequest { branch: branch.to_owned(), base, ..wanted('1') }).proposed.unwrap_err();
        assert_eq!(error, ProposeError::Branch { branch: branch.to_owned() });
    }
    let elsewhere = PullRequest { base: Some("release/%1".to_owned()), ..wanted('1') };
    let error = run(&standin, &elsewhere).proposed.unwrap_err();
    assert_eq!(error, ProposeError::NoBase { base: "release/%1".to_owned() });
    assert!(sequence(&standin).iter().all(|request| request.starts_with("GET ")));
}

#[test]
fn another_base_is_followed() {
    let standin = start([]);
    run(&standin, &wanted('1')).proposed.unwrap();
    standin.repository(|it| it.branches.insert("release".to_owned(), it.branches["main"].clone()));
    standin.forget();
    let release = PullRequest { base: Some("release".to_owned()), ..wanted('1') };
    assert_eq!(fate(&standin, &release), Fate::Updated);
    assert_eq!(standin.requests().last().unwrap().body, serde_json::json!({ "base": "release" }));
    assert_eq!(standin.repository(|it| it.open()[0].base.clone()), "release");
}

#[test]
fn modes_are_kept_and_what_is_no_file_is_refused() {
    let standin = start([]);
    let file = |path: &str| File {
        path: path.to_owned(),
        before: "#!/bin/sh\n".to_owned(),
        after: "#!/bin/sh\n:\n".to_owned(),
    };
    let of = |path: &str| PullRequest { files: vec![file(path)], ..wanted('1') };
    assert_eq!(fate(&standin, &of("deploy.sh")), Fate::Opened);
    standin.repository(|it| {
        assert_eq!(it.files(&it.branches[BRANCH])["deploy.sh"], ("100755".to_owned(), b"#!/bin/sh\n:\n".to_vec()));
        let links = [("120000 link", "deploy.sh"), ("120000 folder", "deploy"), ("160000 module", "")];
        it.push("main", "octocat", "links", &links);
    });
    for (path, what) in [
        ("link", "is or lies behind a symbolic link"),
        ("folder/prod/compose.yml", "is or lies behind a symbolic link"),
        ("module", "lies in a submodule"),
        ("module/a.yml", "lies in a submodule"),
        ("deploy", "is no file"),
        ("deploy.sh/x", "is no file"),
        ("deploy/x", "is not there"),
        ("", "is not there"),
    ] {
        let error = run(&standin, &of(path)).proposed.unwrap_err();
        assert_eq!(error, ProposeError::NotAFile { path: path.to_owned(), base: "main".to_owned(), what });
    }
}

#[test]
fn a_file_that_is_not_there_is_made() {
    let standin = start([]);
    let file = |path: &str| File { path: path.to_owned(), before: String::new(), after: "version: 1\n".to_owned() };
    let mut wanted = wanted('1');
    wanted.files.extend([file("holds.yml"), file("new/folder/holds.yml")]);
    assert_eq!(fate(&standin, &wanted), Fate::Opened);
    standin.repository(|it| {
        let files = it.files(&it.branches[BRANCH]);
        assert_eq!(files["new/folder/holds.yml"], ("100644".to_owned(), b"version: 1\n".to_vec()));
        assert_eq!(files.len(), 5);
    });
    assert_eq!(fate(&standin, &wanted), Fate::Unchanged);
    // Somebody else made one meanwhile.
    wanted.files[1].path = "README.md".to_owned();
    assert!(matches!(run(&standin, &wanted).proposed, Err(ProposeError::Moved { .. })));
}

#[test]
fn a_checkout_with_other_line_ends_changes_none() {
    let standin = start([]);
    standin.repository(|it| it.push("main", "octocat", "unix", &[("a.yml", "image: a\nb: c\n")]));
    let file = File {
        path: "a.yml".to_owned(),
        before: "image: a\r\nb: c\r\n".to_owned(),
        after: "image: a@d\r\nb: c\r\n".to_owned(),
    };
    let wanted = PullRequest { files: vec![file], ..wanted('1') };
    assert_eq!(fate(&standin, &wanted), Fate::Opened);
    assert_eq!(standin.repository(|it| it.text(BRANCH, "a.yml")), "image: a@d\nb: c\n");
    assert_eq!(fate(&standin, &wanted), Fate::Unchanged);
}

#[test]
fn many_files_are_written_slowly() {
    let standin = start([]);
    let names: Vec<String> = (0..13).map(|number| format!("deploy/{number}.yml")).collect();
    let there: Vec<_> = names.iter().map(|name| (name.as_str(), OLD)).collect();
    standin.repository(|it| it.push("main", "octocat", "many", &there));
    let files =
        names.iter().map(|name| File { path: name.clone(), before: OLD.to_owned(), after: text('1') }).collect();
    let ran = run(&standin, &PullRequest { files, ..wanted('1') });
    assert_eq!(ran.proposed.unwrap().fate, Fate::Opened);
    assert_eq!(ran.pauses, [1, 1, 1]);
    let reads = sequence(&standin).iter().filter(|request| request.starts_with("GET git/trees")).count();
    assert_eq!(reads, 2, "a folder is read once");
}

#[test]
fn labels_and_reviewers_are_asked_for_and_lose_nothing() {
    let with = |labels: &[&str], reviewers: &[&str]| PullRequest {
        labels: labels.iter().map(|it| (*it).to_owned()).collect(),
        reviewers: reviewers.iter().map(|it| (*it).to_owned()).collect(),
        ..wanted('1')
    };
    let standin = start([]);
    let wanted = with(&["security", "images"], &["octocat", "org/ops"]);
    let proposed = run(&standin, &wanted).proposed.unwrap();
    assert_eq!((proposed.fate, proposed.notices), (Fate::Opened, vec![]));
    let asked = ["POST issues/3/labels", "POST pulls/3/requested_reviewers"];
    assert_eq!(sequence(&standin), [&first()[..], &asked].concat());
    standin.repository(|it| {
        assert_eq!(it.open()[0].labels, ["security", "images"]);
        assert_eq!(it.open()[0].reviewers, ["octocat", "ops"]);
        // A label that somebody took away comes back; nobody is asked again.
        it.pulls[0].labels.remove(0);
    });
    standin.forget();
    assert_eq!(fate(&standin, &with(&["Security", "Images"], &["octocat"])), Fate::Unchanged);
    assert_eq!(sequence(&standin), [&LOOK[..], &AGAIN, &["POST issues/3/labels"]].concat());
    assert_eq!(standin.requests().last().unwrap().body, serde_json::json!({ "labels": ["Security"] }));

    // One name nobody knows does not lose the others.
    let standin = start([]);
    let proposed = run(&standin, &with(&[], &["octocat", "nobody", "org/ops"])).proposed.unwrap();
    assert_eq!(proposed.fate, Fate::Opened);
    assert_eq!(proposed.notices.len(), 1);
    assert!(proposed.notices[0].starts_with("no review could be asked of nobody: POST "), "{:?}", proposed.notices);
    assert_eq!(standin.repository(|it| it.open()[0].reviewers.clone()), ["octocat", "ops"]);

    let refused = |number| (first().len() + number, Fault::Status(403, vec![]));
    let standin = start([refused(1), refused(2)]);
    let proposed = run(&standin, &wanted).proposed.unwrap();
    assert_eq!((proposed.fate, proposed.notices.len()), (Fate::Opened, 2));
    assert!(proposed.notices[0].starts_with("the labels could not be added: POST "), "{:?}", proposed.notices);
}

#[test]
fn a_token_that_only_reads_is_told_what_it_lacks() {
    for status in [401, 403, 404] {
        for request in ["POST git/blobs", "POST git/trees", "POST git/commits", "POST git/refs", "POST pulls"] {
            let standin = start([(number(request), Fault::Status(status, vec![]))]);
            let error = run(&standin, &wanted('1')).proposed.unwrap_err().to_string();
            assert!(error.contains("give the job `contents: write` and `pull-requests: write`"), "{error}");
            assert!(error.contains(&format!("status {status}")), "{error}");
            let setting = error.contains("`Allow GitHub Actions to create and approve pull requests`");
            assert_eq!(setting, request == "POST pulls", "{error}");
            assert_eq!(sequence(&standin).last().unwrap(), request);
        }
        let standin = start([(1, Fault::Status(status, vec![]))]);
        let error = run(&standin, &wanted('1')).proposed.unwrap_err().to_string();
        assert!(
            error.starts_with("the token may not read the repository (GET /repos/Codertocat/Hello-World"),
            "{error}"
        );
    }
    let standin = start([(number("POST git/trees"), Fault::Status(404, vec![]))]);
    let path = ".github/workflows/a.yml";
    standin.repository(|it| it.push("main", "octocat", "a workflow", &[(path, OLD)]));
    let file = File { path: path.to_owned(), before: OLD.to_owned(), after: text('1') };
    let error = run(&standin, &PullRequest { files: vec![file], ..wanted('1') }).proposed.unwrap_err().to_string();
    assert!(error.contains("files below `.github/workflows` need an app's token with `workflows: write`"), "{error}");
}

#[test]
fn after_the_setting_is_turned_on_the_pull_request_is_opened() {
    let standin = start([(number("POST pulls"), Fault::Status(403, vec![]))]);
    let error = run(&standin, &wanted('1')).proposed.unwrap_err().to_string();
    assert!(error.contains("the branch is there, so that the pull request can be opened by hand as well"), "{error}");
    standin.forget();
    // Numbers of requests begin anew: the fault would strike again.
    let again = start([]);
    run(&again, &wanted('1')).proposed.unwrap();
    again.repository(|it| it.pulls.clear());
    again.forget();
    assert_eq!(fate(&again, &wanted('1')), Fate::Opened);
    assert_eq!(sequence(&again), [&LOOK[..], &AGAIN, &["POST pulls"]].concat());
    assert_there(&again, '1');
}

#[test]
fn rules_of_the_repository_are_named() {
    for status in [409, 422] {
        let standin = start([(number("POST git/refs"), Fault::Status(status, vec![]))]);
        let error = run(&standin, &wanted('1')).proposed.unwrap_err();
        assert!(matches!(&error, ProposeError::Protected { branch, .. } if branch == BRANCH), "{error}");
        assert!(error.to_string().ends_with("or name another one with `refresh.branch`"), "{error}");
    }
    for request in ["GET git/commits/_", "POST git/trees", "POST pulls"] {
        let standin = start([(number(request), Fault::Status(409, vec![]))]);
        let error = run(&standin, &wanted('1')).proposed.unwrap_err().to_string();
        assert!(error.starts_with("no pull request: ") && error.contains("status 409"), "{error}");
    }
}

#[test]
fn rate_limits_are_waited_for() {
    for at in 1..=first().len() {
        let limited = Fault::Status(429, vec![("retry-after", "7".to_owned())]);
        let standin = start([(at, limited)]);
        let ran = run(&standin, &wanted('1'));
        assert_eq!(ran.proposed.unwrap().fate, Fate::Opened);
        assert_eq!(ran.pauses, [7]);
        assert_eq!(standin.requests().len(), first().len() + 1);
        assert_there(&standin, '1');
    }
}

#[test]
fn nothing_is_made_twice_when_an_answer_is_lost() {
    let faults = [
        Fault::Dropped { done: true },
        Fault::Dropped { done: false },
        Fault::BadGateway { done: true },
        Fault::BadGateway { done: false },
    ];
    for fault in &faults {
        for at in 1..=first().len() {
            let standin = start([(at, fault.clone())]);
            assert_eq!(fate(&standin, &wanted('1')), Fate::Opened, "{fault:?} {at}");
            assert_there(&standin, '1');
            assert_eq!(standin.repository(|it| it.pulls.len()), 1);
        }
        // An update: the move of the branch, then the words.
        for at in first().len() + 1..=first().len() + 15 {
            let standin = start([(at, fault.clone())]);
            run(&standin, &wanted('1')).proposed.unwrap();
            assert_eq!(fate(&standin, &wanted('2')), Fate::Updated, "{fault:?} {at}");
            assert_there(&standin, '2');
        }
        // A closing: the comment, the state, the branch.
        for at in first().len() + 1..=first().len() + 9 {
            let standin = start([(at, fault.clone())]);
            run(&standin, &wanted('1')).proposed.unwrap();
            assert_eq!(fate(&standin, &nothing()), Fate::Closed, "{fault:?} {at}");
            standin.repository(|it| {
                assert!(it.open().is_empty() && !it.branches.contains_key(BRANCH));
                assert_eq!(it.comments.len(), 1, "{fault:?} {at}");
            });
        }
    }
}

#[test]
fn the_comment_of_a_stranger_is_not_taken_for_ours() {
    let standin = start([]);
    run(&standin, &wanted('1')).proposed.unwrap();
    standin.repository(|it| {
        it.comments.push(crate::standin::Comment {
            pull: 3,
            body: "<!-- digest-gate/closed -->\nhello".to_owned(),
            author: ("User", "NONE"),
            at: None,
        });
    });
    assert_eq!(fate(&standin, &nothing()), Fate::Closed);
    assert_eq!(standin.repository(|it| it.comments.len()), 2);
}
