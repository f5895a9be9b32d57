//! How far behind in time every node was over the last day, at even intervals.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde::ser::{SerializeMap as _, SerializeStruct as _};
use serde::{Serialize, Serializer};

use super::NodeView;
use crate::model::write_time;
use crate::protocol::LagSample;

/// Between two samples.
const STEP: Duration = Duration::from_secs(5 * 60);

/// Samples of a day.
const SAMPLES: usize = 288;

/// At that moment the node said nothing, or was not there, or nobody looked.
const UNKNOWN: u32 = u32::MAX;

/// The last day of every node. A thousand nodes take a little more than a megabyte.
#[derive(Debug, Clone, Default)]
pub struct Lag {
    /// The number of the newest interval, counted from 1970.
    newest: u64,
    /// By node: the interval `n` lies at `n % SAMPLES`.
    nodes: BTreeMap<String, Box<[u32]>>,
}

impl Lag {
    /// A sample of the nodes as they are seen now.
    pub fn sample(nodes: &[NodeView], at: SystemTime) -> LagSample {
        let seconds = |node: &NodeView| {
            let lag = lag_seconds(node)?;
            Some((node.node.clone(), u32::try_from(lag).unwrap_or(UNKNOWN - 1).min(UNKNOWN - 1)))
        };
        LagSample { at, seconds: nodes.iter().filter_map(seconds).collect() }
    }

    /// Whether the interval of this moment has no sample yet. A clock that was set back has to come there again.
    pub fn is_due(&self, now: SystemTime) -> bool {
        interval(now) > self.newest
    }

    /// Takes a sample; one of an interval that is no longer kept is left, and so is one that lies ahead of `now`: a clock was wrong, and
    /// none would be due before that time.
    pub fn add(&mut self, sample: LagSample, now: SystemTime) {
        let at = interval(sample.at);
        if at > interval(now) + 1 {
            return;
        }
        if at > self.newest {
            let skipped = at.min(self.newest + SAMPLES as u64);
            for slots in self.nodes.values_mut() {
                (self.newest + 1..=skipped).for_each(|passed| set(slots, passed, UNKNOWN));
            }
            self.newest = at;
            self.nodes.retain(|_, slots| slots.iter().any(|slot| *slot != UNKNOWN));
        }
        if at + SAMPLES as u64 <= self.newest {
            return;
        }
        for (node, seconds) in sample.seconds {
            let slots = self.nodes.entry(node).or_insert_with(|| vec![UNKNOWN; SAMPLES].into());
            set(slots, at, seconds);
        }
    }

    /// A node's seconds, the oldest first; `None` where it is not known.
    pub fn of(&self, node: &str) -> Option<Vec<Option<u32>>> {
        self.nodes.get(node).map(|slots| self.in_order(slots))
    }

    fn in_order(&self, slots: &[u32]) -> Vec<Option<u32>> {
        let first = usize::try_from((self.newest + 1) % SAMPLES as u64).unwrap_or_default();
        let (late, early) = slots.split_at(first.min(slots.len()));
        early.iter().chain(late).map(|slot| Some(*slot).filter(|slot| *slot != UNKNOWN)).collect()
    }
}

/// How far behind in time a node is; `None` where that is not known.
pub fn lag_seconds(node: &NodeView) -> Option<u64> {
    node.next_log_age_seconds.or(node.behind.filter(|behind| *behind == 0))
}

fn set(slots: &mut [u32], interval: u64, value: u32) {
    let at = usize::try_from(interval % SAMPLES as u64).unwrap_or_default();
    if let Some(slot) = slots.get_mut(at) {
        *slot = value;
    }
}

fn interval(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs() / STEP.as_secs()
}

impl Serialize for Lag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let newest = SystemTime::UNIX_EPOCH + STEP * u32::try_from(self.newest).unwrap_or_default();
        let mut lag = serializer.serialize_struct("Lag", 3)?;
        lag.serialize_field("step_seconds", &STEP.as_secs())?;
        lag.serialize_field("newest", &write_time(newest))?;
        lag.serialize_field("nodes", &Nodes(self))?;
        lag.end()
    }
}

/// The nodes with their samples, made one after the other.
struct Nodes<'a>(&'a Lag);

impl Serialize for Nodes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut nodes = serializer.serialize_map(Some(self.0.nodes.len()))?;
        for (node, slots) in &self.0.nodes {
            nodes.serialize_entry(node, &self.0.in_order(slots))?;
        }
        nodes.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(interval: u32) -> SystemTime {
        SystemTime::UNIX_EPOCH + STEP * interval + Duration::from_secs(7)
    }

    fn sample(interval: u32, node: &str, seconds: u32) -> LagSample {
        LagSample { at: at(interval), seconds: [(node.to_owned(), seconds)].into() }
    }

    #[test]
    fn a_day_is_kept_in_order_and_gaps_are_unknown() {
        let mut lag = Lag::default();
        assert!(lag.is_due(at(1_000)));
        lag.add(sample(1_000, "nso", 5), at(2_000));
        assert!(!lag.is_due(at(1_000)) && lag.is_due(at(1_001)));
        lag.add(sample(1_003, "nso", 0), at(2_000));
        let nso = lag.of("nso").unwrap();
        assert_eq!(nso.len(), SAMPLES);
        assert_eq!(nso[SAMPLES - 5..], [None, Some(5), None, None, Some(0)]);
        // One that came late, after the clock was set back; and one that is too old by now.
        lag.add(sample(1_001, "nso", 9), at(2_000));
        lag.add(sample(700, "nso", 1), at(2_000));
        assert_eq!(lag.of("nso").unwrap()[SAMPLES - 4..], [Some(5), Some(9), None, Some(0)]);
        // More than a day without a look: nothing of before is left, nor a node that is gone.
        lag.add(sample(1_003 + 300, "so", 2), at(2_000));
        assert_eq!(lag.of("nso"), None);
        assert_eq!(lag.of("so").unwrap().iter().flatten().collect::<Vec<_>>(), [&2]);
    }

    #[test]
    fn a_clock_that_was_a_year_ahead_ends_no_samples() {
        let (now, year) = (1_000, 365 * 288);
        // After the next start the clock is right, and the file has a sample of either.
        let mut lag = Lag::default();
        for there in [now, now + year] {
            lag.add(sample(there, "nso", 5), at(now + 1));
        }
        assert!(lag.is_due(at(now + 1)));
        lag.add(sample(now + 1, "nso", 7), at(now + 1));
        assert_eq!(lag.of("nso").unwrap()[SAMPLES - 2..], [Some(5), Some(7)]);
    }

    #[test]
    fn unknown_and_nothing_are_told_apart() {
        let node = |name: &str, behind, age| NodeView {
            node: name.into(),
            behind,
            next_log_age_seconds: age,
            ..NodeView::default()
        };
        let nodes =
            [node("silent", None, None), node("well", Some(0), None), node("late", Some(3), Some(90))];
        let sample = Lag::sample(&nodes, at(5));
        assert_eq!(sample.seconds, [("late".to_owned(), 90), ("well".to_owned(), 0)].into());
        let mut lag = Lag::default();
        lag.add(sample, at(5));
        let json = serde_json::to_value(&lag).unwrap();
        assert_eq!(json["newest"], "1970-01-01T00:25:00.000000Z");
        assert_eq!(json["nodes"]["late"][SAMPLES - 1], 90);
        assert!(json["nodes"]["late"][0].is_null());
    }
}
