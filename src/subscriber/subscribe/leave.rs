//! Series that are unsubscribed: what was published for them is applied, then their tables may go.

use std::io::{IsTerminal as _, Write as _};
use std::time::Instant;

use super::apply::listed;
use super::decide::For;
use super::work::{LONGEST_PAUSE, PAUSE, Work};
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
    async fn settle(self, series: &[Series]) -> bool {
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

impl Work<'_> {
    /// The tables of unsubscribed series: what was published for them is applied, then they may go.
    pub(super) async fn leave(&mut self, database: &SiteDatabase) -> Result<()> {
        let series = self.record.list().unsubscribe;
        if series.is_empty() {
            return Ok(());
        }
        if self.wish != Wish::Keep && self.record.drop != Some(false) && self.config.site_logs.is_some() {
            self.quiet.catch_up(self.config, self.host, None).await?;
        }
        let drop = match self.record.drop {
            Some(drop) => drop,
            // Logs that were fetched by others may still hold rows of them.
            None if self.config.site_logs.is_none() => false,
            None => self.wish.settle(&series).await,
        };
        self.record.drop = Some(drop);
        self.save()?;
        if drop {
            self.reach_the_cut().await?;
            return drop_tables(database, &series).await;
        }
        let there: Vec<Series> = database.existing(&series).await?;
        if !there.is_empty() {
            let sql = by_hand(&there);
            let cut = self.ready().cut.map(|cut| format!("past log {cut} and ")).unwrap_or_default();
            tracing::info!(
                "the tables stay; when get_slony_logs is {cut}up to date, they may be dropped: {sql}"
            );
        }
        Ok(())
    }

    /// Logs up to the cut may hold rows of the series, and the splitter may still be on its way there.
    async fn reach_the_cut(&self) -> Result<()> {
        let cut = self.ready().cut;
        let begun = Instant::now();
        let mut pause = PAUSE;
        let mut is_told = false;
        while let Some(cut) = cut
            && self.database().await?.place().await? < Some(cut)
        {
            if begun.elapsed() >= self.config.patience {
                return Err(self.impatient(For::Logs));
            }
            if !is_told {
                tracing::info!(
                    "waiting for {}: up to log {cut} they may hold rows of it",
                    For::Logs.as_str()
                );
                is_told = true;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 3 / 2).min(LONGEST_PAUSE);
            self.quiet.catch_up(self.config, self.host, None).await?;
        }
        Ok(())
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
async fn drop_tables(database: &SiteDatabase, series: &[Series]) -> Result<()> {
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
