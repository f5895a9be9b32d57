//! The test of the whole: a real cluster under writes, five sites that subscribe and leave as they like, and everything is
//! killed again and again. At the end every copy equals the original, row for row.
//!
//! `make soak` lets it last ten minutes, `SOAK_SECONDS=n` another time; `SOAK_SEED=n` makes the same decisions again (what
//! comes of them depends on the machine, too). When it fails, it tells what was done, and keeps the data centre's directories
//! and what everybody said in `target/tmp/soak-<seed>`.

#[path = "../support/mod.rs"]
mod support;

mod author;
mod dice;
mod fate;
mod follower;
mod journal;
mod operator;
mod process;
mod shelf;
mod site;
mod verdict;
mod warden;
mod world;

use std::process::Command;
use std::thread::{Builder, Scope, ScopedJoinHandle};
use std::time::{Duration, Instant, SystemTime};

use fate::Blow;
use journal::Journal;
use site::Site;
use support::series::ODD;
use support::{Cluster, Server, Sshd, Station, wait};
use world::World;

/// The sites' nodes; some names are within others.
const NODES: &[&str] = &["nso", "so", "nso_2", "mps", "i-as"];

/// The series that can be subscribed to.
const SERIES: &[&str] = &["soak.a", "soak.a_nrt", "soak.b", "soak.c", TYPED, ODD];

/// Those of the standard shape.
const STANDARD: &[&str] = &["soak.a", "soak.a_nrt", "soak.b", "soak.c"];

/// A series of a type that not every site has.
const TYPED: &str = "soak.typed";

/// Small bundles and short patience: more happens.
const SETTINGS: &str = "rescan=1\nbundle_after=40\ndump_yield=2";

/// What must have happened at the least: a soak goes on until it has.
const LEAST: &[(&str, u64)] = &[
    ("requests that went well", 10),
    ("requests that failed", 2),
    ("transactions written", 50),
    ("scripts that stop every node", 1),
    ("decisions", 1),
];

/// How much longer it may take until that has happened.
const PATIENCE: Duration = Duration::from_secs(300);

#[test]
fn nothing_is_lost_whatever_dies() {
    let duration = Duration::from_secs(number("SOAK_SECONDS").unwrap_or(60));
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("it is after 1970");
    let seed = number("SOAK_SEED").unwrap_or(u64::from(now.subsec_nanos()));
    println!("SOAK_SEED={seed}");
    let journal = Journal::begin(seed);
    let cluster = Cluster::start(&schema(), &rows(), &["soak", "Odd Schema"]);
    let (remote, sshd) = (Server::start(), Sshd::start());
    remote.execute("postgres", &format!("create role {} login nosuperuser", support::site::OWNER));
    let station = Station::started(&cluster, SETTINGS);
    let world = World::new(&journal, (&cluster, &station), (&remote, &sshd));
    let _relics = Relics(&world);
    let by_ssh = format!(
        "webdb_ip {}\nwebdb_port {}\nwebdb_user {}\nssh_cmd {}",
        sshd.host(),
        sshd.port(),
        sshd.user(),
        sshd.ssh_cmd()
    );
    let site = |(at, node): (usize, &&'static str)| {
        Site::new(&world, node, if at % 2 == 1 { &by_ssh } else { "" }, at < 3)
    };
    let sites: Vec<Site<'_>> = NODES.iter().enumerate().map(site).collect();
    soak(&world, &sites, duration);
    verdict::judge(&world, &sites);
    println!("{}", journal.summary());
}

/// Everybody does what is theirs until the time is over and enough has happened.
fn soak(world: &World<'_>, sites: &[Site<'_>], duration: Duration) {
    std::thread::scope(|scope| {
        let mut asking = Vec::new();
        for site in sites {
            asking.push(begin(scope, world, site.node, || site.live()));
            begin(scope, world, "follower", || follower::follow(world, site));
        }
        asking.push(begin(scope, world, "fate", || fate::strike(world, sites)));
        asking.push(begin(scope, world, "author", || author::write(world)));
        begin(scope, world, "operator", || operator::work(world));
        begin(scope, world, "warden", || warden::watch(world));
        let start = Instant::now();
        wait::within(duration, || world.has_failed().then_some(()));
        wait::within(PATIENCE, || (world.has_failed() || missing(world).is_empty()).then_some(()));
        world.journal.note("soak", format!("over after {:?}", start.elapsed()));
        world.end();
        for thread in asking {
            // A failure shows at the end of the scope.
            let _ = thread.join();
        }
        world.still();
    });
    assert!(!world.has_failed(), "see above");
    assert_eq!(missing(world), [""; 0], "it did not happen often enough:\n{}", world.journal.summary());
}

/// One of the cast goes to work; the soak ends for all if it fails.
fn begin<'s>(
    scope: &'s Scope<'s, '_>,
    world: &'s World<'_>,
    name: &str,
    work: impl FnOnce() + Send + 's,
) -> ScopedJoinHandle<'s, ()> {
    let work = move || {
        let _alarm = world.alarm();
        work();
    };
    Builder::new().name(name.to_owned()).spawn_scoped(scope, work).expect("start a thread")
}

/// What has not happened often enough.
fn missing(world: &World<'_>) -> Vec<&'static str> {
    let blows = Blow::ALL.iter().map(|blow| (blow.as_str(), 1));
    let all = LEAST.iter().copied().chain(blows);
    all.filter(|(kind, least)| world.journal.times(kind) < *least).map(|(kind, _)| kind).collect()
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

fn schema() -> String {
    let mut sql =
        String::from("create schema soak; create schema \"Odd Schema\";\ncreate sequence soak.a_seq;\n");
    for table in STANDARD {
        sql += &format!(
            "create table {table} (recnum bigint primary key, t_rec timestamptz, quality int, note text);\n"
        );
    }
    sql += site::MOODS;
    sql += &format!("create table {TYPED} (recnum bigint primary key, mood moods.mood);\n");
    sql + &format!(
        r#"create table {ODD} ("K ey" text, "k\2" int, "select" text, "v""q" text, primary key ("K ey", "k\2"));"#
    )
}

fn rows() -> String {
    let insert = |table: &&str| {
        format!("insert into {table} select i, now(), i, 'seed ' || i from generate_series(1, 200) i;\n")
    };
    STANDARD.iter().map(insert).collect()
}

/// Keeps what is needed to understand a failure.
struct Relics<'w>(&'w World<'w>);

impl Drop for Relics<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let into = format!("{}/soak-{}", env!("CARGO_TARGET_TMPDIR"), self.0.journal.seed);
        let copy = "mkdir -p \"$1/sites\" && cp -r \"$2\" \"$1/centre\"; cp -r \"$3\"/*.log \"$1\"; \
                    cp -r \"$4\"/*.log \"$4\"/nso \"$4\"/so \"$4\"/nso_2 \"$4\"/mps \"$4\"/i-as \"$1/sites\"; \
                    cp -r \"$3/archives\" \"$1\"";
        let mut sh = Command::new("sh");
        sh.args(["-c", copy, "sh", &into]).arg(self.0.station.at("."));
        sh.arg(self.0.cluster.server().home().path()).arg(self.0.remote.home().path());
        let _ = sh.status();
        println!("what everybody has left is kept in {into}");
    }
}
