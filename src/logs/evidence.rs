//! The looking for holes: what slon has confirmed is asked of the database, what it has archived is remembered by the splitter, and
//! what [`super::hole`] makes of both is written down and told.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::SystemTime;

use super::gate::{Committed, Gate};
use super::hole::{Archived, Lists, Look, by_node, compare, concern, describe, is_past, without_a_gap};
use super::hole::{Event, Untold};
use super::roster::Sites;
use super::targets::{New, Site};
use super::worker::Splitter;
use crate::config::Config;
use crate::disk;
use crate::error::Result;
use crate::ground::read;
use crate::model::{Counter, Series, SlonyNode};
use crate::protocol::{Confirmed, Hole, read_counters, read_holes, read_seen, write_holes};

/// What slon has applied, waiting to be compared with what the splitter will have read.
pub struct Evidence {
    splitter: Splitter,
    /// In the order in which they were taken, until the splitter is where they are.
    looks: VecDeque<Look>,
    /// Up to which event of each Slony node was looked; `None`: the files say it.
    since: Option<BTreeMap<u64, u64>>,
}

/// The holes that are not past: open, or with nodes that miss rows.
pub fn holes(config: &Config) -> Result<Vec<Hole>> {
    Ok(read(&config.paths.holes(), read_holes)?.unwrap_or_default())
}

impl Evidence {
    /// For this splitter; nothing is asked yet.
    pub fn new(splitter: Splitter) -> Self {
        Self { splitter, looks: VecDeque::new(), since: None }
    }

    /// Whether everything was compared that was split when it was looked last. Until then the splitter must remember its archives.
    pub fn is_current(&self) -> bool {
        self.since.is_some() && self.looks.is_empty()
    }

    /// Asks what slon has applied since the last look. Slony-I remembers it for ten minutes and more.
    pub async fn look(&mut self, gate: &mut Committed) -> Result<()> {
        let before = if let Some(since) = &self.since {
            since.clone()
        } else {
            let confirmed = self.confirmed()?.unwrap_or_default();
            confirmed.origins.iter().map(|(origin, compared)| (*origin, compared.event)).collect()
        };
        let found = gate.confirmations(&before).await?;
        let events: Vec<Event<'_>> = found
            .events
            .iter()
            .map(|event| (event.origin, event.event, event.transaction, event.kind.as_deref()))
            .collect();
        let look = Look::new(found.committed, &events, &found.sets, &before);
        let mut since = before;
        since.extend(look.origins.iter().map(|(origin, compared)| (*origin, compared.event)));
        self.since = Some(since);
        self.looks.push_back(look);
        Ok(())
    }

    /// Compares the looks to which the splitter has come. What it finds is on disk before how far it has compared, so that a kill in
    /// between finds the same again.
    pub async fn compare(&mut self, gate: &mut Committed) -> Result<()> {
        let Some(at) = self.splitter.counter()? else { return Ok(()) };
        let ready = self.looks.iter().take_while(|look| look.committed <= at).count();
        if ready == 0 {
            return Ok(());
        }
        let node = gate.slony_node().await?;
        let mut confirmed = self.confirmed()?;
        let before = confirmed.clone().unwrap_or_default();
        let mut found = holes(self.splitter.config())?;
        let old = found.clone();
        let (after, archives) = self.archives(node, at)?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut untold = Vec::new();
        for look in self.looks.iter().take(ready).cloned() {
            match &mut confirmed {
                Some(confirmed) => {
                    untold.extend(compare(look, (after, &archives), confirmed, &mut found, now));
                }
                // Whatever was before the first look is in the SQL of every site to come.
                None => confirmed = Some(Confirmed { at: look.committed, origins: look.origins }),
            }
        }
        let Some(confirmed) = confirmed else { return Ok(()) };
        tell_untold(&untold);
        if found.is_empty() {
            self.write(&old, &found, &confirmed)?;
        } else {
            let series = gate.series_of_sets().await?;
            self.settle(old, found, before, confirmed, series).await?;
        }
        self.looks.drain(..ready);
        Ok(())
    }

    /// Finds out whom the holes concern, by the lists as they are under the hold.
    async fn settle(
        &self,
        old: Vec<Hole>,
        mut found: Vec<Hole>,
        before: Confirmed,
        confirmed: Confirmed,
        series: BTreeMap<Series, (i32, u64)>,
    ) -> Result<()> {
        let evidence = Self::new(self.splitter.clone());
        let work = move |splitter: &Splitter| {
            let sites = splitter.sites()?;
            let lists = lists(&sites);
            for hole in &mut found {
                let compared = [&before, &confirmed].map(|confirmed| confirmed.origins.get(&hole.origin));
                let sets: BTreeSet<i32> =
                    compared.iter().flatten().flat_map(|compared| compared.sets.iter().copied()).collect();
                let had = hole.concerned.clone();
                let new = concern(hole, &sets, &lists, &series);
                let was = old.iter().find(|old| (old.origin, old.events.0) == (hole.origin, hole.events.0));
                if was.is_none_or(|was| was.before != hole.before) {
                    tracing::error!(origin = hole.origin, "{}", describe(hole));
                }
                for (node, series) in by_node(&new) {
                    tracing::error!(%node, series, "the node misses rows: it must subscribe these series anew");
                }
                for (node, series) in by_node(&had.difference(&hole.concerned).cloned().collect()) {
                    tracing::info!(%node, series, "the node misses no rows of these series any more");
                }
            }
            found.retain(|hole| !is_past(hole, &lists));
            evidence.write(&old, &found, &confirmed)
        };
        self.splitter.under_hold(&tokio_util::sync::CancellationToken::new(), work).await.map(drop)
    }

    fn write(&self, old: &[Hole], found: &[Hole], confirmed: &Confirmed) -> Result<()> {
        let paths = &self.splitter.config().paths;
        if found.is_empty() && !old.is_empty() {
            disk::remove(&paths.holes())?;
        } else if old != found {
            disk::write(&paths.holes(), &write_holes(found))?;
        }
        if self.confirmed()?.as_ref() != Some(confirmed) {
            disk::write(&paths.confirmed(), &confirmed.write())?;
        }
        Ok(())
    }

    fn confirmed(&self) -> Result<Option<Confirmed>> {
        read(&self.splitter.config().paths.confirmed(), Confirmed::parse)
    }

    /// The archives that the splitter has read last, without a gap.
    fn archives(&self, node: SlonyNode, at: Counter) -> Result<(Counter, Vec<Archived>)> {
        let paths = &self.splitter.config().paths;
        let seen = disk::read_optional(&paths.seen())?.map(|bytes| read_seen(&bytes)).unwrap_or_default();
        let seen = seen.iter().filter(|seen| seen.name.node == node);
        // One of which an earlier version has not noted the event tells nothing, like one that was forgotten.
        let archives: Vec<Archived> =
            seen.filter_map(|seen| seen.event.map(|event| (seen.name.counter, event.0, event.1))).collect();
        let empty = read(&paths.accepted_empty(), read_counters)?.unwrap_or_default();
        Ok(without_a_gap(&archives, &empty, at))
    }
}

fn lists(sites: &Sites) -> Vec<Lists<'_>> {
    let of = |site: &'_ Site| match &site.new {
        Some(New::Cut(cut)) => Some(cut.counter),
        Some(New::Foreign(..)) | None => None,
    };
    let lists = sites.iter().map(|site| Lists {
        node: &site.node,
        are_known: site.fault.is_none(),
        cuts: site.cuts.as_ref(),
        cut: of(site),
    });
    lists.collect()
}

/// Once for each Slony node: what cannot be told lies between the first and the last of it.
fn tell_untold(untold: &[Untold]) {
    let mut by_origin: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    for untold in untold {
        let range = by_origin.entry(untold.origin).or_insert((untold.after, untold.before));
        *range = (range.0.min(untold.after), range.1.max(untold.before));
    }
    for (origin, (after, before)) in by_origin {
        tracing::warn!(
            origin,
            after,
            before,
            "it cannot be told whether slon has archived all events between these two: Slony-I had forgotten them before they were \
             looked for; if slon ran without `-a` meanwhile, rows are missing at the sites"
        );
    }
}
