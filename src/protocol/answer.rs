//! `.sqldone` and `.done`: the manager's answers. Written here, read here by the subscriber's client.

use super::{Malformed, key_value, lines, one_line, plain_text, read_subscriptions};
use crate::model::{Counter, Series};

/// `.sqldone`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SqlDone {
    /// The SQL is whole and may be fetched.
    Ready {
        /// The subscriber's name for the request.
        id: Option<String>,
        /// Where the archive stream was cut.
        cut: Counter,
        /// What to fetch.
        files: Vec<SqlFile>,
        /// What was asked for and is subscribed already.
        skipped: Vec<Series>,
        /// What the SQL makes.
        series: Vec<Series>,
    },
    /// There is none.
    Failure {
        /// The subscriber's name for the request.
        id: Option<String>,
        /// Why, in words.
        reason: String,
    },
}

/// One file of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlFile {
    /// Its name in `triggerdir`.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of its content, 64 hexadecimal digits.
    pub sha256: String,
}

impl SqlDone {
    /// Writes the file.
    pub fn write(&self) -> String {
        match self {
            Self::Failure { id, reason } => format!("failure {}\n{}", one_line(reason), id_line(id.as_ref())),
            Self::Ready { id, cut, files, skipped, series } => {
                let mut text = format!("cut {cut}\n{}", id_line(id.as_ref()));
                for SqlFile { name, bytes, sha256 } in files {
                    text.push_str(&format!("file {name} {bytes} {sha256}\n"));
                }
                text.extend(skipped.iter().map(|series| format!("skipped {series} already subscribed\n")));
                text.extend(series.iter().map(|series| format!("{series}\n")));
                text
            }
        }
    }

    /// Reads the file.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let text = plain_text(bytes)?;
        let mut id = None;
        let mut reason = None;
        let mut cut = None;
        let (mut files, mut skipped, mut series) = (Vec::new(), Vec::new(), Vec::new());
        for (line, words) in lines(&text) {
            match key_value(words) {
                ("failure", said) => reason = Some(said.to_owned()),
                ("request", value) => id = Some(value.to_owned()),
                ("cut", value) => cut = Counter::parse(value),
                ("file", value) => files.push(sql_file(line, value)?),
                ("skipped", value) => {
                    let name = value.strip_suffix(" already subscribed").unwrap_or(value);
                    skipped.push(read_subscriptions(line, name)?.series);
                }
                _ => series.push(read_subscriptions(line, words)?.series),
            }
        }
        match (reason, cut) {
            (Some(reason), _) => Ok(Self::Failure { id, reason }),
            (None, Some(cut)) => Ok(Self::Ready { id, cut, files, skipped, series }),
            (None, None) => Err(Malformed::new(1, "neither `cut` nor `failure`: not whole yet")),
        }
    }
}

/// `.done`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// The subscriber's name for the request.
    pub id: Option<String>,
    /// Why it was rolled back; `None` if it was finished.
    pub failure: Option<String>,
    /// The node's series now.
    pub series: Vec<Series>,
}

impl Done {
    /// Writes the file.
    pub fn write(&self) -> String {
        let mut text = format!("success {}\n", self.failure.is_none());
        text.extend(self.failure.iter().map(|reason| format!("reason {}\n", one_line(reason))));
        text.push_str(&id_line(self.id.as_ref()));
        text.extend(self.series.iter().map(|series| format!("{series}\n")));
        text
    }

    /// Reads the file.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let text = plain_text(bytes)?;
        let mut success = None;
        let mut reason = String::new();
        let mut id = None;
        let mut series = Vec::new();
        for (line, words) in lines(&text) {
            match key_value(words) {
                ("success", "true") => success = Some(true),
                ("success", "false") => success = Some(false),
                ("reason", said) => said.clone_into(&mut reason),
                ("request", value) => id = Some(value.to_owned()),
                _ => series.push(read_subscriptions(line, words)?.series),
            }
        }
        match success {
            Some(success) => Ok(Self { id, failure: (!success).then_some(reason), series }),
            None => Err(Malformed::new(1, "no line `success true|false`: not whole yet")),
        }
    }
}

fn sql_file(line: usize, value: &str) -> Result<SqlFile, Malformed> {
    let mut words = value.split_whitespace();
    let file = (words.next(), words.next().and_then(|bytes| bytes.parse().ok()), words.next());
    match file {
        (Some(name), Some(bytes), Some(sha256)) => {
            Ok(SqlFile { name: name.to_owned(), bytes, sha256: sha256.to_owned() })
        }
        _ => Err(Malformed::new(line, "`file` takes a name, a size and a SHA-256")),
    }
}

fn id_line(id: Option<&String>) -> String {
    id.map(|id| format!("request {id}\n")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_back() {
        let file = SqlFile { name: "nso.createns.sql".into(), bytes: 12, sha256: "ab".repeat(32) };
        let series = || vec![Series::new("hmi", "m_45s"), Series::new("Odd Schema", "T,1")];
        for id in [None, Some("r-1".to_owned())] {
            let ready = SqlDone::Ready {
                id: id.clone(),
                cut: Counter::parse("1201").unwrap(),
                files: vec![file.clone()],
                skipped: series(),
                series: series(),
            };
            let failure = SqlDone::Failure { id: id.clone(), reason: "hmi.x is not replicated".into() };
            for answer in [ready, failure] {
                assert_eq!(SqlDone::parse(answer.write().as_bytes()), Ok(answer));
            }
            for failure in [None, Some("the reason".to_owned())] {
                let done = Done { id: id.clone(), failure, series: series() };
                assert_eq!(Done::parse(done.write().as_bytes()), Ok(done));
            }
        }
    }

    #[test]
    fn a_failure_is_the_first_word_and_the_reason_one_line() {
        let failure = SqlDone::Failure { id: None, reason: "two\nlines".into() };
        assert_eq!(failure.write(), "failure two lines\n");
        assert!(SqlDone::parse(b"").is_err());
        assert!(Done::parse(b"\n").is_err());
    }
}
