//! What the monitor of PostgreSQL servers is to do: the keys `monitor_*`, which mean what plusmoin means by the same words, or
//! its own file (`monitor_config`), which `monitor` reads.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use super::DatabaseConfig;
use crate::model::{Address, Occasion};
use crate::settings::{Reader, words};

/// Where the settings of the monitor stand.
#[derive(Debug, Clone)]
pub enum MonitorSource {
    /// In a file of plusmoin's form, with everything of this value that such a file does not say.
    File(PathBuf, Box<MonitorConfig>),
    /// In our own.
    Here(Box<MonitorConfig>),
}

/// The settings of the monitor. Its defaults are those of plusmoin.
#[derive(Debug, Clone, PartialEq)]
pub struct MonitorConfig {
    /// The servers, each once.
    pub servers: Vec<Address>,
    /// Role, database, password and encryption, for all of them; host and port are each one's own.
    pub database: DatabaseConfig,
    /// How often they are looked at.
    pub heartbeat: Duration,
    /// A standby farther behind is lost.
    pub max_sync_delay: Duration,
    /// A lost standby that is no farther behind is back.
    pub recover_sync_delay: Duration,
    /// How long one server may take to say how it is.
    pub connect_timeout: Duration,
    /// How long a command may take.
    pub trigger_timeout: Duration,
    /// What is run on which occasion: the words of the command.
    pub triggers: HashMap<Occasion, Vec<String>>,
    /// Gives `true` at a standby.
    pub standby_statement: String,
    /// Where the status stands for other programs.
    pub status_file: PathBuf,
}

impl Default for MonitorConfig {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            database: DatabaseConfig::default(),
            heartbeat: Duration::from_secs(60),
            max_sync_delay: Duration::from_secs(120),
            recover_sync_delay: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(60),
            trigger_timeout: Duration::from_secs(60),
            triggers: HashMap::new(),
            standby_statement: "SELECT pg_is_in_recovery()".to_owned(),
            status_file: PathBuf::from("/var/run/plusmoin/status.json"),
        }
    }
}

/// Every key. The defaults are those of [`MonitorConfig`], so that it can be told which are given.
pub(super) const KNOWN: &[(&str, Option<&str>)] = &[
    ("monitor_config", None),
    ("monitor_nodes", None),
    ("monitor_dbname", None),
    ("monitor_user", None),
    ("monitor_heartbeat", None),
    ("monitor_max_sync_delay", None),
    ("monitor_recover_sync_delay", None),
    ("monitor_connect_timeout", None),
    ("monitor_trigger_timeout", None),
    ("monitor_standby_statement", None),
    ("monitor_status_file", None),
    ("monitor_on_up", None),
    ("monitor_on_heartbeat", None),
    ("monitor_on_primary_down", None),
    ("monitor_on_primary_up", None),
    ("monitor_on_standby_down", None),
    ("monitor_on_standby_up", None),
];

impl MonitorSource {
    /// Takes the keys out. `database` is the one of the log-shipping node: password file and encryption are the same for all
    /// servers. `None`: nothing is watched.
    pub(super) fn read(read: &mut Reader<'_>, database: &DatabaseConfig) -> Option<Self> {
        let base = MonitorConfig {
            database: DatabaseConfig {
                passfile: database.passfile.clone(),
                tls: database.tls.clone(),
                ..DatabaseConfig::default()
            },
            ..MonitorConfig::default()
        };
        let own: Vec<&str> = KNOWN
            .iter()
            .map(|(key, _)| *key)
            .filter(|key| *key != "monitor_config" && read.given(key).is_some())
            .collect();
        if let Some(file) = read.optional_path("monitor_config") {
            for key in own {
                read.fault(key, "cannot stand beside `monitor_config`: the file says everything");
            }
            return Some(Self::File(file, Box::new(base)));
        }
        let first = own.first()?;
        if read.given("monitor_nodes").is_none() {
            read.fault(first, "needs `monitor_nodes`: the servers to watch");
        }
        Some(Self::Here(Box::new(base.with_keys(read))))
    }
}

impl MonitorConfig {
    fn with_keys(mut self, read: &mut Reader<'_>) -> Self {
        for word in words(&read.text("monitor_nodes")) {
            match word.parse() {
                Ok(address) if self.servers.contains(&address) => {
                    read.fault("monitor_nodes", &format!("names `{word}` twice"));
                }
                Ok(address) => self.servers.push(address),
                Err(_) => read.fault("monitor_nodes", &format!("has `{word}`, which is not `host:port`")),
            }
        }
        for (key, value) in
            [("monitor_dbname", &mut self.database.dbname), ("monitor_user", &mut self.database.user)]
        {
            match read.given(key) {
                Some(given) => *value = given,
                None => read.fault(key, "is missing"),
            }
        }
        for (key, value, may_be_zero) in [
            ("monitor_heartbeat", &mut self.heartbeat, false),
            ("monitor_max_sync_delay", &mut self.max_sync_delay, true),
            ("monitor_recover_sync_delay", &mut self.recover_sync_delay, true),
            ("monitor_connect_timeout", &mut self.connect_timeout, false),
            ("monitor_trigger_timeout", &mut self.trigger_timeout, false),
        ] {
            match read.seconds(key) {
                Some(given) if given.is_zero() && !may_be_zero => read.fault(key, "must be more than 0"),
                Some(given) => *value = given,
                None => {}
            }
        }
        if let Some(statement) = read.given("monitor_standby_statement") {
            self.standby_statement = statement;
        }
        if let Some(path) = read.optional_path("monitor_status_file") {
            self.status_file = path;
        }
        for occasion in Occasion::ALL {
            if let Some(line) = read.given(occasion.key()) {
                match crate::command::words(&line) {
                    Ok(words) => drop(self.triggers.insert(occasion, words)),
                    Err(fault) => read.fault(occasion.key(), &format!("is no command: {fault}")),
                }
            }
        }
        self
    }

    /// Whether the server of this database is one of those that are watched, as it is spelled.
    pub fn watches(&self, database: &DatabaseConfig) -> bool {
        self.servers.iter().any(|server| server.host == database.host && server.port == database.port)
    }

    /// How to reach one of the servers.
    pub fn database_at(&self, server: &Address) -> DatabaseConfig {
        DatabaseConfig { host: server.host.clone(), port: server.port, ..self.database.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    const PATHS: &str = "triggerdir=/t\nsubscribers_dir=/s\nparser_config=/e/r\ntables_dir=/e\n";

    fn read(text: &str) -> MonitorConfig {
        match Config::read(&format!("{PATHS}{text}")).unwrap().monitor {
            Some(MonitorSource::Here(monitor)) => *monitor,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn our_own_keys_say_what_those_of_the_reference_do() {
        let monitor = read(
            "monitor_nodes=a:1, /run/pg:2\nmonitor_dbname=d\nmonitor_user=u\nmonitor_heartbeat=0.5\nmonitor_max_sync_delay=6\n\
             monitor_recover_sync_delay=4\nmonitor_connect_timeout=20\nmonitor_trigger_timeout=30\n\
             monitor_standby_statement=select is_standby()\nmonitor_status_file=/run/s.json\nmonitor_on_up=/tell up\n\
             monitor_on_heartbeat=/tell heartbeat\nmonitor_on_primary_down=/tell 'primary down'\n\
             monitor_on_primary_up=/tell primary up\nmonitor_on_standby_down=/tell down\nmonitor_on_standby_up=/tell $up\n",
        );
        let words = |line: &[&str]| line.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let expected = MonitorConfig {
            servers: ["a:1", "/run/pg:2"].map(|server| server.parse().unwrap()).into(),
            database: DatabaseConfig { dbname: "d".into(), user: "u".into(), ..monitor.database.clone() },
            heartbeat: Duration::from_millis(500),
            max_sync_delay: Duration::from_secs(6),
            recover_sync_delay: Duration::from_secs(4),
            connect_timeout: Duration::from_secs(20),
            trigger_timeout: Duration::from_secs(30),
            triggers: HashMap::from([
                (Occasion::Up, words(&["/tell", "up"])),
                (Occasion::Heartbeat, words(&["/tell", "heartbeat"])),
                (Occasion::PrimaryDown, words(&["/tell", "primary down"])),
                (Occasion::PrimaryUp, words(&["/tell", "primary", "up"])),
                (Occasion::StandbyDown, words(&["/tell", "down"])),
                (Occasion::StandbyUp, words(&["/tell", "$up"])),
            ]),
            standby_statement: "select is_standby()".into(),
            status_file: "/run/s.json".into(),
        };
        assert_eq!(monitor, expected);
    }

    #[test]
    fn a_server_is_watched_as_it_is_spelled() {
        let monitor = read("monitor_nodes=db1.example.org:5432\nmonitor_dbname=d\nmonitor_user=u\n");
        let at = |host: &str, port| DatabaseConfig { host: host.into(), port, ..DatabaseConfig::default() };
        assert!(monitor.watches(&at("db1.example.org", 5432)));
        for (host, port) in [("localhost", 5432), ("db1", 5432), ("db1.example.org", 5433)] {
            assert!(!monitor.watches(&at(host, port)), "{host}:{port}");
        }
    }
}
