//! The GitHub door: what events say, and which requests a check run makes when all goes well and when it does not.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use digest_gate::github::{Client, Event, EventError, Outcome, Patience, publish};
use digest_gate::report::check_run::{AnnotationLevel, CheckAnnotation, CheckRunOutput};
use serde_json::{Value, json};

use crate::standin::{Fault, Standin, github_api};
use crate::tls;

const TOKEN: &str = "ghs_notARealTokenButSecret";
const SHA: &str = "ec26c3e57ca3a959ca5aad62de7213c562f8c821";
const CREATE: &str = "POST check-runs in_progress";
const DONE: &str = "PATCH check-runs/100 completed";
const LOOK: &str = "GET commits/ec26c3e57ca3a959ca5aad62de7213c562f8c821/check-runs";
const COUNT: &str = "GET check-runs/100";

// ---- events ----

fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// The runner's variables: `GITHUB_SHA` is a commit that no payload names.
fn runner() -> BTreeMap<String, String> {
    variables(&[
        ("GITHUB_SHA", "1111111111111111111111111111111111111111"),
        ("GITHUB_RUN_ID", "1658821493"),
        ("GITHUB_RUN_ATTEMPT", "2"),
        ("GITHUB_ACTOR", "octocat"),
    ])
}

/// A payload of GitHub's examples, unless they are not at hand.
fn payload(name: &str) -> Option<Value> {
    let text = fs::read_to_string(github_api()?.join("webhooks").join(name)).unwrap();
    Some(serde_json::from_str(&text).unwrap())
}

fn parse(name: &str, payload: &Value) -> Result<Event, EventError> {
    Event::parse(name, &payload.to_string(), &runner())
}

#[test]
fn a_pull_request_is_reported_on_its_head() {
    for file in ["pull_request.opened.json", "pull_request.synchronize.json"] {
        let Some(payload) = payload(file) else { return };
        for name in ["pull_request", "pull_request_target", "pull_request_review"] {
            let event = parse(name, &payload).unwrap();
            assert_eq!(event.sha, payload["pull_request"]["head"]["sha"], "{file} {name}");
            assert_eq!(event.base_sha.as_deref(), payload["pull_request"]["base"]["sha"].as_str());
            assert_eq!(event.pull_request, Some(2));
            assert_eq!((event.owner.as_str(), event.repository.as_str()), ("Codertocat", "Hello-World"));
            assert!(!event.is_fork && !event.is_dependabot);
            assert_eq!(event.api_url, "https://api.github.com");
            assert_eq!(event.run_url(), "https://github.com/Codertocat/Hello-World/actions/runs/1658821493/attempts/2");
        }
    }
}

#[test]
fn a_fork_a_deleted_fork_and_dependabot_are_known() {
    let Some(own) = payload("pull_request.opened.json") else { return };
    let mut fork = own.clone();
    fork["pull_request"]["head"]["repo"]["full_name"] = json!("mallory/Hello-World");
    fork["pull_request"]["head"]["repo"]["fork"] = json!(true);
    assert!(parse("pull_request", &fork).unwrap().is_fork);
    fork["pull_request"]["head"]["repo"] = Value::Null;
    assert!(parse("pull_request", &fork).unwrap().is_fork);

    let mut bot = own.clone();
    bot["pull_request"]["user"]["login"] = json!("dependabot[bot]");
    assert!(parse("pull_request", &bot).unwrap().is_dependabot);
    let env = variables(&[("GITHUB_ACTOR", "dependabot[bot]")]);
    assert!(Event::parse("pull_request", &own.to_string(), &env).unwrap().is_dependabot);
}

#[test]
fn other_events_name_their_commit() {
    let zeros = "0".repeat(40);
    let Some(group) = payload("merge_group.checks_requested.json") else { return };
    let event = parse("merge_group", &group).unwrap();
    assert_eq!(event.sha, group["merge_group"]["head_sha"]);
    assert_eq!(event.base_sha.as_deref(), group["merge_group"]["base_sha"].as_str());
    assert_eq!(event.pull_request, None);

    let mut push = payload("push.json").unwrap();
    // The example is the push of a deleted tag.
    push["after"] = json!(SHA);
    push["before"] = json!(zeros);
    let event = parse("push", &push).unwrap();
    assert_eq!((event.sha.as_str(), event.base_sha), (SHA, None));
    push["after"] = json!(zeros);
    assert_eq!(parse("push", &push), Err(EventError::Sha("push".to_owned())));

    for (name, file) in [
        ("schedule", "schedule.SYNTHETIC.json"),
        ("workflow_dispatch", "workflow_dispatch.json"),
        ("check_run", "check_run.rerequested.json"),
        ("check_run", "check_run.requested_action.json"),
    ] {
        let event = parse(name, &payload(file).unwrap()).unwrap();
        assert_eq!(event.sha, "1".repeat(40), "{file}");
        assert!(!event.is_fork);
    }
}

#[test]
fn payloads_that_name_nothing_are_refused() {
    let repository = json!({ "repository": { "full_name": "o/r" } });
    assert_eq!(parse("pull_request", &repository), Err(EventError::Sha("pull_request".to_owned())));
    assert!(matches!(Event::parse("push", "{", &runner()), Err(EventError::Json(_))));
    for name in ["", "o", "o/", "/r", "o/r/x", "o/..", "o/r?x=1", "o/r#x", "o/%2e"] {
        let payload = json!({ "repository": { "full_name": name } });
        assert_eq!(parse("schedule", &payload), Err(EventError::Repository), "{name}");
    }
}

#[test]
fn the_token_is_sent_over_https_or_not_off_the_machine() {
    let parse = |url: &str| {
        let mut env = runner();
        env.insert("GITHUB_API_URL".to_owned(), url.to_owned());
        Event::parse("schedule", r#"{"repository":{"full_name":"o/r"}}"#, &env).map(|event| event.api_url)
    };
    for (url, stored) in [
        ("https://ghe.example/api/v3/", "https://ghe.example/api/v3"),
        ("http://127.0.0.1:80", "http://127.0.0.1"),
        ("http://localhost:8080/api/v3", "http://localhost:8080/api/v3"),
        ("http://[::1]:99", "http://[::1]:99"),
    ] {
        assert_eq!(parse(url), Ok(stored.to_owned()));
    }
    for url in [
        "http://ghe.example",
        "http://127.0.0.1.example",
        "http://localhost@ghe.example",
        "https://user:secret@ghe.example",
        "https://ghe.example/?x",
        "https://ghe.example/#x",
        "ftp://ghe.example",
        "file:///etc/passwd",
        "ghe.example",
    ] {
        assert_eq!(parse(url), Err(EventError::ApiUrl(url.to_owned())));
        assert!(Client::new(url, TOKEN, &BTreeMap::new()).is_err());
    }
}

#[test]
fn the_event_of_the_runner_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("event.json");
    fs::write(&path, r#"{"repository":{"full_name":"o/r"}}"#).unwrap();
    let mut env = runner();
    assert_eq!(Event::read(&env), Err(EventError::Unset("GITHUB_EVENT_NAME")));
    env.insert("GITHUB_EVENT_NAME".to_owned(), "schedule".to_owned());
    env.insert("GITHUB_EVENT_PATH".to_owned(), path.to_str().unwrap().to_owned());
    assert_eq!(Event::read(&env).unwrap().sha, "1".repeat(40));
    fs::remove_file(&path).unwrap();
    assert!(matches!(Event::read(&env), Err(EventError::Unreadable { .. })));
}

// ---- check runs ----

fn event() -> Event {
    let mut env = runner();
    env.insert("GITHUB_SHA".to_owned(), SHA.to_owned());
    env.insert("GITHUB_REPOSITORY".to_owned(), "Codertocat/Hello-World".to_owned());
    Event::parse("workflow_dispatch", "{}", &env).unwrap()
}

fn output(annotations: u32) -> CheckRunOutput {
    let annotation = |line| CheckAnnotation {
        path: "deploy/web.yaml".to_owned(),
        start_line: line,
        end_line: line,
        start_column: Some(7),
        end_column: Some(12),
        annotation_level: AnnotationLevel::Failure,
        message: "no digest".to_owned(),
        title: "unpinned".to_owned(),
        raw_details: None,
    };
    CheckRunOutput {
        title: format!("{annotations} errors"),
        summary: "# fail".to_owned(),
        text: "the findings".to_owned(),
        annotations: (1..=annotations).map(annotation).collect(),
    }
}

/// One posting: what came of it, and the pauses it took in seconds.
struct Posting {
    outcome: Outcome,
    pauses: Vec<u64>,
}

fn post(standin: &Standin, annotations: u32) -> Posting {
    let pauses = Arc::new(Mutex::new(Vec::new()));
    let patience = Patience {
        timeout: Duration::from_secs(20),
        pause: {
            let pauses = Arc::clone(&pauses);
            Arc::new(move |time: Duration| pauses.lock().unwrap().push(time.as_secs()))
        },
        ..Patience::default()
    };
    let outcome = post_with(standin, annotations, patience);
    let pauses = pauses.lock().unwrap().clone();
    Posting { outcome, pauses }
}

fn post_with(standin: &Standin, annotations: u32, patience: Patience) -> Outcome {
    let client = Client::with_patience(&standin.url(), TOKEN, &BTreeMap::new(), patience).unwrap();
    assert!(!format!("{client:?}").contains(TOKEN));
    let outcome = publish(&client, &event(), "digest-gate / é&x", &output(annotations), annotations > 0);
    assert!(!format!("{outcome:?}").contains(TOKEN));
    outcome
}

fn posted() -> Outcome {
    Outcome::Posted { url: "https://github.com/Codertocat/Hello-World/runs/100".to_owned() }
}

/// Asserts that there is one run, completed, with each annotation once and in order.
fn assert_complete(standin: &Standin, annotations: u32) {
    let runs = standin.runs();
    assert_eq!(runs.len(), 1, "{:?}", standin.sequence());
    assert_eq!(runs[0].fields["status"], "completed");
    assert_eq!(runs[0].fields["conclusion"], if annotations > 0 { "failure" } else { "success" });
    let lines: Vec<u64> = runs[0].annotations.iter().filter_map(|a| a["start_line"].as_u64()).collect();
    assert_eq!(lines, (1..=u64::from(annotations)).collect::<Vec<_>>());
}

#[test]
fn a_check_run_is_created_filled_and_completed() {
    for (annotations, patches) in [
        (0, &[][..]),
        (1, &["PATCH check-runs/100 +1"]),
        (50, &["PATCH check-runs/100 +50"]),
        (51, &["PATCH check-runs/100 +50", "PATCH check-runs/100 +1"]),
        (130, &["PATCH check-runs/100 +50", "PATCH check-runs/100 +50", "PATCH check-runs/100 +30"]),
    ] {
        let standin = Standin::start([]);
        let posting = post(&standin, annotations);
        assert_eq!(posting.outcome, posted());
        assert!(posting.pauses.is_empty());
        let expected: Vec<&str> = [CREATE].iter().chain(patches).chain(&[DONE]).copied().collect();
        assert_eq!(standin.sequence(), expected);
        assert_complete(&standin, annotations);
    }
}

#[test]
fn the_requests_say_what_github_needs() {
    let standin = Standin::start([]);
    post(&standin, 1);
    let requests = standin.requests();
    for request in &requests {
        assert_eq!(request.headers.iter().filter(|(name, _)| name == "user-agent").count(), 1);
        assert_eq!(request.headers.iter().filter(|(name, _)| name == "authorization").count(), 1);
        assert_eq!(request.header("accept"), Some("application/vnd.github+json"));
        assert_eq!(request.header("x-github-api-version"), Some("2022-11-28"));
        assert_eq!(request.header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
        assert_eq!(request.header("user-agent"), Some(concat!("digest-gate/", env!("CARGO_PKG_VERSION"))));
        assert_eq!(request.header("content-type"), Some("application/json"));
        let elsewhere = request.headers.iter().filter(|(name, _)| name != "authorization");
        assert!(
            !format!("{:?}{}{}{}", elsewhere.collect::<Vec<_>>(), request.path, request.query, request.body)
                .contains(TOKEN)
        );
    }
    let body = &requests[0].body;
    assert_eq!(body["head_sha"], SHA);
    assert_eq!(body["external_id"], "1658821493/2/digest-gate / é&x");
    assert_eq!(body["details_url"], "https://github.com/Codertocat/Hello-World/actions/runs/1658821493/attempts/2");
    assert!(body["started_at"].as_str().unwrap().ends_with('Z'));
    assert_eq!(body["output"], json!({ "title": "1 errors", "summary": "# fail" }));
    assert_eq!(requests[1].body["output"]["summary"], "# fail");
    assert_eq!(requests[2].body["output"]["text"], "the findings");
}

#[test]
fn many_annotations_are_sent_slowly() {
    let standin = Standin::start([]);
    let posting = post(&standin, 601);
    assert_eq!(posting.pauses, [1, 1, 1]);
    assert_complete(&standin, 601);
}

#[test]
fn the_api_may_live_below_a_path() {
    let standin = Standin::start_at("127.0.0.1:0", "/api/v3", []);
    assert_eq!(post(&standin, 51).outcome, posted());
    assert_complete(&standin, 51);
}

#[test]
fn a_token_that_only_reads_is_not_a_failure() {
    for status in [401, 403, 404] {
        let standin = Standin::start([(1, Fault::Status(status, vec![]))]);
        let posting = post(&standin, 3);
        assert_eq!(posting.outcome, Outcome::ReadOnly { status });
        assert_eq!(standin.sequence(), [CREATE]);
    }
}

#[test]
fn a_creation_in_doubt_is_looked_up_before_it_is_repeated() {
    let done = || [Fault::BadGateway { done: true }, Fault::Dropped { done: true }, Fault::Html];
    for fault in done() {
        let standin = Standin::start([(1, fault)]);
        let posting = post(&standin, 1);
        assert_eq!(posting.outcome, posted());
        assert_eq!(standin.sequence(), [CREATE, LOOK, "PATCH check-runs/100 +1", DONE]);
        assert_eq!(posting.pauses, [1]);
        assert_complete(&standin, 1);
    }
    for fault in [Fault::BadGateway { done: false }, Fault::Dropped { done: false }] {
        let standin = Standin::start([(1, fault.clone())]);
        assert_eq!(post(&standin, 0).outcome, posted());
        assert_eq!(standin.sequence(), [CREATE, LOOK, CREATE, DONE]);
        assert_complete(&standin, 0);

        let standin = Standin::start([(1, fault.clone()), (3, fault)]);
        let Outcome::Failed { message } = post(&standin, 0).outcome else { panic!("no run, and not said") };
        assert!(message.starts_with("no check run: POST /repos/Codertocat/Hello-World/check-runs: "), "{message}");
        assert_eq!(standin.sequence(), [CREATE, LOOK, CREATE, LOOK]);
    }
    for fault in done() {
        let standin = Standin::start([(1, Fault::Dropped { done: false }), (3, fault)]);
        assert_eq!(post(&standin, 0).outcome, posted());
        assert_eq!(standin.sequence(), [CREATE, LOOK, CREATE, LOOK, DONE]);
        assert_complete(&standin, 0);
    }
}

#[test]
fn a_creation_in_doubt_is_not_repeated_blindly() {
    // The look-up fails too: a refusal of it says nothing about the right to write.
    for status in [403, 404, 422] {
        let standin = Standin::start([(1, Fault::Dropped { done: true }), (2, Fault::Status(status, vec![]))]);
        let Outcome::Failed { message } = post(&standin, 0).outcome else { panic!("{status}") };
        assert!(message.contains(&format!("GET /repos/Codertocat/Hello-World/commits/{SHA}/check-runs?check_name=")));
        assert!(message.contains(&format!("status {status}, ")), "{message}");
        assert_eq!(standin.sequence(), [CREATE, LOOK]);
    }
}

#[test]
fn the_run_of_another_attempt_is_not_taken() {
    let mut event = event();
    let standin = Standin::start([(3, Fault::Dropped { done: false })]);
    let client = Client::with_patience(&standin.url(), TOKEN, &BTreeMap::new(), quick()).unwrap();
    event.run_attempt = Some("4".to_owned());
    let _ = publish(&client, &event, "gate", &output(0), false);
    event.run_attempt = Some("5".to_owned());
    let _ = publish(&client, &event, "gate", &output(0), false);
    assert_eq!(standin.sequence(), [CREATE, DONE, CREATE, LOOK, CREATE, "PATCH check-runs/101 completed"]);
}

fn quick() -> Patience {
    Patience { pause: Arc::new(|_| ()), ..Patience::default() }
}

#[test]
fn a_batch_in_doubt_is_not_shown_twice() {
    let (first, second) = ("PATCH check-runs/100 +50", "PATCH check-runs/100 +1");
    for fault in [Fault::BadGateway { done: true }, Fault::Dropped { done: true }, Fault::Html] {
        let standin = Standin::start([(2, fault)]);
        assert_eq!(post(&standin, 51).outcome, posted());
        assert_eq!(standin.sequence(), [CREATE, first, COUNT, second, DONE]);
        assert_complete(&standin, 51);
    }
    for fault in [Fault::BadGateway { done: false }, Fault::Dropped { done: false }] {
        let standin = Standin::start([(3, fault)]);
        assert_eq!(post(&standin, 51).outcome, posted());
        assert_eq!(standin.sequence(), [CREATE, first, second, COUNT, second, DONE]);
        assert_complete(&standin, 51);
    }
}

#[test]
fn a_run_is_completed_although_a_batch_failed() {
    let standin = Standin::start([(2, Fault::Status(422, vec![]))]);
    let Outcome::Failed { message } = post(&standin, 51).outcome else { panic!("the batch is missing") };
    assert_eq!(
        message,
        "check run https://github.com/Codertocat/Hello-World/runs/100 lacks annotations: \
         PATCH /repos/Codertocat/Hello-World/check-runs/100: status 422, Invalid request."
    );
    assert_eq!(standin.sequence(), [CREATE, "PATCH check-runs/100 +50", DONE]);
    assert_eq!(standin.runs()[0].fields["conclusion"], "failure");
}

#[test]
fn the_completion_is_repeated() {
    for fault in [
        Fault::BadGateway { done: false },
        Fault::BadGateway { done: true },
        Fault::Dropped { done: false },
        Fault::Dropped { done: true },
    ] {
        let standin = Standin::start([(2, fault.clone()), (3, fault)]);
        let posting = post(&standin, 0);
        assert_eq!(posting.outcome, posted());
        assert_eq!(standin.sequence(), [CREATE, DONE, DONE, DONE]);
        assert_eq!(posting.pauses, [1, 2]);
        assert_complete(&standin, 0);
    }
    let standin = Standin::start([(2, Fault::Html)]);
    assert_eq!(post(&standin, 0).outcome, posted());
    assert_eq!(standin.sequence(), [CREATE, DONE]);

    let standin = Standin::start((2..=4).map(|number| (number, Fault::BadGateway { done: false })));
    let Outcome::Failed { message } = post(&standin, 0).outcome else { panic!("it is in progress") };
    assert!(message.contains("stays in progress"), "{message}");
    assert_eq!(standin.sequence(), [CREATE, DONE, DONE, DONE]);
}

#[test]
fn after_some_minutes_nothing_is_tried_again() {
    let late = || Patience { total: Duration::ZERO, ..quick() };
    let lost = || Fault::Dropped { done: false };
    let standin = Standin::start([(2, lost())]);
    assert!(matches!(post_with(&standin, 0, late()), Outcome::Failed { .. }));
    assert_eq!(standin.sequence(), [CREATE, DONE]);

    let standin = Standin::start([(1, lost())]);
    assert!(matches!(post_with(&standin, 0, late()), Outcome::Failed { .. }));
    assert_eq!(standin.sequence(), [CREATE, LOOK]);
}

#[test]
fn a_text_that_github_refuses_does_not_keep_the_run_open() {
    let standin = Standin::start([(2, Fault::Status(422, vec![]))]);
    assert_eq!(post(&standin, 0).outcome, posted());
    assert_eq!(standin.requests()[2].body["output"].get("text"), None);
    assert_complete(&standin, 0);
}

#[test]
fn rate_limits_are_waited_for() {
    let header = |name, value: &str| vec![(name, value.to_owned())];
    for (status, headers, wait) in [
        (429, header("retry-after", "7"), 7..=7),
        (403, header("retry-after", "9"), 9..=9),
        (429, header("retry-after", "0"), 1..=1),
        (429, vec![], 60..=60),
    ] {
        for number in 1..=3 {
            let standin = Standin::start([(number, Fault::Status(status, headers.clone()))]);
            let posting = post(&standin, 1);
            assert_eq!(posting.outcome, posted());
            assert_eq!(standin.requests().len(), 4, "one request more, and no look-up");
            assert!(posting.pauses.len() == 1 && wait.contains(&posting.pauses[0]), "{:?}", posting.pauses);
            assert_complete(&standin, 1);
        }
    }
}

#[test]
fn a_limit_that_names_a_time_is_waited_for_until_then() {
    let now = || u64::try_from(jiff::Timestamp::now().as_second()).unwrap();
    let (reset, before) = (now() + 30, now());
    let exhausted = vec![("x-ratelimit-remaining", "0".to_owned()), ("x-ratelimit-reset", reset.to_string())];
    let standin = Standin::start([(1, Fault::Status(403, exhausted))]);
    let posting = post(&standin, 1);
    assert_eq!(posting.outcome, posted());
    let left = (reset.saturating_sub(now()).max(1))..=(reset - before);
    assert!(posting.pauses.len() == 1 && left.contains(&posting.pauses[0]), "{left:?} {:?}", posting.pauses);
}

#[test]
fn waiting_for_rate_limits_has_an_end() {
    let limited = |seconds: &str| Fault::Status(429, vec![("retry-after", seconds.to_owned())]);
    let standin = Standin::start([(1, limited("61"))]);
    let posting = post(&standin, 0);
    let message = "no check run: POST /repos/Codertocat/Hello-World/check-runs: \
                   status 429, rate limited for 61 s; run again later";
    assert_eq!(posting.outcome, Outcome::Failed { message: message.to_owned() });
    assert!(posting.pauses.is_empty());

    let standin = Standin::start((1..=9).map(|number| (number, limited("25"))));
    let posting = post(&standin, 0);
    assert!(matches!(posting.outcome, Outcome::Failed { .. }));
    assert_eq!(posting.pauses, [25, 25]);
    assert_eq!(standin.sequence(), [CREATE, CREATE, CREATE]);

    // A 403 for the rate is no token that only reads.
    let standin = Standin::start([(1, Fault::Status(403, vec![("retry-after", "3600".to_owned())]))]);
    assert!(matches!(post(&standin, 0).outcome, Outcome::Failed { .. }));
}

#[test]
fn a_slow_answer_is_given_up_and_looked_up() {
    let standin = Standin::start([(1, Fault::Slow(Duration::from_secs(6)))]);
    let patience = Patience { timeout: Duration::from_secs(3), ..quick() };
    assert_eq!(post_with(&standin, 0, patience), posted());
    assert_eq!(standin.sequence(), [CREATE, LOOK, DONE]);
    assert_complete(&standin, 0);
}

#[test]
fn the_token_goes_to_no_other_host() {
    let other = Standin::start([]);
    for status in [301, 302, 307, 308] {
        let to = format!("{}/repos/Codertocat/Hello-World/check-runs", other.url());
        let standin = Standin::start([(1, Fault::Redirect(status, to))]);
        let Outcome::Failed { message } = post(&standin, 0).outcome else { panic!("{status}") };
        assert!(message.contains("redirected and not followed"), "{message}");
        assert_eq!(standin.sequence(), [CREATE]);
    }
    assert!(other.requests().is_empty());
}

#[test]
fn a_redirect_on_the_host_repeats_the_request() {
    for status in [301, 302, 307, 308] {
        let to = "/repos/Codertocat/Renamed/check-runs".to_owned();
        let standin = Standin::start([(1, Fault::Redirect(status, to))]);
        assert_eq!(post(&standin, 0).outcome, posted());
        let requests = standin.requests();
        assert_eq!(requests[0].body, requests[1].body);
        assert_eq!(
            (requests[1].method.as_str(), requests[1].path.as_str()),
            ("POST", "/repos/Codertocat/Renamed/check-runs")
        );
        assert_complete(&standin, 0);
    }
    let around = || Fault::Redirect(307, "/repos/Codertocat/Hello-World/check-runs".to_owned());
    let standin = Standin::start((1..=20).map(|number| (number, around())));
    assert!(matches!(post(&standin, 0).outcome, Outcome::Failed { .. }));
    assert_eq!(standin.requests().len(), 4);
}

#[test]
fn a_host_that_is_not_there_is_named_as_such() {
    let gone = Standin::start([]);
    let url = gone.url();
    drop(gone);
    let client = Client::with_patience(&url, TOKEN, &BTreeMap::new(), quick()).unwrap();
    let Outcome::Failed { message } = publish(&client, &event(), "gate", &output(0), false) else { panic!() };
    assert!(message.contains("no connection") && message.contains("check GITHUB_API_URL"), "{message}");
}

#[test]
fn a_token_or_certificates_that_cannot_be_used_are_refused() {
    for token in ["", "a b", "a\nb", "ä"] {
        let error = Client::new("https://api.github.com", token, &BTreeMap::new()).unwrap_err();
        assert_eq!(error.to_string(), "the token is empty or not printable ASCII; pass `token: ${{ github.token }}`");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("roots.pem");
    fs::write(&file, "no certificate\n").unwrap();
    for path in [file, folder.path().join("missing.pem")] {
        let env = variables(&[("SSL_CERT_FILE", path.to_str().unwrap())]);
        let error = Client::new("https://api.github.com", TOKEN, &env).unwrap_err().to_string();
        assert!(error.starts_with("cannot use the certificates of SSL_CERT_FILE"), "{error}");
    }
    assert!(Client::new("https://api.github.com", TOKEN, &variables(&[("SSL_CERT_FILE", "")])).is_ok());
}

/// A folder with the file that `SSL_CERT_FILE` has to name.
fn trust() -> (tempfile::TempDir, BTreeMap<String, String>) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("roots.pem");
    fs::write(&file, format!("a private authority\n{}", tls::CERTIFICATE)).unwrap();
    let env = variables(&[("SSL_CERT_FILE", file.to_str().unwrap())]);
    (folder, env)
}

#[test]
fn a_private_authority_is_trusted_when_named_and_only_then() {
    let standin = Standin::start_tls();
    let post = |env| {
        let client = Client::with_patience(&standin.url(), TOKEN, &env, quick()).unwrap();
        publish(&client, &event(), "gate", &output(1), true)
    };
    let Outcome::Failed { message } = post(BTreeMap::new()) else { panic!("nobody trusts it") };
    assert!(message.contains("UnknownIssuer"), "{message}");
    assert!(standin.requests().is_empty());
    let (_folder, env) = trust();
    assert_eq!(post(env), posted());
    assert_complete(&standin, 1);
}

/// The variables of a proxy are those of the process: the posting happens in a process of its own.
#[test]
fn the_proxy_of_the_environment_is_used() {
    let standin = Standin::start_tls();
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", proxy.local_addr().unwrap());
    let upstream = standin.address().to_owned();
    let (connects, asked) = mpsc::channel();
    thread::spawn(move || {
        for client in proxy.incoming().flatten().take(20) {
            let _ = connects.send(tunnel(client, &upstream));
        }
    });
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "github::posts_through_a_proxy", "--ignored"])
        .env("HTTPS_PROXY", &address)
        .env("HTTP_PROXY", "http://127.0.0.1:9")
        .env_remove("https_proxy")
        .env_remove("no_proxy")
        .env_remove("NO_PROXY")
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    let head = asked.recv_timeout(Duration::from_secs(5)).unwrap();
    assert!(head.starts_with("CONNECT github.test:443 HTTP/1.1"), "{head}");
    assert!(!head.contains(TOKEN), "{head}");
    assert_complete(&standin, 1);
}

#[test]
#[ignore = "a part of `the_proxy_of_the_environment_is_used`, which sets the proxy"]
fn posts_through_a_proxy() {
    let (_folder, env) = trust();
    let client = Client::with_patience("https://github.test", TOKEN, &env, quick()).unwrap();
    assert_eq!(publish(&client, &event(), "gate", &output(1), true), posted());
    // What stays on this machine goes through no proxy.
    let standin = Standin::start([]);
    assert_eq!(post(&standin, 0).outcome, posted());
}

/// Carries one connection through, wherever it was meant to go; gives the head of the request.
fn tunnel(mut client: TcpStream, upstream: &str) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && head.len() < 10_000 && client.read(&mut byte).unwrap_or(0) > 0 {
        head.push(byte[0]);
    }
    let mut server = TcpStream::connect(upstream).unwrap();
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
    let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    thread::spawn(move || io::copy(&mut from, &mut to));
    thread::spawn(move || {
        let _ = io::copy(&mut server, &mut client);
        client.shutdown(Shutdown::Both)
    });
    String::from_utf8(head).unwrap()
}
