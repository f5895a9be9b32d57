//! What the daemon's process has used, as the system counts it.

use std::fs;

use crate::support::Station;

/// The most memory that the daemon ever had, in megabytes.
#[track_caller]
pub(crate) fn peak_memory(station: &Station<'_>) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", station.process())).expect("the daemon runs");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the peak of its memory");
    let kilobytes: u64 = peak.trim().trim_end_matches(" kB").parse().expect("a number");
    kilobytes / 1024
}

/// How many files the daemon has open now.
#[track_caller]
pub(crate) fn open_files(station: &Station<'_>) -> usize {
    fs::read_dir(format!("/proc/{}/fd", station.process())).expect("the daemon runs").count()
}
