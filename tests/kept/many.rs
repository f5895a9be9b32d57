//! A thousand nodes.

use std::collections::BTreeMap;

use crate::place::{Place, lines};
use crate::support::station::log_name;
use crate::text::{archive_of, log_of, row};

const NODES: usize = 1000;
const LISTS: usize = 20;

#[test]
fn nodes_with_one_list_share_one_file() {
    let names: Vec<String> = (0..NODES).map(|number| format!("n{number:04}")).collect();
    let nodes: Vec<(&str, &[&str])> = names.iter().map(|name| (name.as_str(), &[][..])).collect();
    let place = Place::new(&nodes, "");
    let series = |list: usize| format!("many.s{list:02}");
    for (number, name) in names.iter().enumerate() {
        place.write(&format!("etc/{name}.lst"), &lines(&[&series(number % LISTS), "many.nothing"]));
    }
    let archives = 3;
    for counter in 1..=archives {
        let rows: String = (0..LISTS).map(|list| row(&series(list), counter)).collect();
        place.archive(counter, &archive_of(counter, &rows));
    }
    place.split(archives);
    let tree = place.tree();
    let mut inodes: BTreeMap<(u64, usize), u64> = BTreeMap::new();
    for counter in 1..=archives {
        for (number, name) in names.iter().enumerate() {
            let there = &tree[&format!("site_logs/{name}/{}", log_name(counter))];
            let list = number % LISTS;
            assert_eq!(there.text, log_of(counter, &row(&series(list), counter)).into_bytes(), "{name}");
            assert_eq!((there.mode, there.links), (0o644, (NODES / LISTS) as u64), "{name}");
            assert_eq!(*inodes.entry((counter, list)).or_insert(there.inode), there.inode, "{name}");
        }
    }
    let different: std::collections::BTreeSet<_> = inodes.values().collect();
    assert_eq!(different.len(), LISTS * usize::try_from(archives).unwrap());
    assert_eq!(place.hidden(), Vec::<String>::new());
}
