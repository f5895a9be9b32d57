//! Series that are unsubscribed: what was published for them is applied, then their tables may go.

use std::io::{IsTerminal as _, Write as _};

use super::apply::listed;
use crate::db::site::SiteDatabase;
use crate::error::{Error, Result};
use crate::model::Series;

/// What is to become of the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// They are dropped.
    Drop,
    /// They stay.
    Keep,
    /// Ask, where there is somebody to be asked.
    Ask,
}

impl Wish {
    /// Whether the tables are dropped.
    pub(super) async fn settle(self, series: &[Series]) -> bool {
        match self {
            Self::Drop => true,
            Self::Keep => false,
            Self::Ask => {
                let series = series.to_vec();
                // In a thread of its own, so that Ctrl-C is heard meanwhile.
                tokio::task::spawn_blocking(move || ask(&series)).await.unwrap_or(false)
            }
        }
    }
}

/// Asks the person at the terminal. No answer is no.
fn ask(series: &[Series]) -> bool {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return false;
    }
    let mut stderr = std::io::stderr();
    let question = format!("No longer subscribed: {}.\nDrop the tables? [y/N] ", listed(series));
    let mut answer = String::new();
    let asked = stderr.write_all(question.as_bytes()).and_then(|()| stderr.flush());
    let answered = asked.and_then(|()| std::io::stdin().read_line(&mut answer));
    answered.is_ok() && ["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str())
}

/// Drops the tables, each with its rows in the DRMS master tables. One that something of the site's own depends on stays;
/// the error says why.
pub(super) async fn drop_tables(database: &SiteDatabase, series: &[Series]) -> Result<()> {
    let mut faults = Vec::new();
    for series in series {
        match database.drop_series(series).await {
            Ok(()) => tracing::info!("{series} is dropped"),
            Err(error @ Error::Database { .. }) if !super::apply::is_temporary(&error) => {
                faults.push(format!("{series} stays: {}", error.chain()));
            }
            Err(error) => return Err(error),
        }
    }
    if faults.is_empty() {
        return Ok(());
    }
    faults.push("they are unsubscribed; drop what depends on them, then the tables, by hand".into());
    Err(Error::Refused(faults.join("\n")))
}

/// The SQL that drops what was kept.
pub(super) fn by_hand(series: &[Series]) -> String {
    series.iter().map(|series| format!("drop table {};", series.sql())).collect::<Vec<_>>().join(" ")
}
