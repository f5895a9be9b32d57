//! The loop of a request: look, decide, do, record, until it is over.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::apply::{Sql, is_temporary, listed};
use super::decide::{For, Situation, Step, decide};
use super::download::Download;
use super::leave::Wish;
use super::place::{Site, clash};
use super::quiet::Quiet;
use super::record::{Phase, Record};
use super::server::Server;
use super::shown::{Mark, Ready, Says, Shown, Whose};
use crate::db::site::{SiteDatabase, SiteRequest};
use crate::disk;
use crate::error::{Error, Result};
use crate::model::Counter;
use crate::protocol::{Kind, Outcome, Stem};
use crate::subscriber::{Progress, SiteConfig, node};
use crate::transport::Host;

/// The first pause between two looks; each is half as long again.
pub(super) const PAUSE: Duration = Duration::from_millis(200);

/// The longest one.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// A request at work.
pub(super) struct Work<'a> {
    pub(super) config: &'a SiteConfig,
    pub(super) host: &'a Host,
    pub(super) server: Server<'a>,
    pub(super) record: Record,
    pub(super) wish: Wish,
    /// Ingestion is at rest meanwhile.
    pub(super) quiet: Quiet,
    /// Where the SQL is put.
    pub(super) sql_directory: PathBuf,
}

/// Where an open request is recorded.
pub(super) fn record_path(config: &SiteConfig) -> PathBuf {
    config.work_dir.join("request")
}

/// Reads the open request.
pub(super) fn read_record(config: &SiteConfig) -> Result<Option<Record>> {
    let path = record_path(config);
    let Some(bytes) = disk::read_optional(&path)? else { return Ok(None) };
    Record::parse(&String::from_utf8_lossy(&bytes)).map(Some).map_err(|fault| {
        Error::Stopped(format!(
            "`{}` is not readable: {fault}; if no request is open, remove it",
            path.display()
        ))
    })
}

impl Work<'_> {
    /// Goes on until the request is over. An error leaves everything so that another call goes on; if the request itself
    /// has failed, nothing is left of it.
    pub(super) async fn run(mut self) -> Result<()> {
        self.save()?;
        let mut waiting: Option<(For, Instant)> = None;
        let mut pause = PAUSE;
        loop {
            let shown = self.look().await?;
            let is_applied = self.record.phase == Phase::Answered && self.applied().await?.is_some();
            let is_fetched = self.record.phase == Phase::Answered && self.download().is_whole(&self.ready());
            let now = Situation {
                stem: self.record.stem,
                phase: &self.record.phase,
                shown: &shown,
                is_applied,
                is_fetched,
            };
            let step = decide(&now);
            let Step::Wait(what) = step else {
                waiting = None;
                pause = PAUSE;
                tracing::debug!(?step, "next");
                if self.act(step, &shown).await? {
                    return Ok(());
                }
                continue;
            };
            match waiting {
                Some((before, since)) if before == what => {
                    if since.elapsed() >= self.config.patience {
                        return Err(self.impatient(what));
                    }
                }
                _ => {
                    tracing::info!("waiting for {}", what.as_str());
                    waiting = Some((what, Instant::now()));
                    pause = PAUSE;
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 3 / 2).min(LONGEST_PAUSE);
        }
    }

    /// Takes a step; whether it was the last.
    async fn act(&mut self, step: Step, shown: &Shown) -> Result<bool> {
        match step {
            Step::Wait(_) => {}
            Step::Send => self.send().await?,
            Step::Take => self.take(shown).await?,
            Step::Fetch => {
                // What the line or the account stops is no fault of the request.
                let fetched = self.fetch().await;
                self.or_fail(fetched, |error| matches!(error, Error::Refused(_)))?;
            }
            Step::Apply => {
                let applied = self.apply(shown).await;
                let applied = applied.map(|rows| tracing::info!(rows, "the SQL is applied"));
                self.or_fail(applied, |error| !is_temporary(error))?;
            }
            Step::Tell { success } => self.tell(success).await?,
            Step::Undo => self.undo().await?,
            Step::Note(phase) => self.note(phase)?,
            Step::CleanUp => return self.clean_up().await,
            Step::Finish => return self.finish(shown).await.map(|()| true),
            Step::Stop(reason) => {
                let path = record_path(self.config);
                let way = "if it has, or was told to forget the request, remove";
                return Err(Error::Stopped(format!("{reason}; {way} `{}`", path.display())));
            }
        }
        Ok(false)
    }

    async fn look(&mut self) -> Result<Shown> {
        self.server.look(Mark { stem: self.record.stem, id: &self.record.id }).await
    }

    async fn send(&mut self) -> Result<()> {
        if self.record.is_new_site {
            // Whose logs an earlier site of this directory has followed is nothing to this one.
            disk::remove(&self.config.followed_node())?;
        }
        disk::remove_all_of(&self.sql_directory)?;
        self.server.ask(self.record.stem, &self.record.request).await?;
        let list = self.record.list();
        for (verb, series) in [("subscribe", &list.subscribe), ("unsubscribe", &list.unsubscribe)] {
            if !series.is_empty() {
                tracing::info!("asked to {verb} {}", listed(series));
            }
        }
        self.note(Phase::Sent)
    }

    async fn take(&mut self, shown: &Shown) -> Result<()> {
        let Some(bytes) = self.server.read(self.record.stem, Kind::SqlDone).await? else { return Ok(()) };
        let mark = Mark { stem: self.record.stem, id: &self.record.id };
        // It may be another by now: that is for the next look to see.
        if mark.answer(&bytes).as_ref() != shown.answer.as_ref() {
            return Ok(());
        }
        self.record.answer = Some(String::from_utf8_lossy(&bytes).into_owned());
        tracing::info!("the SQL is ready");
        self.note(Phase::Answered)
    }

    /// What is to be fetched, as it was recorded.
    pub(super) fn ready(&self) -> Ready {
        let mark = Mark { stem: self.record.stem, id: &self.record.id };
        let answer = self.record.answer.as_ref().and_then(|text| mark.answer(text.as_bytes()));
        match answer.map(|answer| answer.says) {
            Some(Says::Ready(ready)) => ready,
            _ => Ready::default(),
        }
    }

    fn download(&self) -> Download<'_> {
        Download {
            host: self.host,
            node: &self.config.node,
            from: self.server.directory,
            into: &self.sql_directory,
        }
    }

    async fn fetch(&self) -> Result<()> {
        self.download().fetch(&self.ready()).await
    }

    async fn apply(&self, shown: &Shown) -> Result<u64> {
        let (ready, list) = (self.ready(), self.record.list());
        let database = self.database().await?;
        node::check(self.config, &database).await?;
        self.keep_place(&database, shown).await?;
        // The data centre would send changes of a table that is not here.
        let here = database.existing(&ready.skipped).await?;
        let absent: Vec<_> = ready.skipped.iter().filter(|series| !here.contains(series)).cloned().collect();
        if !absent.is_empty() {
            return Err(Error::Refused(format!(
                "the data centre holds {} for subscribed, and it is not in this database: unsubscribe it, then subscribe \
                 it anew",
                listed(&absent)
            )));
        }
        let series =
            list.subscribe.iter().filter(|series| !ready.skipped.contains(series)).cloned().collect();
        let files = self.download().texts(&ready)?;
        self.catch_up_to(ready.cut).await?;
        let bytes = files.iter().filter_map(|file| disk::plain_size(file)).sum();
        tracing::info!(files = files.len(), bytes, "applying the SQL in one transaction");
        let request = SiteRequest {
            request: self.record.id.clone(),
            cut: ready.cut,
            series,
            unsubscribed: list.unsubscribe,
            is_finished: false,
        };
        let progress = Progress::begin("applying", Some(bytes));
        let brings_place = self.record.is_new_site.then_some(&self.config.node);
        Sql { files: &files, request, brings_place, progress: &progress }.apply(&database).await
    }

    /// Refuses what would take the site's place in the stream from it, or what needs one where there is none.
    async fn keep_place(&self, database: &SiteDatabase, shown: &Shown) -> Result<()> {
        let accepted = shown.accepted.as_ref().filter(|accepted| accepted.whose == Whose::Ours);
        let taken_for_new = accepted.and_then(|accepted| accepted.new_site);
        let Some(clash) = clash(taken_for_new, database.place().await?) else { return Ok(()) };
        let subscribed = super::status::subscribed(&database.requests().await?);
        let (schema, series) = (database.schema(), database.existing(&subscribed).await?);
        let site = Site { node: &self.config.node, schema: &schema, series: &series };
        Err(Error::Refused(site.explain(clash)))
    }

    /// A series that comes back needs the logs of its first life to be applied before. Whether that was so, the SQL asks
    /// itself: a site that cannot catch up now may still have done enough.
    async fn catch_up_to(&self, cut: Option<Counter>) -> Result<()> {
        if self.record.is_new_site || cut.is_none() || self.config.site_logs.is_none() {
            return Ok(());
        }
        match self.quiet.catch_up(self.config, self.host, cut).await {
            Err(error) if !is_temporary(&error) => {
                tracing::warn!("the logs up to the cut could not be applied: {}", error.chain());
                Ok(())
            }
            done => done,
        }
    }

    /// A failure that ends the request is told to the data centre.
    fn or_fail(&mut self, done: Result<()>, ends: impl Fn(&Error) -> bool) -> Result<()> {
        match done {
            Err(error) if ends(&error) => {
                tracing::error!("{}", error.chain());
                self.note(Phase::Failing(error.chain()))
            }
            done => done,
        }
    }

    async fn tell(&mut self, success: bool) -> Result<()> {
        let is_document = self.record.stem == Stem::Document;
        let counter = if is_document { self.database().await?.place().await? } else { None };
        let id = is_document.then(|| self.record.id.clone());
        // First recorded: from now on the data centre may know it.
        self.note(match (&self.record.phase, success) {
            (Phase::Failing(reason) | Phase::ToldFailure(reason), false) => {
                Phase::ToldFailure(reason.clone())
            }
            _ => Phase::Told,
        })?;
        let outcome = Outcome { success, counter, id };
        self.server.tell(self.record.stem, &self.record.request, &outcome).await
    }

    async fn undo(&mut self) -> Result<()> {
        let Phase::Undoing(reason) = self.record.phase.clone() else { return Ok(()) };
        if let Some(applied) = self.applied().await? {
            tracing::warn!("taking back {}: {reason}", listed(&applied.series));
            self.database().await?.undo_request(&applied, self.record.is_new_site).await?;
        }
        self.note(Phase::Failed(reason))
    }

    async fn clean_up(&mut self) -> Result<bool> {
        let Phase::Failed(reason) = self.record.phase.clone() else { return Ok(false) };
        self.forget_answers().await?;
        self.forget()?;
        Err(Error::Refused(format!("the request has failed, nothing of it is left: {reason}")))
    }

    async fn finish(&mut self, shown: &Shown) -> Result<()> {
        let database = self.database().await?;
        database.finish_request(&self.record.id).await?;
        self.learn_node(&database, shown).await?;
        self.forget_answers().await?;
        let left = self.leave(&database).await;
        // What a person has to do about it needs no open request.
        if left.as_ref().is_err_and(|error| !matches!(error, Error::Refused(_))) {
            return left;
        }
        self.forget()?;
        let subscribed = super::status::subscribed(&database.requests().await?);
        let names = if subscribed.is_empty() { "nothing".to_owned() } else { listed(&subscribed) };
        tracing::info!("done; subscribed to {names}");
        if left.is_ok() {
            let config = "get_slony_logs CONFIG";
            tracing::info!(
                "changes come with `{config}`, every minute by cron, or with `{config} --follow` as a service"
            );
        }
        left
    }

    /// A database that was subscribed before it noted its node is told, if the data centre has the same series for it.
    async fn learn_node(&self, database: &SiteDatabase, shown: &Shown) -> Result<()> {
        let there = shown.our_end().map(|end| end.series.as_slice()).unwrap_or_default();
        let here = super::status::subscribed(&database.requests().await?);
        if node::is_the_same(there, &here) { database.learn_node(&self.config.node).await } else { Ok(()) }
    }

    /// Removes what is left of the request at the data centre, and the SQL here.
    async fn forget_answers(&mut self) -> Result<()> {
        let mark = Mark { stem: self.record.stem, id: &self.record.id };
        self.server.clean_up(mark).await?;
        disk::remove_all_of(&self.sql_directory)
    }

    /// The request is over. First ingestion: killed in between, a request is open that says what is to be done.
    fn forget(&self) -> Result<()> {
        self.quiet.lift();
        disk::remove(&record_path(self.config))
    }

    fn note(&mut self, phase: Phase) -> Result<()> {
        self.record.phase = phase;
        self.save()
    }

    pub(super) fn save(&self) -> Result<()> {
        disk::write(&record_path(self.config), self.record.write().as_bytes())
    }

    /// What the database knows of this request.
    async fn applied(&self) -> Result<Option<SiteRequest>> {
        let requests = self.database().await?.requests().await?;
        Ok(requests.into_iter().find(|request| request.request == self.record.id))
    }

    /// A session of its own for every use: between two an hour may pass.
    pub(super) async fn database(&self) -> Result<SiteDatabase> {
        connect(self.config).await
    }

    pub(super) fn impatient(&self, what: For) -> Error {
        Error::Line {
            action: format!("wait for {}", what.as_str()),
            source: format!(
                "nothing for {} s; the request stays open: run this again to go on waiting",
                self.config.patience.as_secs()
            )
            .into(),
        }
    }
}

/// A session with the site's database.
pub(super) async fn connect(config: &SiteConfig) -> Result<SiteDatabase> {
    SiteDatabase::connect(&config.database, &config.cluster, "subscribe_series").await
}
