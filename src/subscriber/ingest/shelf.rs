//! Site logs that are kept here after they were applied: bundled and removed by the rule of the configuration.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::disk::{self, Packing};
use crate::error::Result;
use crate::model::{Bundle, BundleName, Counter, Shelf, Single, SlonyNode};
use crate::subscriber::SiteConfig;

/// What is to be done with kept logs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Chores {
    /// Singles that are too old.
    singles: Vec<Counter>,
    /// Bundles that are too old.
    bundles: Vec<BundleName>,
    /// What is to be bundled.
    bundle: Option<BundleName>,
}

/// Keeps house among the logs of this Slony node. `goes_on` is asked before each log that is packed.
pub(super) fn tidy(config: &SiteConfig, node: SlonyNode, goes_on: &dyn Fn() -> bool) -> Result<()> {
    let Some(keep) = config.keep_logs else { return Ok(()) };
    let directory = &config.logs_dir;
    let shelf = disk::shelf(directory, Some(node))?;
    let leftovers = leftovers(&shelf);
    for name in leftovers {
        let packing = Packing { directory: directory.clone(), node, name, again: true };
        finish(&packing, goes_on)?;
    }
    let shelf = disk::shelf(directory, Some(node))?;
    let chores = chores(&shelf, SystemTime::now(), keep, config.bundle_after);
    if let Some(name) = chores.bundle {
        let packing = Packing { directory: directory.clone(), node, name, again: false };
        let packed = packing.pack(None, goes_on)?;
        let singles: Vec<PathBuf> = packed.sources().map(Path::to_owned).collect();
        packed.publish()?;
        singles.iter().try_for_each(|single| disk::discard(single))?;
    }
    let single = |counter| crate::model::ArchiveName { node, counter }.to_string();
    let singles = chores.singles.into_iter().map(single);
    let gone = singles.chain(chores.bundles.iter().map(ToString::to_string));
    disk::remove_all(directory, &gone.map(Into::into).collect::<Vec<_>>())
}

/// A bundle was named, and a kill came before its singles went; or a site that began anew keeps the same numbers again.
fn finish(packing: &Packing, goes_on: &dyn Fn() -> bool) -> Result<()> {
    let (sources, all_same) = packing.singles_in_it()?;
    let bundle = packing.directory.join(packing.name.to_string());
    if !all_same {
        packing.pack(None, goes_on)?.publish()?;
    }
    let singles = sources.iter().map(|(path, _)| path).filter(|path| **path != bundle);
    singles.into_iter().try_for_each(|single| disk::discard(single))
}

/// Bundles in whose range singles lie.
fn leftovers(shelf: &Shelf) -> Vec<BundleName> {
    let holds = |bundle: &&Bundle| shelf.singles().iter().any(|single| bundle.name.contains(single.counter));
    shelf.bundles().iter().filter(holds).map(|bundle| bundle.name).collect()
}

/// Decides: what is older than `keep` goes; when there are more singles than `bundle_after`, so many of the oldest are
/// bundled, as far as they follow each other.
fn chores(shelf: &Shelf, now: SystemTime, keep: Duration, bundle_after: usize) -> Chores {
    let is_old = |written: SystemTime| now.duration_since(written).is_ok_and(|age| age > keep);
    let (old, young): (Vec<&Single>, Vec<&Single>) =
        shelf.singles().iter().partition(|single| is_old(single.written));
    let bundles = shelf.bundles().iter().filter(|bundle| is_old(bundle.written)).map(|bundle| bundle.name);
    let bundle = (bundle_after > 0 && young.len() > bundle_after).then(|| {
        let first = young.first()?.counter;
        let follows = young
            .iter()
            .take(bundle_after)
            .zip(0..)
            .take_while(|(single, at)| single.counter == first.plus(*at));
        BundleName::new(first, follows.last()?.0.counter)
    });
    Chores {
        singles: old.iter().map(|single| single.counter).collect(),
        bundles: bundles.collect(),
        bundle: bundle.flatten(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counter(value: u64) -> Counter {
        Counter::parse(&value.to_string()).unwrap()
    }

    /// Words `counter@age` and `first-last@age`.
    fn said(text: &str, keep: u64, bundle_after: usize) -> String {
        let second = |at: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(at);
        let (mut singles, mut bundles) = (Vec::new(), Vec::new());
        for (name, age) in text.split_whitespace().map(|word| word.split_once('@').unwrap()) {
            let written = second(1000 - age.parse::<u64>().unwrap());
            match name.split_once('-') {
                Some((first, last)) => {
                    let end = |text: &str| Counter::parse(text).unwrap();
                    bundles.push(Bundle { name: BundleName::new(end(first), end(last)).unwrap(), written });
                }
                None => singles.push(Single { counter: counter(name.parse().unwrap()), written }),
            }
        }
        let shelf = Shelf::new(singles, bundles);
        let chores = chores(&shelf, second(1000), Duration::from_secs(keep), bundle_after);
        let gone = chores.singles.iter().map(ToString::to_string);
        let gone = gone.chain(chores.bundles.iter().map(|name| format!("{}-{}", name.first(), name.last())));
        let packed = chores.bundle.map(|name| format!("pack {}-{}", name.first(), name.last()));
        gone.chain(packed).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn old_logs_go_and_many_are_bundled() {
        for (there, keep, bundle_after, expected) in [
            ("", 10, 2, ""),
            ("1@5 2@4 3@3", 10, 0, ""),
            ("1@5 2@4 3@3", 10, 3, ""),
            ("1@5 2@4 3@3", 10, 2, "pack 1-2"),
            ("1@5 3@4 4@3", 10, 2, "pack 1-1"),
            ("1@50 2@4 3@3 4@2", 10, 2, "1 pack 2-3"),
            ("1-4@50 5-6@3 7@1", 10, 2, "1-4"),
            ("1@10", 10, 2, ""),
        ] {
            assert_eq!(said(there, keep, bundle_after), expected, "{there:?}");
        }
        let written = SystemTime::UNIX_EPOCH;
        let single = Single { counter: counter(3), written };
        let name = BundleName::new(counter(2), counter(4)).unwrap();
        let shelf = Shelf::new(vec![single], vec![Bundle { name, written }]);
        assert_eq!(leftovers(&shelf), [name]);
    }
}
