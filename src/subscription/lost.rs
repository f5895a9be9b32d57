//! Logs that were collected while a request was open, and that somebody took away before its end: without them the node would
//! get a gap that nothing tells of. They are made again from the archives, as for a node that had stopped.

use std::collections::BTreeSet;

use crate::disk;
use crate::error::Result;
use crate::ground::{Ground, read};
use crate::model::{Counter, Step};
use crate::paths::Paths;
use crate::protocol::{OpenRequest, Site, Stopped, read_counter};

/// Where the logs of the node have to be made again from when its open request ends so; `None` if none is gone. Under the hold.
pub(super) fn lost(
    paths: &Paths,
    ground: &Ground,
    open: &OpenRequest,
    success: bool,
) -> Result<Option<Stopped>> {
    let Some(cut) = open.cut().filter(|_| paths.archive_dir.is_some()) else { return Ok(None) };
    let site = &ground.site;
    let collected = match (success, open.site) {
        (true, Site::New) => &site.new_directory,
        (true, Site::Known) if cut.fenced => &site.new_directory,
        (false, Site::Known) if cut.fenced => &site.held_directory,
        // A site that only leaves series has had its logs all the while, and of a new one that fails nothing remains.
        (true | false, _) => return Ok(None),
    };
    let is_registered = ground.registry.entries().any(|entry| entry.directory == site.new_directory);
    let Some(split) = read(&paths.split_counter(), read_counter)?.filter(|_| is_registered) else {
        return Ok(None);
    };
    let last = ground.stopped.as_ref().map_or(split, |stopped| split.min(stopped.before.previous()));
    // What an earlier run of the plan has moved already lies where all are to go.
    let mut there = BTreeSet::new();
    for directory in [collected, &site.directory] {
        if disk::real_directory(directory).is_ok() {
            there.extend(disk::site_logs(directory)?.into_iter().map(|(counter, _)| counter));
        }
    }
    let Some(before) = first_missing(cut.counter, last, &there) else { return Ok(None) };
    tracing::error!(
        directory = %collected.display(),
        counter = %before,
        "logs of the open request are gone: they are made again from this archive on"
    );
    // What an operator has paused rests until he says otherwise.
    let why =
        ground.stopped.as_ref().filter(|stopped| stopped.is_paused()).and_then(|stopped| stopped.why.clone());
    Ok(Some(Stopped { before, why }))
}

/// The step that has them made again. Before any other of the plan: once the cut is forgotten, nobody knows which they were.
pub(super) fn make_again(ground: &Ground, lost: Option<&Stopped>) -> Option<Step> {
    lost.map(|stopped| Step::Write { path: ground.site.stopped.clone(), bytes: stopped.write() })
}

/// The first counter behind the cut, up to the last, of which there is no log.
fn first_missing(cut: Counter, last: Counter, there: &BTreeSet<Counter>) -> Option<Counter> {
    let mut next = cut.next();
    while next <= last && there.contains(&next) {
        next = next.next();
    }
    (next <= last).then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_lies_between_the_cut_and_what_is_split() {
        let counter = |value: u64| Counter::parse(&value.to_string()).unwrap();
        let missing = |last, there: &[u64]| {
            first_missing(counter(5), counter(last), &there.iter().map(|value| counter(*value)).collect())
        };
        assert_eq!(missing(5, &[]), None, "nothing was split since");
        assert_eq!(missing(4, &[]), None, "the splitter has not come to the cut");
        assert_eq!(missing(7, &[3, 6, 7, 8]), None);
        assert_eq!(missing(7, &[]), Some(counter(6)));
        assert_eq!(missing(7, &[5, 6]), Some(counter(7)));
        assert_eq!(missing(8, &[6, 8]), Some(counter(7)));
    }
}
