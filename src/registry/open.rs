//! Why a question stays open, and the way out: the words for everything that can go wrong with a registry.

use std::time::Duration;

use serde::Deserialize;

use super::wire::{Fault, Reply};
use crate::http::one_line;
use crate::resolution::Unanswered;

pub(super) fn open(reason: impl Into<String>, help: impl Into<String>) -> Unanswered {
    Unanswered { reason: reason.into(), help: help.into() }
}

const LATER: &str = "run again later";

/// There was no answer.
pub(super) fn fault(host: &str, fault: &Fault) -> Unanswered {
    match fault {
        Fault::Unsent(why) if why.contains("InvalidContentType") => open(
            format!("{host} does not speak TLS"),
            format!(
                "if it is to be asked without encryption, write `registries: {{\"{host}\": {{plain-http: true}}}}`"
            ),
        ),
        Fault::Unsent(why) => open(
            format!("{host} cannot be reached ({why})"),
            "check its name, the network and the proxy (`HTTPS_PROXY`, `NO_PROXY`), and run again",
        ),
        Fault::Untrusted(why) => open(
            format!("the certificate of {host} is not trusted ({why})"),
            "name the certificate of its authority, in PEM, in `SSL_CERT_FILE`",
        ),
        Fault::Lost(why) => open(format!("{host} gave no complete answer ({why})"), LATER),
        Fault::TooLong(limit) => open(
            format!("{host} gave an answer of more than {limit} bytes, which was not read"),
            "check that the host is a registry",
        ),
        Fault::Astray(to) => open(
            format!("{host} answered with {to}, which is not followed"),
            "check that the host is a registry, and that it sends on to encrypted hosts",
        ),
        Fault::Setup(why) => open(why.clone(), "correct the setting and run again"),
    }
}

/// The answer is a failure of the server.
pub(super) fn failed(host: &str, reply: &Reply) -> Unanswered {
    let status = reply.status;
    let said = said(reply).map(|said| format!(", {said}")).unwrap_or_default();
    open(format!("{host} answered with status {status}{said}"), LATER)
}

/// The answer is no answer to the question.
pub(super) fn unexpected(host: &str, reply: &Reply) -> Unanswered {
    let Unanswered { reason, .. } = failed(host, reply);
    open(reason, "check that the host is a registry and has the repository")
}

/// The host asks for a longer pause than anybody waits; `login` is the registry for which it was asked.
pub(super) fn limited(host: &str, login: &str, wait: Option<Duration>, known: bool) -> Unanswered {
    let when = wait.map_or_else(|| "later".to_owned(), |wait| format!("in {}", shown(wait)));
    let help = if known {
        format!("run again {when}, or ask a mirror (`registries: {{\"{login}\": {{mirrors: […]}}}}`)")
    } else {
        format!("log in (`docker login {login}`, or `registry-auth`) for a higher limit, or run again {when}")
    };
    open(format!("{host} limits requests, and the limit is reached"), help)
}

/// The host is not asked any more.
pub(super) fn given_up(last: &Unanswered) -> Unanswered {
    open(format!("{}; it was not asked again", last.reason.trim_end_matches("; it was not asked again")), &last.help)
}

/// The time for all questions is over.
pub(super) fn out_of_time(host: &str, total: Duration) -> Unanswered {
    open(format!("{host} was not asked: all answers together took longer than {}", shown(total)), LATER)
}

/// 401 or 403: nobody but the registry knows whether it is there.
pub(super) fn refused(what: &str, host: &str, status: u16, known: bool, trouble: &[String]) -> Unanswered {
    let mut help = if known {
        format!("check the name, and that the account for {host} may pull it")
    } else {
        format!("check the name; if it is private, log in: `docker login {host}`, or `registry-auth`")
    };
    for trouble in trouble {
        help.push_str("; ");
        help.push_str(trouble);
    }
    open(format!("{what} does not exist or is private: {host} answered with status {status}"), help)
}

/// The account was refused, whatever it asks for.
pub(super) fn wrong_account(host: &str, by: &str, status: u16) -> Unanswered {
    open(
        format!("{by} refused the account for {host} (status {status})"),
        format!("log in again: `docker login {host}`, or correct `registry-auth`"),
    )
}

/// A span of time for people.
fn shown(time: Duration) -> String {
    match time.as_secs() {
        0..=1 => "a second".to_owned(),
        seconds @ 2..120 => format!("{seconds} seconds"),
        seconds @ 120..7200 => format!("{} minutes", seconds.div_ceil(60)),
        seconds => format!("{} hours", seconds.div_ceil(3600)),
    }
}

/// The error body of a registry (distribution-spec, error codes).
#[derive(Deserialize)]
pub(super) struct Errors {
    pub(super) errors: Vec<Wrong>,
}

#[derive(Deserialize)]
pub(super) struct Wrong {
    pub(super) code: String,
    #[serde(default)]
    message: Option<String>,
}

/// What a registry says of its refusal; nothing of a body that is none of a registry.
pub(super) fn errors(reply: &Reply) -> Vec<Wrong> {
    serde_json::from_slice::<Errors>(&reply.body).map(|body| body.errors).unwrap_or_default()
}

fn said(reply: &Reply) -> Option<String> {
    let first = errors(reply).into_iter().next()?;
    let message = first.message.filter(|message| !message.is_empty()).unwrap_or(first.code);
    Some(one_line(&message))
}
