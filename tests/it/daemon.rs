//! Debian's `docker-registry` on this machine, and what is pushed to it over its own API.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::program::skipped;

pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(crate) const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
pub(crate) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub(crate) const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";

/// A running registry; dropping it ends it.
pub(crate) struct Daemon {
    child: Child,
    /// `127.0.0.1:port`.
    pub(crate) address: String,
    log: Arc<Mutex<Vec<String>>>,
    /// Its files, unless they are somebody else's; removed after it has ended.
    folder: Option<tempfile::TempDir>,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        drop(self.folder.take());
    }
}

impl Daemon {
    /// An empty registry without encryption and login. None, said aloud, where the program is not on PATH.
    pub(crate) fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut daemon = Self::serve(folder.path(), "", "")?;
        daemon.folder = Some(folder);
        Some(daemon)
    }

    /// A registry over the files of another one in `folder`; `http` and `rest` are lines of its configuration.
    pub(crate) fn serve(folder: &Path, http: &str, rest: &str) -> Option<Self> {
        let configuration = folder.join(format!("{}.yml", &digest(format!("{http}{rest}").as_bytes())[7..]));
        let text = format!(
            "version: 0.1\nlog: {{level: info, accesslog: {{disabled: false}}}}\n\
             storage: {{filesystem: {{rootdirectory: {}}}, delete: {{enabled: true}}}}\n\
             http:\n  addr: 127.0.0.1:0\n  secret: test\n{http}{rest}",
            folder.join("root").display()
        );
        fs::write(&configuration, text).unwrap();
        let started = Command::new("docker-registry")
            .arg("serve")
            .arg(&configuration)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let Ok(mut child) = started else {
            skipped("`docker-registry` is not on PATH: no real registry was asked");
            return None;
        };
        let log = Arc::new(Mutex::new(Vec::new()));
        let (sender, receiver) = mpsc::channel();
        follow(child.stderr.take().unwrap(), &log, &sender);
        follow(child.stdout.take().unwrap(), &log, &sender);
        let address = loop {
            let line = receiver.recv_timeout(Duration::from_mins(1)).expect("the registry starts");
            if let Some((_, rest)) = line.split_once("listening on ") {
                break rest.split(['"', ',']).next().unwrap().to_owned();
            }
            assert!(!line.contains("level=fatal"), "{line}");
        };
        Some(Self { child, address, log, folder: None })
    }

    /// What it was asked so far, as `METHOD path`, in order.
    pub(crate) fn requests(&self) -> Vec<String> {
        // The log is written after the answer.
        thread::sleep(Duration::from_millis(100));
        let log = self.log.lock().unwrap();
        let asked = log.iter().filter_map(|line| line.split("] \"").nth(1)?.split(" HTTP/").next());
        asked.map(str::to_owned).collect()
    }

    /// Forgets what it was asked.
    pub(crate) fn forget(&self) {
        let _ = self.requests();
        self.log.lock().unwrap().clear();
    }

    /// Stores a blob; its digest.
    pub(crate) fn push_blob(&self, repository: &str, bytes: &[u8]) -> String {
        let digest = digest(bytes);
        let begun = exchange(&self.address, "POST", &format!("/v2/{repository}/blobs/uploads/"), &[], &[]);
        assert_eq!(begun.status, 202, "{begun:?}");
        let location = begun.header("location").unwrap();
        let path = location.split_once(&self.address).map_or(location, |(_, path)| path);
        let path = format!("{path}&digest={digest}");
        let done = exchange(&self.address, "PUT", &path, &[("content-type", "application/octet-stream")], bytes);
        assert_eq!(done.status, 201, "{done:?}");
        digest
    }

    /// Stores a manifest under a tag or its digest; its digest.
    pub(crate) fn push_manifest(&self, repository: &str, name: &str, media_type: &str, document: &Value) -> String {
        let bytes = serde_json::to_vec_pretty(document).unwrap();
        let name = if name.is_empty() { digest(&bytes) } else { name.to_owned() };
        self.push_bytes(repository, &name, media_type, &bytes);
        digest(&bytes)
    }

    /// Stores a manifest, byte by byte.
    pub(crate) fn push_bytes(&self, repository: &str, name: &str, media_type: &str, bytes: &[u8]) {
        let path = format!("/v2/{repository}/manifests/{name}");
        let done = exchange(&self.address, "PUT", &path, &[("content-type", media_type)], bytes);
        assert_eq!(done.status, 201, "{done:?} {}", String::from_utf8_lossy(&done.body));
    }

    /// Stores an image of one platform (`linux/arm64`); without a tag under its digest alone.
    pub(crate) fn push_image(&self, repository: &str, tag: &str, platform: &str, created: &str) -> String {
        self.push_image_as(repository, tag, (OCI_MANIFEST, OCI_CONFIG), platform, created)
    }

    /// The same, of a media type for the manifest and for the configuration.
    pub(crate) fn push_image_as(
        &self,
        repository: &str,
        tag: &str,
        (manifest, config): (&str, &str),
        platform: &str,
        created: &str,
    ) -> String {
        let (os, architecture) = platform.split_once('/').unwrap();
        let layer = self.push_blob(repository, format!("{repository}{platform}").as_bytes());
        let configuration = json!({
            "created": created, "os": os, "architecture": architecture,
            "config": {}, "rootfs": {"type": "layers", "diff_ids": [layer.as_str()]},
        });
        let bytes = serde_json::to_vec(&configuration).unwrap();
        let digest = self.push_blob(repository, &bytes);
        let layer_type = match manifest {
            DOCKER_MANIFEST => "application/vnd.docker.image.rootfs.diff.tar.gzip",
            _ => "application/vnd.oci.image.layer.v1.tar",
        };
        let document = json!({
            "schemaVersion": 2, "mediaType": manifest,
            "config": {"mediaType": config, "digest": digest, "size": bytes.len()},
            "layers": [{"mediaType": layer_type, "digest": layer, "size": repository.len() + platform.len()}],
        });
        self.push_manifest(repository, tag, manifest, &document)
    }

    /// Stores an index of images that are there, by platform and digest.
    pub(crate) fn push_index(&self, repository: &str, tag: &str, media_type: &str, images: &[(&str, &str)]) -> String {
        let image = match media_type {
            DOCKER_LIST => DOCKER_MANIFEST,
            _ => OCI_MANIFEST,
        };
        let entry = |(platform, digest): &(&str, &str)| {
            let (os, architecture) = platform.split_once('/').unwrap();
            let size = self.get(repository, digest).len();
            json!({"mediaType": image, "digest": digest, "size": size,
                   "platform": {"os": os, "architecture": architecture}})
        };
        let manifests: Vec<_> = images.iter().map(entry).collect();
        let document = json!({"schemaVersion": 2, "mediaType": media_type, "manifests": manifests});
        self.push_manifest(repository, tag, media_type, &document)
    }

    fn get(&self, repository: &str, name: &str) -> Vec<u8> {
        let accept = [OCI_MANIFEST, DOCKER_MANIFEST].join(", ");
        let path = format!("/v2/{repository}/manifests/{name}");
        exchange(&self.address, "GET", &path, &[("accept", &accept)], &[]).body
    }
}

fn follow(output: impl Read + Send + 'static, log: &Arc<Mutex<Vec<String>>>, sender: &mpsc::Sender<String>) {
    let (log, sender) = (Arc::clone(log), sender.clone());
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            log.lock().unwrap().push(line.clone());
            let _ = sender.send(line);
        }
    });
}

/// `sha256:` and the digits.
pub(crate) fn digest(bytes: &[u8]) -> String {
    let mut digest = "sha256:".to_owned();
    for byte in Sha256::digest(bytes) {
        write!(digest, "{byte:02x}").unwrap();
    }
    digest
}

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// One HTTP request on a connection of its own.
pub(crate) fn exchange(address: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
    for (name, value) in headers {
        write!(head, "{name}: {value}\r\n").unwrap();
    }
    write!(head, "content-length: {}\r\n\r\n", body.len()).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|it| it == b"\r\n\r\n").expect("an answer has a head");
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let mut body = answer[end + 4..].to_vec();
    if headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked") {
        body = unchunked(&body);
    }
    Answer { status, headers, body }
}

fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|it| it == b"\r\n").unwrap();
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        if size == 0 {
            return body;
        }
        body.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = &rest[end + 2 + size + 2..];
    }
}
