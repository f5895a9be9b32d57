//! How far the dumps are. Each has a ticket; whoever looks on gets all of them as values.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::db::TableSize;
use crate::model::Node;
use crate::protocol::{Dump, DumpState};

/// A table that is empty on disk is work all the same.
const LEAST: u64 = 8_192;

/// The dumps of this process.
#[derive(Debug, Default)]
pub struct Progress {
    dumps: Mutex<BTreeMap<Node, Going>>,
    begun: Notify,
}

/// The place of one dump among them; it goes with it.
#[derive(Debug)]
pub(super) struct Ticket<'p> {
    progress: &'p Progress,
    node: Node,
}

/// One dump.
#[derive(Debug)]
struct Going {
    series: u64,
    /// Since when it waits, or runs.
    since: Instant,
    /// `None`: it waits.
    work: Option<Work>,
}

/// What a dump that runs has done.
#[derive(Debug, Default)]
struct Work {
    /// In the order in which they are dumped.
    sizes: Vec<TableSize>,
    done: usize,
    rows: u64,
    /// Of the series that is being dumped.
    rows_of_series: u64,
    bytes: u64,
}

impl Progress {
    /// A dump of so many series is to be made: it waits.
    pub(super) fn ticket(&self, node: &Node, series: usize) -> Ticket<'_> {
        let going = Going { series: series as u64, since: Instant::now(), work: None };
        self.lock().insert(node.clone(), going);
        self.begun.notify_one();
        Ticket { progress: self, node: node.clone() }
    }

    /// All of them now.
    pub fn look(&self) -> Vec<Dump> {
        let now = Instant::now();
        // A request without data dumps nothing.
        let dumps = self.lock();
        let with_data = dumps.iter().filter(|(_, going)| going.series > 0);
        with_data.map(|(node, going)| going.seen(node, now)).collect()
    }

    /// Waits until there is one, which may be at once.
    pub async fn begun(&self) {
        self.begun.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Node, Going>> {
        self.dumps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket<'_> {
    /// It has its turn, and the series are so large.
    pub(super) fn run(&self, sizes: Vec<TableSize>) {
        self.change(|going| {
            going.since = Instant::now();
            going.work = Some(Work { sizes, ..Work::default() });
        });
    }

    /// It has given way, and waits again.
    pub(super) fn wait(&self) {
        self.change(|going| {
            going.since = Instant::now();
            going.work = None;
        });
    }

    /// So many more rows and bytes of the series that is being dumped.
    pub(super) fn count(&self, rows: u64, bytes: u64) {
        self.change_work(|work| {
            work.rows += rows;
            work.rows_of_series += rows;
            work.bytes += bytes;
        });
    }

    /// The series is done.
    pub(super) fn next_series(&self) {
        self.change_work(|work| {
            work.done += 1;
            work.rows_of_series = 0;
        });
    }

    fn change_work(&self, change: impl FnOnce(&mut Work)) {
        self.change(|going| {
            if let Some(work) = &mut going.work {
                change(work);
            }
        });
    }

    fn change(&self, change: impl FnOnce(&mut Going)) {
        if let Some(going) = self.progress.lock().get_mut(&self.node) {
            change(going);
        }
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.progress.lock().remove(&self.node);
    }
}

impl Going {
    fn seen(&self, node: &Node, now: Instant) -> Dump {
        let lasts = now.saturating_duration_since(self.since);
        let nothing = Work::default();
        let work = self.work.as_ref().unwrap_or(&nothing);
        let share = work.share();
        let rows = work.sizes.iter().map(|size| size.rows).sum::<Option<u64>>();
        let milliseconds = u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX).max(1);
        Dump {
            node: node.to_string(),
            state: if self.work.is_some() { DumpState::Running } else { DumpState::Waiting },
            seconds: lasts.as_secs(),
            series: self.series,
            series_done: work.done as u64,
            rows: work.rows,
            // A table may have grown since it was counted.
            rows_expected: rows.filter(|_| self.work.is_some()).map(|rows| rows.max(work.rows)),
            bytes: work.bytes,
            bytes_per_second: work.bytes.saturating_mul(1_000) / milliseconds,
            percent: share / 10,
            seconds_left: left(lasts, share),
        }
    }
}

impl Work {
    /// How much is done, in thousandths: each series counts by its size on disk, and the one that is being dumped by its rows.
    fn share(&self) -> u64 {
        let weight = |size: &TableSize| u128::from(size.bytes.max(LEAST));
        let all: u128 = self.sizes.iter().map(weight).sum();
        let mut done: u128 = self.sizes.iter().take(self.done).map(weight).sum::<u128>() * 1_000;
        if let Some(size) = self.sizes.get(self.done) {
            let rows = size.rows.unwrap_or_default().max(self.rows_of_series).max(1);
            done += weight(size) * u128::from(self.rows_of_series) * 1_000 / u128::from(rows);
        }
        u64::try_from(done.checked_div(all).unwrap_or_default()).unwrap_or_default()
    }
}

/// How long the rest takes if it goes on like this.
fn left(lasts: Duration, share: u64) -> Option<u64> {
    let rest = 1_000_u64.saturating_sub(share);
    u64::try_from((lasts.as_millis() * u128::from(rest)).checked_div(u128::from(share) * 1_000)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node() -> Node {
        "nso".parse().unwrap()
    }

    fn size(rows: u64, bytes: u64) -> TableSize {
        TableSize { rows: Some(rows), bytes }
    }

    /// What is seen of the only dump, ten seconds after it began to do what it does.
    fn seen(progress: &Progress) -> Dump {
        let dumps = progress.lock();
        let going = dumps.get(&node()).unwrap();
        going.seen(&node(), going.since + Duration::from_secs(10))
    }

    #[test]
    fn a_dump_waits_runs_gives_way_and_is_gone() {
        let progress = Progress::default();
        let ticket = progress.ticket(&node(), 2);
        let waiting = seen(&progress);
        assert_eq!((waiting.state, waiting.seconds, waiting.series), (DumpState::Waiting, 10, 2));
        assert_eq!((waiting.rows_expected, waiting.seconds_left), (None, None));
        ticket.run(vec![size(100, 30_000), size(1_000, 90_000)]);
        ticket.count(100, 5_000);
        ticket.next_series();
        ticket.count(333, 10_000);
        let running = seen(&progress);
        assert_eq!((running.series_done, running.rows, running.rows_expected), (1, 433, Some(1_100)));
        assert_eq!((running.bytes, running.bytes_per_second), (15_000, 1_500));
        // A quarter, and a third of the other three: half of it took ten seconds.
        assert_eq!((running.percent, running.seconds_left), (49, Some(10)));
        ticket.wait();
        assert_eq!((seen(&progress).state, seen(&progress).rows), (DumpState::Waiting, 0));
        drop(ticket);
        assert_eq!(progress.look(), []);
    }

    #[test]
    fn estimates_that_are_wrong_or_missing_promise_nothing_impossible() {
        let progress = Progress::default();
        let ticket = progress.ticket(&node(), 2);
        ticket.run(vec![TableSize { rows: None, bytes: 0 }, size(10, 0)]);
        assert_eq!((seen(&progress).rows_expected, seen(&progress).seconds_left), (None, None));
        ticket.count(500, 5_000);
        assert_eq!(seen(&progress).percent, 50);
        ticket.next_series();
        ticket.count(5_000, 50_000);
        ticket.next_series();
        assert_eq!((seen(&progress).percent, seen(&progress).seconds_left), (100, Some(0)));
    }
}
