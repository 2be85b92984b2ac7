//! The registry client against real registries, and against everything that goes wrong with one.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use digest_gate::policy::RegistryHost;
use digest_gate::registry::{Patience, Registries};
use digest_gate::resolution::{Answer, Answers, Asked, Content, Object, Served};

use crate::daemon::{DOCKER_CONFIG, DOCKER_LIST, DOCKER_MANIFEST, Daemon, OCI_INDEX, OCI_MANIFEST};
use crate::program::has_referee;

/// Short enough for a test, long enough for a busy machine.
pub(crate) fn patience() -> Patience {
    Patience {
        timeout: Duration::from_secs(10),
        limits: Duration::from_secs(5),
        total: Duration::from_mins(1),
        back_off: Duration::from_millis(10),
    }
}

/// A client without an account.
fn anonymous() -> Registries {
    client(&[], &BTreeMap::new(), None)
}

fn client(env: &[(&str, &str)], hosts: &BTreeMap<String, RegistryHost>, auth: Option<&str>) -> Registries {
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Registries::with_patience(&env, hosts, auth, patience()).unwrap()
}

fn tag(registry: &str, repository: &str, tag: &str) -> Asked {
    Asked { registry: registry.to_owned(), repository: repository.to_owned(), object: Object::Tag(tag.to_owned()) }
}

fn by_digest(registry: &str, repository: &str, digest: &str) -> Asked {
    let object = Object::Digest(digest.to_owned());
    Asked { registry: registry.to_owned(), repository: repository.to_owned(), object }
}

fn found(digest: &str, media_type: &str) -> Answer<Served> {
    Answer::Found(Served { digest: digest.to_owned(), media_type: media_type.to_owned() })
}

/// What skopeo says the digest of a tag is.
fn skopeo(address: &str, repository: &str, tag: &str) -> String {
    let name = format!("docker://{address}/{repository}:{tag}");
    let output = Command::new("skopeo").args(["inspect", "--raw", "--tls-verify=false", &name]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    crate::daemon::digest(&output.stdout)
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
    if has_referee("skopeo") {
        for (name, digest) in [("1", &index), ("single", &single), ("list", &list)] {
            assert_eq!(skopeo(&daemon.address, "org/app", name), *digest);
        }
    }
}

#[test]
fn what_stands_behind_a_digest_is_described() {
    let Some(daemon) = Daemon::start() else { return };
    let amd64 = daemon.push_image("org/app", "", "linux/amd64", "2026-01-02T03:04:05Z");
    let arm64 = daemon.push_image("org/app", "", "linux/arm64", "2026-01-03T03:04:05.123456789Z");
    let index = daemon.push_index("org/app", "1", OCI_INDEX, &[("linux/amd64", &amd64), ("linux/arm64", &arm64)]);
    let registries = anonymous();
    let asked = [tag(&daemon.address, "org/app", "1"), by_digest(&daemon.address, "org/app", &amd64)];
    let answers = registries.describe(&asked);
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
