//! `<work_dir>/request`: what must outlive the program, as text. Written before what it says is done.

use super::list::List;
use crate::model::{Node, excerpt};
use crate::protocol::{Request, Stem};

/// An open request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    /// Our name for it.
    pub(super) id: String,
    /// The dialect of its files.
    pub(super) stem: Stem,
    /// Whether this database had no place in the stream when it was asked.
    pub(super) is_new_site: bool,
    /// How far it is.
    pub(super) phase: Phase,
    /// What is to become of the tables of unsubscribed series, once that is known.
    pub(super) drop: Option<bool>,
    /// What is asked for: the bytes of `.tgr`.
    pub(super) request: String,
    /// `.sqldone`, once it was there.
    pub(super) answer: Option<String>,
}

/// How far a request is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Phase {
    /// To be sent; whether it was is not known.
    Asking,
    /// Sent.
    Sent,
    /// The SQL may be fetched and applied.
    Answered,
    /// The SQL is applied, the data centre does not know it yet.
    Applied,
    /// The SQL could not be applied, for this reason; the data centre does not know it yet.
    Failing(String),
    /// The data centre may have been told that the SQL is applied.
    Told,
    /// The data centre may have been told that the SQL could not be applied.
    ToldFailure(String),
    /// What the SQL has made is to be taken back, for this reason.
    Undoing(String),
    /// It has failed, and only its files have to go.
    Failed(String),
    /// It is done; what is left is to be done here.
    Finished,
}

impl Phase {
    fn word(&self) -> &'static str {
        match self {
            Self::Asking => "asking",
            Self::Sent => "sent",
            Self::Answered => "answered",
            Self::Applied => "applied",
            Self::Failing(_) => "failing",
            Self::Told => "told",
            Self::ToldFailure(_) => "told_failure",
            Self::Undoing(_) => "undoing",
            Self::Failed(_) => "failed",
            Self::Finished => "finished",
        }
    }

    fn reason(&self) -> Option<&str> {
        match self {
            Self::Failing(reason)
            | Self::ToldFailure(reason)
            | Self::Undoing(reason)
            | Self::Failed(reason) => Some(reason),
            _ => None,
        }
    }

    fn read(word: &str, reason: String) -> Option<Self> {
        Some(match word {
            "asking" => Self::Asking,
            "sent" => Self::Sent,
            "answered" => Self::Answered,
            "applied" => Self::Applied,
            "failing" => Self::Failing(reason),
            "told" => Self::Told,
            "told_failure" => Self::ToldFailure(reason),
            "undoing" => Self::Undoing(reason),
            "failed" => Self::Failed(reason),
            "finished" => Self::Finished,
            _ => return None,
        })
    }
}

impl Record {
    /// Writes the file. Lines of texts begin with `> ` if they are ours, with `< ` if they are the data centre's.
    pub(super) fn write(&self) -> String {
        let site = if self.is_new_site { "new" } else { "known" };
        let mut text = format!(
            "request {}\nstem {}\nsite {site}\nphase {}\n",
            self.id,
            self.stem.as_str(),
            self.phase.word()
        );
        if let Some(reason) = self.phase.reason() {
            let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
            text.push_str(&format!("reason {reason}\n"));
        }
        if let Some(drop) = self.drop {
            text.push_str(if drop { "tables drop\n" } else { "tables keep\n" });
        }
        text.extend(self.request.lines().map(|line| format!("> {line}\n")));
        if let Some(answer) = &self.answer {
            text.push_str("answer\n");
            text.extend(answer.lines().map(|line| format!("< {line}\n")));
        }
        text
    }

    /// Reads the file. The error says what is missing.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (mut id, mut stem, mut site, mut phase) = (None, None, None, None);
        let (mut reason, mut drop, mut request, mut answer) = (String::new(), None, String::new(), None);
        for line in text.lines() {
            let (key, value) = line.split_once(' ').unwrap_or((line, ""));
            match key {
                "request" => id = Some(value.to_owned()),
                "stem" => stem = Stem::ALL.into_iter().find(|stem| stem.as_str() == value),
                "site" => site = Some(value == "new"),
                "phase" => phase = Some(value),
                "reason" => value.clone_into(&mut reason),
                "tables" => drop = Some(value == "drop"),
                ">" => request.push_str(&format!("{value}\n")),
                "answer" => answer = Some(String::new()),
                "<" => answer.get_or_insert_default().push_str(&format!("{value}\n")),
                _ => return Err(format!("`{}` is not understood", excerpt(line))),
            }
        }
        let missing = |what: &str| format!("no line `{what}`");
        Ok(Self {
            id: id.ok_or_else(|| missing("request"))?,
            stem: stem.ok_or_else(|| missing("stem"))?,
            is_new_site: site.ok_or_else(|| missing("site"))?,
            phase: phase.and_then(|word| Phase::read(word, reason)).ok_or_else(|| missing("phase"))?,
            drop,
            request,
            answer,
        })
    }

    /// Whether this node asks.
    pub(super) fn is_of(&self, node: &Node) -> bool {
        Request::parse(self.request.as_bytes()).is_ok_and(|request| request.node == *node)
    }

    /// What is asked for.
    pub(super) fn list(&self) -> List {
        match Request::parse(self.request.as_bytes()) {
            Ok(request) => List { subscribe: request.subscribe, unsubscribe: request.unsubscribe },
            // We wrote it.
            Err(_) => List::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let phases = [
            Phase::Asking,
            Phase::Sent,
            Phase::Answered,
            Phase::Applied,
            Phase::Failing("no such type".into()),
            Phase::Told,
            Phase::ToldFailure("no such type".into()),
            Phase::Undoing("late".into()),
            Phase::Failed("late".into()),
            Phase::Finished,
        ];
        for (at, phase) in phases.into_iter().enumerate() {
            let record = Record {
                id: "1.2.3".into(),
                stem: Stem::ALL[at % 2],
                is_new_site: at % 3 == 0,
                phase,
                drop: [None, Some(true), Some(false)][at % 3],
                request: "node nso\n\"A  b\".c subscribe\nend\n".into(),
                answer: [None, Some(String::new()), Some("cut 7\n\n  odd\n".into())][at % 3].clone(),
            };
            assert_eq!(Record::parse(&record.write()).unwrap(), record, "{}", record.write());
        }
    }

    #[test]
    fn what_is_missing_is_told() {
        assert_eq!(Record::parse("").unwrap_err(), "no line `request`");
        let text = "request 1\nstem subscription_series\nsite new\nphase dreaming\n";
        assert_eq!(Record::parse(text).unwrap_err(), "no line `phase`");
        assert_eq!(Record::parse("what\n").unwrap_err(), "`what` is not understood");
    }

    #[test]
    fn a_reason_is_one_line() {
        let record = Record {
            id: "1".into(),
            stem: Stem::Document,
            is_new_site: false,
            phase: Phase::Failed("a\n > b".into()),
            drop: None,
            request: String::new(),
            answer: None,
        };
        assert_eq!(Record::parse(&record.write()).unwrap().phase, Phase::Failed("a > b".into()));
    }
}
