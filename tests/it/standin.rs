//! A stand-in for GitHub's REST API on this machine: it holds every request to the published description.

mod repository;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use crate::openapi;
use crate::program::skipped;

pub(crate) use repository::{Comment, Repository};

/// Life of a stand-in that nobody drops.
const DEADLINE: Duration = Duration::from_mins(5);

/// What goes wrong with one request, and whether its effect happens before that.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// An answer with this status, these headers and a message as GitHub words it; no effect.
    Status(u16, Vec<(&'static str, String)>),
    /// A 502 of the proxy in front.
    BadGateway { done: bool },
    /// The connection closes without an answer.
    Dropped { done: bool },
    /// The answer, effect and all, comes this late.
    Slow(Duration),
    /// The effect, and a page of HTML as its answer.
    Html,
    /// A redirect to this address; no effect.
    Redirect(u16, String),
}

/// One request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// The path below the root of the API.
    pub(crate) path: String,
    pub(crate) query: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Value,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// A check run as the stand-in remembers it.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) fields: Value,
    pub(crate) annotations: Vec<Value>,
}

#[derive(Default)]
struct State {
    requests: Vec<Request>,
    violations: Vec<String>,
    runs: Vec<Run>,
    repository: Repository,
}

/// The running stand-in. Dropping it stops it and fails the test if a request was not as described.
pub(crate) struct Standin {
    address: String,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    root: String,
    tls: Option<Arc<ServerConfig>>,
    faults: BTreeMap<usize, Fault>,
    state: Mutex<State>,
    stop: AtomicBool,
}

impl Standin {
    /// Starts on a free port; `faults` by the number of the request, 1-based.
    pub(crate) fn start(faults: impl IntoIterator<Item = (usize, Fault)>) -> Self {
        Self::start_at("127.0.0.1:0", "", faults)
    }

    /// Starts at an address, with the API below the path `root` (`/api/v3`).
    pub(crate) fn start_at(bind: &str, root: &str, faults: impl IntoIterator<Item = (usize, Fault)>) -> Self {
        Self::launch(bind, root, faults, None)
    }

    /// Starts behind TLS, with the certificate of [`crate::tls`].
    pub(crate) fn start_tls() -> Self {
        Self::launch("127.0.0.1:0", "", [], Some(crate::tls::server()))
    }

    fn launch(
        bind: &str,
        root: &str,
        faults: impl IntoIterator<Item = (usize, Fault)>,
        tls: Option<Arc<ServerConfig>>,
    ) -> Self {
        let listener = TcpListener::bind(bind).expect("a port is free");
        let address = listener.local_addr().expect("a bound socket has an address").to_string();
        let shared = Arc::new(Shared {
            root: root.to_owned(),
            tls,
            faults: faults.into_iter().collect(),
            state: Mutex::default(),
            stop: AtomicBool::new(false),
        });
        let accepting = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || accept(&listener, &shared))
        };
        Self { address, shared, accepting: Some(accepting) }
    }

    /// What `GITHUB_API_URL` has to be.
    pub(crate) fn url(&self) -> String {
        let scheme = if self.shared.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}{}", self.address, self.shared.root)
    }

    /// Where it listens: `127.0.0.1:port`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// All requests so far, in order.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.shared.state().requests.clone()
    }

    /// The check runs that exist.
    pub(crate) fn runs(&self) -> Vec<Run> {
        self.shared.state().runs.clone()
    }

    /// Looks at the repository behind the API, or prepares it.
    pub(crate) fn repository<T>(&self, look: impl FnOnce(&mut Repository) -> T) -> T {
        look(&mut self.shared.state().repository)
    }

    /// Forgets the requests so far.
    pub(crate) fn forget(&self) {
        self.shared.state().requests.clear();
    }

    /// The requests in the short form `POST check-runs`.
    pub(crate) fn sequence(&self) -> Vec<String> {
        let short = |request: Request| {
            let kind = match (request.body["status"].as_str(), request.body["output"]["annotations"].as_array()) {
                (Some(status), None) => format!(" {status}"),
                (None, Some(annotations)) => format!(" +{}", annotations.len()),
                _ => String::new(),
            };
            let path = request.path.trim_start_matches("/repos/Codertocat/Hello-World/");
            format!("{} {path}{kind}", request.method)
        };
        self.requests().into_iter().map(short).collect()
    }
}

impl Drop for Standin {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
        let violations = std::mem::take(&mut self.shared.state().violations);
        if !thread::panicking() {
            assert!(violations.is_empty(), "requests against the description of the API: {violations:#?}");
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Takes connections until told to stop; each has a thread, and carries one request.
fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    listener.set_nonblocking(true).expect("a listener can be asked");
    let end = Instant::now() + DEADLINE;
    while !shared.stop.load(Ordering::SeqCst) && Instant::now() < end {
        if let Ok((stream, _)) = listener.accept() {
            let shared = Arc::clone(shared);
            thread::spawn(move || connected(stream, &shared));
        } else {
            thread::sleep(Duration::from_millis(2));
        }
    }
}

fn connected(mut stream: TcpStream, shared: &Shared) {
    let _ = stream.set_nonblocking(false);
    let _ = stream.set_read_timeout(Some(Duration::from_secs(10)));
    let Some(tls) = &shared.tls else { return serve(&mut stream, shared) };
    let connection = ServerConnection::new(Arc::clone(tls)).expect("the configuration is complete");
    let mut stream = StreamOwned::new(connection, stream);
    // A client that does not trust the certificate sends nothing.
    if stream.conn.complete_io(&mut stream.sock).is_ok() {
        serve(&mut stream, shared);
    }
}

/// Answers one request.
fn serve(stream: &mut (impl Read + Write), shared: &Shared) {
    let Some(request) = receive(stream, &shared.root) else {
        shared.state().violations.push("a request that is not HTTP/1.1 with a length".to_owned());
        return;
    };
    let mut state = shared.state();
    if let Err(violation) = openapi::check_request(&request) {
        state.violations.push(violation);
    }
    state.requests.push(request.clone());
    let fault = shared.faults.get(&state.requests.len()).cloned();
    let mut act = || {
        let (status, body) = state.act(&request);
        if let Err(violation) = openapi::check_answer(&request, status, &body) {
            state.violations.push(violation);
        }
        (status, if status == 204 { String::new() } else { body.to_string() })
    };
    let (status, headers, body) = match fault {
        None => plain(act()),
        Some(Fault::Status(status, headers)) => (status, headers, refusal(status)),
        Some(Fault::BadGateway { done }) => {
            let _ = done.then(act);
            (502, Vec::new(), "<html>bad gateway</html>".to_owned())
        }
        Some(Fault::Dropped { done }) => {
            let _ = done.then(act);
            return;
        }
        Some(Fault::Slow(time)) => {
            let answer = act();
            drop(state);
            thread::sleep(time);
            plain(answer)
        }
        Some(Fault::Html) => (act().0, Vec::new(), "<html>welcome to the portal</html>".to_owned()),
        Some(Fault::Redirect(status, to)) => (status, vec![("location", to)], String::new()),
    };
    answer(stream, status, &headers, &body);
}

type Answer = (u16, Vec<(&'static str, String)>, String);

fn plain((status, body): (u16, String)) -> Answer {
    (status, Vec::new(), body)
}

/// The body of a refusal.
fn refusal(status: u16) -> String {
    let message = match status {
        401 => "Bad credentials",
        403 => "Resource not accessible by integration",
        404 => "Not Found",
        422 => "Invalid request.",
        _ => "You have exceeded a secondary rate limit.",
    };
    json!({ "message": message, "documentation_url": "https://docs.github.com/rest" }).to_string()
}

fn answer(stream: &mut (impl Read + Write), status: u16, headers: &[(&str, String)], body: &str) {
    let mut head = format!("HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    // A client that gave up is no fault of the stand-in.
    let _ = stream.write_all(format!("{head}content-type: application/json\r\n\r\n{body}").as_bytes());
}

/// Reads a request, at most 8 MB of it.
fn receive(stream: &mut (impl Read + Write), root: &str) -> Option<Request> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        more(stream, &mut bytes)?;
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).ok()?;
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?);
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length").map_or("0", |(_, value)| value);
    let length: usize = length.parse().ok()?;
    if headers.iter().any(|(name, _)| name == "transfer-encoding") || length > 8_000_000 {
        return None;
    }
    let start = head_end + 4;
    while bytes.len() < start + length {
        more(stream, &mut bytes)?;
    }
    let body = if length == 0 { Value::Null } else { serde_json::from_slice(&bytes[start..start + length]).ok()? };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let path = path.strip_prefix(root).map_or_else(|| format!("outside of {root}: {path}"), str::to_owned);
    Some(Request { method, path, query: query.to_owned(), headers, body })
}

fn more(stream: &mut (impl Read + Write), bytes: &mut Vec<u8>) -> Option<()> {
    let mut part = [0; 16_384];
    let read = stream.read(&mut part).ok().filter(|read| *read > 0)?;
    bytes.extend_from_slice(&part[..read]);
    (bytes.len() < 8_100_000).then_some(())
}

impl State {
    /// Does what a request asks for.
    fn act(&mut self, request: &Request) -> (u16, Value) {
        let parts: Vec<&str> = request.path.trim_start_matches('/').split('/').collect();
        match (request.method.as_str(), parts.as_slice()) {
            ("POST", ["repos", _, _, "check-runs"]) => (201, self.create(&request.body)),
            ("PATCH", ["repos", _, _, "check-runs", id]) => self.update(id, &request.body),
            ("GET", ["repos", _, _, "check-runs", id]) => match self.position(id) {
                Some(at) => (200, self.runs[at].fields.clone()),
                None => (404, json!({ "message": "Not Found" })),
            },
            ("GET", ["repos", _, _, "commits", sha, "check-runs"]) => (200, self.list(sha, &request.query)),
            (method, ["repos", _, _, parts @ ..]) => {
                self.repository.act(method, parts, &openapi::pairs(&request.query), &request.body)
            }
            _ => (404, json!({ "message": "Not Found" })),
        }
    }

    fn position(&self, id: &str) -> Option<usize> {
        let id: u64 = id.parse().ok()?;
        self.runs.iter().position(|run| run.fields["id"] == id)
    }

    fn create(&mut self, body: &Value) -> Value {
        let id = 100 + self.runs.len();
        let fields = json!({
            "id": id, "node_id": "MDg6Q2hlY2tSdW40", "head_sha": body["head_sha"], "name": body["name"],
            "url": format!("https://api.github.com/repos/Codertocat/Hello-World/check-runs/{id}"),
            "html_url": format!("https://github.com/Codertocat/Hello-World/runs/{id}"),
            "details_url": body["details_url"], "external_id": body["external_id"], "status": "queued",
            "conclusion": null, "started_at": null, "completed_at": null, "check_suite": { "id": 5 }, "app": null,
            "pull_requests": [],
            "output": { "title": null, "summary": null, "text": null, "annotations_count": 0,
                "annotations_url": format!("https://api.github.com/repos/Codertocat/Hello-World/check-runs/{id}/annotations") },
        });
        self.runs.push(Run { fields, annotations: Vec::new() });
        self.update(&id.to_string(), body).1
    }

    fn update(&mut self, id: &str, body: &Value) -> (u16, Value) {
        let Some(at) = self.position(id) else { return (404, json!({ "message": "Not Found" })) };
        let run = &mut self.runs[at];
        for key in ["status", "conclusion", "started_at", "completed_at"] {
            if let Some(value) = body.get(key) {
                run.fields[key] = value.clone();
            }
        }
        for key in ["title", "summary", "text"] {
            if let Some(value) = body["output"].get(key) {
                run.fields["output"][key] = value.clone();
            }
        }
        run.annotations.extend(body["output"]["annotations"].as_array().into_iter().flatten().cloned());
        run.fields["output"]["annotations_count"] = json!(run.annotations.len());
        (200, run.fields.clone())
    }

    fn list(&self, sha: &str, query: &str) -> Value {
        let pairs = openapi::pairs(query);
        let name = pairs.iter().find(|(key, _)| key == "check_name").map(|(_, value)| value.as_str());
        let wanted = |run: &&Run| run.fields["head_sha"] == sha && name.is_none_or(|name| run.fields["name"] == name);
        let runs: Vec<&Value> = self.runs.iter().filter(wanted).map(|run| &run.fields).collect();
        json!({ "total_count": runs.len(), "check_runs": runs })
    }
}

/// The folder with GitHub's description of its API and its example payloads, beside the package or above it.
pub(crate) fn github_api() -> Option<PathBuf> {
    let found = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .map(|folder| folder.join("shared/github-api"))
        .find(|folder| folder.is_dir());
    if found.is_none() {
        skipped("no shared/github-api in any folder above the package: GitHub's own data is not compared");
    }
    found
}
