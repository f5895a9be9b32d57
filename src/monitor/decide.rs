//! What follows from one look at all servers: the next state, what is to be told, and the heartbeats to write. Pure.
//!
//! The rules are plusmoin's. A cluster avoids change: its primary stays its primary as long as it is one, a server leaves it
//! only for another cluster whose heartbeat it has begun to receive, and a new primary takes the place of one that is gone.
//! A second primary gets a cluster of its own.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::{Beat, Moment, Occasion};
use crate::protocol::watched::{Cluster, Phase, Place, Server, Watched};

/// How near a standby must be to its primary.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// One that is farther behind is lost.
    pub max_sync_delay: Duration,
    /// One that is lost comes back when it is no farther behind; never when it would be lost again.
    pub recover_sync_delay: Duration,
}

/// What was seen of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight {
    /// It takes writes.
    Primary,
    /// It replicates another one, with this row of the heartbeat table; `None` if it has none.
    Standby(Option<Beat>),
    /// It did not say, or its heartbeat could not be written.
    Away(String),
}

/// What follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What is known now.
    pub next: Watched,
    /// What is to be told, in this order.
    pub tellings: Vec<Occurrence>,
}

/// One thing to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Occurrence {
    /// In which cluster it happened.
    pub cluster: u32,
    /// What.
    pub occasion: Occasion,
    /// To which server, by its place in the list; `None`: it is about all of them.
    pub server: Option<usize>,
}

/// Decides. `sights` are in the order of `previous.servers`.
pub fn decide(previous: &Watched, sights: &[Sight], now: Moment, rules: &Rules) -> Decision {
    let mut round =
        Round { previous, sights, now, rules, primaries: BTreeMap::new(), next: previous.clone() };
    round.next.looked = now;
    round.keep_primaries();
    round.find_primaries();
    round.place_the_others();
    round.note_heartbeats();
    let tellings = round.tell();
    Decision { next: round.next, tellings }
}

/// The heartbeat of a server that was a primary, if it still is one: it stays that of its cluster, whatever is seen of the others.
pub fn kept_heartbeat(previous: &Watched, at: usize, now: Moment) -> Option<Beat> {
    let server = previous.servers.get(at)?;
    match server.place {
        Place::Primary(cluster) => Some(heartbeat(server, cluster, now)),
        Place::Standby(_) | Place::Lost(_) | Place::Unknown => None,
    }
}

fn heartbeat(server: &Server, cluster: u32, at: Moment) -> Beat {
    Beat { cluster: i64::from(cluster), primary: server.address.to_string(), at }
}

/// One round, while it is being decided.
struct Round<'a> {
    previous: &'a Watched,
    sights: &'a [Sight],
    now: Moment,
    rules: &'a Rules,
    /// The primary of each cluster that has one now.
    primaries: BTreeMap<u32, usize>,
    next: Watched,
}

impl Round<'_> {
    /// Who was the primary of a cluster and is one stays it.
    fn keep_primaries(&mut self) {
        for (at, server) in self.previous.servers.iter().enumerate() {
            if let (Place::Primary(cluster), Sight::Primary) = (server.place, &self.sights[at]) {
                self.primaries.insert(cluster, at);
                self.put(at, server.place, None);
            }
        }
    }

    /// Others that are one now: in their own cluster if that has none, standbys before the lost; else in a new one.
    fn find_primaries(&mut self) {
        let new = |at: &usize| {
            self.sights[*at] == Sight::Primary
                && !matches!(self.previous.servers[*at].place, Place::Primary(_))
        };
        let mut new: Vec<usize> = (0..self.sights.len()).filter(new).collect();
        new.sort_by_key(|at| !matches!(self.previous.servers[*at].place, Place::Standby(_)));
        for at in new {
            let own = self.previous.servers[at].place.cluster();
            let cluster = own.filter(|cluster| !self.primaries.contains_key(cluster)).unwrap_or_else(|| {
                let cluster = self.next.next_cluster;
                self.next.next_cluster += 1;
                self.next.clusters.insert(cluster, Cluster { begun: self.now, heartbeat: None });
                cluster
            });
            self.primaries.insert(cluster, at);
            self.put(at, Place::Primary(cluster), None);
        }
    }

    fn place_the_others(&mut self) {
        for (at, sight) in self.sights.iter().enumerate() {
            match sight {
                Sight::Primary => {}
                Sight::Away(why) => {
                    let home = self.previous.servers[at].place.cluster();
                    self.put(at, home.map_or(Place::Unknown, Place::Lost), Some(why.clone()));
                    self.next.servers[at].delay_ms = None;
                }
                Sight::Standby(beat) => self.place_standby(at, beat.as_ref()),
            }
        }
    }

    fn place_standby(&mut self, at: usize, beat: Option<&Beat>) {
        let before = &self.previous.servers[at];
        let home = before.place.cluster();
        // Only a heartbeat that is news moves a server: an old one may be from before it began to follow somebody else.
        let target = beat.filter(|beat| home.is_none() || before.beat.as_ref() != Some(beat));
        let target = target.and_then(|beat| self.cluster_of(beat)).filter(|target| home != Some(*target));
        let limit = match before.place {
            Place::Lost(_) if target.is_none() => {
                self.rules.recover_sync_delay.min(self.rules.max_sync_delay)
            }
            _ => self.rules.max_sync_delay,
        };
        let delay = target.or(home).zip(beat).and_then(|(cluster, beat)| self.delay(cluster, beat));
        let (place, why) = match target.or(home) {
            None if beat.is_none() => (Place::Unknown, Some("it has no heartbeat yet".to_owned())),
            None => (Place::Unknown, Some("it replicates none of the primaries".to_owned())),
            Some(cluster) => match self.complaint(cluster, beat, delay, limit, target.is_some()) {
                None => (Place::Standby(cluster), None),
                Some(why) => (Place::Lost(cluster), Some(why)),
            },
        };
        self.put(at, place, why);
        let server = &mut self.next.servers[at];
        server.is_standby = true;
        server.delay_ms = delay.map(|delay| u64::try_from(delay.as_millis()).unwrap_or(u64::MAX));
        if let Some(beat) = beat {
            server.beat = Some(beat.clone());
        }
    }

    /// The cluster whose heartbeat this is: of the primary that it names, or by its number if nobody has that name now.
    fn cluster_of(&self, beat: &Beat) -> Option<u32> {
        let named = |at: &usize| self.previous.servers[*at].address.to_string() == beat.primary;
        let by_name = self.primaries.iter().find(|(_, at)| named(at)).map(|(cluster, _)| *cluster);
        let by_number = || {
            let number = u32::try_from(beat.cluster).ok()?;
            let cluster = self.previous.clusters.get(&number)?;
            (cluster.begun <= beat.at).then_some(number)
        };
        by_name.or_else(by_number)
    }

    /// How far a standby is behind: the heartbeat of this round may not have come to it yet, that of the round before must.
    fn delay(&self, cluster: u32, beat: &Beat) -> Option<Duration> {
        let heartbeat = self.previous.clusters.get(&cluster)?.heartbeat?;
        Some(heartbeat.since(beat.at))
    }

    /// What speaks against a standby. With no primary it is compared with the last heartbeat that there was.
    fn complaint(
        &self,
        cluster: u32,
        beat: Option<&Beat>,
        delay: Option<Duration>,
        limit: Duration,
        has_come: bool,
    ) -> Option<String> {
        let Some(beat) = beat else { return Some("it has no heartbeat".into()) };
        let primary = self.primaries.get(&cluster).map(|at| self.previous.servers[*at].address.to_string());
        if has_come && primary.as_ref() != Some(&beat.primary) {
            return Some(match primary {
                Some(_) => format!("it still has the heartbeat of {}", beat.primary),
                None => "it has come to a cluster without a primary".into(),
            });
        }
        if beat.cluster != i64::from(cluster) {
            return Some(format!("it has the heartbeat of {} in cluster {}", beat.primary, beat.cluster));
        }
        match delay {
            None => Some("its cluster has no heartbeat yet".into()),
            Some(delay) if delay > limit => Some(format!("it is {} s behind", delay.as_secs_f64())),
            Some(_) => None,
        }
    }

    fn put(&mut self, at: usize, place: Place, why: Option<String>) {
        let server = &mut self.next.servers[at];
        if server.place != place {
            server.since = self.now;
        }
        server.place = place;
        server.why = why;
    }

    /// Every primary is given the heartbeat of this round.
    fn note_heartbeats(&mut self) {
        for (cluster, at) in &self.primaries {
            let server = &mut self.next.servers[*at];
            server.is_standby = false;
            server.delay_ms = None;
            server.beat = Some(heartbeat(server, *cluster, self.now));
            if let Some(cluster) = self.next.clusters.get_mut(cluster) {
                cluster.heartbeat = Some(self.now);
            }
        }
        self.next.forget_empty_clusters();
    }

    /// What is to be told, and how far the monitor itself is.
    fn tell(&mut self) -> Vec<Occurrence> {
        if let Phase::Beginning(since) = self.previous.phase
            && !self.is_settled()
            && self.now.since(since) < self.rules.max_sync_delay
        {
            return Vec::new();
        }
        let of_all = |occasion| {
            let clusters = self.next.clusters.keys();
            clusters.map(move |cluster| Occurrence { cluster: *cluster, occasion, server: None })
        };
        let mut tellings = Vec::new();
        if self.previous.phase != Phase::Up {
            tellings.extend(of_all(Occasion::Up));
        }
        if !matches!(self.previous.phase, Phase::Beginning(_)) {
            let mut changes: Vec<_> = (0..self.sights.len()).flat_map(|at| self.changes(at)).collect();
            changes.sort_unstable();
            tellings.extend(changes);
        }
        tellings.extend(of_all(Occasion::Heartbeat));
        self.next.phase = Phase::Up;
        tellings
    }

    /// Whether everybody who answers has found a place.
    fn is_settled(&self) -> bool {
        let is_placed = |(server, sight): (&Server, &Sight)| match sight {
            Sight::Away(_) => true,
            _ => matches!(server.place, Place::Primary(_) | Place::Standby(_)),
        };
        self.next.servers.iter().zip(self.sights).all(is_placed)
    }

    /// What has happened to a server.
    fn changes(&self, at: usize) -> impl Iterator<Item = Occurrence> {
        let (before, now) = (self.previous.servers[at].place, self.next.servers[at].place);
        let gone = match before {
            Place::Primary(cluster) if !self.primaries.contains_key(&cluster) => {
                Some((cluster, Occasion::PrimaryDown))
            }
            _ => None,
        };
        let come = match (before, now) {
            (before, now) if before == now => None,
            (_, Place::Primary(cluster)) => Some((cluster, Occasion::PrimaryUp)),
            (_, Place::Standby(cluster)) => Some((cluster, Occasion::StandbyUp)),
            (Place::Standby(_), Place::Lost(cluster)) => Some((cluster, Occasion::StandbyDown)),
            _ => None,
        };
        let told = gone.into_iter().chain(come);
        told.map(move |(cluster, occasion)| Occurrence { cluster, occasion, server: Some(at) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::Address;

    /// Between two rounds.
    const ROUND: Duration = Duration::from_secs(10);
    /// Two rounds, and one.
    const RULES: Rules =
        Rules { max_sync_delay: Duration::from_secs(20), recover_sync_delay: Duration::from_secs(10) };

    fn servers(names: &str) -> Vec<Address> {
        names.chars().map(|name| Address { host: name.into(), port: 1 }).collect()
    }

    fn time(round: u64) -> Moment {
        Moment(1_000_000).after(ROUND * u32::try_from(round).unwrap())
    }

    /// `P`; `-`; `?` for a standby without a heartbeat; `0a3`: one with that of the primary `a` of cluster 0 in round 3.
    fn sight(word: &str) -> Sight {
        let mut letters = word.chars();
        match (letters.next(), letters.next()) {
            (Some('P'), None) => Sight::Primary,
            (Some('-'), None) => Sight::Away("nobody answers".into()),
            (Some('?'), None) => Sight::Standby(None),
            (Some(cluster), Some(primary)) => Sight::Standby(Some(Beat {
                cluster: cluster.to_digit(10).unwrap().into(),
                primary: format!("{primary}:1"),
                at: time(letters.as_str().parse().unwrap()),
            })),
            other => panic!("{other:?}"),
        }
    }

    /// `P0 S0 L0 U`, a word for each server.
    fn places(watched: &Watched) -> String {
        let word = |server: &Server| match server.place {
            Place::Primary(cluster) => format!("P{cluster}"),
            Place::Standby(cluster) => format!("S{cluster}"),
            Place::Lost(cluster) => format!("L{cluster}"),
            Place::Unknown => "U".to_owned(),
        };
        watched.servers.iter().map(word).collect::<Vec<_>>().join(" ")
    }

    /// `0 master_down a, ...`, without the heartbeats.
    fn told(decision: &Decision) -> String {
        let word = |telling: &Occurrence| {
            let server = telling.server.map(|at| decision.next.servers[at].address.host.clone());
            format!(
                "{} {} {}",
                telling.cluster,
                telling.occasion.reference_name(),
                server.unwrap_or_default()
            )
        };
        let told = decision.tellings.iter().filter(|telling| telling.occasion != Occasion::Heartbeat);
        told.map(word).map(|word| word.trim().to_owned()).collect::<Vec<_>>().join(", ")
    }

    /// Plays rounds of (what is seen, where everybody is then, what is told), the first at the time 1.
    #[track_caller]
    fn play(what: &str, rounds: &[(&str, &str, &str)]) -> Watched {
        let count = rounds[0].0.split(' ').count();
        let mut watched = Watched::new(&servers(&"abcdefgh"[..count]), time(1));
        for (number, (seen, expected, expected_told)) in (1..).zip(rounds) {
            let sights: Vec<Sight> = seen.split(' ').map(sight).collect();
            let decision = decide(&watched, &sights, time(number), &RULES);
            assert_eq!(places(&decision.next), *expected, "{what}: round {number}: {:#?}", decision.next);
            assert_eq!(told(&decision), *expected_told, "{what}: round {number}");
            watched = decision.next;
        }
        watched
    }

    /// The usual begin: `a` with its standbys `b` and `c`, in two rounds.
    const BEGIN: [(&str, &str, &str); 2] =
        [("P ? ?", "P0 U U", ""), ("P 0a1 0a1", "P0 S0 S0", "0 plusmoin_up")];

    #[track_caller]
    fn after_begin(what: &str, rounds: &[(&str, &str, &str)]) -> Watched {
        play(what, &[&BEGIN, rounds].concat())
    }

    #[test]
    fn standbys_come_and_go() {
        after_begin("nothing happens", &[("P 0a2 0a2", "P0 S0 S0", ""), ("P 0a4 0a3", "P0 S0 S0", "")]);
        after_begin(
            "a standby goes and comes",
            &[
                ("P - 0a2", "P0 L0 S0", "0 slave_down b"),
                ("P - 0a3", "P0 L0 S0", ""),
                ("P 0a1 0a4", "P0 L0 S0", ""),
                ("P 0a4 0a5", "P0 S0 S0", "0 slave_up b"),
            ],
        );
        after_begin(
            "a standby falls behind: two rounds are not too much, and to come back one is",
            &[
                ("P 0a2 0a2", "P0 S0 S0", ""),
                ("P 0a2 0a3", "P0 S0 S0", ""),
                ("P 0a2 0a4", "P0 S0 S0", ""),
                ("P 0a2 0a5", "P0 L0 S0", "0 slave_down b"),
                ("P 0a4 0a6", "P0 L0 S0", ""),
                ("P 0a6 0a7", "P0 S0 S0", "0 slave_up b"),
            ],
        );
        after_begin(
            "the primary goes and comes: the cluster remains",
            &[
                ("- 0a2 0a2", "L0 S0 S0", "0 master_down a"),
                ("- 0a2 -", "L0 S0 L0", "0 slave_down c"),
                ("- 0a2 0a2", "L0 S0 S0", "0 slave_up c"),
                ("P 0a2 0a2", "P0 S0 S0", "0 master_up a"),
            ],
        );
        after_begin(
            "without a primary a stale standby stays lost",
            &[
                ("P 0a1 0a2", "P0 S0 S0", ""),
                ("P 0a1 0a3", "P0 S0 S0", ""),
                ("P 0a1 0a4", "P0 L0 S0", "0 slave_down b"),
                ("- 0a1 0a5", "L0 L0 S0", "0 master_down a"),
                ("- 0a2 0a5", "L0 L0 S0", ""),
                ("- 0a4 0a5", "L0 S0 S0", "0 slave_up b"),
            ],
        );
        after_begin("a heartbeat table is dropped", &[("P ? 0a2", "P0 L0 S0", "0 slave_down b")]);
    }

    #[test]
    fn primaries_come_and_go() {
        after_begin(
            "a standby is promoted: it stays, who does not follow it is lost when its heartbeat is old",
            &[
                ("- 0a2 0a2", "L0 S0 S0", "0 master_down a"),
                ("- P 0a2", "L0 P0 S0", "0 master_up b"),
                ("- P 0a2", "L0 P0 S0", ""),
                ("- P 0a2", "L0 P0 L0", "0 slave_down c"),
                ("- P 0b6", "L0 P0 S0", "0 slave_up c"),
                ("0b7 P 0b7", "S0 P0 S0", "0 slave_up a"),
            ],
        );
        after_begin(
            "primary and standby change places within a round",
            &[("0a2 P 0a2", "S0 P0 S0", "0 master_up b, 0 slave_up a"), ("0b3 P 0b3", "S0 P0 S0", "")],
        );
        after_begin(
            "the primary becomes a standby and nobody takes its place",
            &[("0a2 0a2 0a2", "S0 S0 S0", "0 master_down a, 0 slave_up a")],
        );
        after_begin(
            "two primaries: the second has a cluster of its own, and its standby follows; c points to it later",
            &[
                ("P P 0a2", "P0 P1 S0", "1 master_up b"),
                ("P P 0a3", "P0 P1 S0", ""),
                ("P P 1b4", "P0 P1 S1", "1 slave_up c"),
                // And back: b is rewound.
                ("P 0a5 1b5", "P0 S0 S1", "0 slave_up b, 1 master_down b"),
                ("P 0a6 0a6", "P0 S0 S0", "0 slave_up c"),
            ],
        );
        after_begin(
            "an old primary comes back beside the new one",
            &[
                ("- 0a2 0a2", "L0 S0 S0", "0 master_down a"),
                ("- P 0a2", "L0 P0 S0", "0 master_up b"),
                ("P P 0a2", "P1 P0 S0", "1 master_up a"),
                ("P P 1a5", "P1 P0 S1", "1 slave_up c"),
            ],
        );
        after_begin(
            "two standbys are promoted at once: the first has the cluster",
            &[("- P P", "L0 P0 P1", "0 master_up b, 1 master_up c")],
        );
        after_begin(
            "all down, and up again",
            &[
                ("- - -", "L0 L0 L0", "0 master_down a, 0 slave_down b, 0 slave_down c"),
                ("- - -", "L0 L0 L0", ""),
                ("P 0a2 0a2", "P0 S0 S0", "0 master_up a, 0 slave_up b, 0 slave_up c"),
            ],
        );
        after_begin(
            "who points to neither primary remains",
            &[("P P 9x3", "P0 P1 L0", "0 slave_down c, 1 master_up b")],
        );
    }

    #[test]
    fn it_begins_when_everybody_who_answers_has_a_place() {
        play("one is away", &[("P ? -", "P0 U U", ""), ("P 0a1 -", "P0 S0 U", "0 plusmoin_up")]);
        play(
            "one replicates somebody unknown: not longer than the delay",
            &[("P 7x0 -", "P0 U U", ""), ("P 7x1 -", "P0 U U", ""), ("P 7x2 -", "P0 U U", "0 plusmoin_up")],
        );
        play(
            "heartbeats of an earlier time are told apart by name, never by number",
            &[
                ("P P 1a0 0x0", "P0 P1 L0 U", ""),
                ("P P 0a1 0x0", "P0 P1 S0 U", ""),
                ("P P 0a2 1b2", "P0 P1 S0 S1", "0 plusmoin_up, 1 plusmoin_up"),
            ],
        );
        play("two clusters", &[("P P", "P0 P1", "0 plusmoin_up, 1 plusmoin_up")]);
        play("a late one", &[("P -", "P0 U", "0 plusmoin_up"), ("P 0a1", "P0 S0", "0 slave_up b")]);
        play("nobody", &[("-", "U", ""), ("P", "P0", "0 master_up a")]);
    }

    #[test]
    fn a_change_during_a_restart_is_told() {
        let watched = after_begin("before", &[]);
        let watched = Watched::read(&watched.write()).unwrap().restarted(&servers("abc"), time(3));
        let decision = decide(&watched, &["-", "P", "0a2"].map(sight), time(3), &RULES);
        assert_eq!(told(&decision), "0 plusmoin_up, 0 master_up b");
        let heartbeats = decision.tellings.iter().filter(|telling| telling.occasion == Occasion::Heartbeat);
        assert_eq!(heartbeats.count(), 1);
        let since: Vec<Moment> = decision.next.servers.iter().map(|server| server.since).collect();
        assert_eq!(since, [time(3), time(3), time(2)]);
        assert_eq!(decision.next.servers[0].why.as_deref(), Some("nobody answers"));
    }

    fn any_sight() -> impl Strategy<Value = Sight> {
        let beat = (0..4_i64, 0..6_usize, 0..40_u64).prop_map(|(cluster, primary, round)| Beat {
            cluster,
            primary: format!("{}:1", &"abcdef"[primary..=primary]),
            at: time(round),
        });
        prop_oneof![
            Just(Sight::Primary),
            Just(Sight::Away("gone".into())),
            Just(Sight::Standby(None)),
            beat.prop_map(|beat| Sight::Standby(Some(beat))),
        ]
    }

    proptest! {
        /// Whatever is seen: every server is in one place, in the status file once, no cluster has two primaries or no server,
        /// and the state can be read after a restart; also with restarts between, and where a heartbeat cannot be written after the
        /// decision, which is made again then. A primary that remains has the heartbeat that it is given before the decision.
        #[test]
        fn no_server_vanishes_or_appears_twice(
            rounds in prop::collection::vec(
                (prop::collection::vec(any_sight(), 5), prop::bool::weighted(0.1), prop::option::weighted(0.2, 0..5_usize)),
                1..40,
            )
        ) {
            let all = servers("abcde");
            let mut watched = Watched::new(&all, time(0));
            for (number, (sights, restarts, fails)) in (1..).zip(rounds) {
                if restarts {
                    watched = Watched::read(&watched.write()).unwrap().restarted(&all, time(number));
                }
                let mut sights = sights;
                if let Some(at) = fails.filter(|at| sights[*at] == Sight::Primary) {
                    let first = decide(&watched, &sights, time(number), &RULES);
                    prop_assert!(matches!(first.next.servers[at].place, Place::Primary(_)));
                    sights[at] = Sight::Away("no heartbeat".into());
                }
                let sights = &sights;
                let decision = decide(&watched, sights, time(number), &RULES);
                prop_assert_eq!(&decision, &decide(&watched, sights, time(number), &RULES));
                for (at, sight) in sights.iter().enumerate().filter(|(_, sight)| **sight == Sight::Primary) {
                    if let Some(kept) = kept_heartbeat(&watched, at, time(number)) {
                        prop_assert_eq!(decision.next.servers[at].beat.as_ref(), Some(&kept), "{:?}", sight);
                    }
                }
                watched = decision.next;
                let status: serde_json::Value =
                    serde_json::from_slice(&crate::protocol::plusmoin::write_status(&watched)).unwrap();
                let mut hosts: Vec<&str> = Vec::new();
                for cluster in status["clusters"].as_array().unwrap() {
                    let before = hosts.len();
                    hosts.extend(cluster["master"]["host"].as_str());
                    for part in ["slaves", "lost"] {
                        hosts.extend(cluster[part].as_array().unwrap().iter().map(|node| node["host"].as_str().unwrap()));
                    }
                    prop_assert!(hosts.len() > before);
                }
                hosts.extend(status["clusterless"].as_array().unwrap().iter().map(|node| node["host"].as_str().unwrap()));
                hosts.sort_unstable();
                prop_assert_eq!(hosts, ["a", "b", "c", "d", "e"]);
                for (server, sight) in watched.servers.iter().zip(sights) {
                    prop_assert_eq!(matches!(server.place, Place::Primary(_)), *sight == Sight::Primary);
                }
                prop_assert_eq!(&Watched::read(&watched.write()).unwrap(), &watched);
            }
        }
    }
}
