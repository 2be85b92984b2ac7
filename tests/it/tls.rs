//! A certificate that nobody trusts, for the stand-in behind TLS.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::crypto::ring::sign::any_ecdsa_type;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, SignatureScheme};

/// Signed by itself, until 2120, for `localhost`, `github.test` and 127.0.0.1.
pub(crate) const CERTIFICATE: &str = "\
-----BEGIN CERTIFICATE-----
MIIBzzCCAXWgAwIBAgIUWED3WtSLxvjSBvuW25CJslwZXx0wCgYIKoZIzj0EAwIw
LzEtMCsGA1UEAwwkZGlnZXN0LWdhdGUgdGVzdCAtIHRydXN0ZWQgYnkgbm9ib2R5
MCAXDTIwMDEwMTAwMDAwMFoYDzIxMjAwMTAxMDAwMDAwWjAvMS0wKwYDVQQDDCRk
aWdlc3QtZ2F0ZSB0ZXN0IC0gdHJ1c3RlZCBieSBub2JvZHkwWTATBgcqhkjOPQIB
BggqhkjOPQMBBwNCAAS5jOntE0qr/zglMSCAJdxPQZYY5QCd4B2Y0FJQgxeLXaCF
y0Q9Nm+AJn9ZOGAaMg4W0sQuiZuGARdWu9a8VJhNo20wazAMBgNVHRMBAf8EAjAA
MCcGA1UdEQQgMB6CCWxvY2FsaG9zdIILZ2l0aHViLnRlc3SHBH8AAAEwEwYDVR0l
BAwwCgYIKwYBBQUHAwEwHQYDVR0OBBYEFEC7f0LTXMAhp7NNjfp1io+nysAFMAoG
CCqGSM49BAMCA0gAMEUCIQDQglV/F4bgOLaxiJ4j4TxHF3H9JO+mp9BwEYALf0Ns
zQIgHw3nVqAI7Z+fsltYBX30TRqmszNibl9rhwc4f3sy2Gs=
-----END CERTIFICATE-----
";

/// Its key, in hex: it opens nothing but these tests.
const KEY: &str = "308187020100301306072a8648ce3d020106082a8648ce3d030107046d306b020101042008c4134bf0b572ff856a21160518\
     ea2348c1a69880f309dbace022bba77a601aa14403420004b98ce9ed134aabff382531208025dc4f419618e5009de01d98d0\
     525083178b5da085cb443d366f80267f5938601a320e16d2c42e899b86011756bbd6bc54984d";

/// The key in DER (PKCS 8).
fn key() -> Vec<u8> {
    let digits = KEY.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

/// The key in PEM.
pub(crate) fn key_pem() -> String {
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(key()))
}

/// A signature of the key by ECDSA with SHA-256: the two numbers, 32 bytes each.
pub(crate) fn sign(message: &[u8]) -> Vec<u8> {
    let key = any_ecdsa_type(&PrivateKeyDer::Pkcs8(key().into())).unwrap();
    let signer = key.choose_scheme(&[SignatureScheme::ECDSA_NISTP256_SHA256]).unwrap();
    // In DER: a sequence of two integers, with a zero before a high bit and without leading zeros.
    let der = signer.sign(message).unwrap();
    let mut numbers = Vec::new();
    let mut rest = &der[2..];
    for _ in 0..2 {
        let (number, after) = rest[2..].split_at(usize::from(rest[1]));
        let number = &number[number.len().saturating_sub(32)..];
        numbers.extend(std::iter::repeat_n(0, 32 - number.len()));
        numbers.extend_from_slice(number);
        rest = after;
    }
    numbers
}

/// The server's side of TLS.
pub(crate) fn server() -> Arc<ServerConfig> {
    let certificate = CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], PrivateKeyDer::Pkcs8(key().into()))
        .unwrap();
    Arc::new(config)
}
