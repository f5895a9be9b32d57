//! The task that tidies: bundles and removes logs now and then, and says when a site falls silent.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::access::Access;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::logs::{Committed, Gate, Place, Report, Standing, Tidier};
use crate::model::SlonyNode;

/// Between two rounds. A site that fetches every minute finds little to wait for, and a round with nothing to do costs a
/// listing of each directory.
const PAUSE: Duration = Duration::from_secs(5 * 60);

/// Tidies until it is cancelled, the first time at once. What goes wrong is logged once and tried again.
pub(super) async fn tidy(config: Config, access: Arc<Access>, gate: Committed, cancel: CancellationToken) {
    let mut task = Tidying { config, access, gate, cancel, told: Told::default() };
    while !task.cancel.is_cancelled() {
        let pause = match task.round().await {
            Ok(reports) => {
                task.say("all", Topic::Tidying, None);
                for report in reports {
                    task.tell(report);
                }
                PAUSE
            }
            Err(Error::Cancelled) => break,
            Err(error) => {
                let said = Word::warning(format!("nothing is tidied: {}", error.chain()));
                task.say("all", Topic::Tidying, Some(said));
                task.config.rescan
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = task.cancel.cancelled() => {}
        }
    }
}

struct Tidying {
    config: Config,
    access: Arc<Access>,
    gate: Committed,
    cancel: CancellationToken,
    told: Told,
}

/// What was last said of each place, so that it is said once.
#[derive(Default)]
struct Told(HashMap<(String, Topic), Word>);

/// What there is to say.
#[derive(Debug, PartialEq, Eq)]
enum News {
    /// Nothing new.
    None,
    /// Something.
    Word(Word),
    /// What was said last is over.
    Well,
}

/// What something is said about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Topic {
    Tidying,
    Acknowledgement,
    Standing,
}

/// Something that an operator must know.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Word {
    is_error: bool,
    /// What makes it the same as the last time; the text may tell more, as an age that grows.
    what: String,
    text: String,
}

impl Word {
    fn warning(text: String) -> Self {
        Self { is_error: false, what: text.clone(), text }
    }
}

impl Tidying {
    async fn round(&mut self) -> Result<Vec<Report>> {
        let node = self.slony_node().await?;
        Tidier::new(&self.config, self.access.clone(), node, self.cancel.clone()).round().await
    }

    /// Whose logs these are. The database is asked only where the configuration does not say it.
    async fn slony_node(&mut self) -> Result<SlonyNode> {
        if let Some(node) = self.config.slony_node {
            return Ok(node);
        }
        tokio::select! {
            node = self.gate.slony_node() => node,
            () = self.cancel.cancelled() => Err(Error::Cancelled),
        }
    }

    fn tell(&mut self, report: Report) {
        let place = report.place.to_string();
        let (removed, bundled) = (report.removed, report.bundled);
        if removed + bundled > 0 {
            tracing::info!(%place, removed, bundled, "tidied");
        }
        let failed = report.failed.map(|error| failure(&report.place, &error));
        self.say(&place, Topic::Tidying, failed);
        let unreadable = !report.faults.is_empty();
        let faults = unreadable.then(|| {
            Word::warning(format!("an acknowledgement cannot be read: {}", report.faults.join("; ")))
        });
        self.say(&place, Topic::Acknowledgement, faults);
        // A site whose word cannot be read is not heard again.
        if let Some(standing) = report.standing.filter(|_| !unreadable) {
            self.say(&place, Topic::Standing, word(standing));
        }
    }

    /// Says it if it is not what was said last.
    fn say(&mut self, place: &str, topic: Topic, word: Option<Word>) {
        match self.told.news(place, topic, word) {
            News::None => {}
            News::Well => tracing::info!(%place, "{}", topic.well_again()),
            News::Word(word) if word.is_error => tracing::error!(%place, "{}", word.text),
            News::Word(word) => tracing::warn!(%place, "{}", word.text),
        }
    }
}

impl Told {
    fn news(&mut self, place: &str, topic: Topic, word: Option<Word>) -> News {
        let subject = (place.to_owned(), topic);
        let last = self.0.get(&subject).map(|word| &word.what);
        if last == word.as_ref().map(|word| &word.what) {
            return News::None;
        }
        if let Some(word) = word {
            self.0.insert(subject, word.clone());
            return News::Word(word);
        }
        self.0.remove(&subject);
        News::Well
    }
}

impl Topic {
    fn well_again(self) -> &'static str {
        match self {
            Self::Tidying => "it is tidied again",
            Self::Acknowledgement => "its acknowledgement can be read again",
            Self::Standing => "the site is heard again",
        }
    }
}

fn word(standing: Standing) -> Option<Word> {
    let text = standing.note()?;
    let (is_error, what) = match standing {
        Standing::MustResubscribe { .. } => (true, text.clone()),
        Standing::Silent(_) => (false, "silent".to_owned()),
        _ => (false, "beyond".to_owned()),
    };
    Some(Word { is_error, what, text })
}

/// A directory of slon's that is closed to this program will stay so until a person opens it.
fn failure(place: &Place, error: &Error) -> Word {
    let is_closed = matches!(error, Error::Disk { source, .. } if matches!(
        source.kind(),
        std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem
    ));
    let hint = if is_closed && *place == Place::Archives {
        "; let the daemon's user write to `archive_dir`, or set archive_days=0 and remove old archives yourself"
    } else {
        ""
    };
    Word::warning(format!("passed over: {}{hint}", error.chain()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::standing::Lag;
    use crate::model::Counter;

    #[test]
    fn a_silence_is_told_once_and_again_when_it_ends() {
        let mut told = Told::default();
        let mut news = |standing| told.news("nso", Topic::Standing, word(standing));
        let silent =
            |days: u64| Standing::Silent(Lag { logs: 1, next_age: Duration::from_secs(days * 86_400) });
        let gone = Standing::MustResubscribe { next: Counter::default(), logs: 1 };
        assert_eq!(news(Standing::Unknown), News::None);
        assert!(
            matches!(news(silent(15)), News::Word(word) if !word.is_error && word.text == "silent for 15 d")
        );
        assert_eq!(news(silent(16)), News::None);
        assert!(matches!(news(gone), News::Word(word) if word.is_error));
        assert_eq!(news(gone), News::None);
        assert_eq!(news(Standing::Current), News::Well);
        assert_eq!(news(Standing::Current), News::None);
    }
}
