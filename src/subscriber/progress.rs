//! How far something long is, for people: a line at the bottom of a terminal with bytes, rows and the time that is left.
//! Where standard error is no terminal, nothing is shown.

use std::io::{self, IsTerminal as _, Write};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{HumanCount, MultiProgress, ProgressBar, ProgressStyle};

/// The bars of this process: log lines are written above them.
static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// How often the line is drawn though nothing came.
const TICK: Duration = Duration::from_millis(500);

/// Something that lasts.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
    rows: AtomicU64,
}

impl Progress {
    /// Begins: `what` is shown in front, `total` are the bytes that will come, as far as that is known.
    pub fn begin(what: &'static str, total: Option<u64>) -> Self {
        let rows = AtomicU64::new(0);
        if !io::stderr().is_terminal() {
            return Self { bar: None, rows };
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
        Self { bar: Some(BARS.add(bar)), rows }
    }

    /// Nothing is shown.
    pub fn hidden() -> Self {
        Self { bar: None, rows: AtomicU64::new(0) }
    }

    /// So many bytes more have come.
    pub fn bytes(&self, count: u64) {
        if let Some(bar) = &self.bar {
            bar.inc(count);
        }
    }

    /// So many rows more are done.
    pub fn rows(&self, count: u64) {
        let rows = self.rows.fetch_add(count, Ordering::Relaxed) + count;
        if let Some(bar) = &self.bar {
            bar.set_message(format!("{} rows", HumanCount(rows)));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
            BARS.remove(&bar);
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
