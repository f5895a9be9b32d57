//! The configuration of the remote site's tools: the document's keys, those of the deployed `get_slony_logs.pl`, and what
//! was added. One file serves both tools.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::{DATABASE_KEYS, DatabaseConfig};
use crate::error::Result;
use crate::model::{Compression, Node, NodeFault};
use crate::protocol::Stem;
use crate::settings::{Key, Keys, Reader, words};
use crate::transport::HostConfig;

/// The settings of a remote site, checked.
#[derive(Debug, Clone)]
pub struct SiteConfig {
    /// The site's name at the data centre.
    pub node: Node,
    /// The Slony cluster's name, without the leading underscore of its schema.
    pub cluster: String,
    /// How to reach the data centre's host.
    pub host: HostConfig,
    /// The drop directory there; `None`: this file is for `get_slony_logs` alone.
    pub triggerdir: Option<String>,
    /// The directory there in which the node's directory of site logs lies; `None`: this file is for `subscribe_series`
    /// alone.
    pub site_logs: Option<String>,
    /// The site's database.
    pub database: DatabaseConfig,
    /// DRMS settings for the request; `None` keeps the data centre's value, as for the next two.
    pub archive: Option<i32>,
    /// Days that the site keeps data segments on disk.
    pub retention: Option<i32>,
    /// The tape group at the site.
    pub tapegroup: Option<i32>,
    /// How long an answer of the server is waited for.
    pub patience: Duration,
    /// How long a broken line is tried again before the tool gives up.
    pub line_patience: Duration,
    /// How often `--follow` looks for new logs.
    pub interval: Duration,
    /// The directory of the die file.
    pub ingestion_dir: PathBuf,
    /// Where the tools keep what they must remember.
    pub work_dir: PathBuf,
    /// Where site logs are put before they are applied, and kept if they are.
    pub logs_dir: PathBuf,
    /// The dialect of the files in the drop directory.
    pub stem: Stem,
    /// How the SQL may be compressed.
    pub accept: Option<Compression>,
    /// What happens when a change meets no row.
    pub on_drift: OnDrift,
    /// How long applied site logs are kept; `None`: not at all.
    pub keep_logs: Option<Duration>,
    /// More kept singles than these are bundled; 0: never.
    pub bundle_after: usize,
    /// The command that is told of failures; its words.
    pub on_error: Vec<String>,
    /// Who gets a mail on failures.
    pub email_list: Vec<String>,
}

/// What happens when an UPDATE or DELETE meets no row: the copy has drifted from the original.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDrift {
    /// It is reported.
    Warn,
    /// The log is not applied.
    Stop,
}

/// Every key with its default, as `etc/site.cfg` explains them; `None`: must be given or may stay away.
const KNOWN: &[(&str, Option<&str>)] = &[
    ("node", None),
    ("webdb_ip", None),
    ("webdb_port", None),
    ("webdb_user", None),
    ("webdb_dir", None),
    ("rmt_slony_dir", None),
    ("ssh_cmd", Some("ssh")),
    ("slony_cluster", Some("jsoc")),
    ("pg_dbname", None),
    ("archive", None),
    ("retention", None),
    ("tapegroup", None),
    // Times five seconds, as the document counts: an hour. A large dump takes its time.
    ("attempts", Some("720")),
    // Seconds: a router restarts in less. What was done stays done, so that giving up costs nothing.
    ("line_patience", Some("300")),
    // Seconds.
    ("interval", Some("10")),
    ("ingestion_path", None),
    ("work_dir", None),
    ("slony_logs", None),
    ("stem", Some("subscription_series")),
    ("accept", Some("zstd")),
    ("on_drift", Some("warn")),
    // Days.
    ("keep_logs", Some("0")),
    ("bundle_after", Some("0")),
    ("on_error", Some("")),
    ("email_list", Some("")),
];

const KEYS: Keys = Keys {
    known: &[DATABASE_KEYS, KNOWN],
    // The deployed get_slony_logs.pl.
    aliases: &[
        ("kRSServer", "webdb_ip"),
        ("rmt_hostname", "webdb_ip"),
        ("kRSPort", "webdb_port"),
        ("rmt_port", "webdb_port"),
        ("kRSUser", "webdb_user"),
        ("user", "webdb_user"),
        ("cluster", "slony_cluster"),
    ],
    unused: &["pg_schema", "PSQL", "scp_cmd"],
    environment: None,
};

/// The words for stems.
const STEMS: &[(&str, Stem)] =
    &[("subscription_series", Stem::Document), ("subscribe_series", Stem::Deployed)];

/// The words for packings.
const PACKINGS: &[(&str, Option<Compression>)] =
    &[("zstd", Some(Compression::Zstd)), ("gzip", Some(Compression::Gzip)), ("none", None)];

/// The words for what happens on drift.
const DRIFT: &[(&str, OnDrift)] = &[("warn", OnDrift::Warn), ("stop", OnDrift::Stop)];

/// The pause between two attempts of the document's client.
const ATTEMPT: Duration = Duration::from_secs(5);

impl SiteConfig {
    /// Reads the file. All faults are reported together, each with its line.
    pub fn load(path: &Path) -> Result<Self> {
        // A fault is reported before anything is made of a stand-in, which none of them outlives.
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
        for key in ["node", "pg_dbname"] {
            if read.given(key).is_none() {
                read.fault(key, "is missing");
            }
        }
        let node: Node = read.text("node").parse().unwrap_or_else(|fault: NodeFault| {
            if read.given("node").is_some() {
                read.fault("node", &format!("is not understood: {fault}"));
            }
            "nobody".parse().expect("a plain word is a node name")
        });
        let ingestion_dir = read.path("ingestion_path").unwrap_or_default();
        let work_dir = read.optional_path("work_dir").unwrap_or_else(|| ingestion_dir.join(node.to_string()));
        if work_dir == ingestion_dir && read.given("work_dir").is_some() {
            read.fault(
                "work_dir",
                "must not be `ingestion_path` itself: what others keep there is not ours to clear",
            );
        }
        let cluster = read.text("slony_cluster");
        let logs_dir = match read.optional_path("slony_logs") {
            Some(directory) => directory.join(&cluster),
            None => work_dir.join("logs"),
        };
        let seconds = Duration::from_secs;
        Self {
            host: HostConfig {
                name: read.given("webdb_ip"),
                port: read.optional("webdb_port"),
                user: read.given("webdb_user"),
                ssh: command(&read.text("ssh_cmd")),
            },
            triggerdir: directory(read, "webdb_dir"),
            site_logs: directory(read, "rmt_slony_dir"),
            database: DatabaseConfig::read(read),
            archive: read.optional("archive"),
            retention: read.optional("retention"),
            tapegroup: read.optional("tapegroup"),
            patience: ATTEMPT.saturating_mul(read.number("attempts")),
            line_patience: seconds(read.number("line_patience")),
            interval: seconds(read.positive("interval")),
            stem: read.choice("stem", STEMS, Stem::Document),
            accept: read.choice("accept", PACKINGS, None),
            on_drift: read.choice("on_drift", DRIFT, OnDrift::Warn),
            keep_logs: Some(read.days("keep_logs")).filter(|keep| !keep.is_zero()),
            bundle_after: read.number("bundle_after"),
            on_error: command(&read.text("on_error")),
            email_list: words(&read.text("email_list")),
            node,
            cluster,
            ingestion_dir,
            work_dir,
            logs_dir,
        }
    }

    /// Where fetched logs lie until they are applied. Of this node alone: another one's logs have the same names.
    pub fn incoming_dir(&self) -> PathBuf {
        self.logs_dir.join(format!(".{}", self.node))
    }

    /// The file that says whose logs the site has followed so far.
    pub fn followed_node(&self) -> PathBuf {
        self.work_dir.join("slony_node")
    }

    /// The die file: while it is there, nothing is ingested. Its name is that of the deployed tools.
    pub fn die_file(&self) -> PathBuf {
        self.ingestion_dir.join(format!("get_slony_logs.{}.die", self.node))
    }
}

/// The words of a command; a comma belongs to its word, as in `ssh -J one,two`.
fn command(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// A directory at the server, without a last slash.
fn directory(read: &mut Reader<'_>, key: &str) -> Option<String> {
    let given = read.given(key)?;
    Some(given.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (SiteConfig, Vec<String>) {
        KEYS.check(text, None, SiteConfig::check).unwrap()
    }

    /// The keys of the document's `subscribe_series.cfg`.
    const DOCUMENT: &str = "\
        # Required connection information\nwebdb_ip 192.168.0.88\nwebdb_dir /stage/dev/triggers/\nwebdb_user postgres\n\
        pg_host localhost\npg_port 5432\npg_user slony\npg_dbname postgres\npg_schema public\narchive 0\nretention 21\n\
        tapegroup 1\nattempts 50\ningestion_path /home/production/subscribe_series/bin/\nnode node1\n";

    /// Those of the deployed `get_slony_logs.pl`, with what it has no word for.
    const DEPLOYED: &str = "\
        rmt_hostname=solarport.example.org\nrmt_port=55000\nuser=igor\nrmt_slony_dir=/scr21/slony_logs\n\
        slony_logs=/home/slony/logs\nPSQL=/usr/bin/psql -Uslony mydb\nemail_list='a@b.org c@d.org'\ncluster=mdi_mag\n\
        node=nso\npg_dbname=mydb\ningestion_path=/home/slony\n";

    #[test]
    fn the_documents_keys_are_read_in_both_spellings() {
        let respelt: String = DOCUMENT
            .lines()
            .map(|line| if line.starts_with('#') { line.to_owned() } else { line.replacen(' ', "=", 1) })
            .map(|line| line + "\n")
            .collect();
        for text in [DOCUMENT, &respelt] {
            let (config, faults) = read(text);
            assert_eq!(faults, [""; 0]);
            assert_eq!((config.node.to_string().as_str(), config.cluster.as_str()), ("node1", "jsoc"));
            assert_eq!(config.host.name.as_deref(), Some("192.168.0.88"));
            assert_eq!((config.host.user.as_deref(), config.host.port), (Some("postgres"), None));
            assert_eq!(config.triggerdir.as_deref(), Some("/stage/dev/triggers"));
            assert_eq!(config.site_logs, None);
            assert_eq!((config.archive, config.retention, config.tapegroup), (Some(0), Some(21), Some(1)));
            assert_eq!(config.patience, Duration::from_secs(250));
            let bin = Path::new("/home/production/subscribe_series/bin");
            assert_eq!(config.die_file(), bin.join("get_slony_logs.node1.die"));
            assert_eq!(config.work_dir, bin.join("node1"));
            assert_eq!(config.logs_dir, bin.join("node1/logs"));
            assert_eq!((config.keep_logs, config.on_error.len()), (None, 0));
        }
    }

    #[test]
    fn the_words_of_a_command_are_parted_by_white_space_alone() {
        let text = format!("{DOCUMENT}ssh_cmd ssh -J one,two  -4\non_error=/bin/tell a,b\n");
        let (config, faults) = read(&text);
        assert_eq!(faults, [""; 0]);
        assert_eq!(config.host.ssh, ["ssh", "-J", "one,two", "-4"]);
        assert_eq!(config.on_error, ["/bin/tell", "a,b"]);
    }

    #[test]
    fn the_work_dir_is_nobody_elses() {
        let (_, faults) = read(&format!("{DOCUMENT}work_dir /home/production/subscribe_series/bin\n"));
        assert_eq!(faults.len(), 1);
        assert!(
            faults[0].starts_with("line 16: `work_dir` must not be `ingestion_path` itself"),
            "{faults:?}"
        );
    }

    #[test]
    fn the_deployed_keys_are_read() {
        let (config, faults) = read(DEPLOYED);
        assert_eq!(faults, [""; 0]);
        let host = &config.host;
        assert_eq!(host.name.as_deref(), Some("solarport.example.org"));
        assert_eq!((host.port, host.user.as_deref()), (Some(55000), Some("igor")));
        assert_eq!(
            (config.cluster.as_str(), config.site_logs.as_deref()),
            ("mdi_mag", Some("/scr21/slony_logs"))
        );
        assert_eq!(config.logs_dir, Path::new("/home/slony/logs/mdi_mag"));
        assert_eq!(config.email_list, ["a@b.org", "c@d.org"]);
        let newer = DEPLOYED
            .replace("rmt_hostname", "kRSServer")
            .replace("rmt_port", "kRSPort")
            .replace("user=", "kRSUser=");
        let (config, faults) = read(&newer);
        assert_eq!(faults, [""; 0]);
        assert_eq!((config.host.port, config.host.user.as_deref()), (Some(55000), Some("igor")));
    }

    #[test]
    fn all_faults_are_reported_with_their_lines() {
        let (_, faults) = read(
            "node a.b\nwebdb_port 70000\non_drift maybe\ninterval 0\ningestion_path bin\nnods x\nuser x\nwebdb_user y\n",
        );
        for expected in [
            "line 1: `node` is not understood",
            "line 2: `webdb_port` must be a whole number in its range",
            "line 3: `on_drift` must be `warn` or `stop`",
            "line 4: `interval` must be at least 1",
            "line 5: `ingestion_path` must be an absolute path",
            "line 6: `nods` is no key",
            "line 8: `webdb_user` is given twice",
            "`pg_dbname` is missing",
        ] {
            assert!(
                faults.iter().any(|fault| fault.starts_with(expected)),
                "{expected} is not in {faults:#?}"
            );
        }
        assert_eq!(faults.len(), 8, "{faults:#?}");
    }

    #[test]
    fn the_sample_is_a_configuration_and_explains_every_key() {
        let sample = include_str!("../../etc/site.cfg");
        assert_eq!(read(sample).1, [""; 0]);
        for (key, _) in KEYS.known.iter().copied().flatten() {
            let line = |line: &&str| line.trim_start_matches('#').starts_with(&format!("{key} "));
            assert_eq!(sample.lines().filter(line).count(), 1, "{key}");
        }
        let all: String = sample.lines().map(|line| line.strip_prefix('#').unwrap_or(line)).fold(
            String::new(),
            |text, line| {
                let is_key =
                    KEYS.known.iter().copied().flatten().any(|(key, _)| line.starts_with(&format!("{key} ")));
                if is_key { text + line + "\n" } else { text }
            },
        );
        assert_eq!(read(&all).1, [""; 0], "also what is commented out");
    }
}
