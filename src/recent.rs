//! The last errors of the log, for those who see the daemon from outside. They are kept in memory alone: a restart forgets
//! them, and the log itself has them all.

use std::collections::VecDeque;
use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use serde::Serialize;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use crate::model::write_time;

/// So many are kept.
const KEPT: usize = 20;

/// The longest text of one, in bytes: a chain of causes fits, a request for ten thousand series does not.
const LONGEST: usize = 2_000;

/// Collects the errors that are logged. A layer of the log, and a handle for those who ask.
#[derive(Debug, Clone, Default)]
pub struct Recent(Arc<Mutex<Errors>>);

/// What was logged since the start.
#[derive(Debug, Default)]
struct Errors {
    last: VecDeque<LoggedError>,
    total: u64,
}

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LoggedError {
    /// When; RFC 3339 in UTC.
    pub at: String,
    /// What it says, its fields behind.
    pub text: String,
}

impl Recent {
    /// The last of them, the newest first.
    pub fn last(&self) -> Vec<LoggedError> {
        self.errors().last.iter().rev().cloned().collect()
    }

    /// How many there were since the start.
    pub fn total(&self) -> u64 {
        self.errors().total
    }

    fn add(&self, text: String) {
        let error = LoggedError { at: write_time(SystemTime::now()), text };
        let mut errors = self.errors();
        errors.total += 1;
        if errors.last.len() == KEPT {
            errors.last.pop_front();
        }
        errors.last.push_back(error);
    }

    fn errors(&self) -> MutexGuard<'_, Errors> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Subscriber> Layer<S> for Recent {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if *event.metadata().level() == Level::ERROR {
            let mut line = Line::default();
            event.record(&mut line);
            self.add(line.text());
        }
    }
}

/// A line as it is put together: the message, then the fields as the log writes them.
#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Line {
    fn text(self) -> String {
        let mut text = self.message + &self.fields;
        if text.len() > LONGEST {
            let end = (0..=LONGEST).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
            text.truncate(end);
            text.push_str(" ...");
        }
        text
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing into a string does not fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::layer::SubscriberExt as _;

    #[test]
    fn the_last_errors_are_kept_and_all_are_counted() {
        let recent = Recent::default();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(recent.clone()), || {
            tracing::warn!("no error");
            for number in 0..25 {
                tracing::error!(number, error = "no such file", "cannot look");
            }
            tracing::error!("{}", "ä".repeat(LONGEST));
        });
        assert_eq!(recent.total(), 26);
        let last = recent.last();
        assert_eq!(last.len(), KEPT);
        assert!(last[0].text.len() <= LONGEST + 4 && last[0].text.ends_with("ä ..."));
        assert_eq!(last[1].text, "cannot look number=24 error=no such file");
        assert_eq!(last[KEPT - 1].text, "cannot look number=6 error=no such file");
    }
}
