//! An HTTP server on this machine that answers as a test tells it to, rightly or wrongly.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::daemon::{digest, exchange};

/// One request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// With the query.
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    /// Which request of the server it is, from 1.
    pub(crate) number: usize,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// `METHOD path`.
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

/// How a request is answered.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    Answer {
        status: u16,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    },
    /// The connection closes before an answer.
    Closed,
    /// The answer comes this late.
    Late(Duration, Box<Self>),
    /// The body comes a byte at a time, this long after the one before.
    Dripping(Duration, Box<Self>),
    /// The connection closes in the middle of the body.
    Truncated(Box<Self>),
    /// A body of so many bytes, with its length said before or in pieces.
    Long {
        bytes: u64,
        said: bool,
    },
}

impl Reply {
    pub(crate) fn status(status: u16) -> Self {
        Self::Answer { status, headers: Vec::new(), body: Vec::new() }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        if let Self::Answer { headers, .. } = &mut self {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    pub(crate) fn body(mut self, text: impl AsRef<[u8]>) -> Self {
        if let Self::Answer { body, .. } = &mut self {
            *body = text.as_ref().to_vec();
        }
        self
    }

    /// A manifest with its type and digest.
    pub(crate) fn manifest(media_type: &str, text: impl AsRef<[u8]>) -> Self {
        let digest = digest(text.as_ref());
        Self::status(200).header("content-type", media_type).header("docker-content-digest", &digest).body(text)
    }

    /// What a registry says of what it does not have.
    pub(crate) fn unknown() -> Self {
        Self::status(404).body(r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#)
    }

    /// A demand for a token from `realm`.
    pub(crate) fn bearer(realm: &str) -> Self {
        Self::status(401).header("www-authenticate", &format!(r#"Bearer realm="{realm}",service="test""#))
    }
}

type Handler = dyn Fn(&Request) -> Reply + Send + Sync;

/// The running server; dropping it ends it.
pub(crate) struct Server {
    /// `127.0.0.1:port`.
    pub(crate) address: String,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    handler: Box<Handler>,
    requests: Mutex<Vec<Request>>,
    sent: AtomicU64,
    connections: AtomicUsize,
    /// How many connections are reset, in place of an answer.
    resets: usize,
    stop: AtomicBool,
}

impl Server {
    pub(crate) fn start(handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::resetting(0, handler)
    }

    /// The same, after so many connections were reset.
    pub(crate) fn resetting(resets: usize, handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let shared = Arc::new(Shared {
            handler: Box::new(handler),
            requests: Mutex::default(),
            sent: AtomicU64::new(0),
            connections: AtomicUsize::new(0),
            resets,
            stop: AtomicBool::new(false),
        });
        let accepting = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                for stream in listener.incoming().map_while(Result::ok) {
                    if shared.stop.load(Ordering::SeqCst) {
                        return;
                    }
                    let shared = Arc::clone(&shared);
                    let number = shared.connections.fetch_add(1, Ordering::SeqCst);
                    if number < shared.resets {
                        // What has arrived and was not read is lost with the connection: the system resets it.
                        let _ = stream.peek(&mut [0]);
                        continue;
                    }
                    thread::spawn(move || serve(stream, &shared));
                }
            })
        };
        Self { address, shared, accepting: Some(accepting) }
    }

    /// Stands before a real registry: what `fault` leaves alone is passed on to it.
    pub(crate) fn before(address: &str, fault: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static) -> Self {
        let address = address.to_owned();
        Self::start(move |request| fault(request).unwrap_or_else(|| pass_on(&address, request)))
    }

    /// The same server under another name, which is another host.
    pub(crate) fn other_name(&self) -> String {
        self.address.replace("127.0.0.1", "localhost")
    }

    /// What it was asked, in order.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// The same, as `METHOD path`.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.requests().iter().map(Request::line).collect()
    }

    /// How many connections there were.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Bytes of long bodies that were taken.
    pub(crate) fn sent(&self) -> u64 {
        self.shared.sent.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(&self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

fn pass_on(address: &str, request: &Request) -> Reply {
    let kept = ["accept", "authorization"];
    let headers: Vec<_> = request
        .headers
        .iter()
        .filter(|(name, _)| kept.contains(&name.as_str()))
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let answer = exchange(address, &request.method, &request.path, &headers, &[]);
    let headers = answer.headers.into_iter().filter(|(name, _)| {
        !matches!(name.as_str(), "transfer-encoding" | "connection")
            && (request.method == "HEAD" || name != "content-length")
    });
    Reply::Answer { status: answer.status, headers: headers.collect(), body: answer.body }
}

/// Answers the requests of one connection.
fn serve(stream: TcpStream, shared: &Shared) {
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut writer = stream;
    while let Some(mut request) = read(&mut reader) {
        {
            let mut requests = shared.requests.lock().unwrap();
            request.number = requests.len() + 1;
            requests.push(request.clone());
        }
        if write(&mut writer, &request, (shared.handler)(&request), shared).is_none() {
            return;
        }
    }
    // To what is no request, as that of TLS.
    let _ = writer.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
}

fn read(reader: &mut impl BufRead) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let (method, rest) = line.trim_end().split_once(' ')?;
    let path = rest.split(' ').next()?;
    let (method, path) = (method.to_owned(), path.to_owned());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, value)| value.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    let body = String::from_utf8(body).ok()?;
    Some(Request { method, path, headers, body, number: 0 })
}

/// Writes an answer; none where the connection is to end.
fn write(stream: &mut TcpStream, request: &Request, reply: Reply, shared: &Shared) -> Option<()> {
    match reply {
        Reply::Closed => None,
        Reply::Late(time, reply) => {
            thread::sleep(time);
            write(stream, request, *reply, shared)
        }
        Reply::Answer { status, headers, body } => {
            let bytes = answer(request, status, &headers, &body);
            stream.write_all(&bytes).ok()
        }
        Reply::Dripping(time, reply) => {
            if let Reply::Answer { status, headers, body } = *reply {
                let bytes = answer(request, status, &headers, &body);
                for byte in bytes {
                    thread::sleep(time);
                    stream.write_all(&[byte]).ok()?;
                }
            }
            Some(())
        }
        Reply::Truncated(reply) => {
            if let Reply::Answer { status, headers, body } = *reply {
                let bytes = answer(request, status, &headers, &body);
                let _ = stream.write_all(&bytes[..bytes.len() - body.len() / 2]);
            }
            None
        }
        Reply::Long { bytes, said } => {
            let how = if said { format!("content-length: {bytes}") } else { "transfer-encoding: chunked".to_owned() };
            write!(stream, "HTTP/1.1 200 OK\r\n{how}\r\n\r\n").ok()?;
            let block = vec![b' '; 1 << 16];
            for _ in 0..bytes / block.len() as u64 {
                if !said {
                    write!(stream, "{:x}\r\n", block.len()).ok()?;
                }
                stream.write_all(&block).ok()?;
                if !said {
                    stream.write_all(b"\r\n").ok()?;
                }
                shared.sent.fetch_add(block.len() as u64, Ordering::SeqCst);
            }
            None
        }
    }
}

fn answer(request: &Request, status: u16, headers: &[(String, String)], body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("HTTP/1.1 {status} Test\r\n");
    for (name, value) in headers {
        bytes.push_str(name);
        bytes.push_str(": ");
        bytes.push_str(value);
        bytes.push_str("\r\n");
    }
    if !headers.iter().any(|(name, _)| name == "content-length") {
        bytes.push_str("content-length: ");
        bytes.push_str(&body.len().to_string());
        bytes.push_str("\r\n");
    }
    bytes.push_str("\r\n");
    let mut bytes = bytes.into_bytes();
    if request.method != "HEAD" {
        bytes.extend_from_slice(body);
    }
    bytes
}
