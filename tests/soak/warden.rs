//! Looks whether what must hold at any time does: the registry is whole, no directory has a gap, the daemon lives and stays
//! small.

use std::fs;
use std::time::Duration;

use subscription_manager::protocol::Registry;

use crate::support::wait;
use crate::world::World;
use crate::{NODES, shelf};

/// What the daemon may use of the memory, in KiB. It is built without optimization and needs a sixth of it.
const MEMORY: u64 = 256 << 10;

/// A gap is one if it is there for so long: a directory changes while it is listed.
const LASTING: Duration = Duration::from_secs(5);

/// Looks until all requests are over.
pub(crate) fn watch(world: &World<'_>) {
    let mut dice = world.dice("warden");
    let mut most = 0;
    while world.is_alive() {
        registry(world);
        for node in NODES {
            for ending in ["", ".new", ".held"] {
                no_gap(world, &format!("{node}{ending}"));
            }
        }
        most = most.max(daemon(world));
        world.rest(&mut dice, 300);
    }
    world.journal.note("warden", format!("the daemon has used {most} KiB"));
}

/// The registry is complete at any time.
pub(crate) fn registry(world: &World<'_>) {
    let bytes =
        fs::read(world.station.at("etc/slon_parser.cfg")).expect("the registry is there from the start on");
    let text = String::from_utf8_lossy(&bytes);
    assert!(bytes.is_empty() || bytes.ends_with(b"\n"), "the registry ends within a line:\n{text}");
    let registry = Registry::parse(&bytes).unwrap_or_else(|fault| panic!("the registry: {fault}\n{text}"));
    for entry in registry.entries() {
        let name = entry.name().unwrap_or_default();
        let node = name.strip_suffix(".new").unwrap_or(name);
        assert!(NODES.contains(&node), "nobody knows {name}:\n{text}");
    }
}

/// What a site is given has no gap.
pub(crate) fn no_gap(world: &World<'_>, directory: &str) {
    let Some(missing) = shelf::gap(&shelf::logs(world, directory)) else { return };
    let closed =
        wait::within(LASTING, || (shelf::gap(&shelf::logs(world, directory)) != Some(missing)).then_some(()));
    assert!(closed.is_some(), "{directory} has no log {missing}: {:?}", shelf::logs(world, directory));
}

/// The daemon runs; returns what it has used at the most.
fn daemon(world: &World<'_>) -> u64 {
    let _held = world.daemon();
    assert!(!world.station.has_ended(), "the daemon has ended by itself:\n{}", world.station.said());
    let Ok(lock) = fs::read_to_string(world.station.at("work/subscription_manager.lock")) else { return 0 };
    let Ok(status) = fs::read_to_string(format!("/proc/{}/status", lock.trim())) else { return 0 };
    let field = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let used = field.and_then(|field| field.trim().trim_end_matches(" kB").parse().ok()).unwrap_or_default();
    assert!(used < MEMORY, "the daemon has used {used} KiB");
    used
}
