//! What waits to be told: of each node in its order, of several nodes side by side. What nobody comes to tell is dropped, the
//! oldest first.

use std::collections::{HashSet, VecDeque};

/// So many wait at the most...
const LONGEST: usize = 5_000;
/// ...and so many bytes: a request for ten thousand series has 300 kB.
const LARGEST: usize = 32 << 20;

/// Something to tell.
pub(super) trait Waiting {
    /// What is told in its order.
    fn lane(&self) -> Option<&str>;
    /// How many bytes it takes.
    fn size(&self) -> usize;
}

/// What waits.
#[derive(Debug)]
pub(super) struct Queue<T> {
    waiting: VecDeque<T>,
    bytes: usize,
    /// Lanes of which something is being told.
    busy: HashSet<Option<String>>,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { waiting: VecDeque::new(), bytes: 0, busy: HashSet::new() }
    }
}

impl<T: Waiting> Queue<T> {
    /// Adds one; returns those that are dropped for it.
    pub(super) fn push(&mut self, one: T) -> Vec<T> {
        self.bytes += one.size();
        self.waiting.push_back(one);
        let mut dropped = Vec::new();
        while self.waiting.len() > LONGEST || (self.bytes > LARGEST && self.waiting.len() > 1) {
            dropped.extend(self.take(0));
        }
        dropped
    }

    /// The oldest whose lane is free; that is not, until [`Queue::free`].
    pub(super) fn next(&mut self) -> Option<T> {
        let lane = |one: &T| one.lane().map(str::to_owned);
        let at = self.waiting.iter().position(|one| !self.busy.contains(&lane(one)))?;
        let one = self.take(at)?;
        self.busy.insert(lane(&one));
        Some(one)
    }

    /// The next of this lane may come.
    pub(super) fn free(&mut self, lane: Option<&str>) {
        self.busy.remove(&lane.map(str::to_owned));
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    fn take(&mut self, at: usize) -> Option<T> {
        let one = self.waiting.remove(at)?;
        self.bytes -= one.size();
        Some(one)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Eq)]
    struct One(u32, Option<&'static str>, usize);

    impl Waiting for One {
        fn lane(&self) -> Option<&str> {
            self.1
        }

        fn size(&self) -> usize {
            self.2
        }
    }

    #[test]
    fn each_lane_keeps_its_order_and_waits_for_no_other() {
        let mut queue = Queue::default();
        for (number, lane) in [(1, Some("a")), (2, Some("a")), (3, None), (4, Some("b")), (5, None)] {
            assert_eq!(queue.push(One(number, lane, 1)), []);
        }
        let mut next = |free: Option<Option<&str>>| {
            if let Some(lane) = free {
                queue.free(lane);
            }
            queue.next().map(|one| one.0)
        };
        assert_eq!([next(None), next(None), next(None), next(None)], [Some(1), Some(3), Some(4), None]);
        assert_eq!(
            [next(Some(Some("a"))), next(Some(Some("b"))), next(Some(None))],
            [Some(2), None, Some(5)]
        );
        assert!(queue.is_empty() && queue.bytes == 0);
    }

    #[test]
    fn what_is_too_much_goes_the_oldest_first() {
        let mut queue = Queue::default();
        let numbers = |dropped: Vec<One>| dropped.iter().map(|one| one.0).collect::<Vec<_>>();
        for number in 0..5_000 {
            assert_eq!(queue.push(One(number, None, 1)), []);
        }
        assert_eq!(numbers(queue.push(One(5_000, None, 1))), [0]);
        assert_eq!(numbers(queue.push(One(5_001, None, LARGEST - 4_000))), (1..1_001).collect::<Vec<_>>());
        // One alone is told, however large it is.
        assert_eq!(queue.push(One(5_002, None, LARGEST + 1)).len(), 4_001);
        assert_eq!(queue.next(), Some(One(5_002, None, LARGEST + 1)));
    }
}
