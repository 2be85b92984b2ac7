//! What stands behind a digest: indexes, images, and all the things that are no image.

use digest_gate::resolution::{Answer, Answers, Artifacts, Content, Description};
use serde_json::{Value, json};

use super::server::{Reply, Server};
use super::{anonymous, by_digest, tag};
use crate::daemon::{DOCKER_CONFIG, DOCKER_LIST, DOCKER_MANIFEST, Daemon, OCI_CONFIG, OCI_INDEX, OCI_MANIFEST, digest};

fn describe(daemon: &Daemon, name: &str) -> Description {
    let of = if name.contains(':') { by_digest } else { tag };
    match anonymous().describe(&[of(&daemon.address, "a/b", name)]).remove(0) {
        Answer::Found(description) => description,
        other => panic!("{name}: {other:?}"),
    }
}

/// Platforms and digests, or what it is.
fn content(description: &Description) -> Vec<String> {
    match &description.content {
        Content::Index(entries) => entries.iter().map(|(platform, digest)| format!("{platform} {digest}")).collect(),
        Content::Image(platform) => vec![platform.to_string()],
        Content::Artifact(what) => vec![what.clone()],
    }
}

fn entry(media_type: &str, digest: &str, more: Value) -> Value {
    let mut entry = json!({"mediaType": media_type, "digest": digest, "size": 1});
    let Value::Object(more) = more else { panic!() };
    entry.as_object_mut().unwrap().extend(more);
    entry
}

#[test]
fn attestations_are_no_platforms() {
    let Some(daemon) = Daemon::start() else { return };
    let amd64 = daemon.push_image("a/b", "", "linux/amd64", "2026-01-02T03:04:05Z");
    let config = daemon.push_blob("a/b", br#"{"architecture":"unknown","os":"unknown","config":{},"rootfs":{}}"#);
    let layer = daemon.push_blob("a/b", b"{}");
    let attestation = daemon.push_manifest(
        "a/b",
        "",
        OCI_MANIFEST,
        &json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST,
                "config": {"mediaType": OCI_CONFIG, "digest": config, "size": 65},
                "layers": [{"mediaType": "application/vnd.in-toto+json", "digest": layer, "size": 2}]}),
    );
    let unknown = json!({"os": "unknown", "architecture": "unknown"});
    let marks = json!({"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": amd64});
    let index = |entries: Value| json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries});
    daemon.push_manifest(
        "a/b",
        "built",
        OCI_INDEX,
        &index(json!([
            entry(OCI_MANIFEST, &amd64, json!({"platform": {"os": "linux", "architecture": "amd64"}})),
            entry(OCI_MANIFEST, &attestation, json!({"platform": unknown, "annotations": marks})),
        ])),
    );
    assert_eq!(content(&describe(&daemon, "built")), [format!("linux/amd64 {amd64}")]);
    // An index that does not say for which machine its images are is looked into.
    daemon.push_manifest(
        "a/b",
        "silent",
        OCI_INDEX,
        &index(json!([entry(OCI_MANIFEST, &amd64, json!({})), entry(OCI_MANIFEST, &attestation, json!({}))])),
    );
    assert_eq!(content(&describe(&daemon, "silent")), [format!("linux/amd64 {amd64}")]);
    daemon.push_manifest("a/b", "empty", OCI_INDEX, &index(json!([])));
    assert_eq!(content(&describe(&daemon, "empty")), ["an index without any image"]);
    assert_eq!(content(&describe(&daemon, &attestation)), ["an attestation"]);
}

#[test]
fn what_is_no_image_is_named() {
    let Some(daemon) = Daemon::start() else { return };
    let blob = daemon.push_blob("a/b", b"{}");
    let cases = [
        (
            "application/vnd.cncf.helm.config.v1+json",
            "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
            "",
            "a Helm chart",
        ),
        (OCI_CONFIG, "application/vnd.dev.cosign.simplesigning.v1+json", "", "a signature"),
        (OCI_CONFIG, "application/vnd.dsse.envelope.v1+json", "", "an attestation"),
        (
            "application/vnd.oci.empty.v1+json",
            "application/vnd.dev.sigstore.bundle.v0.3+json",
            "application/vnd.dev.sigstore.bundle.v0.3+json",
            "a signature or attestation",
        ),
        ("application/vnd.oci.empty.v1+json", "text/plain", "example/thing", "an artifact of type `example/thing`"),
        ("application/vnd.oci.empty.v1+json", "text/plain", "", "an artifact of `text/plain`"),
        ("application/vnd.unheard.of+json", "text/plain", "", "an artifact of type `application/vnd.unheard.of+json`"),
    ];
    for (number, (config, layer, own, expected)) in cases.into_iter().enumerate() {
        let mut document = json!({
            "schemaVersion": 2, "mediaType": OCI_MANIFEST,
            "config": {"mediaType": config, "digest": blob, "size": 2},
            "layers": [{"mediaType": layer, "digest": blob, "size": 2}],
        });
        if !own.is_empty() {
            document["artifactType"] = own.into();
        }
        let name = format!("t{number}");
        daemon.push_manifest("a/b", &name, OCI_MANIFEST, &document);
        assert_eq!(content(&describe(&daemon, &name)), [expected]);
    }
}

#[test]
fn dates_come_from_annotations_and_cost_few_requests() {
    let Some(daemon) = Daemon::start() else { return };
    let platforms = ["linux/386", "linux/amd64", "linux/arm64", "linux/s390x", "linux/ppc64le", "windows/amd64"];
    let images: Vec<_> = platforms
        .iter()
        .enumerate()
        .map(|(day, platform)| {
            let types = (DOCKER_MANIFEST, DOCKER_CONFIG);
            let created = format!("2026-01-0{}T00:00:00Z", day + 1);
            (*platform, daemon.push_image_as("a/b", "", types, platform, &created))
        })
        .collect();
    let images: Vec<_> = images.iter().map(|(platform, digest)| (*platform, digest.as_str())).collect();
    daemon.push_index("a/b", "list", DOCKER_LIST, &images);
    daemon.forget();
    let described = describe(&daemon, "list");
    assert_eq!(content(&described).len(), 6);
    // Of the images that are asked, the common ones first, the newest.
    assert_eq!(described.created.unwrap().to_string(), "2026-01-03T00:00:00Z");
    assert_eq!(daemon.requests().len(), 1 + 3 * 2, "{:?}", daemon.requests());
    let entries: Vec<_> = images
        .iter()
        .map(|(platform, digest)| {
            let (os, architecture) = platform.split_once('/').unwrap();
            let created =
                json!({"org.opencontainers.image.created": format!("2026-02-0{}T00:00:00Z", digest.len() % 9 + 1)});
            let platform = json!({"os": os, "architecture": architecture, "variant": "v8", "os.version": "10.0"});
            entry(DOCKER_MANIFEST, digest, json!({"platform": platform, "annotations": created}))
        })
        .collect();
    let index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries});
    daemon.push_manifest("a/b", "dated", OCI_INDEX, &index);
    daemon.forget();
    let described = describe(&daemon, "dated");
    assert_eq!(described.created.unwrap().to_string(), format!("2026-02-0{}T00:00:00Z", 71 % 9 + 1));
    assert_eq!(daemon.requests(), ["GET /v2/a/b/manifests/dated"]);
    let Content::Index(entries) = &described.content else { panic!("{described:?}") };
    assert_eq!(entries[1].0.to_string(), "linux/amd64/v8");
    assert_eq!(entries[1].0.os_version.as_deref(), Some("10.0"));
}

#[test]
fn an_image_that_says_nothing_of_itself_is_still_an_image() {
    let Some(daemon) = Daemon::start() else { return };
    let image = |name: &str, config: &[u8]| {
        let digest = daemon.push_blob("a/b", config);
        let document = json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST,
                              "config": {"mediaType": OCI_CONFIG, "digest": digest, "size": config.len()}, "layers": []});
        daemon.push_manifest("a/b", name, OCI_MANIFEST, &document);
    };
    image("bare", b"{}");
    let described = describe(&daemon, "bare");
    assert_eq!((content(&described), described.created), (vec!["unknown/unknown".to_owned()], None));
    image("odd", br#"{"os":"linux","architecture":"arm","variant":"v7","created":"long ago"}"#);
    let described = describe(&daemon, "odd");
    assert_eq!((content(&described), described.created), (vec!["linux/arm/v7".to_owned()], None));
    image("broken", b"no configuration");
    let answer = anonymous().describe(&[tag(&daemon.address, "a/b", "broken")]).remove(0);
    let Answer::Unanswered(why) = answer else { panic!("{answer:?}") };
    assert!(
        why.reason.ends_with("cannot be read: the configuration of the image is none (line 1, column 2)"),
        "{why:?}"
    );
}

#[test]
fn what_refers_to_an_image_is_found_by_page_or_by_tag() {
    let (image, first, second) = (digest(b"image"), digest(b"first"), digest(b"second"));
    let page =
        |digest: &str| format!(r#"{{"schemaVersion":2,"manifests":[{{"digest":"{digest}","artifactType":"a/b"}}]}}"#);
    let (one, two) = (page(&first), page(&second));
    let paged = Server::start(move |request| {
        let answer = Reply::status(200).header("content-type", OCI_INDEX);
        if request.path.contains("page=2") {
            answer.body(&two)
        } else {
            answer.header("link", &format!("<{}?page=2>; rel=\"next\"", request.path)).body(&one)
        }
    });
    let digests = |server: &Server| match anonymous().referrers(&[by_digest(&server.address, "a/b", &image)]).remove(0)
    {
        Answer::Found(referrers) => referrers.into_iter().map(|it| it.digest).collect(),
        other => vec![format!("{other:?}")],
    };
    assert_eq!(digests(&paged), [first, second]);
    // Pages without end, or on another host, are not followed.
    let one = page(&digest(b"x"));
    let endless = Server::start(move |request| {
        let next = format!("<{}>; rel=next", request.path);
        Reply::status(200).header("content-type", OCI_INDEX).header("link", &next).body(&one)
    });
    assert!(digests(&endless)[0].contains("than is read"), "{:?}", digests(&endless));
    assert!(endless.requests().len() <= 32);
    let html = Server::start(|_| Reply::status(200).body("<html>"));
    assert!(digests(&html)[0].contains("no list of what refers to it"));
    // docker-registry has no such API: clients keep a list under a tag.
    let Some(daemon) = Daemon::start() else { return };
    let image = daemon.push_image("a/b", "1", "linux/amd64", "2026-01-01T00:00:00Z");
    let signature = daemon.push_image("a/b", "", "linux/arm64", "2026-01-01T00:00:00Z");
    let asked = [by_digest(&daemon.address, "a/b", &image), by_digest(&daemon.address, "a/b", &signature)];
    assert_eq!(anonymous().referrers(&asked), [Answer::Found(Vec::new()), Answer::Found(Vec::new())]);
    let list = json!({"schemaVersion": 2, "mediaType": OCI_INDEX,
                      "manifests": [entry(OCI_MANIFEST, &signature, json!({"annotations": {"k": "v"}}))]});
    daemon.push_manifest("a/b", &image.replace(':', "-"), OCI_INDEX, &list);
    let answers = anonymous().referrers(&asked);
    let [Answer::Found(found), Answer::Found(none)] = answers.as_slice() else { panic!("{answers:?}") };
    assert_eq!((found[0].digest.as_str(), none.len()), (signature.as_str(), 0));
    assert_eq!(found[0].annotations, [("k".to_owned(), "v".to_owned())]);
}

#[test]
fn manifests_and_blobs_come_whole_and_checked() {
    let Some(daemon) = Daemon::start() else { return };
    let image = daemon.push_image("a/b", "1", "linux/amd64", "2026-01-01T00:00:00Z");
    let bytes = vec![7; 100_000];
    let blob = daemon.push_blob("a/b", &bytes);
    let registries = anonymous();
    let at = |name: &str| by_digest(&daemon.address, "a/b", name);
    let manifests = registries.manifests(&[tag(&daemon.address, "a/b", "1"), at(&image), at(&digest(b"none"))]);
    let [Answer::Found(by_tag), Answer::Found(by_digest), Answer::Missing] = manifests.as_slice() else {
        panic!("{manifests:?}")
    };
    assert_eq!(by_tag, by_digest);
    assert_eq!(digest(&by_tag.bytes), image);
    assert_eq!(
        registries.blobs(&[at(&blob), at(&digest(b"none"))], bytes.len()),
        [Answer::Found(bytes), Answer::Missing]
    );
    assert!(matches!(registries.blobs(&[at(&blob)], 99_999)[..], [Answer::Unanswered(_)]));
}
