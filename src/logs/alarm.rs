//! What may be wrong with the archives behind and before the splitter.

use std::path::Path;

use super::survey;
use crate::config::Config;
use crate::disk::{self, Lock};
use crate::error::{Error, Result};
use crate::ground::read;
use crate::model::{ArchiveName, Counter};
use crate::protocol::{Seen, read_copied, read_counter, read_counters, read_seen, write_copied};

/// How many archives are remembered after they were split, at least.
const REMEMBERED: usize = 1000;

/// Archives that are not what they were when they were split, or that were taken as empty and are there now. Their nodes
/// have the old content: slon has written a number anew, or somebody has changed a file.
pub fn changed(config: &Config) -> Result<Vec<ArchiveName>> {
    let Some(archive_dir) = &config.paths.archive_dir else { return Ok(Vec::new()) };
    let seen = disk::read_optional(&config.paths.seen())?.map(|bytes| read_seen(&bytes)).unwrap_or_default();
    let empty = read(&config.paths.accepted_empty(), read_counters)?.unwrap_or_default();
    let ours = |node| match (config.slony_node, seen.last()) {
        (Some(ours), _) => node == ours,
        (None, Some(seen)) => node == seen.name.node,
        (None, None) => true,
    };
    let mut changed = Vec::new();
    for name in disk::archives(archive_dir)? {
        let seen = seen.binary_search_by_key(&name, |seen| seen.name).ok().and_then(|at| seen.get(at));
        let differs = match seen {
            Some(seen) => differs(&archive_dir.join(name.to_string()), seen)?,
            None => ours(name.node) && empty.contains(&name.counter),
        };
        if differs {
            changed.push(name);
        }
    }
    Ok(changed)
}

/// Size and time are asked first; only where they differ the content is read.
fn differs(path: &Path, seen: &Seen) -> Result<bool> {
    let Some(file) = disk::open(path)? else { return Ok(false) };
    let (bytes, modified) = disk::size_and_time(&file, path)?;
    if (bytes, modified) == (seen.bytes, seen.modified) {
        return Ok(false);
    }
    if bytes != seen.bytes {
        return Ok(true);
    }
    let digest = survey::digest(file).map_err(|source| Error::Disk {
        action: "read",
        path: path.to_owned(),
        source,
    })?;
    Ok(digest != seen.digest)
}

/// The archive that the splitter waits for, if later ones are there: it is missing.
pub fn missing(config: &Config) -> Result<Option<Counter>> {
    let Some(archive_dir) = &config.paths.archive_dir else { return Ok(None) };
    let Some(next) = read(&config.paths.split_counter(), read_counter)?.map(Counter::next) else {
        return Ok(None);
    };
    let ours = |name: &ArchiveName| config.slony_node.is_none_or(|node| node == name.node);
    let archives = disk::archives(archive_dir)?.into_iter().filter(ours);
    let ahead: Vec<Counter> = archives.map(|name| name.counter).filter(|counter| *counter >= next).collect();
    Ok(Some(next).filter(|next| !ahead.is_empty() && !ahead.contains(next)))
}

/// Forgets what was remembered longest, once there is much of it.
pub fn forget(config: &Config) -> Result<()> {
    let path = config.paths.seen();
    if much(&path)?.is_none() {
        return Ok(());
    }
    // Who splits adds to it under the hold, and a line that came meanwhile would be lost. Another time will do.
    let _hold = match Lock::take(&config.paths.hold()) {
        Err(Error::Busy(_)) => return Ok(()),
        taken => taken?,
    };
    let Some(bytes) = much(&path)? else { return Ok(()) };
    let seen = read_seen(&bytes);
    let kept = seen.get(seen.len().saturating_sub(REMEMBERED)..).unwrap_or_default();
    let copied = read_copied(&bytes).into_iter();
    let copied = copied.filter(|(name, _)| kept.first().is_some_and(|first| *name >= first.name));
    let copied = copied.map(|(name, series)| write_copied(name, &series));
    disk::write(&path, kept.iter().map(Seen::write).chain(copied).collect::<String>().as_bytes())
}

/// What is remembered, if that is much.
fn much(path: &Path) -> Result<Option<Vec<u8>>> {
    let many = 4 * REMEMBERED;
    // Lines of series are no archives.
    let is_much =
        |bytes: &Vec<u8>| memchr::memchr_iter(b'\n', bytes).count() >= many && read_seen(bytes).len() >= many;
    Ok(disk::read_optional(path)?.filter(is_much))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SlonyNode;

    #[test]
    fn nothing_is_forgotten_while_somebody_may_add_to_it() {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path().display();
        let text = format!(
            "triggerdir={at}\nsubscribers_dir={at}\nparser_config={at}/slon_parser.cfg\ntables_dir={at}\nwork_dir={at}\n"
        );
        let config = Config::read(&text).unwrap();
        let line = |counter: u64| {
            let name =
                ArchiveName { node: SlonyNode(2), counter: Counter::parse(&counter.to_string()).unwrap() };
            Seen { name, bytes: 1, modified: (1, 0), digest: 1, event: None }.write()
        };
        let path = config.paths.seen();
        let copied = |counter: u64| {
            line(counter).split(' ').next().map(|name| format!("{name} copied a.b\n")).unwrap()
        };
        let text: String = (1..=4_500).map(line).chain([copied(3_500), copied(3_501)]).collect();
        std::fs::write(&path, text).unwrap();
        let lines = || std::fs::read_to_string(&path).unwrap().lines().count();
        let hold = Lock::take(&config.paths.hold()).unwrap();
        forget(&config).unwrap();
        assert_eq!(lines(), 4_502);
        drop(hold);
        forget(&config).unwrap();
        assert_eq!(lines(), REMEMBERED + 1);
        assert!(std::fs::read_to_string(&path).unwrap().ends_with(&(line(4_500) + &copied(3_501))));
    }
}
