//! `get_slony_logs` of a site: as a service, or once and again as by cron.

use std::time::{Duration, Instant};

use crate::site::Site;
use crate::world::World;

/// What the tool says before the site's first subscription.
const UNSUBSCRIBED: &str = "this database is not subscribed yet";

/// Follows until all requests are over.
pub(crate) fn follow(world: &World<'_>, site: &Site<'_>) {
    let mut dice = world.dice(&format!("follower of {}", site.node));
    while world.is_alive() {
        if dice.one_in(2) {
            let end = Instant::now() + Duration::from_millis(dice.below(15_000));
            let mut is_told = false;
            let ended =
                site.follower.run(site.get_slony_logs(&["--follow"]), &site.at("follower.log"), || {
                    if !is_told && (Instant::now() >= end || !world.is_alive()) {
                        is_told = site.follower.terminate();
                    }
                });
            judge(world, site, "follows", ended.status, &ended.said);
        } else {
            let ended = site.follower.run(site.get_slony_logs(&[]), &site.at("follower.log"), || {});
            judge(world, site, "looks once", ended.status, &ended.said);
        }
        world.rest(&mut dice, 1000);
    }
}

/// A person is never needed: no log is missing, none is refused, no change meets no row.
fn judge(world: &World<'_>, site: &Site<'_>, what: &str, status: Option<i32>, said: &str) {
    let last = said.lines().last().unwrap_or_default();
    world.journal.note(site.node, format!("{what}: {status:?} {last}"));
    let is_expected = matches!(status, None | Some(0 | 1 | 3)) || said.contains(UNSUBSCRIBED);
    assert!(is_expected, "{} {what}: {status:?}\n{said}", site.node);
}
