//! Logins, tokens and redirects: who asks is proven where it is demanded, and nowhere else.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use digest_gate::policy::RegistryHost;
use digest_gate::resolution::{Answer, Answers, Artifacts, Asked};

use super::server::{Reply, Request, Server};
use super::{anonymous, by_digest, client, tag};
use crate::daemon::{OCI_INDEX, digest};

const INDEX: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;

fn index() -> Reply {
    Reply::manifest(OCI_INDEX, INDEX)
}

fn with_auth(auth: &str) -> digest_gate::registry::Registries {
    client(&[], &BTreeMap::new(), Some(auth))
}

/// A registry that wants the token `good` of each scope, from the token server at `realm`.
fn registry(realm: &str) -> Server {
    let realm = realm.to_owned();
    Server::start(move |request| match request.header("authorization") {
        Some("Bearer good") => index(),
        _ => Reply::bearer(&realm),
    })
}

/// A token server that gives `good` to everybody, for so many seconds.
fn tokens(seconds: u64) -> Server {
    Server::start(move |_| Reply::status(200).body(format!(r#"{{"token":"good","expires_in":{seconds}}}"#)))
}

fn realm(server: &Server) -> String {
    format!("http://{}/token?x=y", server.address)
}

fn names(server: &Server, repositories: usize, tags: usize) -> Vec<Asked> {
    let name = |number: usize| tag(&server.address, &format!("a/b{}", number % repositories), &format!("t{number}"));
    (0..repositories * tags).map(name).collect()
}

fn open(answer: &Answer<digest_gate::resolution::Served>) -> (&str, &str) {
    let Answer::Unanswered(why) = answer else { panic!("{answer:?}") };
    (&why.reason, &why.help)
}

#[test]
fn a_scope_costs_one_token_and_a_name_one_request() {
    let tokens = tokens(300);
    let registry = registry(&realm(&tokens));
    let answers = anonymous().served(&names(&registry, 5, 20));
    assert!(answers.iter().all(|answer| answer.found().is_some()), "{answers:?}");
    // The very first request is the one that is told what is demanded.
    assert_eq!(registry.requests().len(), 100 + 1);
    let mut asked = tokens.lines();
    asked.sort();
    let expected: Vec<_> =
        (0..5).map(|number| format!("GET /token?x=y&service=test&scope=repository%3Aa%2Fb{number}%3Apull")).collect();
    assert_eq!(asked, expected);
    assert!(tokens.requests().iter().all(|request| request.header("authorization").is_none()));
}

#[test]
fn a_token_that_has_ended_is_replaced() {
    let tokens = tokens(1);
    let registry = registry(&realm(&tokens));
    let registries = anonymous();
    assert!(registries.served(&[tag(&registry.address, "a/b", "t")])[0].found().is_some());
    std::thread::sleep(Duration::from_millis(700));
    assert!(registries.served(&[tag(&registry.address, "a/b", "u")])[0].found().is_some());
    assert_eq!(tokens.requests().len(), 2);
    assert_eq!(registry.requests().len(), 3);
}

#[test]
fn a_token_that_is_refused_before_its_end_is_replaced_once() {
    let tokens = Server::start(|request| {
        Reply::status(200).body(format!(r#"{{"access_token":"token{}","expires_in":300}}"#, request.number))
    });
    let realm = realm(&tokens);
    let registry = Server::start(move |request| match (request.header("authorization"), request.path.as_str()) {
        (Some("Bearer token1"), path) if path.ends_with("/first") => index(),
        (Some("Bearer token2"), path) if path.ends_with("/second") => index(),
        _ => Reply::bearer(&realm),
    });
    let registries = anonymous();
    for name in ["first", "second"] {
        assert!(registries.served(&[tag(&registry.address, "a/b", name)])[0].found().is_some(), "{name}");
    }
    assert_eq!(tokens.requests().len(), 2);
}

#[test]
fn a_registry_that_is_never_satisfied_is_left() {
    let tokens = tokens(300);
    let realm = realm(&tokens);
    let insatiable = Server::start(move |_| Reply::bearer(&realm));
    let asked = tag(&insatiable.address, "a/b", "t");
    let answers = anonymous().served(std::slice::from_ref(&asked));
    let (reason, help) = open(&answers[0]);
    let host = &insatiable.address;
    assert_eq!(reason, format!("{host}/a/b does not exist or is private: {host} answered with status 401"));
    assert_eq!(help, format!("check the name; if it is private, log in: `docker login {host}`, or `registry-auth`"));
    assert_eq!((insatiable.requests().len(), tokens.requests().len()), (2, 1));
    // One that wants another scope, or another server, each time.
    let wandering = Server::start(|request| {
        let challenge = format!(
            r#"Bearer realm="http://{}/token{}",scope="repository:a/b{}:pull""#,
            request.header("host").unwrap(),
            request.number,
            request.number
        );
        if request.path.starts_with("/token") {
            return Reply::status(200).body(r#"{"token":"good"}"#);
        }
        Reply::status(401).header("www-authenticate", &challenge)
    });
    let answers = anonymous().served(&[tag(&wandering.address, "a/b", "t")]);
    assert!(matches!(answers[0], Answer::Unanswered(_)));
    assert!(wandering.requests().len() <= 6, "{:?}", wandering.lines());
}

#[test]
fn each_repository_may_have_a_token_server_of_its_own() {
    let tokens =
        |token: &'static str| Server::start(move |_| Reply::status(200).body(format!(r#"{{"token":"{token}"}}"#)));
    let (first, second) = (tokens("b0"), tokens("b1"));
    let realms = [realm(&first), realm(&second)];
    let registry = Server::start(move |request| {
        let repository = request.path.split('/').nth(3).unwrap();
        match request.header("authorization") {
            Some(token) if token == format!("Bearer {repository}") => index(),
            _ => Reply::bearer(&realms[usize::from(repository == "b1")]),
        }
    });
    let registries = anonymous();
    for round in 0..3 {
        for repository in ["a/b0", "a/b1"] {
            let asked = [tag(&registry.address, repository, &format!("t{round}"))];
            assert!(registries.served(&asked)[0].found().is_some(), "{repository} {round}");
        }
    }
    // The second repository was first taken for one like the first.
    assert_eq!((first.requests().len(), second.requests().len()), (2, 1));
}

#[test]
fn the_scope_that_a_registry_names_is_asked_for() {
    let tokens = Server::start(|request| {
        let token = if request.path.contains("inner%2Fb") { "good" } else { "bad" };
        Reply::status(200).body(format!(r#"{{"token":"{token}"}}"#))
    });
    let challenge = format!(r#"Bearer realm="{}",scope="repository:inner/b:pull""#, realm(&tokens));
    let registry = Server::start(move |request| match request.header("authorization") {
        Some("Bearer good") => index(),
        _ => Reply::status(401).header("www-authenticate", &challenge),
    });
    assert!(anonymous().served(&[tag(&registry.address, "a/b", "t")])[0].found().is_some());
    // No registry gets a token for more than reading.
    let greedy = format!(r#"Bearer realm="{}",scope="repository:inner/b:pull,push""#, realm(&tokens));
    let registry = Server::start(move |_| Reply::status(401).header("www-authenticate", &greedy));
    assert!(matches!(anonymous().served(&[tag(&registry.address, "a/b", "t")])[..], [Answer::Unanswered(_)]));
    assert!(tokens.lines().iter().all(|line| !line.contains("push")), "{:?}", tokens.lines());
}

#[test]
fn a_token_server_that_fails_leaves_the_question_open() {
    let cases = [
        (Reply::status(500), "TOKENS answered with status 500", "run again later"),
        (
            Reply::status(404),
            "TOKENS answered with status 404",
            "check that the host is a registry and has the repository",
        ),
        (Reply::status(200).body("<html>"), "TOKENS gave no token for HOST", "run again later"),
        (Reply::status(200).body(r#"{"token":"a\r\nb"}"#), "TOKENS gave no token for HOST", "run again later"),
        (
            Reply::status(403),
            "HOST/a/b does not exist or is private: HOST answered with status 403",
            "check the name; if it is private, log in: `docker login HOST`, or `registry-auth`",
        ),
        (
            Reply::status(429).header("retry-after", "7200"),
            "TOKENS limits requests, and the limit is reached; it was not asked again",
            "log in (`docker login HOST`, or `registry-auth`) for a higher limit, or run again in 2 hours",
        ),
        (
            Reply::Long { bytes: 1 << 30, said: false },
            "TOKENS gave an answer of more than 262144 bytes, which was not read",
            "check that the host is a registry",
        ),
    ];
    for (reply, reason, help) in cases {
        let tokens = Server::start(move |_| reply.clone());
        let registry = registry(&realm(&tokens));
        let shown = |text: &str| text.replace(&registry.address, "HOST").replace(&tokens.address, "TOKENS");
        // Two names of one repository: a token server that refused is not asked again.
        let answers = anonymous().served(&[tag(&registry.address, "a/b", "t"), tag(&registry.address, "a/b", "u")]);
        for answer in &answers {
            let (said, way_out) = open(answer);
            assert_eq!((shown(said), shown(way_out)), (reason.to_owned(), help.to_owned()));
        }
        assert!(tokens.requests().len() <= 3, "{:?}", tokens.lines());
    }
}

#[test]
fn a_token_is_asked_for_over_tls_or_on_this_machine() {
    for realm in
        ["http://token.test/", "http://169.254.169.254/", "file:///etc/passwd", "nonsense", "https://u:p@a.test/"]
    {
        let registry = registry(realm);
        let answers =
            with_auth(&format!("{} me secret", registry.address)).served(&[tag(&registry.address, "a/b", "t")]);
        let (reason, help) = open(&answers[0]);
        assert_eq!(reason, format!("{} asks for a token from a place that is not asked", registry.address));
        assert_eq!(help, "check that the host is a registry; tokens are asked for over TLS only");
    }
}

#[test]
fn a_password_goes_to_the_token_server_and_an_identity_token_in_a_form() {
    let tokens = Server::start(|request| match request.header("authorization") {
        Some("Basic bWU6c2VjcmV0") => Reply::status(200).body(r#"{"token":"good"}"#),
        None if request.method == "POST" && request.body.contains("refresh_token=identity") => {
            Reply::status(200).body(r#"{"access_token":"good"}"#)
        }
        _ => Reply::status(401),
    });
    let registry = registry(&realm(&tokens));
    let host = &registry.address;
    let asked = [tag(host, "a/b", "t")];
    assert!(with_auth(&format!("{host} me secret")).served(&asked)[0].found().is_some());
    assert!(with_auth(&format!("{host} <token> identity")).served(&asked)[0].found().is_some());
    let posted = tokens.requests().pop().unwrap();
    assert_eq!(posted.line(), "POST /token?x=y");
    assert_eq!(posted.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(
        posted.body,
        "grant_type=refresh_token&service=test&client_id=digest-gate&scope=repository%3Aa%2Fb%3Apull\
         &refresh_token=identity"
    );
    for auth in ["me wrong", "<token> wrong"] {
        let answers = with_auth(&format!("{host} {auth}")).served(&asked);
        let (reason, help) = open(&answers[0]);
        assert_eq!(reason, format!("{} refused the account for {host} (status 401)", tokens.address));
        assert_eq!(help, format!("log in again: `docker login {host}`, or correct `registry-auth`"));
    }
    // The registry itself never sees the password.
    for request in registry.requests() {
        assert!(matches!(request.header("authorization"), None | Some("Bearer good")), "{request:?}");
    }
}

#[test]
fn a_password_is_sent_only_when_it_is_demanded_and_only_to_its_host() {
    let basic = |request: &Request| match request.header("authorization") {
        Some("Basic bWU6c2VjcmV0") => index(),
        _ => Reply::status(401).header("www-authenticate", r#"Basic realm="x""#),
    };
    let registry = Server::start(basic);
    let open_one = Server::start(|_| index());
    let stranger = Server::start(basic);
    let auth = format!("{} me secret\n{} me secret", registry.address, open_one.address);
    let registries = with_auth(&auth);
    let asked: Vec<_> = [&registry, &open_one, &stranger].iter().flat_map(|it| names(it, 2, 5)).collect();
    let answers = registries.served(&asked);
    assert!(answers[..20].iter().all(|answer| answer.found().is_some()), "{answers:?}");
    assert!(answers[20..].iter().all(|answer| matches!(answer, Answer::Unanswered(_))), "{answers:?}");
    assert_eq!(registry.requests().len(), 10 + 1);
    let seen = |server: &Server| server.requests().iter().filter(|it| it.header("authorization").is_some()).count();
    assert_eq!((seen(&registry), seen(&open_one), seen(&stranger)), (10, 0, 0));
    let wrong = with_auth(&format!("{} me wrong", registry.address)).served(&asked[..1]);
    assert_eq!(open(&wrong[0]).0, format!("{0} refused the account for {0} (status 401)", registry.address));
}

#[test]
fn a_redirect_to_another_host_takes_no_credentials_along() {
    let blob = "the bytes";
    let elsewhere = Server::start(move |request| match request.path.as_str() {
        "/blob?signature=x" => Reply::status(200).body(blob),
        _ => index(),
    });
    let other = elsewhere.other_name();
    let registry = Server::start(move |request| match (request.header("authorization"), request.path.as_str()) {
        (None, _) => Reply::status(401).header("www-authenticate", "Basic"),
        (_, path) if path.contains("/blobs/") => {
            Reply::status(307).header("location", &format!("http://{other}/blob?signature=x"))
        }
        (_, "/v2/a/b/manifests/far") => Reply::status(302).header("location", &format!("http://{other}/far")),
        (_, "/v2/a/b/manifests/near") => Reply::status(301).header("location", "/v2/a/b/manifests/nearer"),
        (_, "/v2/a/b/manifests/nearer") => index(),
        _ => Reply::status(307).header("location", "/v2/a/b/manifests/again"),
    });
    let registries = with_auth(&format!("{} me secret", registry.address));
    let answer = registries.blobs(&[by_digest(&registry.address, "a/b", &digest(blob.as_bytes()))], 100).remove(0);
    assert_eq!(answer, Answer::Found(blob.as_bytes().to_vec()));
    for name in ["far", "near"] {
        assert!(registries.served(&[tag(&registry.address, "a/b", name)])[0].found().is_some(), "{name}");
    }
    assert_eq!(elsewhere.lines(), ["GET /blob?signature=x", "HEAD /far"]);
    for request in elsewhere.requests() {
        assert_eq!(request.header("authorization"), None, "{request:?}");
        assert!(!format!("{request:?}").contains("secret"));
    }
    let endless = registries.served(&[tag(&registry.address, "a/b", "endless")]);
    assert_eq!(
        open(&endless[0]).0,
        format!("{} answered with a redirect without end, which is not followed", registry.address)
    );
}

#[test]
fn a_redirect_without_encryption_is_not_followed() {
    for target in ["http://registry.test/x", "http://169.254.169.254/latest/meta-data", "ftp://registry.test/x"] {
        let registry = Server::start(move |_| Reply::status(307).header("location", target));
        let answers = anonymous().served(&[tag(&registry.address, "a/b", "t")]);
        let (reason, _) = open(&answers[0]);
        let shown = target.split('/').take(3).collect::<Vec<_>>().join("/");
        assert_eq!(reason, format!("{} answered with a redirect to {shown}, which is not followed", registry.address));
    }
    // A redirect to a host that refuses is no reason to log in there.
    let elsewhere = Server::start(|_| Reply::status(401).header("www-authenticate", "Basic"));
    let other = elsewhere.other_name();
    let registry = Server::start(move |_| Reply::status(307).header("location", &format!("http://{other}/x")));
    let registries = with_auth(&format!("{} me secret\n{} me secret", registry.address, elsewhere.other_name()));
    assert!(matches!(registries.served(&[tag(&registry.address, "a/b", "t")])[..], [Answer::Unanswered(_)]));
    assert!(elsewhere.requests().iter().all(|request| request.header("authorization").is_none()));
}

#[test]
fn the_trouble_with_a_helper_is_told_where_a_login_is_needed() {
    let registry = Server::start(|_| Reply::status(401).header("www-authenticate", "Basic"));
    let public = Server::start(|_| index());
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("config.json"), r#"{"credsStore": "none-such"}"#).unwrap();
    let env = [("DOCKER_CONFIG", folder.path().to_str().unwrap())];
    let registries = client(&env, &BTreeMap::<String, RegistryHost>::new(), None);
    let answers = registries.served(&[tag(&registry.address, "a/b", "t"), tag(&public.address, "a/b", "t")]);
    let help = open(&answers[0]).1;
    assert!(help.contains("; the credential helper `docker-credential-none-such` cannot be started ("), "{help}");
    assert!(answers[1].found().is_some());
}
