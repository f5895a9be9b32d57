//! `lag.jsonl`: how far behind in time every node was, a line for each moment at which the daemon looked.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::model::{read_time, write_time};

/// All nodes at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LagSample {
    /// The moment.
    pub at: SystemTime,
    /// By node: how many seconds ago its next log was written, 0 if it has all; a node that says nothing is not there.
    pub seconds: BTreeMap<String, u32>,
}

#[derive(Serialize, Deserialize)]
struct Line {
    at: String,
    lag_seconds: BTreeMap<String, u32>,
}

impl LagSample {
    /// The line, with its end.
    pub fn write(&self) -> Vec<u8> {
        let line = Line { at: write_time(self.at), lag_seconds: self.seconds.clone() };
        // Strings and numbers: nothing that JSON could refuse.
        let mut bytes = serde_json::to_vec(&line).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// Reads a line; `None`: it is none, as where a power loss tore it.
    pub fn read(line: &[u8]) -> Option<Self> {
        let line: Line = serde_json::from_slice(line).ok()?;
        Some(Self { at: read_time(&line.at)?, seconds: line.lag_seconds })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_sample_comes_back_and_a_torn_one_does_not() {
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_763_743_200);
        let sample = LagSample { at, seconds: [("nso".to_owned(), 0), ("so".to_owned(), 61)].into() };
        let line = sample.write();
        let text = "{\"at\":\"2025-11-21T16:40:00.000000Z\",\"lag_seconds\":{\"nso\":0,\"so\":61}}\n";
        assert_eq!(String::from_utf8_lossy(&line), text);
        assert_eq!(LagSample::read(&line), Some(sample));
        assert_eq!(LagSample::read(&line[..line.len() - 3]), None);
        assert_eq!(LagSample::read(b""), None);
    }
}
