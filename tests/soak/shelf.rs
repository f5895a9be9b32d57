//! The logs that lie in a directory of the data centre: singles, and those in bundles.

use std::fs;

use subscription_manager::model::{ArchiveName, BundleName};

use crate::world::World;

/// The logs that are there, as ranges, in order.
pub(crate) fn logs(world: &World<'_>, directory: &str) -> Vec<(u64, u64)> {
    let entries =
        fs::read_dir(world.station.at(&format!("site_logs/{directory}"))).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut found: Vec<(u64, u64)> = names.filter_map(|name| range(&name)).collect();
    found.sort_unstable();
    found
}

fn range(name: &str) -> Option<(u64, u64)> {
    if let Ok(single) = name.parse::<ArchiveName>() {
        return Some((single.counter.value(), single.counter.value()));
    }
    let bundle: BundleName = name.parse().ok()?;
    Some((bundle.first().value(), bundle.last().value()))
}

/// The newest log.
pub(crate) fn newest(world: &World<'_>, directory: &str) -> Option<u64> {
    logs(world, directory).iter().map(|(_, last)| *last).max()
}

/// The first log that is missing between others.
pub(crate) fn gap(logs: &[(u64, u64)]) -> Option<u64> {
    let mut next = None;
    for (first, last) in logs {
        if next.is_some_and(|next| *first > next) {
            return next;
        }
        next = next.max(Some(last + 1));
    }
    None
}
