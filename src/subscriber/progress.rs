//! How far something long is, for people: a line at the bottom of a terminal with bytes, rows and the time that is left.
//! Where standard error is no terminal, a line of the log says the same now and then.

use std::io::{self, IsTerminal as _, Write};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanCount, HumanDuration, MultiProgress, ProgressBar, ProgressStyle};

/// The bars of this process: log lines are written above them.
static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// How often the line is drawn though nothing came.
const TICK: Duration = Duration::from_millis(500);

/// How often a log is told. What takes less is told when it is over, by those who do it.
const EVERY: Duration = Duration::from_secs(30);

/// Something that lasts.
#[derive(Debug)]
pub struct Progress {
    what: &'static str,
    total: Option<u64>,
    bytes: AtomicU64,
    rows: AtomicU64,
    begun: Instant,
    shows: Shows,
}

/// Where it is shown.
#[derive(Debug)]
enum Shows {
    /// At the bottom of a terminal.
    Bar(ProgressBar),
    /// In the log; so many lines of it have been written.
    Lines(AtomicU64),
    /// Nowhere.
    Nothing,
}

impl Progress {
    /// Begins: `what` is shown in front, `total` are the bytes that will come, as far as that is known.
    pub fn begin(what: &'static str, total: Option<u64>) -> Self {
        if !io::stderr().is_terminal() {
            return Self::new(what, total, Shows::Lines(AtomicU64::new(0)));
        }
        let template = match total {
            Some(_) => "{prefix} {bar:20} {bytes} of {total_bytes}, {binary_bytes_per_sec}, {eta} left {msg}",
            None => "{prefix} {spinner} {bytes}, {binary_bytes_per_sec} {msg}",
        };
        let bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new).with_prefix(what);
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.enable_steady_tick(TICK);
        Self::new(what, total, Shows::Bar(BARS.add(bar)))
    }

    /// Nothing is shown.
    pub fn hidden() -> Self {
        Self::new("", None, Shows::Nothing)
    }

    fn new(what: &'static str, total: Option<u64>, shows: Shows) -> Self {
        let (bytes, rows) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { what, total, bytes, rows, begun: Instant::now(), shows }
    }

    /// So many bytes more have come.
    pub fn bytes(&self, count: u64) {
        self.bytes.fetch_add(count, Ordering::Relaxed);
        match &self.shows {
            Shows::Bar(bar) => bar.inc(count),
            Shows::Lines(said) => self.say(said),
            Shows::Nothing => {}
        }
    }

    /// So many rows more are done.
    pub fn rows(&self, count: u64) {
        let rows = self.rows.fetch_add(count, Ordering::Relaxed) + count;
        match &self.shows {
            Shows::Bar(bar) => bar.set_message(format!("{} rows", HumanCount(rows))),
            Shows::Lines(said) => self.say(said),
            Shows::Nothing => {}
        }
    }

    /// A line of the log, if it is time for one.
    fn say(&self, said: &AtomicU64) {
        let taken = self.begun.elapsed();
        let due = taken.as_secs() / EVERY.as_secs();
        if said.fetch_max(due, Ordering::Relaxed) < due {
            let (bytes, rows) = (self.bytes.load(Ordering::Relaxed), self.rows.load(Ordering::Relaxed));
            tracing::info!("{}: {}", self.what, line(bytes, self.total, rows, taken));
        }
    }
}

/// `12.00 MiB of 48.00 MiB, 1,000 rows, 2 minutes left`
fn line(bytes: u64, total: Option<u64>, rows: u64, taken: Duration) -> String {
    let mut line = HumanBytes(bytes).to_string();
    if let Some(total) = total {
        line += &format!(" of {}", HumanBytes(total));
    }
    if rows > 0 {
        line += &format!(", {} rows", HumanCount(rows));
    }
    let left = total.and_then(|total| total.checked_sub(bytes)).unwrap_or_default();
    if left > 0 && bytes > 0 {
        let seconds = u128::from(left) * taken.as_millis() / u128::from(bytes) / 1000;
        let left = Duration::from_secs(u64::try_from(seconds).unwrap_or(u64::MAX));
        line += &format!(", {} left", HumanDuration(left));
    }
    line
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Shows::Bar(bar) = &self.shows {
            bar.finish_and_clear();
            BARS.remove(bar);
        }
    }
}

/// Standard error for log lines, which do not tear the line at the bottom.
#[derive(Debug, Clone, Copy, Default)]
pub struct AboveProgress;

impl Write for AboveProgress {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        BARS.suspend(|| io::stderr().write_all(bytes)).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_what_is_known() {
        let minute = Duration::from_secs(60);
        for (bytes, total, rows, expected) in [
            (12 << 20, Some(36 << 20), 1000, "12.00 MiB of 36.00 MiB, 1,000 rows, 2 minutes left"),
            (12 << 20, None, 0, "12.00 MiB"),
            (12, Some(12), 1, "12 B of 12 B, 1 rows"),
            (0, Some(12), 0, "0 B of 12 B"),
            (13, Some(12), 0, "13 B of 12 B"),
        ] {
            assert_eq!(line(bytes, total, rows, minute), expected);
        }
    }
}
