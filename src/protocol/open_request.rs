//! `<node>.new.cut`: a request that is not finished yet, and how far it is.
//!
//! ```text
//! stem subscription_series
//! site known
//! accepted 2026-11-21T16:40:00.123456Z
//! owner nso                    the owner of the trigger file
//! written 1763743200.5         when that file was written last, by the file system
//! cut 1201                     once the snapshot is taken
//! fence                        if logs after the cut are held back until the subscriber has answered
//! published 1763700000         once the answer may be seen; Unix time
//! sent 4000 734003             with it: the rows in the SQL, and its bytes
//! list                         the new list, one line a series with its sequences
//! hmi.m_45s hmi.m_45s_seq
//! request                      then the request to the end of the file, byte for byte
//! node nso
//! ```

use std::time::{Duration, SystemTime};

use super::{Malformed, Request, Stem, key_value, plain_text, read_subscriptions, write_subscriptions};
use crate::model::{Counter, SeriesList, read_time, write_time};

/// A request that is not finished yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenRequest {
    /// The dialect of the subscriber.
    pub stem: Stem,
    /// Whether the node was registered when the request was accepted.
    pub site: Site,
    /// How far it is.
    pub phase: Phase,
    /// Where it came from; `None` in a file of a version that did not say so.
    pub origin: Option<Origin>,
    /// The bytes of the trigger file.
    pub text: Vec<u8>,
}

/// Where a request came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// When it was accepted, to the microsecond.
    pub accepted: SystemTime,
    /// The owner of the trigger file.
    pub owner: String,
    /// When that file was written last: with its text, what tells it from the node's next one.
    pub written: (i64, i64),
}

/// What was published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// The rows of the series in it.
    pub rows: u64,
    /// The size of its files.
    pub bytes: u64,
}

/// Whether the registry has the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Site {
    /// Not yet.
    New,
    /// It has.
    Known,
}

/// How far an open request is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// Accepted, nothing in the registry yet. After a restart: begin again.
    Accepted,
    /// Cut, `<node>.new` is registered, the answer is being made; or that is being taken back, and the registry may have
    /// forgotten it. After a restart: throw `.new` away, begin again.
    Cut(Cut),
    /// The answer may have been seen. After a restart: wait for the subscriber.
    Published {
        /// As before.
        cut: Cut,
        /// Since when the subscriber can answer.
        since: SystemTime,
        /// What it is; `None` in a file of a version that did not say so.
        sent: Option<Sent>,
    },
}

/// Where the archive stream was cut for a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// The dump holds everything up to this archive.
    pub counter: Counter,
    /// Whether the logs after it are held back.
    pub fenced: bool,
    /// The list that holds after it, if the subscriber succeeds.
    pub list: SeriesList,
}

impl OpenRequest {
    /// The cut, once there is one.
    pub fn cut(&self) -> Option<&Cut> {
        match &self.phase {
            Phase::Accepted => None,
            Phase::Cut(cut) | Phase::Published { cut, .. } => Some(cut),
        }
    }

    /// The request itself; it was checked when it was accepted.
    pub fn request(&self) -> Result<Request, Malformed> {
        Request::parse(&self.text)
    }

    /// Reads the file.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let marker = b"\nrequest\n";
        let at = memchr::memmem::find(bytes, marker).ok_or_else(|| Malformed::new(1, "no line `request`"))?;
        let (head, rest) = bytes.split_at(at);
        let head = plain_text(head)?;
        let mut stem = None;
        let mut site = None;
        let mut counter = None;
        let mut fenced = false;
        let mut since = None;
        let mut sent = None;
        let (mut accepted, mut owner, mut written) = (None, None, None);
        let mut list: Option<Vec<_>> = None;
        for (line, words) in super::lines(&head) {
            if let Some(list) = &mut list {
                list.push(read_subscriptions(line, words)?);
                continue;
            }
            match key_value(words) {
                ("stem", value) => stem = Stem::ALL.into_iter().find(|stem| stem.as_str() == value),
                ("site", "new") => site = Some(Site::New),
                ("site", "known") => site = Some(Site::Known),
                ("cut", value) => counter = Counter::parse(value),
                ("fence", "") => fenced = true,
                ("published", value) => since = value.parse().ok().map(Duration::from_secs),
                ("sent", value) => sent = read_sent(value),
                ("accepted", value) => accepted = read_time(value),
                ("owner", value) => owner = Some(value.to_owned()),
                ("written", value) => written = read_written(value),
                ("list", "") => list = Some(Vec::new()),
                (key, _) => return Err(Malformed::new(line, format!("`{key}` is not known here"))),
            }
        }
        let (Some(stem), Some(site)) = (stem, site) else {
            return Err(Malformed::new(1, "a line `stem` or `site` is missing or not understood"));
        };
        let cut = counter.map(|counter| Cut {
            counter,
            fenced,
            list: list.unwrap_or_default().into_iter().collect(),
        });
        let phase = match (cut, since) {
            (None, _) => Phase::Accepted,
            (Some(cut), None) => Phase::Cut(cut),
            (Some(cut), Some(since)) => Phase::Published { cut, since: SystemTime::UNIX_EPOCH + since, sent },
        };
        let text = rest.get(marker.len()..).unwrap_or_default().to_vec();
        let origin = match (accepted, owner, written) {
            (Some(accepted), Some(owner), Some(written)) => Some(Origin { accepted, owner, written }),
            _ => None,
        };
        Ok(Self { stem, site, phase, origin, text })
    }

    /// Writes the file.
    pub fn write(&self) -> Vec<u8> {
        let site = match self.site {
            Site::New => "new",
            Site::Known => "known",
        };
        let mut head = format!("stem {}\nsite {site}\n", self.stem.as_str());
        if let Some(Origin { accepted, owner, written: (seconds, nanoseconds) }) = &self.origin {
            // A name of the system's may hold anything, but this is a line.
            let owner: String = owner.chars().filter(|c| !c.is_control()).collect();
            let accepted = write_time(*accepted);
            head.push_str(&format!("accepted {accepted}\nowner {owner}\nwritten {seconds}.{nanoseconds}\n"));
        }
        if let Some(cut) = self.cut() {
            head.push_str(&format!("cut {}\n", cut.counter));
            if cut.fenced {
                head.push_str("fence\n");
            }
            if let Phase::Published { since, sent, .. } = &self.phase {
                // A clock before 1970 gives 0: the request then only ends earlier.
                let since = since.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                head.push_str(&format!("published {}\n", since.as_secs()));
                if let Some(Sent { rows, bytes }) = sent {
                    head.push_str(&format!("sent {rows} {bytes}\n"));
                }
            }
            head.push_str(&format!("list\n{}", write_subscriptions(&cut.list)));
        }
        [head.as_bytes(), b"request\n", &self.text].concat()
    }
}

fn read_sent(text: &str) -> Option<Sent> {
    let (rows, bytes) = text.split_once(' ')?;
    Some(Sent { rows: rows.parse().ok()?, bytes: bytes.parse().ok()? })
}

fn read_written(text: &str) -> Option<(i64, i64)> {
    let (seconds, nanoseconds) = text.split_once('.')?;
    Some((seconds.parse().ok()?, nanoseconds.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Subscription;

    #[test]
    fn every_phase_comes_back() {
        let list: SeriesList = [Subscription::from_name("hmi.m_45s".parse().unwrap())].into_iter().collect();
        let cut = Cut { counter: Counter::parse("1201").unwrap(), fenced: true, list };
        let since = SystemTime::UNIX_EPOCH + Duration::from_secs(1_763_700_000);
        let text = b"node nso\nrequest x\nhmi.m_45s subscribe\nrequest\nno line end".to_vec();
        let sent = Some(Sent { rows: 4_000, bytes: 734_003 });
        let origin = Origin {
            accepted: SystemTime::UNIX_EPOCH + Duration::from_micros(1_763_743_200_123_456),
            owner: "DOMAIN\\some one".into(),
            written: (1_763_743_199, 5),
        };
        let published = |sent| Phase::Published { cut: cut.clone(), since, sent };
        for phase in [Phase::Accepted, Phase::Cut(cut.clone()), published(None), published(sent)] {
            for (stem, site) in [(Stem::Document, Site::New), (Stem::Deployed, Site::Known)] {
                for origin in [None, Some(origin.clone())] {
                    let open = OpenRequest { stem, site, phase: phase.clone(), origin, text: text.clone() };
                    assert_eq!(OpenRequest::parse(&open.write()), Ok(open));
                }
            }
        }
        assert!(OpenRequest::parse(b"").is_err());
        assert!(OpenRequest::parse(b"stem x\nrequest\n").is_err());
    }
}
