//! `unsigned`: no valid signature or attestation of the required identity.

use super::{Facts, JudgedBy, Level, Rule, Verdict};
use crate::resolution::Signed;

pub(super) static RULE: Rule = Rule {
    id: "unsigned",
    default: Level::Error,
    strict: Level::Error,
    summary: "a signature is required, and no valid signature or attestation of the required identity was found",
    why: "a digest says which bytes run, not who made them: whoever can push to the registry and open a pull request \
          could bring in any image",
    fix: "sign the digest that is pinned (`cosign sign`, `actions/attest-build-provenance`), pin the digest that was \
          signed, or correct `signatures` in the configuration; docs/signatures.md says what is accepted",
    example: None,
    judged_by: JudgedBy::Verify,
    judge: Some(judge),
};

fn judge(facts: &Facts<'_>) -> Option<Verdict> {
    let missed = facts.signatures.iter().filter_map(|signed| match signed {
        Signed::No(message) => Some(message.as_str()),
        Signed::Yes | Signed::Open(_) => None,
    });
    let missed: Vec<_> = missed.collect();
    if missed.is_empty() {
        return None;
    }
    let reference = facts.image.reference();
    let help = match reference.and_then(|reference| Some((reference, reference.digest()?))) {
        Some((reference, digest)) => format!(
            "have `{}/{}@{digest}` signed as required, pin a digest that is, or correct `signatures`",
            reference.registry(),
            reference.repository()
        ),
        None => "pin it first: a signature is made for a digest".to_owned(),
    };
    Some(Verdict { message: missed.join("; "), help })
}
