//! Asks a Docker credential helper: a program named `docker-credential-NAME` that keeps passwords for the user.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde::Deserialize;

use super::credentials::Credential;

/// How long a helper may think; those of cloud providers ask a server.
const PATIENCE: Duration = Duration::from_secs(30);

/// Longest answer, in bytes.
const MAX_ANSWER: u64 = 64 << 10;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

/// What a helper knows of a server.
///
/// # Errors
/// The helper is missing or failed: lower case, no full stop, nothing of what it printed.
pub(super) async fn get(
    helper: &str,
    server: &str,
    env: &BTreeMap<String, String>,
) -> Result<Option<Credential>, String> {
    let (helper, server, env) = (helper.to_owned(), server.to_owned(), env.clone());
    let asked = tokio::task::spawn_blocking(move || ask(&helper, &server, &env, PATIENCE));
    asked.await.unwrap_or_else(|_| Err("a credential helper could not be asked".to_owned()))
}

fn ask(
    helper: &str,
    server: &str,
    env: &BTreeMap<String, String>,
    patience: Duration,
) -> Result<Option<Credential>, String> {
    let is_name = helper.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    if !is_name {
        return Err("a credential helper of the Docker configuration has no name of a program".to_owned());
    }
    let program = format!("docker-credential-{helper}");
    let failed = |why: &str| format!("the credential helper `{program}` {why}");
    let mut child = start(&program, env).map_err(|error| failed(&format!("cannot be started ({error})")))?;
    let answer = converse(&mut child, server, patience);
    if answer.is_none() {
        let _ = child.kill();
    }
    let status = child.wait().map_err(|_| failed("was lost"))?;
    let answer = answer.ok_or_else(|| failed("did not answer in time"))?;
    if !status.success() {
        // The words of the protocol for a server that the helper does not know.
        let is_unknown = String::from_utf8_lossy(&answer).contains("credentials not found");
        return if is_unknown { Ok(None) } else { Err(failed("failed")) };
    }
    let answer: Answer = serde_json::from_slice(&answer).map_err(|_| failed("gave an answer that cannot be read"))?;
    Ok((!answer.secret.is_empty()).then(|| Credential::password(&answer.username, &answer.secret)))
}

#[expect(clippy::disallowed_methods, reason = "the user's own helper, named in the user's own configuration")]
fn start(program: &str, env: &BTreeMap<String, String>) -> std::io::Result<Child> {
    Command::new(program)
        .arg("get")
        .env_clear()
        .envs(env)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
}

/// What the helper prints, or none where it does not end in time.
fn converse(child: &mut Child, server: &str, patience: Duration) -> Option<Vec<u8>> {
    let mut stdout = child.stdout.take()?;
    // A helper that reads nothing may have ended already.
    let _ = child.stdin.take()?.write_all(server.as_bytes());
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut answer = Vec::new();
        let read = stdout.by_ref().take(MAX_ANSWER).read_to_end(&mut answer);
        let _ = sender.send(read.map(|_| answer).unwrap_or_default());
    });
    receiver.recv_timeout(patience).ok()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// A folder with a helper `docker-credential-test` of this script, and an environment that finds it.
    #[expect(clippy::disallowed_methods, reason = "the test's own folder")]
    fn helper(script: &str) -> (tempfile::TempDir, BTreeMap<String, String>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("docker-credential-test");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:/usr/bin:/bin", folder.path().display());
        (folder, BTreeMap::from([("PATH".to_owned(), path)]))
    }

    fn asked(script: &str) -> Result<Option<Credential>, String> {
        let (_folder, env) = helper(script);
        ask("test", "ghcr.io", &env, Duration::from_millis(500))
    }

    #[test]
    fn a_helper_is_asked_by_the_protocol() {
        let script =
            r#"test "$1" = get && test "$(cat)" = ghcr.io && echo '{"ServerURL":"x","Username":"u","Secret":"p"}'"#;
        assert!(asked(script) == Ok(Some(Credential::password("u", "p"))));
        let token = r#"echo '{"Username":"<token>","Secret":"t"}'"#;
        assert!(asked(token) == Ok(Some(Credential::Identity("t".to_owned()))));
        let unknown = "echo credentials not found in native keychain; exit 1";
        assert!(asked(unknown) == Ok(None));
    }

    #[test]
    fn a_helper_that_fails_is_named_and_not_quoted() {
        for (script, expected) in [
            ("echo secret; echo secret >&2; exit 3", "the credential helper `docker-credential-test` failed"),
            ("echo secret", "the credential helper `docker-credential-test` gave an answer that cannot be read"),
            ("exec sleep 60", "the credential helper `docker-credential-test` did not answer in time"),
        ] {
            assert_eq!(asked(script).unwrap_err(), expected);
        }
        let missing = ask("none-such", "ghcr.io", &BTreeMap::new(), PATIENCE).unwrap_err();
        assert!(
            missing.starts_with("the credential helper `docker-credential-none-such` cannot be started"),
            "{missing}"
        );
        let path = ask("../x", "ghcr.io", &BTreeMap::new(), PATIENCE).unwrap_err();
        assert_eq!(path, "a credential helper of the Docker configuration has no name of a program");
    }
}
