//! The configuration of the remote site's tools: the document's keys, those of the deployed `get_slony_logs.pl`, and what
//! was added. One file serves both tools.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::DatabaseConfig;
use crate::error::Result;
use crate::model::{Compression, Node, NodeFault};
use crate::protocol::Stem;
use crate::settings::{Keys, Reader, words};
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
    ("pg_host", Some("localhost")),
    ("pg_port", Some("5432")),
    ("pg_user", Some("slony")),
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
    known: KNOWN,
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

    fn check(read: &mut Reader<'_>) -> Self {
        for key in ["node", "pg_dbname"] {
            if read.given(key).is_none() {
                read.fault(key, "is missing");
            }
        }
        let node: Node = read.text("node").parse().unwrap_or_else(|fault: NodeFault| {
            if read.given("node").is_some() {
                read.fault("node", &format!("is no name of a node: {fault}"));
            }
            "nobody".parse().expect("a plain word is a node name")
        });
        let ingestion_dir = read.path("ingestion_path").unwrap_or_default();
        let work_dir = read.optional_path("work_dir").unwrap_or_else(|| ingestion_dir.join(node.to_string()));
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
                ssh: words(&read.text("ssh_cmd")),
            },
            triggerdir: directory(read, "webdb_dir"),
            site_logs: directory(read, "rmt_slony_dir"),
            database: DatabaseConfig {
                host: read.text("pg_host"),
                port: read.number("pg_port"),
                user: read.text("pg_user"),
                dbname: read.text("pg_dbname"),
            },
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
            on_error: words(&read.text("on_error")),
            email_list: words(&read.text("email_list")),
            node,
            cluster,
            ingestion_dir,
            work_dir,
            logs_dir,
        }
    }

    /// The die file: while it is there, nothing is ingested. Its name is that of the deployed tools.
    pub fn die_file(&self) -> PathBuf {
        self.ingestion_dir.join(format!("get_slony_logs.{}.die", self.node))
    }
}

/// A directory at the server, without a last slash.
fn directory(read: &mut Reader<'_>, key: &str) -> Option<String> {
    let given = read.given(key)?;
    Some(given.trim_end_matches('/').to_owned())
}
