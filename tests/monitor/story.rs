//! A primary and two standbys, from the first heartbeat to two clusters and back from nothing: after each change what was told
//! and the status file are exactly what the rules say.

use serde_json::{Value, json};

use crate::support::Server;
use crate::support::postgres::Shutdown;
use crate::watch::Watch;

/// A cluster as it must be: its number, its primary, its standbys, its lost; by the places of the servers.
type Cluster<'e> = (u32, Option<usize>, &'e [usize], &'e [usize]);

/// How it is in the end.
const TWO: &[Cluster<'static>] = &[(0, Some(B), &[], &[]), (1, Some(C), &[A], &[])];

const A: usize = 0;
const B: usize = 1;
const C: usize = 2;

/// The servers, and what each is and replicates.
struct Story<'s> {
    servers: [&'s Server; 3],
    is_standby: [bool; 3],
    follows: [usize; 3],
    watch: Watch<'s>,
    /// How much of what was told has been compared.
    heard: usize,
}

impl Story<'_> {
    fn name(&self, server: usize) -> String {
        format!("{}:{}", self.servers[server].socket_dir().display(), self.servers[server].port())
    }

    fn node(&self, cluster: u32, server: usize) -> Value {
        json!({
            "host": self.servers[server].socket_dir(),
            "port": self.servers[server].port(),
            "cluster_id": cluster,
            "is_slave": self.is_standby[server],
            "master_name": self.name(self.follows[server]),
        })
    }

    fn cluster(&self, (number, primary, standbys, lost): &Cluster<'_>) -> Value {
        let nodes = |servers: &[usize]| servers.iter().map(|at| self.node(*number, *at)).collect::<Value>();
        json!({
            "cluster_id": number,
            "master": primary.map_or(Value::Null, |at| self.node(*number, at)),
            "slaves": nodes(standbys),
            "lost": nodes(lost),
        })
    }

    /// Waits until the status file says this, and compares what was told meanwhile, in its order: the trigger, the cluster,
    /// the server that it is about.
    #[track_caller]
    fn expect(&mut self, clusters: &[Cluster<'_>], told: &[(&str, u32, Option<usize>)]) {
        let with_master = |cluster: &Cluster<'_>| {
            let mut value = self.cluster(cluster);
            value["has_master"] = cluster.1.is_some().into();
            value
        };
        let status = json!({
            "clusters": clusters.iter().map(with_master).collect::<Value>(),
            "clusterless": [],
        });
        let is_so = || (self.watch.json("status.json")? == status).then_some(());
        self.watch.wait_for(&format!("{status:#}"), is_so);
        let expected: Vec<(String, Value)> = told
            .iter()
            .map(|(name, number, about)| {
                let cluster = clusters.iter().find(|cluster| cluster.0 == *number).expect("a cluster");
                let mut input = self.cluster(cluster);
                input["trigger"] = about.map_or(Value::Null, |at| self.node(*number, at));
                input["clusterless"] = json!([]);
                ((*name).to_owned(), input)
            })
            .collect();
        let changes = || -> Vec<(String, Value)> {
            let all = self.watch.told();
            all.into_iter().filter(|(name, _)| name != "plusmoin_heartbeat").skip(self.heard).collect()
        };
        self.watch.wait_for(&format!("{told:?}"), || (changes().len() >= told.len()).then_some(()));
        assert_eq!(changes(), expected);
        self.heard += told.len();
    }
}

/// The configuration of the reference, with comments.
fn configuration(servers: [&Server; 3], directory: &str) -> String {
    let node = |server: &Server| json!({"host": server.socket_dir(), "port": server.port()}).to_string();
    let triggers =
        ["plusmoin_up", "plusmoin_heartbeat", "master_up", "master_down", "slave_up", "slave_down"];
    let triggers = triggers.map(|name| format!("    \"{name}\": \"{directory}/tell {name}\"")).join(",\n");
    format!(
        "/** Servers\n * of a test */\n{{\n  \"dbname\": \"plusmoin\", // everywhere\n  \"user\": \"plusmoin\",\n  \
         \"password\": \"carrotcake\",\n  \"heartbeat\": 0.5,\n  \"max_sync_delay\": 6,\n  \"recover_sync_delay\": 4,\n  \
         \"connect_timeout\": 20,\n  \"nodes\": [{}],\n  \"triggers\": {{\n{triggers}\n  }},\n  \
         \"status_file\": \"{directory}/status.json\",\n  \"daemon_user\": \"nobody\"\n}}\n",
        servers.map(node).join(", ")
    )
}

#[test]
fn a_cluster_is_followed_through_everything() {
    let a = Server::start();
    a.execute("postgres", "create user plusmoin password 'carrotcake'");
    a.execute("postgres", "create database plusmoin owner plusmoin");
    let (b, c) = (Server::standby_of(&a), Server::standby_of(&a));
    b.start_again();
    c.start_again();
    let servers = [&a, &b, &c];
    let watch = Watch::new(&a, "monitor_config={at}/monitor.json\n");
    let directory = watch.path("").display().to_string();
    watch.put("monitor.json", &configuration(servers, directory.trim_end_matches('/')), 0o600);
    watch.start();
    let mut story = Story { servers, is_standby: [false, true, true], follows: [A, A, A], watch, heard: 0 };

    let well: &[Cluster<'_>] = &[(0, Some(A), &[B, C], &[])];
    story.expect(well, &[("plusmoin_up", 0, None)]);
    let once = story.watch.once(&["--json"]);
    let once: Value = serde_json::from_slice(&once.stdout).unwrap();
    let states: Vec<_> = once["servers"].as_array().unwrap().iter().map(|server| &server["state"]).collect();
    assert_eq!(states, ["primary", "standby", "standby"], "{once:#}");

    standbys_come_and_go(&mut story);
    primaries_change(&mut story);
    servers_change_while_nobody_watches(&mut story);
    everything_is_down(&mut story);

    // Every round ends with a heartbeat for each cluster.
    let heartbeat = |number: usize| {
        let mut input = story.cluster(&TWO[number]);
        (input["trigger"], input["clusterless"]) = (Value::Null, json!([]));
        ("plusmoin_heartbeat".to_owned(), input)
    };
    let expected = [heartbeat(0), heartbeat(1)];
    story.watch.wait_for("heartbeats", || {
        let told = story.watch.told();
        told.windows(2).last().is_some_and(|last| last == expected).then_some(())
    });
    assert!(!story.watch.said().contains("carrotcake"), "a password is in the log");
    // What the table of the reference holds, at the primary and at its standby.
    let row = "select cluster_id, master, tstamp > extract(epoch from now()) - 600 from heartbeat";
    let expected = format!("1|{}|t", story.name(C));
    for server in [&a, &c] {
        assert_eq!(server.query("plusmoin", row), expected);
    }
    story.watch.stop();
}

/// `a` is the primary; what happens to `b` and `c`.
fn standbys_come_and_go(story: &mut Story<'_>) {
    let [_, b, c] = story.servers;
    let well: &[Cluster<'_>] = &[(0, Some(A), &[B, C], &[])];

    // One is stopped and started.
    c.shut_down(Shutdown::Fast);
    story.expect(&[(0, Some(A), &[B], &[C])], &[("slave_down", 0, Some(C))]);
    let once = story.watch.once(&[]);
    assert!(String::from_utf8_lossy(&once.stdout).contains("lost"), "{once:?}");
    c.start_again();
    story.expect(well, &[("slave_up", 0, Some(C))]);

    // One does not replay what it gets.
    b.execute("postgres", "select pg_wal_replay_pause()");
    story.expect(&[(0, Some(A), &[C], &[B])], &[("slave_down", 0, Some(B))]);
    b.execute("postgres", "select pg_wal_replay_resume()");
    story.expect(well, &[("slave_up", 0, Some(B))]);
}

/// From `a` to `b`, and then `b` and `c` both.
fn primaries_change(story: &mut Story<'_>) {
    let [a, b, c] = story.servers;

    // The primary is stopped: the cluster remains.
    a.shut_down(Shutdown::Fast);
    story.expect(&[(0, None, &[B, C], &[A])], &[("master_down", 0, Some(A))]);

    // A standby is promoted: it is the primary of the same cluster. The other one does not follow it, and is lost in time.
    b.promote();
    (story.is_standby[B], story.follows[B]) = (false, B);
    story.expect(&[(0, Some(B), &[C], &[A])], &[("master_up", 0, Some(B))]);
    story.expect(&[(0, Some(B), &[], &[A, C])], &[("slave_down", 0, Some(C))]);
    c.follow(b);
    story.follows[C] = B;
    story.expect(&[(0, Some(B), &[C], &[A])], &[("slave_up", 0, Some(C))]);

    // The old primary comes back as a standby.
    a.copy_anew(b);
    a.start_again();
    (story.is_standby[A], story.follows[A]) = (true, B);
    story.expect(&[(0, Some(B), &[A, C], &[])], &[("slave_up", 0, Some(A))]);

    // Two primaries: the second has a cluster of its own, into which its standby follows it.
    c.promote();
    (story.is_standby[C], story.follows[C]) = (false, C);
    story.expect(&[(0, Some(B), &[A], &[]), (1, Some(C), &[], &[])], &[("master_up", 1, Some(C))]);
    a.shut_down(Shutdown::Fast);
    story.expect(&[(0, Some(B), &[], &[A]), (1, Some(C), &[], &[])], &[("slave_down", 0, Some(A))]);
    a.copy_anew(c);
    a.start_again();
    story.follows[A] = C;
    story.expect(TWO, &[("slave_up", 1, Some(A))]);
}

/// Whether the monitor was stopped or killed.
fn servers_change_while_nobody_watches(story: &mut Story<'_>) {
    let [_, b, c] = story.servers;
    story.watch.settle();
    story.watch.stop();
    c.shut_down(Shutdown::Fast);
    story.watch.start();
    let without_c: &[Cluster<'_>] = &[(0, Some(B), &[], &[]), (1, None, &[A], &[C])];
    story.expect(
        without_c,
        &[("plusmoin_up", 0, None), ("plusmoin_up", 1, None), ("master_down", 1, Some(C))],
    );
    story.watch.settle();
    story.watch.kill();
    b.shut_down(Shutdown::Fast);
    story.watch.start();
    let without_both: &[Cluster<'_>] = &[(0, None, &[], &[B]), (1, None, &[A], &[C])];
    story.expect(
        without_both,
        &[("plusmoin_up", 0, None), ("plusmoin_up", 1, None), ("master_down", 0, Some(B))],
    );
}

/// The last one goes too, and all come back.
fn everything_is_down(story: &mut Story<'_>) {
    let [a, b, c] = story.servers;
    a.shut_down(Shutdown::Fast);
    story.expect(&[(0, None, &[], &[B]), (1, None, &[], &[A, C])], &[("slave_down", 1, Some(A))]);
    c.start_again();
    story.expect(&[(0, None, &[], &[B]), (1, Some(C), &[], &[A])], &[("master_up", 1, Some(C))]);
    b.start_again();
    story.expect(&[(0, Some(B), &[], &[]), (1, Some(C), &[], &[A])], &[("master_up", 0, Some(B))]);
    a.start_again();
    story.expect(TWO, &[("slave_up", 1, Some(A))]);
}
