//! What goes wrong with a registry leaves the question open, with the reason and the way out, and all of it ends.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use digest_gate::policy::RegistryHost;
use digest_gate::registry::{Patience, Registries};
use digest_gate::resolution::{Answer, Answers, Artifacts, Asked, Unanswered};

use super::server::{Reply, Request, Server};
use super::{anonymous, by_digest, client, found, patience, tag};
use crate::daemon::{Daemon, OCI_INDEX, OCI_MANIFEST, digest};

/// An index without images, which is all that HEAD requests need.
const INDEX: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;

/// A server with an index under every name, but for what `fault` says.
fn server(fault: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static) -> Server {
    Server::start(move |request| fault(request).unwrap_or_else(|| Reply::manifest(OCI_INDEX, INDEX)))
}

fn impatient(change: impl FnOnce(&mut Patience)) -> Registries {
    let mut patience = patience();
    change(&mut patience);
    Registries::with_patience(&BTreeMap::new(), &BTreeMap::new(), None, patience).unwrap()
}

/// What one question comes to, `HOST` for the host.
fn ask(registries: &Registries, server: &Server, name: &str) -> Result<String, (String, String)> {
    let asked = question(server, name);
    match registries.served(&[asked]).remove(0) {
        Answer::Found(it) => Ok(it.digest),
        Answer::Missing => Ok("missing".to_owned()),
        Answer::Unanswered(why) => Err(shown(&why, server)),
    }
}

fn question(server: &Server, name: &str) -> Asked {
    let of = if name.contains(':') { by_digest } else { tag };
    of(&server.address, "a/b", name)
}

fn shown(why: &Unanswered, server: &Server) -> (String, String) {
    (why.reason.replace(&server.address, "HOST"), why.help.replace(&server.address, "HOST"))
}

fn open(reason: &str, help: &str) -> Result<String, (String, String)> {
    Err((reason.to_owned(), help.to_owned()))
}

fn many(server: &Server, count: usize) -> Vec<Asked> {
    (0..count).map(|number| question(server, &format!("t{number}"))).collect()
}

#[test]
fn what_fails_in_passing_is_asked_again() {
    let fine = Ok(digest(INDEX.as_bytes()));
    let trouble =
        [Reply::status(503), Reply::status(500), Reply::Closed, Reply::status(429).header("retry-after", "1")];
    for reply in trouble {
        let server = server(move |request| (request.number < 3).then(|| reply.clone()));
        assert_eq!(ask(&anonymous(), &server, "t"), fine);
        assert_eq!(server.lines(), ["HEAD /v2/a/b/manifests/t"; 3]);
    }
    let reset = Server::resetting(2, |_| Reply::manifest(OCI_INDEX, INDEX));
    assert_eq!(ask(&anonymous(), &reset, "t"), fine);
    let server = server(|request| match (request.method.as_str(), request.number) {
        ("HEAD", _) => Some(Reply::status(405)),
        (_, 2 | 3) => Some(Reply::Truncated(Box::new(Reply::manifest(OCI_INDEX, INDEX)))),
        _ => None,
    });
    assert_eq!(ask(&anonymous(), &server, "t"), fine);
    assert_eq!(server.lines().len(), 4);
}

#[test]
fn what_fails_for_good_stays_open() {
    let later = "run again later";
    let failing = server(|_| Some(Reply::status(503).body("{}")));
    assert_eq!(ask(&anonymous(), &failing, "t"), open("HOST answered with status 503", later));
    assert_eq!(failing.lines().len(), 3);
    let closing = server(|_| Some(Reply::Closed));
    let (reason, help) = ask(&anonymous(), &closing, "t").unwrap_err();
    assert!(reason.starts_with("HOST gave no complete answer ("), "{reason}");
    assert_eq!(help, later);
    let slow = server(|_| Some(Reply::Late(Duration::from_secs(3), Box::new(Reply::status(200)))));
    let hasty = impatient(|patience| patience.timeout = Duration::from_millis(150));
    assert_eq!(ask(&hasty, &slow, "t"), open("HOST gave no complete answer (timed out)", later));
    let drip =
        server(|_| Some(Reply::Dripping(Duration::from_millis(20), Box::new(Reply::manifest(OCI_INDEX, INDEX)))));
    assert_eq!(ask(&hasty, &drip, "t"), open("HOST gave no complete answer (timed out)", later));
    let nobody = Server::start(|_| Reply::Closed);
    let address = nobody.address.clone();
    drop(nobody);
    let answer = anonymous().served(&[tag(&address, "a/b", "t")]).remove(0);
    let Answer::Unanswered(why) = answer else { panic!("{answer:?}") };
    assert_eq!(why.reason, format!("{address} cannot be reached (connection refused)"));
    assert!(why.help.contains("HTTPS_PROXY"), "{why:?}");
}

#[test]
fn a_host_that_is_down_is_not_asked_for_every_name() {
    let closing = server(|_| Some(Reply::Closed));
    let answers = anonymous().served(&many(&closing, 200));
    assert!(answers.iter().all(|answer| matches!(answer, Answer::Unanswered(_))));
    assert!(closing.lines().len() <= 6, "{}", closing.lines().len());
    let last = answers.into_iter().next_back();
    let Some(Answer::Unanswered(why)) = last else { panic!("{last:?}") };
    assert!(why.reason.ends_with("; it was not asked again"), "{why:?}");
    let failing = server(|_| Some(Reply::status(502)));
    let answers = anonymous().served(&many(&failing, 200));
    assert!(answers.iter().all(|answer| matches!(answer, Answer::Unanswered(_))));
    assert!(failing.lines().len() <= 12 + 8, "{}", failing.lines().len());
    // One repository in trouble is no host in trouble.
    let partly = server(|request| request.path.ends_with("/t0").then(|| Reply::status(500)));
    let answers = anonymous().served(&many(&partly, 20));
    assert_eq!(answers.iter().filter(|answer| answer.found().is_some()).count(), 19);
}

#[test]
fn a_limit_is_waited_for_and_then_reported() {
    let limited = |after: &'static str| server(move |_| Some(Reply::status(429).header("retry-after", after)));
    let reason = "HOST limits requests, and the limit is reached; it was not asked again";
    let login = "log in (`docker login HOST`, or `registry-auth`) for a higher limit, or run again";
    let hour = limited("3600");
    let registries = anonymous();
    assert_eq!(ask(&registries, &hour, "t"), open(reason, &format!("{login} in 60 minutes")));
    assert_eq!(ask(&registries, &hour, "u"), open(reason, &format!("{login} in 60 minutes")));
    assert_eq!(hour.lines().len(), 1);
    let never = limited("0");
    let registries = impatient(|patience| patience.limits = Duration::from_secs(2));
    assert_eq!(ask(&registries, &never, "t"), open(reason, &format!("{login} in a second")));
    assert!(never.lines().len() <= 4, "{:?}", never.lines());
}

#[test]
fn what_docker_hub_counts_is_not_asked_when_nothing_is_left() {
    let server = server(|_| {
        Some(
            Reply::manifest(OCI_INDEX, INDEX)
                .header("ratelimit-remaining", "0;w=21600")
                .header("ratelimit-limit", "100;w=21600"),
        )
    });
    let registries = anonymous();
    let fine = Ok(digest(INDEX.as_bytes()));
    assert_eq!(ask(&registries, &server, "t"), fine);
    let answer = registries.describe(&[question(&server, "t")]).remove(0);
    let Answer::Unanswered(why) = answer else { panic!("{answer:?}") };
    assert_eq!(
        shown(&why, &server),
        (
            "HOST limits requests, and the limit is reached".to_owned(),
            "log in (`docker login HOST`, or `registry-auth`) for a higher limit, or run again in 6 hours".to_owned()
        )
    );
    assert_eq!(ask(&registries, &server, "u"), fine);
    assert_eq!(server.lines(), ["HEAD /v2/a/b/manifests/t", "HEAD /v2/a/b/manifests/u"]);
}

#[test]
fn a_head_that_tells_too_little_is_followed_by_a_get() {
    let fine = Ok(digest(INDEX.as_bytes()));
    let heads = [
        Reply::status(405),
        Reply::status(501),
        Reply::status(400),
        Reply::status(404),
        Reply::status(200).header("content-type", OCI_INDEX),
        Reply::status(200).header("content-type", OCI_INDEX).header("docker-content-digest", "sha256:abc"),
        Reply::status(200).header("content-type", OCI_INDEX).header("docker-content-digest", "not-a-digest"),
        Reply::status(200).header("content-type", "text/html").header("docker-content-digest", &digest(b"x")),
        Reply::status(200).header("docker-content-digest", &digest(b"x")),
    ];
    for head in heads {
        let server = server(move |request| (request.method == "HEAD").then(|| head.clone()));
        assert_eq!(ask(&anonymous(), &server, "t"), fine);
        assert_eq!(server.lines(), ["HEAD /v2/a/b/manifests/t", "GET /v2/a/b/manifests/t"]);
    }
    // Nor does the GET need the header.
    let silent = server(|_| Some(Reply::status(200).header("content-type", OCI_INDEX).body(INDEX)));
    assert_eq!(ask(&anonymous(), &silent, "t"), fine);
    assert_eq!(ask(&anonymous(), &silent, &digest(INDEX.as_bytes())), fine);
}

#[test]
fn bytes_of_another_digest_are_never_found() {
    let distrust = "do not trust this host or what stands between; ask again from elsewhere";
    let (asked, other) = (digest(b"asked"), digest(INDEX.as_bytes()));
    // It serves other bytes than those that were asked for, and says so.
    let other_bytes = server(|_| None);
    let reason = |name: &str| {
        format!(
            "HOST/a/b{name} was answered with bytes of the digest `{other}`, which is not the digest they should have"
        )
    };
    assert_eq!(ask(&anonymous(), &other_bytes, &asked), open(&reason(&format!("@{asked}")), distrust));
    // It serves the bytes of a tag under a digest that is not theirs.
    let liar = server(|request| {
        let head = Reply::status(200).header("content-type", OCI_INDEX);
        Some(match request.method.as_str() {
            "HEAD" => head,
            _ => head.header("docker-content-digest", &digest(b"asked")).body(INDEX),
        })
    });
    assert_eq!(ask(&anonymous(), &liar, "t"), open(&reason(":t"), distrust));
    // Blobs and manifests are held against their digests as well.
    let registries = anonymous();
    let by = by_digest(&other_bytes.address, "a/b", &asked);
    assert!(matches!(registries.blobs(std::slice::from_ref(&by), 1 << 20)[..], [Answer::Unanswered(_)]));
    assert!(matches!(registries.manifests(std::slice::from_ref(&by))[..], [Answer::Unanswered(_)]));
    assert!(matches!(registries.describe(&[by])[..], [Answer::Unanswered(_)]));
}

#[test]
fn a_body_without_end_is_left_alone() {
    for said in [true, false] {
        let server = server(move |request| {
            Some(if request.method == "HEAD" { Reply::status(405) } else { Reply::Long { bytes: 2 << 30, said } })
        });
        let registries = anonymous();
        let answer = ask(&registries, &server, "t");
        let reason = "HOST gave an answer of more than 4194304 bytes, which was not read";
        assert_eq!(answer, open(reason, "check that the host is a registry"));
        let blob = registries.blobs(&[question(&server, &digest(b"x"))], 1000).remove(0);
        let Answer::Unanswered(why) = blob else { panic!("{blob:?}") };
        assert_eq!(shown(&why, &server).0, "HOST gave an answer of more than 1000 bytes, which was not read");
        // What was read, and what the system keeps on the way.
        assert!(server.sent() < 32 << 20, "{} bytes were taken", server.sent());
    }
    // A refusal or an answer of a token server can be long as well.
    let server = server(|_| Some(Reply::status(404).body(vec![b' '; 1 << 20])));
    assert_eq!(
        ask(&anonymous(), &server, "t"),
        open("HOST answered with status 404", "check that the host is a registry and has the repository")
    );
}

#[test]
fn what_is_no_manifest_is_never_found() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let nested = format!(r#"{{"schemaVersion":2,"manifests":[],"x":{deep}}}"#);
    let cases = [
        (OCI_INDEX, "", "it is not JSON of a manifest (line 1, column 0)"),
        (OCI_INDEX, "{", "it is not JSON of a manifest (line 1, column 1)"),
        (OCI_INDEX, "<html>", "it is not JSON of a manifest (line 1, column 1)"),
        (OCI_INDEX, "[]", "it is not JSON of a manifest (line 1, column 2)"),
        (OCI_INDEX, &deep, "it is not JSON of a manifest (line 1, column 1)"),
        ("text/html", "{}", "it is no manifest"),
        (OCI_INDEX, "{}", "its fields are not those of its media type"),
        (
            OCI_MANIFEST,
            INDEX,
            "it is sent as `application/vnd.oci.image.manifest.v1+json` and calls itself something else",
        ),
        (OCI_INDEX, r#"{"manifests":[],"layers":[]}"#, "its fields are not those of its media type"),
        (OCI_MANIFEST, r#"{"manifests":[],"config":{"digest":"x"}}"#, "its fields are not those of its media type"),
        (
            OCI_INDEX,
            r#"{"manifests":[{"digest":"sha256:../../x"}]}"#,
            "it names a digest that is none: the digest has characters that are not hexadecimal",
        ),
    ];
    for (media_type, body, expected) in cases {
        let (sent, body) = (media_type.to_owned(), body.to_owned());
        let server = server(move |request| {
            let head = Reply::status(200).header("content-type", &sent);
            Some(if request.method == "HEAD" { head } else { head.body(&body) })
        });
        let expected = format!("HOST/a/b:t cannot be read: {expected}");
        assert_eq!(ask(&anonymous(), &server, "t"), open(&expected, "check what was pushed under this name"));
    }
    // What nobody reads may be as deep as it likes.
    let server = server(move |_| Some(Reply::status(200).header("content-type", OCI_INDEX).body(&nested)));
    assert!(ask(&anonymous(), &server, "t").is_ok());
}

#[test]
fn schema_1_is_refused_by_name() {
    let body = r#"{"schemaVersion":1,"name":"a/b","tag":"t","fsLayers":[]}"#;
    let v1 = "application/vnd.docker.distribution.manifest.v1";
    for (head, get) in
        [("+prettyjws", "+prettyjws"), ("+json", "+json"), ("x", "+prettyjws; charset=utf-8"), ("x", "x")]
    {
        let (head, get) = (format!("{v1}{head}").replace("v1x", ""), format!("{v1}{get}").replace("v1x", ""));
        let server = server(move |request| {
            let media_type = if request.method == "HEAD" { &head } else { &get };
            Some(Reply::manifest(media_type, body))
        });
        let reason = "HOST/a/b:t is a manifest of Docker's schema 1, whose digest does not cover its bytes";
        let help = "build or push the image again with a current tool";
        assert_eq!(ask(&anonymous(), &server, "t"), open(reason, help));
    }
}

#[test]
fn only_a_registry_says_that_something_is_not_there() {
    let missing = Ok("missing".to_owned());
    for code in ["MANIFEST_UNKNOWN", "NAME_UNKNOWN", "NOT_FOUND"] {
        let body = format!(r#"{{"errors":[{{"code":"{code}","message":"x","detail":{{"Tag":"t"}}}}]}}"#);
        let server = server(move |_| Some(Reply::status(404).body(&body)));
        assert_eq!(ask(&anonymous(), &server, "t"), missing);
    }
    // Where the headers tell, a HEAD request is enough.
    let registry = server(|_| Some(Reply::status(404).header("docker-distribution-api-version", "registry/2.0")));
    assert_eq!(ask(&anonymous(), &registry, "t"), missing);
    assert_eq!(registry.lines().len(), 1);
    let check = "check that the host is a registry and has the repository";
    for body in ["", "404 page not found", "<html>", "{}", r#"{"errors":[]}"#, r#"{"errors":[{"code":"DENIED"}]}"#] {
        let server = server(move |_| Some(Reply::status(404).body(body)));
        let said = if body.contains("DENIED") { ", DENIED" } else { "" };
        assert_eq!(ask(&anonymous(), &server, "t"), open(&format!("HOST answered with status 404{said}"), check));
    }
    let odd = server(|_| {
        Some(Reply::status(418).body("{\"errors\":[{\"code\":\"TEAPOT\",\"message\":\"a\\nb\\u001b[1m\"}]}"))
    });
    assert_eq!(ask(&anonymous(), &odd, "t"), open("HOST answered with status 418, a b [1m", check));
}

#[test]
fn refused_and_not_there_are_told_apart_by_nobody() {
    let help = "check the name; if it is private, log in: `docker login HOST`, or `registry-auth`";
    for status in [401, 403] {
        let server = server(move |_| Some(Reply::status(status)));
        let reason = format!("HOST/a/b does not exist or is private: HOST answered with status {status}");
        assert_eq!(ask(&anonymous(), &server, "t"), open(&reason, help));
        assert_eq!(server.lines().len(), 1);
    }
}

#[test]
fn faults_before_a_real_registry_change_no_digest() {
    let Some(daemon) = Daemon::start() else { return };
    let mut expected = Vec::new();
    for number in 0..30 {
        let created = format!("2026-01-{:02}T00:00:00Z", number + 1);
        expected.push(found(&daemon.push_image("a/b", &format!("t{number}"), "linux/amd64", &created), OCI_MANIFEST));
    }
    // Every third request fails, each time in another way.
    let server = Server::before(&daemon.address, |request| match (request.number % 3, request.number % 4) {
        (0, 0) => Some(Reply::Closed),
        (0, 1) => Some(Reply::status(503)),
        (0, 2) => Some(Reply::status(200)),
        (0, _) => Some(Reply::status(405)),
        _ => None,
    });
    let registries = impatient(|patience| patience.back_off = Duration::from_millis(1));
    let answers = registries.served(&many(&server, 30));
    let wrong =
        answers.iter().zip(&expected).filter(|(answer, expected)| answer.found().is_some() && answer != expected);
    assert_eq!(wrong.count(), 0);
    assert!(answers.iter().filter(|answer| answer.found().is_some()).count() > 20, "{answers:?}");
    assert!(!answers.contains(&Answer::Missing), "{answers:?}");
}

#[test]
fn a_host_is_asked_a_few_questions_at_once() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let seen = Arc::clone(&most);
    let server = server(move |_| {
        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(10));
        now.fetch_sub(1, Ordering::SeqCst);
        None
    });
    let registries = anonymous();
    for _ in 0..2 {
        let answers = registries.served(&many(&server, 60));
        assert!(answers.iter().all(|answer| answer.found().is_some()));
    }
    assert_eq!(server.lines().len(), 60);
    assert!(server.connections() <= 9, "{} connections", server.connections());
    let seen = seen.load(Ordering::SeqCst);
    assert!((2..=8).contains(&seen), "{seen} at once");
}

#[test]
fn when_the_time_is_over_nothing_more_is_asked() {
    let slow = server(|_| Some(Reply::Late(Duration::from_millis(100), Box::new(Reply::manifest(OCI_INDEX, INDEX)))));
    let hasty = impatient(|patience| patience.total = Duration::from_millis(250));
    let answers = hasty.served(&many(&slow, 100));
    let found = answers.iter().filter(|answer| answer.found().is_some()).count();
    assert!((1..100).contains(&found), "{found} were found");
    assert!(slow.lines().len() < 60, "{}", slow.lines().len());
    let open = answers.iter().find_map(|answer| match answer {
        Answer::Unanswered(why) => Some(shown(why, &slow)),
        _ => None,
    });
    let (reason, help) = open.unwrap();
    assert_eq!(reason, "HOST was not asked: all answers together took longer than a second");
    assert_eq!(help, "run again later");
}

#[test]
fn another_machine_is_asked_over_tls_unless_it_is_configured() {
    let server = server(|_| None);
    // This machine, under an address that does not look like it.
    let address = server.address.replace("127.0.0.1", "0.0.0.0");
    let asked = [tag(&address, "a/b", "t")];
    let answer = anonymous().served(&asked).remove(0);
    let Answer::Unanswered(why) = answer else { panic!("{answer:?}") };
    assert_eq!(why.reason, format!("{address} does not speak TLS"));
    assert_eq!(
        why.help,
        format!("if it is to be asked without encryption, write `registries: {{\"{address}\": {{plain-http: true}}}}`")
    );
    assert!(server.lines().is_empty());
    let hosts = BTreeMap::from([(address, RegistryHost { mirrors: Vec::new(), plain_http: true })]);
    assert!(client(&[], &hosts, None).served(&asked)[0].found().is_some());
    assert_eq!(server.lines().len(), 1);
}
