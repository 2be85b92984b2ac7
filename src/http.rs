//! The one way to other machines: an HTTP client with the public roots built in, no retry and no redirect of its own.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

/// Characters of a foreign message that are shown.
const MAX_MESSAGE: usize = 400;

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error("cannot use the certificates of SSL_CERT_FILE {path}: {reason}; name a file of PEM certificates")]
    Certificates { path: String, reason: String },
    #[error("cannot set up the connection: {0}")]
    Client(String),
}

/// A client to be completed: proxies as the environment says, `SSL_CERT_FILE` of `env` beside the public roots, no
/// redirect followed and nothing repeated.
pub fn builder(env: &BTreeMap<String, String>, timeout: Duration) -> Result<reqwest::ClientBuilder, SetupError> {
    Ok(reqwest::Client::builder()
        .tls_backend_preconfigured(tls(env)?)
        .user_agent(concat!("digest-gate/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .connect_timeout(timeout.min(Duration::from_secs(10))))
}

/// TLS with the public roots built in, for an image without any, and those of `SSL_CERT_FILE`.
fn tls(env: &BTreeMap<String, String>) -> Result<rustls::ClientConfig, SetupError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned());
    if let Some(path) = env.get("SSL_CERT_FILE").filter(|path| !path.is_empty()) {
        let refused = |reason| SetupError::Certificates { path: path.clone(), reason };
        let added = roots.add_parsable_certificates(certificates(path).map_err(refused)?).0;
        if added == 0 {
            return Err(refused("no usable certificate in it".to_owned()));
        }
    }
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| SetupError::Client(error.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

#[expect(clippy::disallowed_methods, reason = "trust roots of the machine, not a manifest")]
fn certificates(path: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let pem = std::fs::read(path).map_err(|error| error.to_string())?;
    CertificateDer::pem_slice_iter(&pem).collect::<Result<_, _>>().map_err(|error| error.to_string())
}

/// The innermost reason: the outer ones only name the layers it came through.
pub fn root(error: &(dyn Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    one_line(&innermost.to_string())
}

/// Foreign text without control characters and of bounded length.
pub fn one_line(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { ' ' } else { char }).take(MAX_MESSAGE).collect()
}
