//! The task that tells how far the dumps are: `dumps.json` for those who look on, and a line of the log now and then.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::disk;
use crate::error::Result;
use crate::protocol::{Dump, DumpState, Dumps};
use crate::subscription::Service;

/// How often the file is written.
const PAUSE: Duration = Duration::from_secs(1);

/// A line of the log comes after so long...
const LONGEST: Duration = Duration::from_secs(30);

/// ...or when so many percent more are done.
const STEP: u64 = 10;

/// Tells for ever. While no dump runs it sleeps.
pub(super) async fn tell(service: Arc<Service>) {
    let path = service.config.paths.dumps();
    let mut log = Log::default();
    let mut told = None;
    loop {
        service.progress.begun().await;
        loop {
            // A dump that is over sooner is not worth a file.
            tokio::time::sleep(PAUSE).await;
            let dumps = service.progress.look();
            log.tell(&dumps, Instant::now());
            let is_over = dumps.is_empty();
            let failed = show(&path, dumps).err().map(|error| error.chain());
            if told != failed {
                if let Some(error) = &failed {
                    tracing::warn!(error, "nobody else can see how far the dumps are");
                }
                told = failed;
            }
            if is_over {
                break;
            }
        }
    }
}

fn show(path: &Path, dumps: Vec<Dump>) -> Result<()> {
    if dumps.is_empty() {
        return disk::remove_fleeting(path);
    }
    disk::write_fleeting(path, &Dumps::new(dumps, SystemTime::now()).write())
}

/// What was logged last of each dump: when, and at how many percent.
#[derive(Default)]
struct Log(HashMap<String, (Instant, u64)>);

impl Log {
    fn tell(&mut self, dumps: &[Dump], now: Instant) {
        self.0.retain(|node, _| dumps.iter().any(|dump| dump.node == *node));
        for dump in dumps {
            if !self.is_due(dump, now) {
                continue;
            }
            tracing::info!(node = dump.node, "{}", dump.describe());
            self.0.insert(dump.node.clone(), (now, dump.percent));
        }
    }

    fn is_due(&self, dump: &Dump, now: Instant) -> bool {
        match self.0.get(&dump.node) {
            None => true,
            Some((last, _)) if now.saturating_duration_since(*last) >= LONGEST => true,
            Some((_, percent)) => dump.state == DumpState::Running && dump.percent / STEP > *percent / STEP,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_hears_of_a_dump_at_each_step_and_after_a_while() {
        let begun = Instant::now();
        let mut log = Log::default();
        let mut is_due = |percent, seconds| {
            let dump = Dump {
                node: "nso".into(),
                state: DumpState::Running,
                seconds,
                series: 1,
                series_done: 0,
                rows: 0,
                rows_expected: None,
                bytes: 0,
                bytes_per_second: 0,
                percent,
                seconds_left: None,
            };
            let now = begun + Duration::from_secs(seconds);
            let due = log.is_due(&dump, now);
            log.tell(&[dump], now);
            due
        };
        let said: Vec<bool> = [(3, 1), (9, 2), (10, 3), (19, 32), (19, 33), (20, 34), (25, 63), (25, 64)]
            .map(|(percent, seconds)| is_due(percent, seconds))
            .into();
        assert_eq!(said, [true, false, true, false, true, true, false, true]);
    }
}
