//! The system calls that the unit allows are enough: what the daemon calls is compared with its filter, because no systemd
//! runs in a test that would enforce it.

use std::collections::BTreeSet;

use crate::machine::Machine;

/// What the lines `SystemCallFilter=` of the unit come to: the first says what is allowed, those behind it take away
/// (`~`) and give.
pub(crate) fn allowed(machine: &Machine, unit: &str) -> BTreeSet<String> {
    let filters = unit.lines().filter_map(|line| line.strip_prefix("SystemCallFilter="));
    let mut allowed = BTreeSet::new();
    for filter in filters {
        let named = filter.trim_start_matches('~').split(' ').flat_map(|word| expanded(machine, word));
        if filter.starts_with('~') {
            for call in named {
                allowed.remove(&call);
            }
        } else {
            allowed.extend(named);
        }
    }
    assert!(allowed.contains("openat") && !allowed.contains("mount"), "the unit has no filter: {allowed:?}");
    allowed
}

/// A group of calls with the groups in it, as systemd knows them; or the call itself.
fn expanded(machine: &Machine, word: &str) -> Vec<String> {
    if !word.starts_with('@') {
        return vec![word.to_owned()];
    }
    let said = machine.run(&format!("systemd-analyze syscall-filter --no-pager {word}"));
    let words =
        said.lines().filter_map(|line| line.strip_prefix("    ")).filter(|line| !line.starts_with('#'));
    words.flat_map(|word| expanded(machine, word.trim())).collect()
}
