//! Debian's registry, filled by the tools people use, with a login, with a token server, behind TLS.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use digest_gate::registry::Registries;
use digest_gate::resolution::{Answer, Answers, Content};
use serde_json::{Value, json};

use super::server::{Reply, Server};
use super::{anonymous, by_digest, client, found, tag};
use crate::daemon::{DOCKER_CONFIG, DOCKER_LIST, DOCKER_MANIFEST, Daemon, OCI_INDEX, OCI_MANIFEST, digest};
use crate::program::has_referee;
use crate::tls;

/// `me` with the password `secret`, by `htpasswd -nbB`.
const HTPASSWD: &str = "me:$2y$05$kl63dKr5Y5sAlYo.VQTTBOF6tktXf8V9syNsw6mVt/MqQEFuquVze\n";

/// Runs a program that must do what it is told.
fn run(program: &str, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// What skopeo and buildx say the digest of a tag is, as far as they are there.
fn referees(address: &str, repository: &str, name: &str) -> Vec<String> {
    let mut said = Vec::new();
    if has_referee("skopeo") {
        let name = format!("docker://{address}/{repository}:{name}");
        said.push(digest(&run("skopeo", &["inspect", "--raw", "--tls-verify=false", &name])));
    }
    if has_referee("docker-buildx") {
        let name = format!("{address}/{repository}:{name}");
        let output = run("docker-buildx", &["imagetools", "inspect", &name, "--format", "{{json .Manifest}}"]);
        let manifest: Value = serde_json::from_slice(&output).unwrap();
        said.push(manifest["digest"].as_str().unwrap().to_owned());
    }
    said
}

#[test]
fn a_real_registry_is_asked_once_for_each_name() {
    let Some(daemon) = Daemon::start() else { return };
    let amd64 = daemon.push_image("org/app", "", "linux/amd64", "2026-01-02T03:04:05Z");
    let arm64 = daemon.push_image("org/app", "", "linux/arm64", "2026-01-03T03:04:05Z");
    let index = daemon.push_index("org/app", "1", OCI_INDEX, &[("linux/amd64", &amd64), ("linux/arm64", &arm64)]);
    let types = (DOCKER_MANIFEST, DOCKER_CONFIG);
    let single = daemon.push_image_as("org/app", "single", types, "linux/amd64", "2026-02-02T00:00:00Z");
    let list = daemon.push_index("org/app", "list", DOCKER_LIST, &[("linux/amd64", &single)]);
    daemon.forget();
    let at = |name: &str| tag(&daemon.address, "org/app", name);
    let asked = [at("1"), at("single"), at("list"), at("1"), at("none"), by_digest(&daemon.address, "org/app", &arm64)];
    let registries = anonymous();
    let answers = registries.served(&asked);
    let expected = [
        found(&index, OCI_INDEX),
        found(&single, DOCKER_MANIFEST),
        found(&list, DOCKER_LIST),
        found(&index, OCI_INDEX),
        Answer::Missing,
        found(&arm64, OCI_MANIFEST),
    ];
    assert_eq!(answers, expected);
    assert_eq!(registries.served(&asked), expected);
    let requests = daemon.requests();
    assert_eq!(requests.len(), 5, "{requests:?}");
    assert!(requests.iter().all(|request| request.starts_with("HEAD ")), "{requests:?}");
    for (name, digest) in [("1", &index), ("single", &single), ("list", &list)] {
        assert!(referees(&daemon.address, "org/app", name).iter().all(|said| said == digest));
    }
}

#[test]
fn what_stands_behind_a_digest_is_described() {
    let Some(daemon) = Daemon::start() else { return };
    let amd64 = daemon.push_image("org/app", "", "linux/amd64", "2026-01-02T03:04:05Z");
    let arm64 = daemon.push_image("org/app", "", "linux/arm64", "2026-01-03T03:04:05.123456789Z");
    let index = daemon.push_index("org/app", "1", OCI_INDEX, &[("linux/amd64", &amd64), ("linux/arm64", &arm64)]);
    let asked = [tag(&daemon.address, "org/app", "1"), by_digest(&daemon.address, "org/app", &amd64)];
    let answers = anonymous().describe(&asked);
    let [Answer::Found(first), Answer::Found(second)] = answers.as_slice() else { panic!("{answers:?}") };
    assert_eq!((first.digest.as_str(), first.media_type.as_str()), (index.as_str(), OCI_INDEX));
    let Content::Index(entries) = &first.content else { panic!("{first:?}") };
    let entries: Vec<_> = entries.iter().map(|(platform, digest)| (platform.to_string(), digest.as_str())).collect();
    assert_eq!(entries, [("linux/amd64".to_owned(), amd64.as_str()), ("linux/arm64".to_owned(), arm64.as_str())]);
    assert_eq!(first.created.unwrap().to_string(), "2026-01-03T03:04:05.123456789Z");
    let Content::Image(platform) = &second.content else { panic!("{second:?}") };
    assert_eq!((second.digest.as_str(), platform.to_string().as_str()), (amd64.as_str(), "linux/amd64"));
    assert_eq!(second.created.unwrap().to_string(), "2026-01-02T03:04:05Z");
}

#[test]
fn what_other_tools_push_is_found_under_the_digests_they_see() {
    let Some(daemon) = Daemon::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| format!("docker://{}/org/app:{name}", daemon.address);
    let mut expected = Vec::new();
    if has_referee("buildah") {
        let storage = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let (root, runroot) = (storage("root"), storage("run"));
        let buildah = |arguments: &[&str]| {
            let storage = ["--storage-driver", "vfs", "--root", &root, "--runroot", &runroot];
            String::from_utf8(run("buildah", &[&storage[..], arguments].concat())).unwrap().trim().to_owned()
        };
        buildah(&["manifest", "create", "list"]);
        for architecture in ["amd64", "arm64"] {
            let container = buildah(&["from", "scratch"]);
            buildah(&["config", "--os", "linux", "--arch", architecture, &container]);
            buildah(&["commit", "--quiet", &container, architecture]);
            buildah(&["manifest", "add", "list", architecture]);
        }
        buildah(&["manifest", "push", "--all", "--quiet", "--tls-verify=false", "list", &at("index")]);
        let v2s2 = ["--all", "--quiet", "--tls-verify=false", "--format", "v2s2", "list"];
        buildah(&[&["manifest", "push"], &v2s2[..], &[&at("list")]].concat());
        expected.extend([("index", "linux/amd64 linux/arm64"), ("list", "linux/amd64 linux/arm64")]);
    }
    if has_referee("skopeo") {
        daemon.push_image("org/app", "pushed", "linux/s390x", "2026-01-02T03:04:05Z");
        let flags = ["copy", "--quiet", "--src-tls-verify=false", "--dest-tls-verify=false"];
        run("skopeo", &[&flags[..], &["--format", "v2s2", &at("pushed"), &at("copied")]].concat());
        expected.push(("copied", "linux/s390x"));
    }
    if has_referee("oras") {
        let file = folder.path().join("notes.txt");
        fs::write(&file, "notes").unwrap();
        let name = format!("{}/org/app:notes", daemon.address);
        let file = format!("{}:text/plain", file.display());
        let kind = ["push", "--plain-http", "--disable-path-validation", "--artifact-type", "example/notes"];
        run("oras", &[&kind[..], &[&name, &file]].concat());
        expected.push(("notes", "an artifact of type `example/notes`"));
    }
    let registries = anonymous();
    for (name, what) in expected {
        let asked = [tag(&daemon.address, "org/app", name)];
        let (served, described) = (registries.served(&asked).remove(0), registries.describe(&asked).remove(0));
        let (Answer::Found(served), Answer::Found(described)) = (served, described) else { panic!("{name}") };
        assert_eq!(served.digest, described.digest);
        assert_eq!(served.media_type, described.media_type);
        for said in referees(&daemon.address, "org/app", name) {
            assert_eq!(said, served.digest, "{name}");
        }
        let seen = match &described.content {
            Content::Index(entries) => {
                entries.iter().map(|(platform, _)| platform.to_string()).collect::<Vec<_>>().join(" ")
            }
            Content::Image(platform) => platform.to_string(),
            Content::Artifact(what) => what.clone(),
        };
        assert_eq!(seen, what, "{name}");
    }
}

/// A folder of a registry's files with one image, and its digest.
fn filled() -> Option<(tempfile::TempDir, String)> {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::serve(folder.path(), "", "")?;
    let digest = daemon.push_image("org/app", "1", "linux/amd64", "2026-01-02T03:04:05Z");
    drop(daemon);
    Some((folder, digest))
}

fn ask(registries: &Registries, address: &str) -> Answer<digest_gate::resolution::Served> {
    registries.served(&[tag(address, "org/app", "1")]).remove(0)
}

#[test]
fn a_registry_with_passwords_is_asked_with_dockers_configuration() {
    let Some((folder, digest)) = filled() else { return };
    let passwords = folder.path().join("htpasswd");
    fs::write(&passwords, HTPASSWD).unwrap();
    let auth = format!("auth: {{htpasswd: {{realm: test, path: {}}}}}\n", passwords.display());
    let Some(daemon) = Daemon::serve(folder.path(), "", &auth) else { return };
    let account = json!({"auths": {(daemon.address.clone()): {"auth": STANDARD.encode("me:secret")}}});
    fs::write(folder.path().join("config.json"), account.to_string()).unwrap();
    let env = [("DOCKER_CONFIG", folder.path().to_str().unwrap())];
    assert_eq!(ask(&client(&env, &BTreeMap::new(), None), &daemon.address), found(&digest, OCI_MANIFEST));
    assert_eq!(daemon.requests().len(), 2);
    for auth in [None, Some(format!("{} me wrong", daemon.address))] {
        let answer = ask(&client(&[], &BTreeMap::new(), auth.as_deref()), &daemon.address);
        assert!(matches!(answer, Answer::Unanswered(_)), "{answer:?}");
    }
}

#[test]
fn a_registry_behind_tls_is_asked_when_its_certificate_is_named() {
    let Some((folder, digest)) = filled() else { return };
    let path = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (certificate, key) = (path("ca.pem", tls::CERTIFICATE), path("key.pem", &tls::key_pem()));
    let tls = format!("  tls: {{certificate: {certificate}, key: {key}}}\n");
    let Some(daemon) = Daemon::serve(folder.path(), &tls, "") else { return };
    let trusting = client(&[("SSL_CERT_FILE", &certificate)], &BTreeMap::new(), None);
    assert_eq!(ask(&trusting, &daemon.address), found(&digest, OCI_MANIFEST));
    assert_eq!(daemon.requests(), ["HEAD /v2/org/app/manifests/1"]);
    let answer = ask(&anonymous(), &daemon.address);
    let Answer::Unanswered(why) = answer else { panic!("{answer:?}") };
    let expected = format!("the certificate of {} is not trusted (invalid peer certificate: ", daemon.address);
    assert!(why.reason.starts_with(&expected), "{why:?}");
    assert_eq!(why.help, "name the certificate of its authority, in PEM, in `SSL_CERT_FILE`");
    let missing = Registries::new(
        &BTreeMap::from([("SSL_CERT_FILE".to_owned(), "/none/such.pem".to_owned())]),
        &BTreeMap::new(),
        None,
    );
    assert!(
        missing.unwrap_err().to_string().starts_with("cannot use the certificates of SSL_CERT_FILE /none/such.pem")
    );
}

#[test]
fn a_registry_with_a_token_server_is_asked_with_its_tokens() {
    let Some((folder, digest)) = filled() else { return };
    let tokens = Server::start(|request| {
        let scope = request.path.split("scope=").nth(1).unwrap().replace("%3A", ":").replace("%2F", "/");
        let name = scope.split(':').nth(1).unwrap();
        let pull =
            if request.header("authorization") == Some("Basic bWU6c2VjcmV0") { vec!["pull"] } else { Vec::new() };
        Reply::status(200).body(json!({"token": token(name, &pull), "expires_in": 300}).to_string())
    });
    let Some(daemon) = with_tokens(folder.path(), &format!("http://{}/token", tokens.address)) else { return };
    let known = client(&[], &BTreeMap::new(), Some(&format!("{} me secret", daemon.address)));
    assert_eq!(ask(&known, &daemon.address), found(&digest, OCI_MANIFEST));
    let asked = [tag(&daemon.address, "org/app", "none"), by_digest(&daemon.address, "org/app", &digest)];
    assert_eq!(known.served(&asked), [Answer::Missing, found(&digest, OCI_MANIFEST)]);
    assert_eq!((tokens.requests().len(), daemon.requests().len()), (1, 4));
    let answer = ask(&anonymous(), &daemon.address);
    let Answer::Unanswered(why) = answer else { panic!("{answer:?}") };
    assert!(why.reason.contains("does not exist or is private"), "{why:?}");
    assert!(why.help.contains(&format!("docker login {}", daemon.address)), "{why:?}");
}

fn with_tokens(folder: &Path, realm: &str) -> Option<Daemon> {
    let certificate = folder.join("token.pem");
    fs::write(&certificate, tls::CERTIFICATE).unwrap();
    let auth = format!(
        "auth: {{token: {{realm: '{realm}', service: test, issuer: test, rootcertbundle: {}}}}}\n",
        certificate.display()
    );
    Daemon::serve(folder, "", &auth)
}

/// A token for a repository, signed as the registry expects it (RFC 7515, ES256).
fn token(repository: &str, actions: &[&str]) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let certificate: String = tls::CERTIFICATE.lines().filter(|line| !line.starts_with('-')).collect();
    let head = json!({"typ": "JWT", "alg": "ES256", "x5c": [certificate]});
    let claims = json!({
        "iss": "test", "sub": "me", "aud": "test", "jti": "1", "iat": now, "nbf": now - 60, "exp": now + 300,
        "access": [{"type": "repository", "name": repository, "actions": actions}],
    });
    let encode = |text: String| URL_SAFE_NO_PAD.encode(text);
    let signed = format!("{}.{}", encode(head.to_string()), encode(claims.to_string()));
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tls::sign(signed.as_bytes())))
}
