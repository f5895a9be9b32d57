//! The configuration: `key=value` lines and the environment in, one checked value out.
//!
//! The `config` crate layers file and environment and remembers where each value came from; what is asked of a value
//! stands in `Faults`, which collects every fault before anything is refused.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use ::config::{Environment, Map, Source, Value, ValueKind};

use crate::error::{Context, Error, Result};
use crate::model::{Dialect, Node, SlonyNode, Unrouted};
use crate::paths::Paths;
use crate::protocol::key_value;

/// The settings of one installation, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where everything lies.
    pub paths: Paths,
    /// How to reach the log-shipping node's database.
    pub database: DatabaseConfig,
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
    /// The dialect of nodes that are not named in `dialects`.
    pub dialect: Dialect,
    /// The dialects of single nodes.
    pub dialects: HashMap<Node, Dialect>,
    /// What becomes of statements of EXECUTE SCRIPT of which it cannot be told whether a node should have them.
    pub unrouted: Unrouted,
}

/// How to reach PostgreSQL.
#[derive(Debug, Clone)]
pub struct DatabaseConfig {
    /// Host name, address, or the directory of a Unix socket.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Role.
    pub user: String,
    /// Database.
    pub dbname: String,
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
const KEYS: [(&str, Option<&str>); 30] = [
    ("triggerdir", None),
    ("subscribers_dir", None),
    ("parser_config", None),
    ("tables_dir", None),
    ("pg_host", Some("localhost")),
    ("pg_port", Some("5432")),
    ("pg_user", Some("slony")),
    ("pg_dbname", Some("jsoc")),
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

impl Config {
    /// Reads the file and the environment. All faults are reported together, each with its line.
    pub fn load(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).context("read", path)?;
        let environment = Environment::with_prefix("SUBSCRIPTION_MANAGER");
        let mut faults = Faults::default();
        let values = layered(&text, environment, &mut faults)?;
        let config = Self::check(&values, &mut faults);
        if faults.0.is_empty() {
            return Ok(config);
        }
        let list: String = faults.0.iter().map(|fault| format!("\n  {fault}")).collect();
        Err(Error::Fatal(format!("the configuration `{}` has faults:{list}", path.display())))
    }

    fn check(values: &Map<String, Value>, faults: &mut Faults) -> Self {
        let mut read = Reader { values, faults };
        let tables_dir = read.directory("tables_dir");
        let seconds = Duration::from_secs;
        Self {
            paths: Paths {
                triggerdir: read.directory("triggerdir").unwrap_or_default(),
                subscribers_dir: read.directory("subscribers_dir").unwrap_or_default(),
                registry: read.directory("parser_config").unwrap_or_default(),
                work_dir: read.optional_path("work_dir").or_else(|| tables_dir.clone()).unwrap_or_default(),
                archive_dir: read.optional_path("archive_dir"),
                tables_dir: tables_dir.unwrap_or_default(),
            },
            database: DatabaseConfig {
                host: read.text("pg_host"),
                port: read.number("pg_port"),
                user: read.text("pg_user"),
                dbname: read.text("pg_dbname"),
            },
            cluster: read.text("cluster"),
            slony_node: read.optional("slony_node").map(SlonyNode),
            log_dir: read.optional_path("log_dir"),
            log_level: read.text("log_level"),
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
            dialect: read.dialect("dialect"),
            dialects: read.dialects("site_dialects"),
            unrouted: read.unrouted("ddl_unrouted"),
        }
    }

    /// The dialect of a node's site logs.
    pub fn dialect_of(&self, node: &Node) -> Dialect {
        self.dialects.get(node).copied().unwrap_or(self.dialect)
    }
}

/// Faults found so far, each with the place of the value.
#[derive(Default)]
struct Faults(Vec<String>);

/// The file of the document as a layer.
#[derive(Debug, Clone)]
struct KeyValueFile(Map<String, Value>);

impl Source for KeyValueFile {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ::config::ConfigError> {
        Ok(self.0.clone())
    }
}

fn layered(text: &str, environment: Environment, faults: &mut Faults) -> Result<Map<String, Value>> {
    let mut file = Map::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let place = format!("line {}", at + 1);
        let (key, value) = key_value(line);
        let value = Value::new(Some(&place), ValueKind::String(unquoted(value).to_owned()));
        if !KEYS.iter().any(|(known, _)| *known == key) {
            faults.0.push(format!("{place}: `{key}` is no key{}", hint(key)));
        } else if file.insert(key.to_owned(), value).is_some() {
            faults.0.push(format!("{place}: `{key}` is given twice"));
        }
    }
    let mut layers = ::config::Config::builder();
    for (key, default) in KEYS {
        if let Some(default) = default {
            layers = layers.set_default(key, default).map_err(|e| Error::Fatal(e.to_string()))?;
        }
    }
    let values = layers
        .add_source(KeyValueFile(file))
        .add_source(environment)
        .build()
        .and_then(|built| built.collect())
        .map_err(|e| Error::Fatal(e.to_string()))?;
    for key in values.keys().filter(|key| !KEYS.iter().any(|(known, _)| known == key)) {
        let variable = key.to_ascii_uppercase();
        faults.0.push(format!("environment SUBSCRIPTION_MANAGER_{variable}: `{key}` is no key{}", hint(key)));
    }
    Ok(values)
}

/// The known key nearest to a misspelt one: with the same first letters.
fn hint(key: &str) -> String {
    let near = KEYS.iter().map(|(known, _)| *known).find(|known| {
        let bare = |text: &str| text.replace(['_', '-'], "").to_ascii_lowercase();
        bare(known) == bare(key) || (key.len() > 3 && (known.starts_with(key) || key.starts_with(known)))
    });
    near.map(|near| format!(" (did you mean `{near}`?)")).unwrap_or_default()
}

fn unquoted(value: &str) -> &str {
    let inside = |quote: char| value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    inside('"').or_else(|| inside('\'')).unwrap_or(value)
}

fn words(text: &str) -> Vec<String> {
    text.split([',', ' ', '\t']).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// Takes values out one by one; what is wrong goes to the faults and a stand-in goes on.
struct Reader<'a> {
    values: &'a Map<String, Value>,
    faults: &'a mut Faults,
}

impl Reader<'_> {
    fn fault(&mut self, key: &str, what: &str) {
        let place = match self.values.get(key).and_then(Value::origin) {
            Some(line) if line.starts_with("line ") => format!("{line}: "),
            Some(_) => format!("environment SUBSCRIPTION_MANAGER_{}: ", key.to_ascii_uppercase()),
            None => String::new(),
        };
        self.faults.0.push(format!("{place}`{key}` {what}"));
    }

    fn given(&self, key: &str) -> Option<String> {
        let text = self.values.get(key)?.clone().into_string().ok()?;
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    fn text(&self, key: &str) -> String {
        self.given(key).unwrap_or_default()
    }

    fn optional<T: FromStr>(&mut self, key: &str) -> Option<T> {
        let parsed = self.given(key)?.parse().ok();
        if parsed.is_none() {
            self.fault(key, "must be a whole number in its range");
        }
        parsed
    }

    fn number<T: FromStr + Default>(&mut self, key: &str) -> T {
        self.optional(key).unwrap_or_default()
    }

    fn positive(&mut self, key: &str) -> u64 {
        match self.optional(key) {
            Some(0) => {
                self.fault(key, "must be at least 1");
                1
            }
            value => value.unwrap_or(1),
        }
    }

    fn days(&mut self, key: &str) -> Duration {
        Duration::from_secs(self.number::<u64>(key).saturating_mul(24 * 60 * 60))
    }

    fn optional_path(&mut self, key: &str) -> Option<PathBuf> {
        let path = PathBuf::from(self.given(key)?);
        if path.is_absolute() {
            // Without a last slash, so that `with_file_name` and messages are the same for every spelling.
            return Some(path.components().collect());
        }
        self.fault(key, "must be an absolute path");
        None
    }

    fn directory(&mut self, key: &str) -> Option<PathBuf> {
        if self.given(key).is_none() {
            self.fault(key, "is missing");
        }
        let path = self.optional_path(key)?;
        if path.to_string_lossy().contains(char::is_whitespace) {
            self.fault(key, "must not hold white space: the registry parts its paths by it");
        }
        Some(path)
    }

    fn dialect(&mut self, key: &str) -> Dialect {
        let text = self.text(key);
        dialect(&text).unwrap_or_else(|| {
            self.fault(key, "must be `psql` or `slony`");
            Dialect::Psql
        })
    }

    fn unrouted(&mut self, key: &str) -> Unrouted {
        match self.text(key).as_str() {
            "hold" => Unrouted::Hold,
            "skip" => Unrouted::Skip,
            "all" => Unrouted::Send,
            _ => {
                self.fault(key, "must be `hold`, `skip` or `all`");
                Unrouted::Hold
            }
        }
    }

    fn dialects(&mut self, key: &str) -> HashMap<Node, Dialect> {
        let mut dialects = HashMap::new();
        for word in words(&self.text(key)) {
            let pair =
                word.split_once(':').and_then(|(node, text)| Some((node.parse().ok()?, dialect(text)?)));
            match pair {
                Some((node, dialect)) => drop(dialects.insert(node, dialect)),
                None => self.fault(key, "takes words `node:psql` or `node:slony`"),
            }
        }
        dialects
    }
}

fn dialect(text: &str) -> Option<Dialect> {
    match text {
        "psql" => Some(Dialect::Psql),
        "slony" => Some(Dialect::Slony),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str =
        "triggerdir=/t/\nsubscribers_dir=/s\nparser_config=/e/slon_parser.cfg\ntables_dir=/e/\n";

    fn read(text: &str, environment: &[(&str, &str)]) -> (Config, Vec<String>) {
        let variables = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let environment = Environment::with_prefix("SUBSCRIPTION_MANAGER").source(Some(variables));
        let mut faults = Faults::default();
        let values = layered(text, environment, &mut faults).unwrap();
        (Config::check(&values, &mut faults), faults.0)
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
    fn the_sample_is_a_configuration() {
        let (_, faults) = read(include_str!("../etc/subscription_manager.cfg"), &[]);
        assert_eq!(faults, [""; 0]);
    }
}
