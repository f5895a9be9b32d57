//! `<node>.cancel` in `work_dir`: an operator wants the node's open request to end without success. The daemon, or the command
//! itself where none runs, rolls it back and removes the file.
//!
//! ```text
//! request 2026-11-21T16:40:00.123456Z    which: when it was accepted; `-` if its file does not say
//! ```

use super::{Malformed, OpenRequest, key_value, lines, plain_text};
use crate::model::write_time;

/// Which request is to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cancel(String);

impl Cancel {
    /// That it is this one.
    pub fn of(open: &OpenRequest) -> Self {
        Self(accepted(open))
    }

    /// Whether it is this one. A newer request of the node is another.
    pub fn means(&self, open: &OpenRequest) -> bool {
        self.0 == accepted(open)
    }

    /// Reads the file.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let text = plain_text(bytes)?;
        match lines(&text).map(|(_, words)| key_value(words)).next() {
            Some(("request", time)) if !time.is_empty() => Ok(Self(time.to_owned())),
            _ => Err(Malformed::new(1, "no line `request TIME`")),
        }
    }

    /// Writes the file.
    pub fn write(&self) -> Vec<u8> {
        format!("request {}\n", self.0).into_bytes()
    }
}

fn accepted(open: &OpenRequest) -> String {
    open.origin.as_ref().map_or_else(|| "-".to_owned(), |origin| write_time(origin.accepted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Origin, Phase, Site, Stem};
    use std::time::{Duration, SystemTime};

    #[test]
    fn only_the_request_that_was_meant_is_cancelled() {
        let open = |seconds: Option<u64>| OpenRequest {
            stem: Stem::Document,
            site: Site::New,
            phase: Phase::Accepted,
            origin: seconds.map(|seconds| Origin {
                accepted: SystemTime::UNIX_EPOCH + Duration::from_secs(seconds),
                owner: "nso".into(),
                written: (0, 0),
            }),
            text: Vec::new(),
        };
        for meant in [Some(7), None] {
            let cancel = Cancel::of(&open(meant));
            assert_eq!(Cancel::parse(&cancel.write()), Ok(cancel.clone()));
            assert!(cancel.means(&open(meant)));
            assert!(!cancel.means(&open(Some(8))));
        }
        assert!(Cancel::parse(b"").is_err());
    }
}
