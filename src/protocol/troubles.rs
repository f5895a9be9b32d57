//! `troubles.json`: what the daemon could not do and tries again, for whoever looks on from another process. PROTOCOL.md documents
//! the fields.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::model::{read_time, write_time};

/// What lasts for longer does not go by itself, as a restart of a server does.
const LONG: Duration = Duration::from_secs(60);

/// One trouble.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// Whose work it is; `None`: the splitter's.
    pub node: Option<String>,
    /// Since when, RFC 3339 in UTC. What is said of it may be another from time to time.
    pub since: String,
    /// What was said last.
    pub error: String,
}

impl Trouble {
    /// One that begins now.
    pub fn new(node: Option<String>, error: String, now: SystemTime) -> Self {
        Self { node, since: write_time(now), error }
    }

    /// Whether it has lasted for so long that a person must look.
    pub fn is_long(&self, now: SystemTime) -> bool {
        read_time(&self.since).is_some_and(|since| now.duration_since(since).is_ok_and(|past| past >= LONG))
    }

    /// In words, which stay the same while it lasts.
    pub fn describe(&self) -> String {
        let since = self.since.get(..19).unwrap_or(&self.since).replace('T', " ");
        let Self { node, error, .. } = self;
        match node {
            Some(_) => format!("what it asks for cannot be done since {since}Z: {error}; it is tried again"),
            None => format!("the splitter waits since {since}Z: {error}"),
        }
    }
}

/// Writes the file.
pub fn write_troubles(troubles: &[&Trouble]) -> Vec<u8> {
    // Strings: nothing that JSON could refuse.
    serde_json::to_vec(troubles).unwrap_or_default()
}

/// Reads the file. What cannot be read is not there: nobody relies on it.
pub fn read_troubles(bytes: &[u8]) -> Vec<Trouble> {
    serde_json::from_slice(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trouble_comes_back_and_is_long_after_a_minute() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let of_node = Trouble::new(Some("nso".into()), "permission denied".into(), now);
        let of_splitter = Trouble::new(None, "connection refused".into(), now);
        assert_eq!(
            read_troubles(&write_troubles(&[&of_node, &of_splitter])),
            [of_node.clone(), of_splitter.clone()]
        );
        assert_eq!(read_troubles(b"[{\"node\":"), []);
        assert!(!of_node.is_long(now + Duration::from_secs(59)) && of_node.is_long(now + LONG));
        assert_eq!(
            of_node.describe(),
            "what it asks for cannot be done since 1970-01-12 13:46:40Z: permission denied; it is tried again"
        );
        assert_eq!(
            of_splitter.describe(),
            "the splitter waits since 1970-01-12 13:46:40Z: connection refused"
        );
    }
}
