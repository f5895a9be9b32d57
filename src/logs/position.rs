//! Where a node stands, when the splitter's own counter was lost.

use std::path::Path;
use std::sync::Arc;

use super::targets::{New, Site, targets};
use crate::disk;
use crate::error::{Error, Result};
use crate::model::Counter;
use crate::protocol::Cuts;

/// The last archive of which a node has its part: its newest log, or else where its first list or its request begins.
/// `None` for one that has stopped: it goes on by itself.
pub(super) fn site_position(site: &Arc<Site>) -> Result<Option<Counter>> {
    if site.stopped.is_some() {
        return Ok(None);
    }
    let cut = match &site.new {
        Some(New::Cut(cut)) => Some(cut.counter),
        Some(New::Foreign(..)) | None => None,
    };
    // A list for all counters says nothing of where its node stands.
    let first = site.cuts.as_ref().and_then(Cuts::first).filter(|first| *first != Counter::default());
    let stands = |directory: &Path| {
        let newest = if disk::is_there(directory)? {
            disk::site_logs(directory)?.pop().map(|(counter, _)| counter)
        } else {
            None
        };
        let begins = if directory == site.paths.directory { first.map(Counter::previous) } else { cut };
        Ok::<_, Error>(newest.or(begins))
    };
    let mut position = None;
    // A kill may have parted the directories that get logs now by one archive: the one behind counts.
    for target in targets(std::slice::from_ref(site), &[0], Counter::LAST) {
        let at = stands(target.directory)?;
        position = position.map_or(at, |other: Counter| at.map(|at| at.min(other)));
    }
    // Behind a fence its own directory gets nothing after the cut: what it lacks up to there no other has.
    let lacks = stands(&site.paths.directory)?.filter(|own| cut.is_some_and(|cut| *own < cut));
    Ok(position.into_iter().chain(lacks).min())
}
