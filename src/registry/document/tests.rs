//! Tests of the documents: any bytes are read to their end, and nothing is two things at once.

use proptest::prelude::*;
use proptest::test_runner::{Config as Cases, RngSeed};
use serde_json::{Value, json};

use super::*;

fn digest() -> String {
    format!("sha256:{}", "a".repeat(64))
}

fn image() -> Value {
    json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST,
           "config": {"mediaType": OCI_CONFIG, "digest": digest(), "size": 2},
           "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest(), "size": 2}]})
}

fn index() -> Value {
    json!({"schemaVersion": 2, "mediaType": OCI_INDEX,
           "manifests": [{"mediaType": OCI_MANIFEST, "digest": digest(), "size": 2,
                          "platform": {"os": "linux", "architecture": "amd64"}}]})
}

fn read(document: &Value, media_type: &str) -> Result<String, String> {
    let (document, media_type) = Document::read(document.to_string().as_bytes(), media_type)?;
    Ok(match document.nature(&media_type) {
        Nature::Index(_) => "index".to_owned(),
        Nature::Image(..) => "image".to_owned(),
        Nature::Artifact(what, _) => what,
    })
}

#[test]
fn a_document_without_a_media_type_is_what_its_fields_say() {
    let without = |mut document: Value| {
        document.as_object_mut().unwrap().remove("mediaType");
        document
    };
    for sent in ["", "application/octet-stream", "text/plain"] {
        assert_eq!(read(&without(image()), sent).as_deref(), Ok("image"), "{sent}");
        assert_eq!(read(&without(index()), sent).as_deref(), Ok("index"), "{sent}");
        assert_eq!(read(&image(), sent).as_deref(), Ok("image"), "{sent}");
    }
    assert_eq!(read(&without(index()), OCI_INDEX).as_deref(), Ok("index"));
    assert!(read(&without(index()), OCI_MANIFEST).is_err());
    assert!(read(&json!({"schemaVersion": 3, "manifests": []}), "").is_err());
}

#[test]
fn a_document_that_is_two_things_is_refused() {
    for other in [OCI_MANIFEST, DOCKER_MANIFEST, DOCKER_LIST] {
        assert!(read(&index(), other).is_err(), "{other}");
    }
    for field in ["layers", "config"] {
        let mut both = index();
        both[field] = image()[field].clone();
        assert_eq!(read(&both, OCI_INDEX).unwrap_err(), "its fields are not those of its media type", "{field}");
    }
    let mut both = image();
    both["manifests"] = json!([]);
    assert!(read(&both, OCI_MANIFEST).is_err());
}

#[test]
fn a_digest_that_is_none_is_never_followed() {
    for place in ["/config/digest", "/layers/0/digest"] {
        let mut document = image();
        *document.pointer_mut(place).unwrap() = json!("sha256:../../../token");
        assert!(read(&document, OCI_MANIFEST).unwrap_err().starts_with("it names a digest that is none"), "{place}");
    }
}

#[test]
fn a_platform_is_as_the_index_or_the_image_says() {
    let config =
        |text: &str| Config::read(text.as_bytes()).map(|config| (config.platform().to_string(), config.created()));
    assert_eq!(config(r#"{"os":"linux","architecture":"arm","variant":"v7"}"#), Ok(("linux/arm/v7".to_owned(), None)));
    let (platform, created) = config(r#"{"created":"2026-01-02T03:04:05.5+01:00","variant":""}"#).unwrap();
    assert_eq!(
        (platform.as_str(), created.unwrap().to_string().as_str()),
        ("unknown/unknown", "2026-01-02T02:04:05.5Z")
    );
    for text in ["", "[]x", "null", r#"{"os":1}"#, r#"{"created":{}}"#] {
        assert!(config(text).is_err(), "{text}");
    }
}

proptest! {
    #![proptest_config(Cases { rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..Cases::default() })]

    #[test]
    fn any_bytes_are_read_to_their_end(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Document::read(&bytes, OCI_INDEX);
        let _ = Config::read(&bytes);
    }

    /// Whatever is changed in a manifest: it is read as what it is, or refused.
    #[test]
    fn a_damaged_document_is_never_taken_for_another_kind(
        is_index in any::<bool>(), at in 0_usize..600, byte in any::<u8>(),
    ) {
        let document = if is_index { index() } else { image() };
        let (sent, mut bytes) = (if is_index { OCI_INDEX } else { OCI_MANIFEST }, document.to_string().into_bytes());
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok((document, media_type)) = Document::read(&bytes, sent) {
            prop_assert_eq!(&media_type, sent);
            prop_assert_eq!(matches!(document.nature(&media_type), Nature::Index(_)), is_index);
        }
    }
}
