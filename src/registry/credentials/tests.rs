//! Tests of what is known of the user, in every spelling of Docker's file.

#![expect(clippy::disallowed_methods, reason = "the test's own folder")]

use std::fs;

use super::*;

const HOSTS: [&str; 5] = ["docker.io", "ghcr.io", "localhost:5000", "other.test", "store.test"];

/// What is known for each host, given Docker's file and `registry-auth`.
async fn known(config: &str, given: Option<&str>) -> (Vec<String>, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("config.json"), config).unwrap();
    let env = BTreeMap::from([("DOCKER_CONFIG".to_owned(), folder.path().to_str().unwrap().to_owned())]);
    let credentials = Credentials::new(&env, given).unwrap();
    let mut lines = Vec::new();
    for host in HOSTS {
        match credentials.of(host).await {
            Some(Credential::Password { user, password }) => lines.push(format!("{host} {user}:{password}")),
            Some(Credential::Identity(token)) => lines.push(format!("{host} identity {token}")),
            Some(Credential::Bearer(token)) => lines.push(format!("{host} bearer {token}")),
            None => {}
        }
    }
    (lines, credentials.trouble())
}

#[tokio::test]
async fn accounts_are_found_in_every_spelling() {
    let config = r#"{"auths": {
        "https://index.docker.io/v1/": {"auth": "dTpwOng="},
        "GHCR.io": {"auth": "dTpwOng", "email": "x@y.z"},
        "http://localhost:5000/v2/": {"username": "<token>", "password": "i"},
        "other.test": {"auth": "dTo=", "identitytoken": "t"},
        "store.test": {"registrytoken": "r"}
    }, "HttpHeaders": {"User-Agent": "x"}}"#;
    let expected = [
        "docker.io u:p:x",
        "ghcr.io u:p:x",
        "localhost:5000 identity i",
        "other.test identity t",
        "store.test bearer r",
    ];
    assert_eq!(known(config, None).await, (expected.map(str::to_owned).to_vec(), Vec::new()));
    for spelling in ["docker.io", "index.docker.io", "registry-1.docker.io", "https://index.docker.io/v1"] {
        let config = format!(r#"{{"auths": {{"{spelling}": {{"auth": "dTpw"}}}}}}"#);
        assert_eq!(known(&config, None).await.0, ["docker.io u:p"], "{spelling}");
    }
}

#[tokio::test]
async fn registry_auth_goes_before_dockers_file() {
    let config = r#"{"auths": {"ghcr.io": {"auth": "dTpw"}, "other.test": {"auth": "dTpw"}}}"#;
    let lines = "# a comment\n\nghcr.io  me   pass word \nindex.docker.io\t<token> abc";
    assert_eq!(
        known(config, Some(lines)).await.0,
        ["docker.io identity abc", "ghcr.io me:pass word", "other.test u:p"]
    );
    let json = r#" {"auths": {"ghcr.io": {"username": "me", "password": "x"}}}"#;
    assert_eq!(known(config, Some(json)).await.0, ["ghcr.io me:x", "other.test u:p"]);
    assert_eq!(known(config, Some("")).await.0, ["ghcr.io u:p", "other.test u:p"]);
}

#[test]
fn what_is_wrong_with_registry_auth_is_said_without_quoting_it() {
    let wrong = |text: &str| Credentials::new(&BTreeMap::new(), Some(text)).err().unwrap();
    assert_eq!(wrong("ghcr.io secret"), "line 1 is not `HOST USER PASSWORD`");
    assert_eq!(wrong("# x\na.test u p\nA.test u q"), "line 3 names a host a second time");
    assert_eq!(wrong("{\"auths\": {\"a\":\n \"secret\"}}"), "not the JSON of a Docker configuration, line 2 column 9");
    assert_eq!(wrong("{"), "not the JSON of a Docker configuration, line 1 column 1");
}

#[tokio::test]
async fn a_missing_helper_or_a_broken_file_leaves_the_user_unknown() {
    let config = r#"{"auths": {"ghcr.io": {"auth": "dTpw"}, "other.test": {}}, "credsStore": "none-such",
                     "credHelpers": {"localhost:5000": "../evil"}}"#;
    let (lines, trouble) = known(config, None).await;
    assert_eq!(lines, ["ghcr.io u:p"]);
    assert_eq!(trouble.len(), 4, "{trouble:?}");
    assert!(
        trouble[0].starts_with("the credential helper `docker-credential-none-such` cannot be started"),
        "{trouble:?}"
    );
    assert_eq!(trouble[1], "a credential helper of the Docker configuration has no name of a program");
    let (lines, trouble) = known("{ broken", None).await;
    assert!(lines.is_empty());
    assert!(
        trouble[0].ends_with("cannot be read (not the JSON of a Docker configuration, line 1 column 3)"),
        "{trouble:?}"
    );
    for config in
        [r#"{"auths": {"ghcr.io": {"auth": "not base64!"}}}"#, r#"{"auths": {"ghcr.io": {"auth": "bm9uZQ=="}}}"#]
    {
        assert_eq!(known(config, None).await, (Vec::new(), Vec::new()));
    }
}

#[test]
fn nothing_of_a_credential_is_shown() {
    let shown = format!("{:?}", [Credential::password("me", "secret"), Credential::Identity("secret".to_owned())]);
    assert_eq!(shown, "[Password(…), Identity(…)]");
}
