//! The command line of `subscription_manager`.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::model::{Counter, Node};

/// Serves subscriptions to tables that Slony-I replicates.
#[derive(Debug, Parser)]
#[command(name = "subscription_manager", version, arg_required_else_help = true)]
pub struct Args {
    /// The configuration file.
    #[arg(long, short, value_name = "FILE", default_value = "/etc/subscription_manager.cfg")]
    pub config: PathBuf,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve requests and split archives, in the foreground.
    Run,
    /// Show every node: stage, series, last site log, what its site has acknowledged.
    List {
        /// As JSON, for programs.
        #[arg(long)]
        json: bool,
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
        /// The archive before which its logs stopped, as `list` shows it.
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
    /// Print the replication objects that a site needs to apply its logs.
    OfflineSql {
        /// The node.
        node: Node,
    },
}

fn counter(text: &str) -> Result<Counter, String> {
    Counter::parse(text).ok_or_else(|| "a counter is a decimal number".into())
}
