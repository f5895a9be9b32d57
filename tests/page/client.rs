//! A few lines of HTTP/1.1: enough to ask the daemon, and chromedriver.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use crate::support::Station;
use crate::support::station::LIMIT;

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    /// The value of a header; empty where there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        let of = |line: &'_ str| line.split_once(": ").is_some_and(|(it, _)| it.eq_ignore_ascii_case(name));
        let line = self.head.lines().find(|line| of(line));
        line.and_then(|line| line.split_once(": ")).map(|(_, value)| value).unwrap_or_default()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// The address at which the daemon serves its page. It is to listen at `127.0.0.1:0`; the system chooses the port.
#[track_caller]
pub(crate) fn address(station: &Station<'_>) -> String {
    station.wait_for("the page to be served", || {
        let said = station.said();
        let line = said.lines().rev().find(|line| line.contains("the status page is served"))?;
        let (_, rest) = line.split_once("address=")?;
        let address: String = rest.chars().take_while(|c| c.is_ascii_digit() || ".:".contains(*c)).collect();
        // A line of an earlier run names a port at which nobody listens any more.
        TcpStream::connect(&address).ok().map(|_| address)
    })
}

#[track_caller]
pub(crate) fn get(address: &str, path: &str) -> Answer {
    ask(address, "GET", path, "")
}

#[track_caller]
pub(crate) fn ask(address: &str, method: &str, path: &str, body: &str) -> Answer {
    try_ask(address, method, path, body)
        .unwrap_or_else(|| panic!("{address} does not answer {method} {path}"))
}

/// `None` if the line was broken off instead of an answer.
#[track_caller]
pub(crate) fn try_ask(address: &str, method: &str, path: &str, body: &str) -> Option<Answer> {
    let stream = TcpStream::connect(address).unwrap_or_else(|error| panic!("{address}: {error}"));
    stream.set_read_timeout(Some(LIMIT)).expect("set a limit");
    exchange(stream, method, path, body)
}

#[track_caller]
pub(crate) fn get_at_socket(socket: &Path, path: &str) -> Option<Answer> {
    let stream = UnixStream::connect(socket).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("set a limit");
    exchange(stream, "GET", path, "")
}

#[track_caller]
fn exchange(mut stream: impl Read + Write, method: &str, path: &str, body: &str) -> Option<Answer> {
    let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
    let length = body.len();
    // Who refuses a request may do so, and break the line off, before all of it is said.
    let _ = write!(stream, "{head}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}");
    let (mut bytes, mut piece) = (Vec::new(), [0; 8 * 1024]);
    while method == "HEAD" || !is_whole(&bytes) {
        // Who has said all may break the line off where we had more to say.
        match stream.read(&mut piece) {
            Ok(count @ 1..) => bytes.extend_from_slice(&piece[..count]),
            Ok(0) | Err(_) => break,
        }
    }
    (!bytes.is_empty()).then(|| read(&bytes))
}

/// Whether an answer has all that its head promises; chromedriver keeps the line open.
fn is_whole(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes).to_lowercase();
    let Some((head, _)) = text.split_once("\r\n\r\n") else { return false };
    let length =
        head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    let begin = bytes.windows(4).position(|four| four == b"\r\n\r\n").map_or(bytes.len(), |at| at + 4);
    length.is_some_and(|length| bytes.len() - begin >= length)
}

/// Reads an answer that ends with its connection.
#[track_caller]
pub(crate) fn read(bytes: &[u8]) -> Answer {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
    let status = status.unwrap_or_else(|| panic!("this is no answer: {text}"));
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}
