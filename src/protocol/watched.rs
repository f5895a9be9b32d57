//! `monitor.state`: what the monitor knows of the servers. It is its memory over a restart, and what `list` and the dumps go
//! by.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Malformed;
use crate::model::{Address, Beat, Moment, Occasion, write_time};

/// Where a server belongs. Each is in one place, and there is no way to be in two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "state", content = "cluster", rename_all = "snake_case")]
pub enum Place {
    /// The primary of a cluster, which keeps its heartbeat.
    Primary(u32),
    /// A standby of a cluster that is there and near its primary, or was when there was one.
    Standby(u32),
    /// Of a cluster, but away or too far behind.
    Lost(u32),
    /// Nothing is known of it.
    Unknown,
}

impl Place {
    /// Its cluster.
    pub fn cluster(self) -> Option<u32> {
        match self {
            Self::Primary(cluster) | Self::Standby(cluster) | Self::Lost(cluster) => Some(cluster),
            Self::Unknown => None,
        }
    }

    /// For people and programs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Primary(_) => "primary",
            Self::Standby(_) => "standby",
            Self::Lost(_) => "lost",
            Self::Unknown => "unknown",
        }
    }
}

/// What is known of one server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// Where it is.
    #[serde(flatten)]
    pub address: Address,
    /// Where it belongs.
    #[serde(flatten)]
    pub place: Place,
    /// Since when it is there.
    pub since: Moment,
    /// Whether it was a standby when it answered last.
    pub is_standby: bool,
    /// The heartbeat that it had then.
    pub beat: Option<Beat>,
    /// How far it was behind when it was looked at last; of a standby that answered.
    pub delay_ms: Option<u64>,
    /// Why it is lost or unknown.
    pub why: Option<String>,
}

impl Server {
    /// Nothing is known of it.
    pub fn unknown(address: Address, now: Moment) -> Self {
        Self {
            address,
            place: Place::Unknown,
            since: now,
            is_standby: false,
            beat: None,
            delay_ms: None,
            why: None,
        }
    }
}

/// What is known of a cluster as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cluster {
    /// Since when there is one of this number: an older heartbeat with it is another one's.
    pub begun: Moment,
    /// The last heartbeat that its primary was given. Standbys are compared with it one round later.
    pub heartbeat: Option<Moment>,
}

/// How far the monitor itself is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "phase", content = "since", rename_all = "snake_case")]
pub enum Phase {
    /// It knows nothing from before, and groups the servers. Nobody is told of anything.
    Beginning(Moment),
    /// It has started and knows how it was before.
    Restarted,
    /// It has said that it is up.
    Up,
}

/// A change that is to be told: what to give to which command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Telling {
    /// On what occasion.
    pub occasion: Occasion,
    /// The command's input.
    pub input: String,
}

/// What the monitor knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watched {
    /// When it looked last.
    pub looked: Moment,
    /// Until when this is to be believed: a monitor that runs has looked again before.
    pub believed_until: Moment,
    /// How far it is itself.
    #[serde(flatten)]
    pub phase: Phase,
    /// The number of the next new cluster.
    pub next_cluster: u32,
    /// The clusters; each has a server.
    pub clusters: BTreeMap<u32, Cluster>,
    /// The servers, in the order of the configuration.
    pub servers: Vec<Server>,
    /// How the Slony cluster stands, or why that cannot be told; `None`: it was not asked.
    pub slony: Option<Result<SlonyView, String>>,
    /// Changes of which it is not certain that they were told.
    pub untold: Vec<Telling>,
}

/// How the Slony cluster stands, seen from the log-shipping node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlonyView {
    /// The number of the log-shipping node.
    pub node: u32,
    /// Whether a slon has a session with its database.
    pub has_slon: bool,
    /// The last archive that is committed.
    pub committed: u64,
    /// How many seconds ago that was.
    pub archived_seconds: u64,
    /// How many seconds ago the newest event of another node happened there.
    pub event_seconds: Option<u64>,
    /// How far each node is behind each other.
    pub lags: Vec<SlonyLag>,
    /// What is wrong with all that, a line each.
    pub complaints: Vec<String>,
}

/// How far a Slony node is behind another: a row of `sl_status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlonyLag {
    /// Whose events.
    pub origin: u32,
    /// Who confirms them.
    pub receiver: u32,
    /// How many it has not confirmed.
    pub events: u64,
    /// How old the oldest of them is.
    pub seconds: u64,
}

impl Watched {
    /// Nothing is known of any server.
    pub fn new(servers: &[Address], now: Moment) -> Self {
        Self {
            looked: now,
            believed_until: now,
            phase: Phase::Beginning(now),
            next_cluster: 0,
            clusters: BTreeMap::new(),
            servers: servers.iter().map(|address| Server::unknown(address.clone(), now)).collect(),
            slony: None,
            untold: Vec::new(),
        }
    }

    /// What was known before a restart, for the servers that are configured now.
    #[must_use]
    pub fn restarted(mut self, servers: &[Address], now: Moment) -> Self {
        if self.phase == Phase::Up {
            self.phase = Phase::Restarted;
        }
        let mut known: BTreeMap<Address, Server> =
            self.servers.drain(..).map(|server| (server.address.clone(), server)).collect();
        let server = |address: &Address| {
            known.remove(address).unwrap_or_else(|| Server::unknown(address.clone(), now))
        };
        self.servers = servers.iter().map(server).collect();
        self.forget_empty_clusters();
        self
    }

    /// Forgets clusters of which no server is left.
    pub fn forget_empty_clusters(&mut self) {
        let servers = &self.servers;
        self.clusters
            .retain(|cluster, _| servers.iter().any(|server| server.place.cluster() == Some(*cluster)));
    }

    /// The primary of a cluster.
    pub fn primary(&self, cluster: u32) -> Option<&Server> {
        self.servers.iter().find(|server| server.place == Place::Primary(cluster))
    }

    /// Why no dump is to be made from this server now; `None` if nothing speaks against it. What is old says nothing: then
    /// no monitor runs.
    pub fn objection(&self, host: &str, port: u16, now: Moment) -> Option<String> {
        let is_it = |server: &&Server| server.address.host == host && server.address.port == port;
        let server = self.servers.iter().find(is_it).filter(|_| now <= self.believed_until)?;
        match server.place {
            Place::Lost(_) => Some(format!(
                "server {} is lost since {}: {}",
                server.address,
                write_time(server.since.into()),
                server.why.as_deref().unwrap_or("it does not answer")
            )),
            Place::Primary(_) | Place::Standby(_) | Place::Unknown => None,
        }
    }

    /// For the file.
    pub fn write(&self) -> Vec<u8> {
        format!("{:#}\n", serde_json::json!(self)).into_bytes()
    }

    /// From the file.
    pub fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let read: Self = serde_json::from_slice(bytes)
            .map_err(|error| Malformed::new(error.line(), format!("is no state of the monitor: {error}")))?;
        let known = |place: Place| place.cluster().is_none_or(|cluster| read.clusters.contains_key(&cluster));
        let mut primaries = BTreeSet::new();
        let is_alone = |place: Place| !matches!(place, Place::Primary(cluster) if !primaries.insert(cluster));
        let is_below = read.clusters.keys().all(|cluster| *cluster < read.next_cluster);
        if !read.servers.iter().all(|server| known(server.place))
            || !read.servers.iter().map(|server| server.place).all(is_alone)
            || !is_below
        {
            return Err(Malformed::new(1, "the clusters of the servers do not fit together"));
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watched() -> Watched {
        let addresses = ["a:1", "b:2", "c:3"].map(|address| address.parse().unwrap());
        let mut watched = Watched::new(&addresses, Moment(5));
        watched.phase = Phase::Up;
        watched.next_cluster = 2;
        watched.clusters.insert(1, Cluster { begun: Moment(1), heartbeat: Some(Moment(4)) });
        watched.believed_until = Moment(100);
        watched.servers[0].place = Place::Primary(1);
        watched.servers[1].place = Place::Lost(1);
        watched.servers[1].why = Some("it is 9 s behind".into());
        watched.servers[1].beat = Some(Beat { cluster: 1, primary: "a:1".into(), at: Moment(3) });
        let lags = vec![SlonyLag { origin: 1, receiver: 2, events: 3, seconds: 4 }];
        watched.slony = Some(Ok(SlonyView {
            node: 2,
            has_slon: true,
            committed: 7,
            archived_seconds: 8,
            event_seconds: None,
            lags,
            complaints: vec!["no slon".into()],
        }));
        watched.untold.push(Telling { occasion: Occasion::StandbyDown, input: "{}".into() });
        watched
    }

    #[test]
    fn a_state_is_read_as_it_was_written() {
        let watched = watched();
        assert_eq!(Watched::read(&watched.write()), Ok(watched));
        for (bytes, line) in [(&b"{\n  \"looked\": x"[..], 2), (b"", 1), (b"[]", 1)] {
            assert_eq!(Watched::read(bytes).unwrap_err().line.max(1), line);
        }
        let mut two = self::watched();
        two.servers[2].place = Place::Primary(1);
        assert!(Watched::read(&two.write()).is_err());
        two.servers[2].place = Place::Standby(7);
        assert!(Watched::read(&two.write()).is_err());
    }

    #[test]
    fn a_restart_keeps_the_servers_that_are_still_there() {
        let servers = ["d:4", "b:2"].map(|address| address.parse().unwrap());
        let watched = watched().restarted(&servers, Moment(9));
        assert_eq!(watched.phase, Phase::Restarted);
        let places: Vec<_> = watched.servers.iter().map(|server| (server.place, server.since)).collect();
        assert_eq!(places, [(Place::Unknown, Moment(9)), (Place::Lost(1), Moment(5))]);
        assert_eq!(watched.restarted(&servers[..1], Moment(9)).clusters.len(), 0);
    }

    #[test]
    fn a_lost_server_is_not_dumped_from_while_somebody_watches() {
        let watched = watched();
        let reason = "server b:2 is lost since 1970-01-01T00:00:00.005000Z: it is 9 s behind";
        assert_eq!(watched.objection("b", 2, Moment(100)).as_deref(), Some(reason));
        assert_eq!(watched.objection("b", 2, Moment(101)), None, "nobody watches any more");
        for (host, port) in [("a", 1), ("b", 1), ("c", 3)] {
            assert_eq!(watched.objection(host, port, Moment(100)), None);
        }
    }
}
