//! The command line of `subscription_manager`.

use std::path::PathBuf;
use std::time::SystemTime;

use clap::{Parser, Subcommand, ValueEnum};

use crate::model::{Counter, Node, Series, SeriesPattern, read_since};

/// Serves subscriptions to tables that Slony-I replicates.
#[derive(Debug, Parser)]
#[command(name = "subscription_manager", version, arg_required_else_help = true)]
pub struct Args {
    /// The configuration file.
    #[arg(long, short, global = true, value_name = "FILE", default_value = "/etc/subscription_manager.cfg")]
    pub config: PathBuf,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// How a command tells what it has found or done.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Told {
    /// As JSON, for programs.
    #[arg(long)]
    pub json: bool,
}

/// How something is shown that changes by itself.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Shown {
    /// As JSON, for programs.
    #[arg(long)]
    pub json: bool,
    /// Again and again, until Ctrl-C; with `--json` one line each time.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "2", value_parser = clap::value_parser!(u64).range(1..))]
    pub watch: Option<u64>,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve requests and split archives, in the foreground.
    Run,
    /// Show every node: stage, series, last site log, what its site has acknowledged.
    List {
        /// How.
        #[command(flatten)]
        shown: Shown,
    },
    /// Show everything of one node: what it has, what it has asked for, and what is waited for.
    Show {
        /// The node.
        node: Node,
        /// How.
        #[command(flatten)]
        shown: Shown,
    },
    /// Show what Slony-I replicates, and who subscribes to it.
    Series {
        /// Only those, as in `hmi.*`.
        #[arg(value_parser = pattern)]
        pattern: Option<SeriesPattern>,
        /// How it is told.
        #[command(flatten)]
        told: Told,
    },
    /// Show how everything is, on one screen. The exit status is 0 if all is well, 1 if something needs a person, 2 if it cannot
    /// be told.
    Status {
        /// How.
        #[command(flatten)]
        shown: Shown,
    },
    /// Show what became of every request, and what operators have changed.
    History {
        /// Of this node only.
        node: Option<Node>,
        /// The lines of the audit trail as they stand, for programs.
        #[arg(long)]
        json: bool,
        /// From a day (`2026-11-21`) or a time (`2026-11-21T16:40:00Z`) on, or for so long: `90m`, `12h`, `7d`.
        #[arg(long, value_name = "WHEN", value_parser = since)]
        since: Option<SystemTime>,
        /// The newest so many.
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
    },
    /// Look for what is wrong here and in the cluster, and say what to do. The exit status is 0 if nothing is (notes do
    /// not count), 1 if something is, 2 if it cannot be looked for.
    Check {
        /// As JSON, for programs.
        #[arg(long)]
        json: bool,
        /// Put right what can be without losing anything.
        #[arg(long)]
        fix: bool,
        /// With `--fix`: only say what would be done.
        #[arg(long, requires = "fix")]
        dry_run: bool,
    },
    /// Print the replication objects that a site needs to apply its logs.
    OfflineSql {
        /// The node.
        node: Node,
    },
    /// Watch the PostgreSQL servers, in the foreground. The daemon does so by itself where they are configured.
    Monitor {
        /// Only look once, and print how they are. Nothing is written and nobody is told.
        #[arg(long)]
        once: bool,
        /// As JSON, for programs.
        #[arg(long, requires = "once")]
        json: bool,
    },
    /// Print what is made from the definitions in this program. It needs no configuration.
    #[command(hide = true)]
    Generate {
        /// What.
        made: Made,
        /// Of which program.
        program: Program,
    },
    /// Those that change something.
    #[command(flatten)]
    Change(Change),
}

/// The subcommands that change something.
#[derive(Debug, Subcommand)]
pub enum Change {
    /// Let a node get no logs, and refuse its requests, until `resume`. Archives are kept for it.
    Pause {
        /// The node.
        node: Node,
        /// Why, for its subscriber and for other operators.
        #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
        reason: String,
        /// How it is told.
        #[command(flatten)]
        told: Told,
    },
    /// Let a paused node go on: it gets everything that it has missed.
    Resume {
        /// The node.
        node: Node,
        /// How it is told.
        #[command(flatten)]
        told: Told,
    },
    /// Roll back the open request of a node.
    Cancel {
        /// The node.
        node: Node,
        /// How it is told.
        #[command(flatten)]
        told: Told,
    },
    /// Remove a node with all that is kept for it, also when its site is dead. Its open request is rolled back first.
    Remove {
        /// The node.
        node: Node,
        /// Only say what would be done.
        #[arg(long)]
        dry_run: bool,
        /// How it is told.
        #[command(flatten)]
        told: Told,
    },
    /// Ask in the place of a site, which applies the SQL all the same.
    Subscribe {
        /// The node.
        node: Node,
        /// The series.
        #[arg(required = true)]
        series: Vec<Series>,
        /// That this is meant: sites ask by themselves, with `subscribe_series`.
        #[arg(long, required = true)]
        from_operator: bool,
        /// Take the series out instead.
        #[arg(long)]
        unsubscribe: bool,
        /// How it is told.
        #[command(flatten)]
        told: Told,
    },
    /// Split what has committed, and stop.
    Split {
        /// Split up to this archive and ask no database: you vouch that they have all committed.
        #[arg(long, value_name = "N", value_parser = counter)]
        until: Option<Counter>,
        /// Take this archive as empty: slon committed it and never wrote it, which happens with `ACCEPT_SET` and
        /// `FAILOVER_NODE`.
        #[arg(long, value_name = "N", value_parser = counter)]
        accept_empty: Option<Counter>,
    },
    /// Split archives again for one node, from those that are kept.
    Resplit {
        /// The node.
        node: Node,
        /// The first archive.
        #[arg(long, value_name = "A", value_parser = counter)]
        from: Counter,
        /// The last archive.
        #[arg(long, value_name = "B", value_parser = counter)]
        to: Counter,
        /// Only say what would change.
        #[arg(long)]
        dry_run: bool,
    },
    /// Decide about statements of EXECUTE SCRIPT that stopped a node's logs.
    #[command(group(clap::ArgGroup::new("decision").required(true)))]
    Ddl {
        /// The node.
        node: Node,
        /// The archive before which its logs stopped, as `list` shows it. With `--skip` also one that the node has had: its log is
        /// made again without any statement of a script.
        #[arg(value_parser = counter)]
        counter: Counter,
        /// The node gets them.
        #[arg(long, group = "decision")]
        send: bool,
        /// The node does not get them.
        #[arg(long, group = "decision")]
        skip: bool,
    },
    /// Bundle and remove site logs and archives as the configuration says, and stop.
    Tidy,
}

/// What can be made from the definitions in the programs.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Made {
    /// The man page.
    Man,
    /// The completion for bash.
    Bash,
    /// The completion for zsh.
    Zsh,
    /// The completion for fish.
    Fish,
    /// The keys of its configuration, as Markdown.
    Reference,
}

/// The programs of this package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Program {
    /// The daemon and its commands.
    SubscriptionManager,
    /// The site's tool that asks.
    SubscribeSeries,
    /// The site's tool that follows.
    GetSlonyLogs,
}

fn since(text: &str) -> Result<SystemTime, String> {
    read_since(text, SystemTime::now()).ok_or_else(|| {
        "takes a day, a time as in `2026-11-21T16:40:00Z`, or how long: `90m`, `12h`, `7d`".into()
    })
}

fn pattern(text: &str) -> Result<SeriesPattern, String> {
    match SeriesPattern::parse_prefix(text) {
        Ok((pattern, "")) => Ok(pattern),
        Ok((_, rest)) => Err(format!("`{}` follows the pattern", rest.trim())),
        Err(fault) => Err(fault.to_string()),
    }
}

fn counter(text: &str) -> Result<Counter, String> {
    Counter::parse(text).ok_or_else(|| "a counter is a decimal number".into())
}
