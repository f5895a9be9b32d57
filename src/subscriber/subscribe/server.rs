//! The drop directory of the data centre, as far as it is this request's.

use std::collections::HashSet;
use std::time::Instant;

use super::shown::{Mark, Says, Shown, Whose};
use crate::error::Result;
use crate::model::Node;
use crate::protocol::{Kind, Outcome, Stem, TriggerFile, sql_file_names};
use crate::transport::Host;

/// An answer names every series of the node, which may be many.
const ANSWER: u64 = 16 << 20;

/// The drop directory.
pub(super) struct Server<'a> {
    pub(super) host: &'a Host,
    pub(super) directory: &'a str,
    pub(super) node: &'a Node,
    /// What was seen last, and since when.
    seen: Option<(Shown, Instant)>,
}

impl<'a> Server<'a> {
    /// Nothing has been seen yet.
    pub(super) fn new(host: &'a Host, directory: &'a str, node: &'a Node) -> Self {
        Self { host, directory, node, seen: None }
    }

    /// Looks at what is shown of a request.
    pub(super) async fn look(&mut self, mark: Mark<'_>) -> Result<Shown> {
        let names: HashSet<String> =
            self.host.list(self.directory).await?.into_iter().map(|entry| entry.name).collect();
        let has = |kind| names.contains(&self.name(mark.stem, kind));
        let mut shown = Shown {
            asked: has(Kind::Request),
            finishing: has(Kind::SqlApplied) || has(Kind::Cleanup),
            ..Shown::default()
        };
        if has(Kind::Accepted) {
            shown.accepted = self.read(mark.stem, Kind::Accepted).await?.map(|bytes| mark.accepted(&bytes));
        }
        if has(Kind::SqlDone) {
            let bytes = self.read(mark.stem, Kind::SqlDone).await?;
            shown.answer = bytes.and_then(|bytes| mark.answer(&bytes));
        }
        if has(Kind::Done) {
            shown.done = self.read(mark.stem, Kind::Done).await?.and_then(|bytes| mark.done(&bytes));
        }
        let since = match &self.seen {
            Some((before, since)) if before.is_as(&shown) => *since,
            _ => Instant::now(),
        };
        shown.since = since.elapsed();
        self.seen = Some((shown.clone(), since));
        Ok(shown)
    }

    /// Reads one of the files.
    pub(super) async fn read(&self, stem: Stem, kind: Kind) -> Result<Option<Vec<u8>>> {
        self.host.read(&self.path(&self.name(stem, kind)), ANSWER).await
    }

    /// Sends a request. Files of the deployed stem do not say whose they are, so that older answers go first.
    pub(super) async fn ask(&self, stem: Stem, request: &str) -> Result<()> {
        if stem == Stem::Deployed {
            for kind in [Kind::SqlDone, Kind::Done] {
                self.remove(&self.name(stem, kind)).await?;
            }
            self.remove(&format!("{}.sql.tar.gz", self.node)).await?;
        }
        self.host.put(&self.path(&self.name(stem, Kind::Request)), request.as_bytes()).await
    }

    /// Says how it went: the request as it was accepted, and the outcome.
    pub(super) async fn tell(&self, stem: Stem, request: &str, outcome: &Outcome) -> Result<()> {
        let accepted = self.read(stem, Kind::Accepted).await?;
        let mut text = match accepted {
            Some(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            None => request.lines().filter(|line| *line != "end").map(|line| format!("{line}\n")).collect(),
        };
        if !text.ends_with('\n') {
            text.push('\n');
        }
        text.extend(outcome.id.iter().map(|id| format!("request {id}\n")));
        text.push_str(&outcome.write());
        self.host.put(&self.path(&self.name(stem, Kind::SqlApplied)), text.as_bytes()).await
    }

    /// Removes what is left of this request: its answers and its SQL.
    pub(super) async fn clean_up(&mut self, mark: Mark<'_>) -> Result<()> {
        let shown = self.look(mark).await?;
        let mut names = Vec::new();
        if let Some(answer) = shown.answer.filter(|answer| answer.whose == Whose::Ours) {
            if !matches!(answer.says, Says::Failure(_)) {
                names.extend(sql_file_names(self.node));
            }
            names.push(self.name(mark.stem, Kind::SqlDone));
        }
        if shown.done.is_some_and(|done| done.whose == Whose::Ours) {
            names.push(self.name(mark.stem, Kind::Done));
        }
        for name in names {
            match self.remove(&name).await {
                // The next request makes the data centre do it.
                Err(error) if error.is_forbidden() => {
                    tracing::info!("an answer stays at the data centre: {}", error.chain());
                }
                removed => removed?,
            }
        }
        Ok(())
    }

    async fn remove(&self, name: &str) -> Result<()> {
        self.host.remove(&self.path(name)).await
    }

    fn name(&self, stem: Stem, kind: Kind) -> String {
        TriggerFile { node: self.node.clone(), stem, kind }.to_string()
    }

    fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.directory)
    }
}
