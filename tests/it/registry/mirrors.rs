//! Mirrors and pull-through caches: asked first, believed in what they serve, never in what they lack.

use std::collections::BTreeMap;

use digest_gate::policy::RegistryHost;
use digest_gate::registry::Registries;
use digest_gate::resolution::{Answer, Answers, Artifacts};

use super::server::{Reply, Request, Server};
use super::{by_digest, client, found, tag};
use crate::daemon::{OCI_INDEX, digest};

const FRESH: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;
const CACHED: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests": []}"#;

/// Asks `registry` by way of `mirrors`.
fn mirrored(registry: &str, mirrors: &[&str]) -> Registries {
    let mirrors = mirrors.iter().map(|&mirror| mirror.to_owned()).collect();
    let hosts = BTreeMap::from([(registry.to_owned(), RegistryHost { mirrors, plain_http: false })]);
    client(&[], &hosts, None)
}

fn serving(text: &'static str) -> Server {
    Server::start(move |_| Reply::manifest(OCI_INDEX, text))
}

fn lacking() -> Server {
    Server::start(|_| Reply::unknown())
}

#[test]
fn a_mirror_is_asked_first_and_in_its_own_folder() {
    let (mirror, registry) = (serving(CACHED), serving(FRESH));
    let registries = mirrored(&registry.address, &[&format!("{}/hub/proxy/", mirror.address)]);
    let answers = registries.served(&[tag(&registry.address, "a/b", "t")]);
    assert_eq!(answers, [found(&digest(CACHED.as_bytes()), OCI_INDEX)]);
    assert_eq!(mirror.lines(), ["HEAD /v2/hub/proxy/a/b/manifests/t"]);
    assert!(registry.requests().is_empty());
}

#[test]
fn what_a_mirror_lacks_is_asked_of_the_next_and_at_last_of_the_registry() {
    let (lacking, down, registry) = (lacking(), Server::start(|_| Reply::status(503)), serving(FRESH));
    let registries = mirrored(&registry.address, &[&lacking.address, &down.address]);
    let answers = registries.served(&[tag(&registry.address, "a/b", "t")]);
    assert_eq!(answers, [found(&digest(FRESH.as_bytes()), OCI_INDEX)]);
    // A 404 without the header of a registry is read to the end.
    assert_eq!((lacking.requests().len(), down.requests().len(), registry.requests().len()), (2, 3, 1));
}

#[test]
fn only_the_registry_itself_says_that_something_is_not_there() {
    let (absent, mirror) = (lacking(), lacking());
    let answers = mirrored(&absent.address, &[&mirror.address]).served(&[tag(&absent.address, "a/b", "t")]);
    assert_eq!(answers, [Answer::Missing]);
    let down = Server::start(|_| Reply::status(503));
    let answers = mirrored(&down.address, &[&mirror.address]).served(&[tag(&down.address, "a/b", "t")]);
    let [Answer::Unanswered(why)] = answers.as_slice() else { panic!("{answers:?}") };
    assert_eq!(why.reason, format!("{} answered with status 503", down.address));
}

#[test]
fn docker_hub_is_asked_through_its_mirror_under_any_name() {
    let mirror = serving(FRESH);
    let registries = mirrored("docker.io", &[&mirror.address]);
    let answers = registries.served(&[tag("docker.io", "library/nginx", "1.27")]);
    assert_eq!(answers, [found(&digest(FRESH.as_bytes()), OCI_INDEX)]);
    assert_eq!(mirror.lines(), ["HEAD /v2/library/nginx/manifests/1.27"]);
}

#[test]
fn a_mirror_that_lies_about_a_digest_is_passed_over() {
    let (liar, registry) = (serving(CACHED), serving(FRESH));
    let fresh = digest(FRESH.as_bytes());
    let answers = mirrored(&registry.address, &[&liar.address]).served(&[by_digest(&registry.address, "a/b", &fresh)]);
    assert_eq!(answers, [found(&fresh, OCI_INDEX)]);
}

#[test]
fn that_nothing_refers_to_an_image_is_not_the_mirrors_word() {
    let list = |digest: &str| format!(r#"{{"schemaVersion":2,"manifests":[{{"digest":"{digest}"}}]}}"#);
    let referrer = digest(b"signature");
    let body = list(&referrer);
    let registry = Server::start(move |request: &Request| {
        assert!(request.path.starts_with("/v2/a/b/referrers/"), "{request:?}");
        Reply::status(200).header("content-type", OCI_INDEX).body(&body)
    });
    let mirror = serving(FRESH);
    let asked = [by_digest(&registry.address, "a/b", &digest(b"image"))];
    let answers = mirrored(&registry.address, &[&mirror.address]).referrers(&asked);
    let [Answer::Found(referrers)] = answers.as_slice() else { panic!("{answers:?}") };
    assert_eq!(referrers.iter().map(|it| it.digest.as_str()).collect::<Vec<_>>(), [referrer]);
    assert_eq!(mirror.requests().len(), 1);
}
