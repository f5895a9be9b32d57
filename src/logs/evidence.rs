//! The looking for holes: what slon has confirmed and what comes to it is asked of the database, what it has archived is remembered by
//! the splitter, and what [`super::hole`] and [`super::away`] make of it is written down and told.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::SystemTime;

use super::away::{Between, Coming, Table, Tables, follow};
use super::gate::{Committed, Gate};
use super::hole::{Archived, Lists, Look, by_node, compare, concern, describe, is_past, key, without_a_gap};
use super::hole::{Event, Untold};
use super::roster::Sites;
use super::targets::New;
use super::worker::Splitter;
use crate::config::Config;
use crate::db::{Confirmations, ReplicatedTable};
use crate::disk;
use crate::error::Result;
use crate::ground::read;
use crate::model::{Counter, Node, Series, SlonyNode};
use crate::protocol::{
    Away, Compared, Confirmed, Hole, Missed, read_copied, read_counters, read_holes, read_seen, write_holes,
};

/// What slon has applied, waiting to be compared with what the splitter will have read.
pub struct Evidence {
    splitter: Splitter,
    /// In the order in which they were taken, until the splitter is where they are.
    looks: VecDeque<Look>,
    /// Up to which event of each Slony node was looked; `None`: the files say it.
    since: Option<BTreeMap<u64, u64>>,
    /// The tables of all sets, as they were when it was looked last.
    tables: Arc<Tables>,
}

/// The holes that are not past: open, or with nodes that miss rows.
pub fn holes(config: &Config) -> Result<Vec<Hole>> {
    Ok(read(&config.paths.holes(), read_holes)?.unwrap_or_default())
}

impl Evidence {
    /// For this splitter; nothing is asked yet.
    pub fn new(splitter: Splitter) -> Self {
        Self { splitter, looks: VecDeque::new(), since: None, tables: Arc::default() }
    }

    /// Whether everything was compared that was split when it was looked last. Until then the splitter must remember its archives.
    pub fn is_current(&self) -> bool {
        self.since.is_some() && self.looks.is_empty()
    }

    /// Asks what slon has applied since the last look, and what comes to it. Slony-I remembers the former for ten minutes and more.
    pub async fn look(&mut self, gate: &mut Committed) -> Result<()> {
        let before = if let Some(since) = &self.since {
            since.clone()
        } else {
            let confirmed = self.confirmed()?.unwrap_or_default();
            confirmed.origins.iter().map(|(origin, compared)| (*origin, compared.event)).collect()
        };
        let mut found = gate.confirmations(&before).await?;
        let coming = self.coming(&mut found);
        let events: Vec<Event<'_>> = found
            .events
            .iter()
            .map(|event| (event.origin, event.event, event.transaction, event.kind.as_deref()))
            .collect();
        let mut look = Look::new(found.committed, &events, &found.sets, &before, coming);
        if let Some(event) = found.own_event {
            look.origins.insert(found.local, Compared { event, sets: BTreeSet::new() });
        }
        let mut since = before;
        since.extend(look.origins.iter().map(|(origin, compared)| (*origin, compared.event)));
        self.since = Some(since);
        self.looks.push_back(look);
        Ok(())
    }

    /// What comes to the node. Looks that wait share it, as long as nothing is changed.
    fn coming(&mut self, found: &mut Confirmations) -> Coming {
        let table = |table: ReplicatedTable| {
            let ReplicatedTable { series, set, origin, is_received } = table;
            (series, Table { set, origin, is_received })
        };
        let tables: Tables = std::mem::take(&mut found.tables).into_iter().map(table).collect();
        if *self.tables != tables {
            self.tables = Arc::new(tables);
        }
        let why =
            |(set, is_own): &(i32, bool)| (*set, if *is_own { Away::OwnSet } else { Away::NotReceived });
        let returned = found.returned.iter().map(why).collect();
        Coming { local: found.local, tables: self.tables.clone(), returned }
    }

    /// Compares the looks to which the splitter has come, with the lists as they are under the hold.
    pub async fn compare(&mut self, gate: &mut Committed) -> Result<()> {
        let Some(at) = self.splitter.counter()? else { return Ok(()) };
        let ready = self.looks.iter().take_while(|look| look.committed <= at).count();
        if ready == 0 {
            return Ok(());
        }
        let node = gate.slony_node().await?;
        let looks: Vec<Look> = self.looks.iter().take(ready).cloned().collect();
        let evidence = Self::new(self.splitter.clone());
        let work = move |_: &Splitter| evidence.judge(&looks, node, at);
        self.splitter.under_hold(&tokio_util::sync::CancellationToken::new(), work).await?;
        self.looks.drain(..ready);
        Ok(())
    }

    /// What the looks tell of holes, and whom these concern. It is on disk before how far was compared, so that a kill in between
    /// finds the same again.
    fn judge(&self, looks: &[Look], node: SlonyNode, at: Counter) -> Result<()> {
        let mut confirmed = self.confirmed()?;
        let before = confirmed.clone().unwrap_or_default();
        let old = holes(self.splitter.config())?;
        let mut found = old.clone();
        let archives = self.archives(node, at)?;
        let seen = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let sites = self.splitter.sites()?;
        let lists = lists(&sites);
        let mut untold = Vec::new();
        let mut known = None;
        for look in looks {
            let then = confirmed.as_ref().map_or(look.committed, |confirmed| confirmed.at);
            if let Some(confirmed) = &mut confirmed {
                let named = (archives.after, archives.named.as_slice());
                untold.extend(compare(look, named, confirmed, &mut found, seen));
            } else {
                // Whatever was before the first look is in the SQL of every site to come.
                confirmed = Some(Confirmed { at: look.committed, origins: look.origins.clone() });
            }
            let is_same = known.is_some_and(|known| Arc::ptr_eq(known, &look.coming.tables));
            known = Some(&look.coming.tables);
            // Of many looks that have waited for the splitter hardly one says anything new.
            if !is_same || !look.coming.returned.is_empty() {
                let between = Between { then, now: look.committed, seen, copied: &archives.copied };
                follow(&look.coming, &between, &lists, &mut found);
            }
        }
        let (Some(confirmed), Some(last)) = (confirmed, looks.last()) else { return Ok(()) };
        tell_untold(&untold);
        for hole in &mut found {
            let sets = match &hole.what {
                Missed::Events(origin, _) => {
                    let compared = [&before, &confirmed].map(|confirmed| confirmed.origins.get(origin));
                    compared.iter().flatten().flat_map(|compared| compared.sets.iter().copied()).collect()
                }
                Missed::Series(..) => BTreeSet::new(),
            };
            concern(hole, &sets, &lists, &last.coming.tables);
        }
        tell(&old, &found);
        found.retain(|hole| !is_past(hole, &lists));
        self.write(&old, &found, &confirmed)
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

    /// The archives that the splitter has read last.
    fn archives(&self, node: SlonyNode, at: Counter) -> Result<Archives> {
        let paths = &self.splitter.config().paths;
        let bytes = disk::read_optional(&paths.seen())?.unwrap_or_default();
        let (seen, copied) = (read_seen(&bytes), read_copied(&bytes).into_iter());
        let seen = seen.iter().filter(|seen| seen.name.node == node);
        // One of which an earlier version has not noted the event tells nothing, like one that was forgotten.
        let archives: Vec<Archived> =
            seen.filter_map(|seen| seen.event.map(|event| (seen.name.counter, event.0, event.1))).collect();
        let empty = read(&paths.accepted_empty(), read_counters)?.unwrap_or_default();
        let (after, named) = without_a_gap(&archives, &empty, at);
        let copied = copied.filter(|(name, _)| name.node == node);
        let mut last: BTreeMap<Series, Counter> = BTreeMap::new();
        for (name, series) in copied {
            let counter = last.entry(series).or_default();
            *counter = name.counter.max(*counter);
        }
        Ok(Archives { after, named, copied: last })
    }
}

/// What is known of archives.
struct Archives {
    /// Of those after this one, without a gap...
    after: Counter,
    /// ...the events.
    named: Vec<Archived>,
    /// The last that copies a series as a whole.
    copied: BTreeMap<Series, Counter>,
}

fn lists(sites: &Sites) -> Vec<Lists<'_>> {
    let lists = sites.iter().map(|site| Lists {
        node: &site.node,
        are_known: site.fault.is_none(),
        cuts: site.cuts.as_ref(),
        cut: match &site.new {
            Some(New::Cut(cut)) => Some((cut.counter, &cut.list)),
            Some(New::Foreign(..)) | None => None,
        },
    });
    lists.collect()
}

/// Says what is new: holes that were found or have an end now, who misses rows, and who does not any more.
fn tell(old: &[Hole], found: &[Hole]) {
    let is_known = |hole: &&Hole| old.iter().any(|was| key(was) == key(hole) && was.before == hole.before);
    for hole in found.iter().filter(|hole| !is_known(hole)) {
        tracing::error!("{}", describe(hole));
    }
    let all = |holes: &[Hole]| -> BTreeSet<(Node, Series)> {
        holes.iter().flat_map(|hole| hole.concerned.iter().cloned()).collect()
    };
    let (had, has) = (all(old), all(found));
    for (node, series) in by_node(&has.difference(&had).cloned().collect()) {
        tracing::error!(%node, series, "the node misses rows: it must subscribe these series anew");
    }
    for (node, series) in by_node(&had.difference(&has).cloned().collect()) {
        tracing::info!(%node, series, "the node misses no rows of these series any more");
    }
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
             looked for; if slon ran without `-a` meanwhile, or a set was taken from this node, rows are missing at the sites"
        );
    }
}
