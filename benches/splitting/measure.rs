//! Time, processor time and memory of a child.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

/// What is looked at while a child runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Watch {
    Nothing,
    /// The peak of its resident memory; looking costs time.
    Memory,
}

/// What a child took.
#[derive(Clone, Copy)]
pub(crate) struct Run {
    pub(crate) success: bool,
    pub(crate) seconds: f64,
    pub(crate) user: f64,
    pub(crate) system: f64,
    /// Bytes, if it was watched.
    pub(crate) peak: u64,
}

/// Clock ticks of `/proc/PID/stat` in a second, on every Linux.
const TICKS: f64 = 100.0;

/// How often memory is looked at. The peak that the system keeps is read, so that only the very last growth is missed.
const LOOK: Duration = Duration::from_millis(2);

pub(crate) fn run(command: &mut Command, watch: Watch) -> Run {
    let begun = Instant::now();
    let mut child = command.spawn().expect("start a program");
    let pid = child.id();
    let id = WaitId::Pid(Pid::from_raw(i32::try_from(pid).expect("a pid")).expect("a pid"));
    let mut peak = 0;
    let mut ended = false;
    // Its processor time is read before it is reaped.
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    while watch == Watch::Memory && !ended {
        peak = peak.max(resident(pid));
        std::thread::sleep(LOOK);
        ended = waitid(id.clone(), options | WaitIdOptions::NOHANG).expect("wait").is_some();
    }
    waitid(id, options).expect("wait");
    let seconds = begun.elapsed().as_secs_f64();
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("read stat");
    let success = child.wait().expect("wait").success();
    let behind_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = |field: usize| {
        behind_name
            .split_whitespace()
            .nth(field)
            .and_then(|text| text.parse::<f64>().ok())
            .unwrap_or_default()
    };
    Run { success, seconds, user: ticks(11) / TICKS, system: ticks(12) / TICKS, peak }
}

/// The peak of a process's resident memory so far, in bytes.
fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or_default() * 1024
}

/// Waits until nothing is left to write: what was before must not be paid for by what comes.
pub(crate) fn settle(directory: &Path) {
    let open = fs::File::open(directory).expect("open a directory");
    rustix::fs::syncfs(open).expect("sync the file system");
}

pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (low, high) = (sorted.len().saturating_sub(1) / 2, sorted.len() / 2);
    match (sorted.get(low), sorted.get(high)) {
        (Some(low), Some(high)) => f64::midpoint(*low, *high),
        _ => f64::NAN,
    }
}
