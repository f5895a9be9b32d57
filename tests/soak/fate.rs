//! Fate: kills programs and servers, one or two close together, and starts them again.

use crate::dice::Dice;
use crate::site::Site;
use crate::support::postgres::Shutdown;
use crate::support::slony::{ARCHIVER, ORIGIN};
use crate::world::World;

/// What may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blow {
    Daemon,
    DaemonStops,
    Archiver,
    OriginSlon,
    Centre,
    CentreStops,
    CentreBackends,
    Remote,
    RemoteStops,
    RemoteBackends,
    Asker,
    Follower,
    Line,
    LineDown,
}

impl Blow {
    pub(crate) const ALL: &[Self] = &[
        Self::Daemon,
        Self::DaemonStops,
        Self::Archiver,
        Self::OriginSlon,
        Self::Centre,
        Self::CentreStops,
        Self::CentreBackends,
        Self::Remote,
        Self::RemoteStops,
        Self::RemoteBackends,
        Self::Asker,
        Self::Follower,
        Self::Line,
        Self::LineDown,
    ];

    /// As it stands in the journal.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Daemon => "the daemon is killed",
            Self::DaemonStops => "the daemon is stopped",
            Self::Archiver => "the slon that writes archives is killed",
            Self::OriginSlon => "the slon of the origin is killed",
            Self::Centre => "the data centre's PostgreSQL is killed",
            Self::CentreStops => "the data centre's PostgreSQL is stopped at once",
            Self::CentreBackends => "sessions of the data centre's PostgreSQL are ended",
            Self::Remote => "the sites' PostgreSQL is killed",
            Self::RemoteStops => "the sites' PostgreSQL is stopped at once",
            Self::RemoteBackends => "sessions of the sites' PostgreSQL are ended",
            Self::Asker => "a subscribe_series is killed",
            Self::Follower => "a get_slony_logs is killed",
            Self::Line => "all lines are cut",
            Self::LineDown => "sshd is away",
        }
    }
}

/// Ends some sessions of clients.
const END_SESSIONS: &str = "select pg_terminate_backend(pid) from pg_stat_activity where backend_type = 'client backend' and \
                            pid <> pg_backend_pid() order by random() limit 3";

/// Strikes until the soak is over. Every kind of blow comes once before any comes again.
pub(crate) fn strike(world: &World<'_>, sites: &[Site<'_>]) {
    let mut dice = world.dice("fate");
    let mut deck: Vec<Blow> = Vec::new();
    while world.goes_on() {
        world.rest(&mut dice, 2500);
        let count = if dice.one_in(3) { 2 } else { 1 };
        let mut blows = Vec::new();
        for _ in 0..count {
            if deck.is_empty() {
                deck = dice.shuffled(Blow::ALL);
            }
            blows.extend(deck.pop());
            // Those who do not run cannot be killed: later.
            for blow in &blows[blows.len() - 1..] {
                if !fall(world, sites, *blow, &mut dice) {
                    deck.insert(0, *blow);
                }
            }
            world.rest(&mut dice, 300);
        }
        world.rest(&mut dice, 700);
        mend(world, &blows, &mut dice);
    }
}

/// Does it; whether there was something to be done.
fn fall(world: &World<'_>, sites: &[Site<'_>], blow: Blow, dice: &mut Dice) -> bool {
    let (centre, remote) = (world.cluster.server(), world.remote);
    let has_met = match blow {
        Blow::CentreBackends => centre.try_query("postgres", END_SESSIONS).is_some(),
        Blow::RemoteBackends => remote.try_query("postgres", END_SESSIONS).is_some(),
        Blow::Asker => kill_one(sites, dice, |site| site.asker.kill()),
        Blow::Follower => kill_one(sites, dice, |site| site.follower.kill()),
        Blow::Line => world.sshd.cut() > 0,
        _ => {
            end(world, blow, dice);
            true
        }
    };
    if has_met {
        world.journal.count("fate", blow.as_str());
    }
    has_met
}

/// Ends what runs all the time, and the daemon is started again at once.
fn end(world: &World<'_>, blow: Blow, dice: &mut Dice) {
    let (centre, remote) = (world.cluster.server(), world.remote);
    match blow {
        Blow::Daemon => restart(world, dice, || world.station.kill()),
        Blow::DaemonStops => restart(world, dice, || world.station.stop()),
        Blow::Archiver => centre.home().kill("slon.archiver"),
        Blow::OriginSlon => centre.home().kill("slon.origin"),
        Blow::Centre => centre.kill(),
        Blow::CentreStops => centre.shut_down(Shutdown::Immediate),
        Blow::Remote => remote.kill(),
        Blow::RemoteStops => remote.shut_down(Shutdown::Immediate),
        Blow::LineDown => world.sshd.stop(),
        other => unreachable!("{other:?} is no end of a program"),
    }
}

/// The daemon is down for a moment.
fn restart(world: &World<'_>, dice: &mut Dice, end: impl Fn()) {
    let _held = world.daemon();
    end();
    world.rest(dice, 500);
    // The database may be away.
    world.station.start_unready();
}

fn kill_one(sites: &[Site<'_>], dice: &mut Dice, kill: impl Fn(&Site<'_>) -> bool) -> bool {
    let all: Vec<&Site<'_>> = sites.iter().collect();
    dice.shuffled(&all).into_iter().any(kill)
}

/// Starts what was ended, the servers first.
fn mend(world: &World<'_>, blows: &[Blow], dice: &mut Dice) {
    let centre = world.cluster.server();
    let is_struck = |kinds: &[Blow]| blows.iter().any(|blow| kinds.contains(blow));
    if is_struck(&[Blow::Remote, Blow::RemoteStops]) {
        world.remote.start_again();
    }
    if is_struck(&[Blow::LineDown]) {
        world.sshd.start_again();
    }
    let is_centre = is_struck(&[Blow::Centre, Blow::CentreStops]);
    if is_centre {
        centre.start_again();
    }
    // A slon that has lost its database comes back by itself after a while, but for one that has given up; mostly that is not
    // waited for.
    let all = is_centre && !dice.one_in(4);
    for (blow, database) in [(Blow::OriginSlon, ORIGIN), (Blow::Archiver, ARCHIVER)] {
        if all || is_struck(&[blow]) || centre.home().has_ended(&format!("slon.{database}")) {
            world.cluster.stop_slon(database);
            world.cluster.start_slon(database, &[]);
        }
    }
}
