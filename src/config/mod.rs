//! The configuration of the manager, one checked value.

mod database;
mod hooks;
mod monitor;
mod watch;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tracing_subscriber::EnvFilter;

use crate::error::Result;
use crate::model::{Dialect, Node, SlonyNode, Unrouted};
use crate::paths::Paths;
use crate::settings::{Key, Keys, Reader, words};

pub(crate) use database::KNOWN as DATABASE_KEYS;
pub use database::{DatabaseConfig, Roots, Secret, TlsConfig, TlsMode};
pub use hooks::{HooksConfig, Lag, Limits};
pub use monitor::{MonitorConfig, MonitorSource};
pub use watch::{Listen, WatchConfig};

/// The settings of one installation, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where everything lies.
    pub paths: Paths,
    /// How to reach the log-shipping node's database.
    pub database: DatabaseConfig,
    /// Who may speak for which node, and what each may have; `None`: everybody for all, everything.
    pub access_file: Option<PathBuf>,
    /// The Slony cluster's name, without the leading underscore of its schema.
    pub cluster: String,
    /// The log-shipping node; `None`: what the database says.
    pub slony_node: Option<SlonyNode>,
    /// Where the log file goes; `None`: to standard error only.
    pub log_dir: Option<PathBuf>,
    /// What is logged, as in `info` or `info,subscription_manager=debug`.
    pub log_level: String,
    /// The role that owns the series at every site.
    pub owner: String,
    /// Roles that may read the series at a site.
    pub grant_to: Vec<String>,
    /// A request that is not answered for so long is rolled back.
    pub request_age: Duration,
    /// A trigger file without a line `end`, that was not renamed into place, is whole after so long without a change.
    pub settle: Duration,
    /// How often the directories are read again without a hint.
    pub rescan: Duration,
    /// A request fails when the database has been away for so long.
    pub database_patience: Duration,
    /// What dumps may do.
    pub dump: DumpConfig,
    /// How long logs are kept.
    pub life: LifeConfig,
    /// What is shown to those who watch.
    pub watch: WatchConfig,
    /// The dialect of nodes that are not named in `dialects`.
    pub dialect: Dialect,
    /// The dialects of single nodes.
    pub dialects: HashMap<Node, Dialect>,
    /// What becomes of statements of EXECUTE SCRIPT of which it cannot be told whether a node should have them.
    pub unrouted: Unrouted,
    /// What the monitor of PostgreSQL servers is to do; `None`: none is watched.
    pub monitor: Option<MonitorSource>,
    /// Which commands are run when something happens.
    pub hooks: HooksConfig,
}

/// What dumps may do.
#[derive(Debug, Clone, Copy)]
pub struct DumpConfig {
    /// How long somebody may wait for a dump's locks before the dump gives way.
    pub give_way: Duration,
    /// How many dumps may give way, or break, before the request is refused.
    pub attempts: u32,
    /// How many dumps run at once.
    pub jobs: usize,
    /// Bytes a second that a dump reads at the most; 0: no limit.
    pub rate: u64,
}

/// How long logs are kept, and as what.
#[derive(Debug, Clone, Copy)]
pub struct LifeConfig {
    /// Site logs that their site has not acknowledged; `None`: for ever, and their directories are left alone.
    pub site_logs: Option<Duration>,
    /// Archives that every node has its part of; `None`: slon's directory is left alone.
    pub archives: Option<Duration>,
    /// More singles than these are bundled; 0: never.
    pub bundle_after: usize,
}

/// Every key with its default, as `etc/subscription_manager.cfg` explains them; `None`: must be given or may stay away.
const KNOWN: &[(&str, Option<&str>)] = &[
    ("triggerdir", None),
    ("subscribers_dir", None),
    ("parser_config", None),
    ("tables_dir", None),
    ("pg_dbname", Some("jsoc")),
    ("access_file", None),
    ("cluster", Some("jsoc")),
    ("slony_node", None),
    ("archive_dir", None),
    ("work_dir", None),
    ("log_dir", None),
    ("log_level", Some("info")),
    ("owner", Some("slony")),
    ("grant_to", Some("")),
    // Days: long enough for a long weekend at the site.
    ("request_days", Some("3")),
    // Seconds: a stalled upload over a bad line pauses for less.
    ("settle", Some("5")),
    // Seconds: what the deployed scripts do.
    ("rescan", Some("10")),
    // Seconds: a restart or failover of the server takes less.
    ("database_patience", Some("600")),
    // Seconds.
    ("dump_yield", Some("30")),
    ("dump_attempts", Some("5")),
    ("dump_jobs", Some("2")),
    // Bytes a second; 0: no limit.
    ("dump_rate", Some("0")),
    // Days: a site may be down for a holiday season.
    ("site_log_days", Some("30")),
    // Days: for as long as a mistake may stay unnoticed.
    ("archive_days", Some("30")),
    // Logs: with one every ten seconds, three hours.
    ("bundle_after", Some("1000")),
    ("dialect", Some("psql")),
    ("site_dialects", Some("")),
    ("ddl_unrouted", Some("hold")),
];

const KEYS: Keys = Keys {
    known: &[DATABASE_KEYS, KNOWN, monitor::KNOWN, hooks::KNOWN, watch::KNOWN],
    aliases: hooks::ALIASES,
    unused: &[],
    environment: Some("SUBSCRIPTION_MANAGER"),
};

/// The words for dialects.
const DIALECTS: &[(&str, Dialect)] = &[("psql", Dialect::Psql), ("slony", Dialect::Slony)];

/// The words for statements that cannot be routed.
const UNROUTED: &[(&str, Unrouted)] =
    &[("hold", Unrouted::Hold), ("skip", Unrouted::Skip), ("all", Unrouted::Send)];

impl Config {
    /// Reads the file and the environment. All faults are reported together, each with its line.
    pub fn load(path: &Path) -> Result<Self> {
        KEYS.load(path, Self::check)
    }

    /// Reads a text, whatever the environment says.
    pub fn read(text: &str) -> Result<Self> {
        KEYS.read(text, Self::check)
    }

    /// Every key that there is.
    pub(crate) fn keys() -> Result<Vec<Key>> {
        KEYS.all(Self::check)
    }

    fn check(read: &mut Reader<'_>) -> Self {
        let tables_dir = directory(read, "tables_dir");
        let database = DatabaseConfig::read(read);
        let seconds = Duration::from_secs;
        Self {
            paths: Paths {
                triggerdir: directory(read, "triggerdir").unwrap_or_default(),
                subscribers_dir: directory(read, "subscribers_dir").unwrap_or_default(),
                registry: directory(read, "parser_config").unwrap_or_default(),
                work_dir: read.optional_path("work_dir").or_else(|| tables_dir.clone()).unwrap_or_default(),
                archive_dir: read.optional_path("archive_dir"),
                tables_dir: tables_dir.unwrap_or_default(),
            },
            monitor: MonitorSource::read(read, &database),
            database,
            access_file: read.optional_path("access_file"),
            cluster: read.text("cluster"),
            slony_node: read.optional("slony_node").map(SlonyNode),
            log_dir: read.optional_path("log_dir"),
            log_level: log_level(read, "log_level"),
            owner: read.text("owner"),
            grant_to: words(&read.text("grant_to")),
            request_age: read.days("request_days"),
            settle: seconds(read.number("settle")),
            rescan: seconds(read.positive("rescan")),
            database_patience: seconds(read.number("database_patience")),
            dump: DumpConfig {
                give_way: seconds(read.positive("dump_yield")),
                attempts: u32::try_from(read.positive("dump_attempts")).unwrap_or(u32::MAX),
                jobs: usize::try_from(read.positive("dump_jobs")).unwrap_or(1),
                rate: read.number("dump_rate"),
            },
            life: LifeConfig {
                site_logs: Some(read.days("site_log_days")).filter(|keep| !keep.is_zero()),
                archives: Some(read.days("archive_days")).filter(|keep| !keep.is_zero()),
                bundle_after: read.number("bundle_after"),
            },
            watch: WatchConfig::read(read),
            dialect: read.choice("dialect", DIALECTS, Dialect::Psql),
            dialects: dialects(read, "site_dialects"),
            unrouted: read.choice("ddl_unrouted", UNROUTED, Unrouted::Hold),
            hooks: HooksConfig::read(read),
        }
    }

    /// The dialect of a node's site logs.
    pub fn dialect_of(&self, node: &Node) -> Dialect {
        self.dialects.get(node).copied().unwrap_or(self.dialect)
    }
}

fn directory(read: &mut Reader<'_>, key: &str) -> Option<PathBuf> {
    let path = read.path(key)?;
    if path.to_string_lossy().contains(char::is_whitespace) {
        read.fault(key, "must not hold white space: the registry parts its paths by it");
    }
    Some(path)
}

/// What may be logged, the gravest first.
const LOG_LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

fn log_level(read: &mut Reader<'_>, key: &str) -> String {
    let level = read.text(key);
    // Any other word is a module to the library, and nothing else would be logged.
    let mut words =
        level.split(',').map(|part| part.rsplit_once('=').map_or(part, |(_, level)| level).trim());
    if let Err(error) = EnvFilter::try_new(&level) {
        read.fault(key, &format!("is not understood: {error}"));
    } else if let Some(word) = words.find(|word| !LOG_LEVELS.contains(word)) {
        read.fault(key, &format!("is not understood: `{word}` is none of {}", LOG_LEVELS.join(", ")));
    }
    level
}

fn dialects(read: &mut Reader<'_>, key: &str) -> HashMap<Node, Dialect> {
    let mut dialects = HashMap::new();
    for word in words(&read.text(key)) {
        let pair = word.split_once(':').and_then(|(node, text)| {
            let (_, dialect) = DIALECTS.iter().find(|(word, _)| *word == text)?;
            Some((node.parse().ok()?, *dialect))
        });
        match pair {
            Some((node, dialect)) => drop(dialects.insert(node, dialect)),
            None => read.fault(key, "takes words `node:psql` or `node:slony`"),
        }
    }
    dialects
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Hook, Occasion};

    const SMALL: &str =
        "triggerdir=/t/\nsubscribers_dir=/s\nparser_config=/e/slon_parser.cfg\ntables_dir=/e/\n";

    fn read(text: &str, environment: &[(&str, &str)]) -> (Config, Vec<String>) {
        let variables = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        KEYS.check(text, Some(variables), Config::check).unwrap()
    }

    #[test]
    fn the_documents_keys_are_enough() {
        let (config, faults) = read(SMALL, &[]);
        assert_eq!(faults, [""; 0]);
        assert_eq!((config.database.port, config.cluster.as_str()), (5432, "jsoc"));
        assert_eq!(config.paths.work_dir, Path::new("/e"));
        assert_eq!(config.paths.triggerdir, Path::new("/t"));
        assert_eq!(config.request_age, Duration::from_secs(3 * 86_400));
        assert_eq!(config.life.site_logs, Some(Duration::from_secs(30 * 86_400)));
    }

    #[test]
    fn the_environment_overrides_the_file() {
        let text = format!("{SMALL}pg_port=1\narchive_days=0\nsite_dialects=old:slony, so:psql\n");
        let (config, faults) = read(&text, &[("SUBSCRIPTION_MANAGER_PG_PORT", "6543")]);
        assert_eq!((config.database.port, faults.len()), (6543, 0));
        assert_eq!(config.life.archives, None);
        assert_eq!(config.dialect_of(&"old".parse().unwrap()), Dialect::Slony);
        assert_eq!(config.dialect_of(&"new".parse().unwrap()), Dialect::Psql);
    }

    #[test]
    fn all_faults_are_reported_with_their_lines() {
        let text =
            "triggerdir=t\nsubscribers_dir=/s\ntables_dir=/e\npgport=5\nrescan=0\npg_port=x\nrescan=1\n";
        let environment = [("SUBSCRIPTION_MANAGER_DUMP_YIELD", "soon"), ("SUBSCRIPTION_MANAGER_OWNERS", "x")];
        let (_, faults) = read(text, &environment);
        let expected = [
            "environment SUBSCRIPTION_MANAGER_OWNERS: `owners` is no key (did you mean `owner`?)",
            "line 4: `pgport` is no key (did you mean `pg_port`?)",
            "line 7: `rescan` is given twice",
            "line 1: `triggerdir` must be an absolute path",
            "`parser_config` is missing",
            "line 6: `pg_port` must be a whole number in its range",
            "environment SUBSCRIPTION_MANAGER_DUMP_YIELD: `dump_yield` must be a whole number in its range",
        ];
        for fault in expected {
            assert!(faults.iter().any(|found| found == fault), "{fault} is not in {faults:#?}");
        }
        assert_eq!(faults.len(), expected.len(), "{faults:#?}");
    }

    #[test]
    fn the_monitor_is_set_up_here_or_by_a_file_of_its_own() {
        assert!(read(SMALL, &[]).0.monitor.is_none());
        let keys = "monitor_nodes=a:1, /run/b:2\nmonitor_dbname=m\nmonitor_user=u\nmonitor_heartbeat=0.5\n\
                    monitor_on_primary_down=/bin/tell 'the two'\npg_sslmode=require\n";
        let (config, faults) = read(&format!("{SMALL}{keys}"), &[]);
        assert_eq!(faults, [""; 0]);
        let Some(MonitorSource::Here(monitor)) = config.monitor else { panic!("{:?}", config.monitor) };
        assert_eq!(monitor.servers, ["a:1".parse().unwrap(), "/run/b:2".parse().unwrap()]);
        assert_eq!(monitor.heartbeat, Duration::from_millis(500));
        assert_eq!(monitor.max_sync_delay, Duration::from_secs(120));
        assert_eq!(monitor.triggers[&Occasion::PrimaryDown], ["/bin/tell", "the two"]);
        let database = monitor.database_at(&monitor.servers[0]);
        assert_eq!((database.host.as_str(), database.tls.mode), ("a", TlsMode::Require));

        let (config, faults) = read(&format!("{SMALL}monitor_config=/e/plusmoin.json\n"), &[]);
        assert_eq!(faults, [""; 0]);
        assert!(matches!(config.monitor, Some(MonitorSource::File(..))));

        let bad = "monitor_config=/e/plusmoin.json\nmonitor_heartbeat=1\n";
        let (_, faults) = read(&format!("{SMALL}{bad}"), &[]);
        let expected =
            "line 6: `monitor_heartbeat` cannot stand beside `monitor_config`: the file says everything";
        assert_eq!(faults, [expected]);

        let bad = "monitor_nodes=a:1 a:1 b\nmonitor_heartbeat=0\nmonitor_user=u\nmonitor_on_up='x\n";
        let (_, faults) = read(&format!("{SMALL}{bad}"), &[]);
        let expected = [
            "line 5: `monitor_nodes` names `a:1` twice",
            "line 5: `monitor_nodes` has `b`, which is not `host:port`",
            "`monitor_dbname` is missing",
            "line 6: `monitor_heartbeat` must be more than 0",
            "line 8: `monitor_on_up` is no command: `'x` has a quote without its end",
        ];
        assert_eq!(faults, expected);
    }

    #[test]
    fn hooks_are_commands_with_two_limits() {
        let text =
            format!("{SMALL}hook.started=/bin/sh -c 'a  b'\nhook.node_behind=mail root\nbehind_logs=9\n");
        let (config, faults) = read(&text, &[("SUBSCRIPTION_MANAGER_HOOK_STOPPED", "/bin/true")]);
        assert_eq!(faults, [""; 0]);
        let hooks = config.hooks;
        assert_eq!(hooks.commands[&Hook::Started], ["/bin/sh", "-c", "a  b"]);
        assert_eq!(hooks.commands.len(), 3);
        assert_eq!(hooks.limits.behind, Lag { logs: Some(9), age: Some(Duration::from_secs(3600)) });
        assert_eq!(hooks.limits.recovered, Lag { logs: Some(0), age: Some(Duration::from_secs(600)) });

        let text = format!(
            "{SMALL}hook.started=/etc/passwd\nhook.stopped='x\nhook.gone=x\nbehind_age=0\nhook.node_behind=x\n\
             behind_logs=0\nlog_level=x=y=z\n"
        );
        // A program need not be there.
        let (_, faults) = read(&text, &[]);
        let expected = [
            "line 7: `hook.gone` is no key",
            "line 11: `log_level` is not understood: error parsing level filter: expected one of \"off\", \"error\", \"warn\", \"info\", \"debug\", \"trace\", or a number 0-5",
            "line 6: `hook.stopped` is no command: `'x` has a quote without its end",
            "line 9: `hook.node_behind` is never run: `behind_logs` and `behind_age` are 0",
        ];
        assert_eq!(faults, expected);
        let (_, faults) = read(&format!("{SMALL}behind_age=60\n"), &[]);
        assert_eq!(faults, ["`recovered_age` must be less than `behind_age`"]);
    }

    #[test]
    fn the_sample_is_a_configuration() {
        let (_, faults) = read(include_str!("../../etc/subscription_manager.cfg"), &[]);
        assert_eq!(faults, [""; 0]);
    }
}
