//! A site: its database, its configuration, its tools, and the one who asks for series.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use subscription_manager::protocol::Cuts;

use crate::dice::Dice;
use crate::process::{Ended, Process};
use crate::support::home::without_pg_variables;
use crate::support::postgres::feed;
use crate::support::site::OWNER;
use crate::support::wait;
use crate::world::{LIMIT, World};
use crate::{SERIES, shelf};

const SUBSCRIBE: &str = env!("CARGO_BIN_EXE_subscribe_series");
const FOLLOW: &str = env!("CARGO_BIN_EXE_get_slony_logs");

/// What a request may fail of, as the tool says it: what was put in its way.
const EXPECTED: &[&str] = &[
    "already exists",
    "is in this database already",
    "came to be in this database",
    "permission denied",
    "\"moods\"",
    "the logs of",
    "dump",
];

/// The type that [`crate::TYPED`] needs; only some sites have it.
pub(crate) const MOODS: &str = "create schema moods; create type moods.mood as enum ('well', 'ill');";

/// What takes the place of a table that is asked for.
const OBSTACLE: &str = "create schema if not exists soak; create table soak.a (obstacle int); create table soak.b (obstacle int)";

const REMOVE_OBSTACLES: &str = "do $$ declare it regclass; begin for it in select attrelid from pg_attribute where attname = \
                                'obstacle' loop execute 'drop table ' || it; end loop; end $$";

/// One of the sites.
pub(crate) struct Site<'w> {
    world: &'w World<'w>,
    pub(crate) node: &'static str,
    pub(crate) database: String,
    directory: PathBuf,
    pub(crate) asker: Process,
    pub(crate) follower: Process,
    /// What it is subscribed to.
    series: Mutex<BTreeSet<String>>,
}

/// What is put into the way of a request, once it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hindrance {
    Obstacle,
    Forbidden,
}

impl<'w> Site<'w> {
    /// An empty database, and a configuration; `line`: its settings for the line to the data centre.
    pub(crate) fn new(world: &'w World<'w>, node: &'static str, line: &str, has_type: bool) -> Self {
        let (remote, database) = (world.remote, format!("site_{}", node.replace('-', "_")));
        remote.create_database(&database);
        remote.execute("postgres", &format!("grant create on database {database} to {OWNER}"));
        if has_type {
            remote.execute(&database, &format!("set role {OWNER}; {MOODS}"));
        }
        let directory = remote.home().path().join(node);
        fs::create_dir_all(directory.join("bin")).expect("make a directory");
        let text = format!(
            "node {node}\nwebdb_dir {}\nrmt_slony_dir {}\npg_host {}\npg_port {}\npg_dbname {database}\n\
             ingestion_path {}\narchive 0\nretention 21\ntapegroup 1\nattempts 6\nline_patience 10\ninterval 1\n\
             on_drift stop\n{line}\n",
            world.station.at("triggers").display(),
            world.station.at("site_logs").display(),
            remote.socket_dir().display(),
            remote.port(),
            directory.join("bin").display(),
        );
        fs::write(directory.join("site.cfg"), text).expect("write a configuration");
        Self {
            world,
            node,
            database,
            directory,
            asker: Process::default(),
            follower: Process::default(),
            series: Mutex::default(),
        }
    }

    /// A path below its directory.
    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.directory.join(path)
    }

    /// A path below its working directory.
    pub(crate) fn work(&self, path: &str) -> PathBuf {
        self.at("bin").join(self.node).join(path)
    }

    /// What it is subscribed to, as it knows after its last request.
    pub(crate) fn series(&self) -> BTreeSet<String> {
        self.series.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The last log that it has applied; `None`: none yet, or its server is away.
    pub(crate) fn place(&self) -> Option<u64> {
        let place = "select at_counter from _jsoc.sl_archive_tracking";
        self.world.remote.try_query(&self.database, place)?.parse().ok()
    }

    /// Asks for this and that until the soak is over.
    pub(crate) fn live(&self) {
        let mut dice = self.world.dice(self.node);
        while self.world.goes_on() {
            self.request(&mut dice);
            self.world.rest(&mut dice, 2000);
        }
    }

    /// A request, from its list to its end, whatever happens meanwhile.
    fn request(&self, dice: &mut Dice) {
        let before = self.series();
        let (subscribe, unsubscribe) = choose(&before, dice);
        let mut wanted: BTreeSet<String> = before.difference(&unsubscribe).cloned().collect();
        wanted.extend(subscribe.iter().cloned());
        let line = |verb: &str, all: &BTreeSet<String>| -> String {
            all.iter().map(|series| format!("{series} {verb}\n")).collect()
        };
        let list = line("subscribe", &subscribe) + &line("unsubscribe", &unsubscribe);
        fs::write(self.at("list"), &list).expect("write a list");
        let hindrance = match dice.below(8) {
            0 => Some(Hindrance::Obstacle),
            1 => Some(Hindrance::Forbidden),
            _ => None,
        };
        let is_kept = dice.one_in(2);
        let words = list.trim_end().replace('\n', ", ");
        self.world.journal.note(self.node, format!("asks: {words} ({hindrance:?}, {is_kept})"));
        let now = self.see_through(&before, &wanted, is_kept, hindrance);
        self.series.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&now);
        if self.world.has_failed() {
            return;
        }
        self.insist("postgres", &format!("grant create on database {} to {OWNER}", self.database));
        self.insist(OWNER, REMOVE_OBSTACLES);
        assert_eq!(self.listed(), now, "{}: the site and the list of the data centre", self.node);
        if now == wanted && is_kept {
            self.drop_kept(&unsubscribe);
        }
        let kind = if now == wanted { "requests that went well" } else { "requests that failed" };
        self.world.journal.count(self.node, kind);
    }

    /// Runs the tool again and again until the request is over; returns what the site is subscribed to then.
    fn see_through(
        &self,
        before: &BTreeSet<String>,
        wanted: &BTreeSet<String>,
        is_kept: bool,
        mut hindrance: Option<Hindrance>,
    ) -> BTreeSet<String> {
        let mut dice = self.world.dice(&format!("patience of {}", self.node));
        let mut runs = 0;
        loop {
            let is_open = self.work("request").exists();
            if !is_open && runs > 0 {
                let now = self.subscribed();
                if now == *wanted {
                    return now;
                }
                assert_eq!(now, *before, "{}: half a request", self.node);
            }
            let ended = self.ask(is_open, is_kept, &mut hindrance);
            runs += 1;
            let is_open = self.work("request").exists();
            let last = ended.said.lines().last().unwrap_or_default();
            self.world
                .journal
                .note(self.node, format!("subscribe_series: {:?}, open {is_open}: {last}", ended.status));
            match ended.status {
                Some(0) => {
                    let now = self.subscribed();
                    assert_eq!(now, *wanted, "{}: all went well, it said\n{}", self.node, ended.said);
                    return now;
                }
                Some(4) if !is_open => {
                    let is_expected = EXPECTED.iter().any(|word| ended.said.contains(word));
                    assert!(is_expected, "{}: a failure that nobody caused\n{}", self.node, ended.said);
                    let now = self.subscribed();
                    // Its tables could not be dropped, or the like.
                    assert!(
                        now == *before || now == *wanted,
                        "{}: half a request\n{}",
                        self.node,
                        ended.said
                    );
                    return now;
                }
                None | Some(1 | 3) => {}
                other => panic!("{}: {other:?}\n{}", self.node, ended.said),
            }
            if self.world.has_failed() {
                return before.clone();
            }
            self.world.rest(&mut dice, 1000);
        }
    }

    /// Runs the tool once.
    fn ask(&self, is_open: bool, is_kept: bool, hindrance: &mut Option<Hindrance>) -> Ended {
        let mut command = self.tool(SUBSCRIBE);
        if is_open {
            command.arg("-r");
        } else {
            command.arg(self.at("list"));
        }
        command.arg(if is_kept { "--keep" } else { "--drop" });
        self.asker.run(command, &self.at("asker.log"), || {
            if hindrance.is_some()
                && fs::read_to_string(self.work("request")).is_ok_and(|text| text.contains("phase sent\n"))
            {
                self.hinder(hindrance.take());
            }
        })
    }

    fn hinder(&self, hindrance: Option<Hindrance>) {
        let (user, sql) = match hindrance {
            Some(Hindrance::Obstacle) => (OWNER, OBSTACLE.to_owned()),
            Some(Hindrance::Forbidden) => {
                ("postgres", format!("revoke create on database {} from {OWNER}", self.database))
            }
            None => return,
        };
        // Its server may be away, or the table be there.
        let done = feed(self.psql(user), &sql).status.success();
        self.world.journal.note(self.node, format!("{hindrance:?} is in the way: {done}"));
    }

    /// Tables that stayed go when all is applied that may hold rows of them.
    fn drop_kept(&self, unsubscribed: &BTreeSet<String>) {
        let cuts = fs::read(self.world.station.at(&format!("etc/{}.cuts", self.node)))
            .expect("a node that is known");
        let cuts = Cuts::parse(&cuts).expect("cuts that the manager wrote");
        let cut = cuts.starts().last().map(|from| from.value() - 1);
        let last = shelf::newest(self.world, self.node).max(cut);
        wait::until(&format!("{} to have applied log {last:?}", self.node), LIMIT, || {
            (self.world.has_failed() || self.place() >= last).then_some(())
        });
        let drops: String =
            unsubscribed.iter().map(|series| format!("drop table if exists {series};\n")).collect();
        self.insist(OWNER, &drops);
    }

    /// What the tool says the site is subscribed to.
    fn subscribed(&self) -> BTreeSet<String> {
        let status = wait::until(&format!("the status of {}", self.node), LIMIT, || {
            let mut command = Command::new(SUBSCRIBE);
            command.arg("status").arg(self.at("site.cfg"));
            let output = without_pg_variables(&mut command).output().expect("run subscribe_series");
            output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
        });
        let lines = status.lines().skip_while(|line| !line.starts_with("series "));
        let block = lines
            .enumerate()
            .take_while(|(at, line)| *at == 0 || line.starts_with(' '))
            .map(|(_, line)| &line[12..]);
        let series = block.filter(|line| *line != "none" && !line.starts_with("unsubscribed, tables kept"));
        series.map(str::to_owned).collect()
    }

    /// The list of the data centre.
    pub(crate) fn listed(&self) -> BTreeSet<String> {
        let text =
            fs::read_to_string(self.world.station.at(&format!("etc/{}.lst", self.node))).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Runs SQL at the site until it is done.
    #[track_caller]
    fn insist(&self, user: &str, sql: &str) {
        wait::until(&format!("the database of {} to do: {sql}", self.node), LIMIT, || {
            feed(self.psql(user), sql).status.success().then_some(())
        });
    }

    fn psql(&self, user: &str) -> Command {
        let mut psql = self.world.remote.psql(&self.database, user);
        psql.args(["-q", "-v", "ON_ERROR_STOP=1"]);
        psql
    }

    pub(crate) fn get_slony_logs(&self, args: &[&str]) -> Command {
        let mut command = self.tool(FOLLOW);
        command.args(args);
        command
    }

    fn tool(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.arg(self.at("site.cfg"));
        without_pg_variables(&mut command);
        command
    }
}

/// What is subscribed to, and what is left.
fn choose(has: &BTreeSet<String>, dice: &mut Dice) -> (BTreeSet<String>, BTreeSet<String>) {
    let absent: Vec<String> =
        SERIES.iter().map(|series| (*series).to_owned()).filter(|it| !has.contains(it)).collect();
    let has: Vec<String> = has.iter().cloned().collect();
    let (mut subscribe, mut unsubscribe) = (dice.some(&absent), dice.some(&has));
    match dice.below(3) {
        0 if !subscribe.is_empty() => unsubscribe.clear(),
        1 if !unsubscribe.is_empty() => subscribe.clear(),
        _ => {}
    }
    (subscribe.into_iter().collect(), unsubscribe.into_iter().collect())
}
