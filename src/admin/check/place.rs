//! What is wrong with the machine: room, permissions, the daemon itself.

use super::finding::Findings;
use super::observe::Facts;
use crate::config::Config;

/// A place with less room than this, or than a twentieth of all, is nearly full.
const LITTLE: u64 = 1 << 30;

/// Others may write.
const OTHERS: u32 = 0o002;

/// Looks for it.
pub(super) fn decide(config: &Config, facts: &Facts, found: &mut Findings) {
    for place in &facts.places {
        let path = place.path.display();
        match &place.room {
            Ok(room) if is_nearly_full(room.total, room.available) => found.warning(
                "disk-full",
                &path,
                format!("{} MiB are left of {}", room.available >> 20, room.total >> 20),
                "make room: without it nothing is split and no request is served, but nothing is lost",
            ),
            Ok(_) => {}
            Err(why) => found.error(
                "unreadable",
                &path,
                why.clone(),
                "make the directory, or put the configuration right",
            ),
        }
        if !place.is_writable {
            found.error(
                "not-writable",
                &path,
                "the daemon's user may not make files there".into(),
                "give the directory to the user of the daemon, or to a group of it",
            );
        }
    }
    if let Some(fault) = &facts.access_fault {
        found.error(
            "access-file",
            &"access_file",
            fault.clone(),
            "put it right: the daemon does not start with it, and one that runs goes by the rules before",
        );
    }
    for path in &facts.closed {
        found.error(
            "not-writable",
            &path.display(),
            "the daemon's user may not write it".into(),
            "give it to that user; give the commands as that user too",
        );
    }
    for (path, mode) in &facts.trusted {
        if mode & OTHERS != 0 {
            found.warning(
                "loose-permissions",
                &path.display(),
                format!("everybody may write there (mode {mode:o}): so everybody decides who gets what"),
                "chmod o-w",
            );
        }
    }
    if facts.daemon.is_none() {
        found.warning(
            "daemon-away",
            &config.paths.instance_lock().display(),
            "no daemon runs: no request is served".into(),
            "start `subscription_manager run`",
        );
    }
}

fn is_nearly_full(total: u64, available: u64) -> bool {
    available < LITTLE || available < total / 20
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_room_is_less_than_a_gibibyte_or_a_twentieth() {
        let full = |total: u64, available: u64| is_nearly_full(total << 30, available << 30);
        assert!(full(10, 0) && full(100, 4) && full(1000, 49));
        assert!(!full(10, 1) && !full(100, 5) && !full(1000, 50));
    }
}
