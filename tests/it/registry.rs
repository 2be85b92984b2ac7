//! The registry client against real registries, and against everything that goes wrong with one.

mod documents;
mod faults;
mod mirrors;
mod program;
mod proofs;
mod real;
mod server;

use std::collections::BTreeMap;
use std::time::Duration;

use digest_gate::policy::RegistryHost;
use digest_gate::registry::{Patience, Registries};
use digest_gate::resolution::{Answer, Asked, Object, Served};

/// Short enough for a test, long enough for a busy machine.
fn patience() -> Patience {
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
