//! Review suggestions and the sticky comment: what is posted, what is not, and what is not posted twice.

use std::collections::BTreeMap;
use std::sync::Arc;

use digest_gate::github::{Client, Commented, Patience, Repository, Suggested, Suggestion, sticky, suggest};

use crate::standin::{Comment, Fault, Standin};

const TOKEN: &str = "ghs_notARealTokenButSecret";
const SHA: &str = "ec26c3e57ca3a959ca5aad62de7213c562f8c821";
const PATCH: &str = "@@ -1,3 +1,5 @@\n services:\n-  web: {image: a}\n+  web: {image: b}\n+  `x`: {image: c}\r\n+  y: {image: d}\n # end";

fn client(standin: &Standin) -> Client {
    let patience = Patience { pause: Arc::new(|_| ()), ..Patience::default() };
    Client::with_patience(&standin.url(), TOKEN, &BTreeMap::new(), patience).unwrap()
}

fn place() -> Repository {
    Repository::parse("Codertocat/Hello-World").unwrap()
}

fn suggestion(path: &str, line: u32, before: &str) -> Suggestion {
    Suggestion {
        path: path.to_owned(),
        line,
        before: before.to_owned(),
        after: before.replace('}', "@sha256:0}"),
        message: "`b` has no digest, @user".to_owned(),
    }
}

fn start(faults: impl IntoIterator<Item = (usize, Fault)>) -> Standin {
    let standin = Standin::start(faults);
    standin.repository(|it| {
        it.patches = vec![("a.yml".to_owned(), Some(PATCH.to_owned())), ("huge.yml".to_owned(), None)];
    });
    standin
}

fn run(standin: &Standin, suggestions: &[Suggestion]) -> Suggested {
    let suggested = suggest(&client(standin), &place(), 2, SHA, suggestions);
    assert!(!format!("{suggested:?}").contains(TOKEN));
    suggested
}

const FILES: &str = "GET pulls/2/files";
const STANDING: &str = "GET pulls/2/comments";
const REVIEW: &str = "POST pulls/2/reviews";

fn posted(posted: usize, standing: usize, outside: usize, left: usize) -> Suggested {
    Suggested::Posted { posted, standing, outside, left }
}

#[test]
fn one_review_carries_what_is_inside_of_the_diff() {
    let standin = start([]);
    let suggestions = [
        suggestion("a.yml", 2, "  web: {image: b}"),
        // The checkout has lines that the pull request does not: the text tells.
        suggestion("a.yml", 40, "  y: {image: d}"),
        suggestion("a.yml", 3, "  `x`: {image: c}\r"),
        suggestion("a.yml", 9, "  other: {image: e}"),
        suggestion("a.yml", 2, "  web: {image: a}"),
        suggestion("huge.yml", 1, "x: {image: y}"),
        suggestion("elsewhere.yml", 1, "x: {image: y}"),
    ];
    assert_eq!(run(&standin, &suggestions), posted(3, 0, 4, 0));
    assert_eq!(standin.sequence(), [FILES, STANDING, REVIEW]);
    let review = standin.repository(|it| it.reviews[0].clone());
    insta::with_settings!({ snapshot_path => "../../snapshots", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("github-review", format!("{review:#}"));
    });
}

#[test]
fn nothing_is_suggested_twice() {
    let standin = start([]);
    let both = [suggestion("a.yml", 2, "  web: {image: b}"), suggestion("a.yml", 4, "  y: {image: d}")];
    assert_eq!(run(&standin, &both[..1]), posted(1, 0, 0, 0));
    assert_eq!(run(&standin, &both), posted(1, 1, 0, 0));
    standin.forget();
    assert_eq!(run(&standin, &both), posted(0, 2, 0, 0));
    assert_eq!(standin.sequence(), [FILES, STANDING]);
    // The next push moved the line, so that the comment is out of date; another one has new digests.
    standin.repository(|it| it.comments[0].at.as_mut().unwrap().1 = None);
    let mut newer = both.clone();
    newer[1].after = newer[1].after.replace("sha256:0", "sha256:1");
    assert_eq!(run(&standin, &newer), posted(2, 0, 0, 0));
    assert_eq!(standin.repository(|it| it.comments.len()), 4);
}

#[test]
fn there_is_a_limit_and_it_is_said() {
    let lines: Vec<String> = (1..=50).map(|number| format!("  s{number}: {{image: x}}")).collect();
    let patch = format!("@@ -0,0 +1,50 @@\n+{}", lines.join("\n+"));
    let standin = start([]);
    standin.repository(|it| it.patches.push(("b.yml".to_owned(), Some(patch))));
    let all: Vec<_> = (1..).zip(&lines).map(|(number, line)| suggestion("b.yml", number, line)).collect();
    assert_eq!(run(&standin, &all), posted(20, 0, 0, 30));
    let body = standin.repository(|it| it.reviews[0]["body"].as_str().unwrap().to_owned());
    assert_eq!(body, "digest-gate suggests 20 digests. 30 suggestions more come when these are taken over.");
    assert_eq!(run(&standin, &all), posted(0, 20, 0, 30));
    // Eight are taken over: their comments are out of date, and their lines are done.
    standin.repository(|it| it.comments.iter_mut().take(8).for_each(|it| it.at.as_mut().unwrap().1 = None));
    assert_eq!(run(&standin, &all[8..]), posted(8, 12, 0, 22));
}

#[test]
fn without_suggestions_nothing_is_asked() {
    let standin = start([]);
    assert_eq!(run(&standin, &[]), posted(0, 0, 0, 0));
    assert!(standin.requests().is_empty());
    assert_eq!(run(&standin, &[suggestion("b.yml", 1, "x")]), posted(0, 0, 1, 0));
    assert_eq!(standin.sequence(), [FILES]);
}

#[test]
fn many_files_are_listed_page_by_page() {
    let standin = start([]);
    standin.repository(|it| {
        let more = (0..250).map(|number| (format!("{number}.txt"), None));
        it.patches = more.chain([("z.yml".to_owned(), Some(PATCH.to_owned()))]).collect();
    });
    assert_eq!(run(&standin, &[suggestion("z.yml", 2, "  web: {image: b}")]), posted(1, 0, 0, 0));
    assert_eq!(standin.sequence(), [FILES, FILES, FILES, STANDING, REVIEW]);
}

#[test]
fn a_diff_that_changed_meanwhile_loses_only_what_does_not_fit() {
    let both = [suggestion("a.yml", 2, "  web: {image: b}"), suggestion("a.yml", 4, "  y: {image: d}")];
    // The review is refused as a whole; then one of its comments, and the other one fits.
    let refused = || Fault::Status(422, vec![]);
    let standin = start([(3, refused()), (4, refused())]);
    assert_eq!(run(&standin, &both), posted(1, 0, 1, 0));
    assert_eq!(standin.sequence(), [FILES, STANDING, REVIEW, REVIEW, REVIEW]);
    let standin = start([(3, refused())]);
    assert_eq!(run(&standin, &both[..1]), posted(0, 0, 1, 0));
    assert_eq!(standin.sequence(), [FILES, STANDING, REVIEW]);
}

#[test]
fn a_token_that_only_reads_is_no_failure() {
    let one = [suggestion("a.yml", 2, "  web: {image: b}")];
    for status in [401, 403, 404] {
        let standin = start([(3, Fault::Status(status, vec![]))]);
        assert_eq!(run(&standin, &one), Suggested::ReadOnly { status });
        // What cannot be read is another matter.
        let standin = start([(1, Fault::Status(status, vec![]))]);
        let Suggested::Failed { message } = run(&standin, &one) else { panic!("{status}") };
        assert!(message.starts_with("no suggestions: GET "), "{message}");
    }
}

#[test]
fn a_review_is_not_posted_twice_when_its_answer_is_lost() {
    let one = [suggestion("a.yml", 2, "  web: {image: b}")];
    for done in [true, false] {
        for fault in [Fault::Dropped { done }, Fault::BadGateway { done }] {
            for at in 1..=3 {
                let standin = start([(at, fault.clone())]);
                assert_eq!(run(&standin, &one), posted(1, 0, 0, 0), "{fault:?} {at}");
                assert_eq!(standin.repository(|it| it.comments.len()), 1, "{fault:?} {at}");
            }
        }
    }
}

// ---- the sticky comment ----

fn say(standin: &Standin, text: &str) -> Commented {
    sticky(&client(standin), &place(), 2, "digest-gate report", text)
}

fn said(id: usize) -> Commented {
    Commented::Posted { url: format!("https://github.com/Codertocat/Hello-World/pull/2#{id}") }
}

#[test]
fn a_comment_is_updated_in_place() {
    let standin = start([]);
    assert_eq!(say(&standin, "first"), said(0));
    assert_eq!(say(&standin, "second"), said(0));
    assert_eq!(say(&standin, "second\n"), said(0));
    let (list, create, change) = ("GET issues/2/comments", "POST issues/2/comments", "PATCH issues/comments/1000");
    assert_eq!(standin.sequence(), [list, create, list, change, list]);
    assert_eq!(
        standin.repository(|it| it.comments[0].body.clone()),
        "<!-- digest-gate: digest_gate report -->\nsecond"
    );
    // Another job has a comment of its own.
    let other = sticky(&client(&standin), &place(), 2, "--> staging", "third");
    assert_eq!(other, said(1));
    assert_eq!(standin.repository(|it| it.comments[1].body.clone()), "<!-- digest-gate: ___ staging -->\nthird");
}

#[test]
fn the_comment_of_a_stranger_is_left_alone() {
    let standin = start([]);
    let body = "<!-- digest-gate: digest_gate report -->\nall is well".to_owned();
    standin.repository(|it| {
        for author in [("User", "NONE"), ("User", "CONTRIBUTOR"), ("User", "FIRST_TIMER")] {
            it.comments.push(Comment { pull: 2, body: body.clone(), author, at: None });
        }
    });
    assert_eq!(say(&standin, "it is not"), said(3));
    assert!(standin.repository(|it| it.comments[..3].iter().all(|comment| comment.body == body)));
    // Somebody of the repository, whose token was used.
    standin.repository(|it| it.comments[3].author = ("User", "MEMBER"));
    assert_eq!(say(&standin, "it is now"), said(3));
}

#[test]
fn a_comment_is_not_posted_twice_and_its_failure_is_said() {
    for done in [true, false] {
        for fault in [Fault::Dropped { done }, Fault::BadGateway { done }] {
            for at in 1..=4 {
                let standin = start([(at, fault.clone())]);
                assert_eq!((say(&standin, "a"), say(&standin, "b")), (said(0), said(0)));
                let bodies = standin.repository(|it| it.comments.iter().map(|it| it.body.clone()).collect::<Vec<_>>());
                assert_eq!(bodies, ["<!-- digest-gate: digest_gate report -->\nb"], "{fault:?} {at}");
            }
        }
    }
    let standin = start([(2, Fault::Status(403, vec![]))]);
    assert_eq!(say(&standin, "a"), Commented::ReadOnly { status: 403 });
    let standin = start([(1, Fault::Status(404, vec![]))]);
    assert!(matches!(say(&standin, "a"), Commented::Failed { .. }));
}
