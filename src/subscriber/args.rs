//! The command lines of the remote site's tools.

use std::path::PathBuf;

use clap::Parser;

/// Asks the data centre for series, or to be served no longer with some, and does what is to be done here.
///
/// Every step is recorded: run it again after whatever went wrong, and it goes on where it was. Exit status: 0 if all is
/// well; 1 if something failed that may work later; 2 for a wrong command line or configuration; 3 if another one runs; 4
/// if a person has to do something, or the request was refused.
#[derive(Debug, Parser)]
#[command(name = "subscribe_series", version, arg_required_else_help = true)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub struct SubscribeArgs {
    /// The site's configuration; the word `status` instead of it shows where the site stands.
    #[arg(value_name = "CONFIG")]
    pub config: PathBuf,
    /// The list: lines `schema.series subscribe|unsubscribe`. With `status`: the configuration.
    #[arg(value_name = "LIST")]
    pub list: Option<PathBuf>,
    /// A file that ssh-agent has printed, as ~/.ssh-agent_rs.
    #[arg(value_name = "SSH_AGENT_FILE")]
    pub agent: Option<PathBuf>,
    /// Go on with a request that was interrupted; without one that is a fault.
    #[arg(short = 'r', long)]
    pub resume: bool,
    /// Check everything here, say what would be asked, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Drop the tables of unsubscribed series without asking.
    #[arg(long, conflicts_with = "keep")]
    pub drop: bool,
    /// Keep the tables of unsubscribed series without asking.
    #[arg(long)]
    pub keep: bool,
}

/// Fetches the site's logs and applies them, each exactly once and in order.
///
/// Exit status: 0 if the copy is up to date; 1 if something failed that may work later; 2 for a wrong command line or
/// configuration; 3 if another one runs or the die file is there; 4 if a person has to do something: a log is missing for
/// good, or is not what it should be.
#[derive(Debug, Parser)]
#[command(name = "get_slony_logs", version, arg_required_else_help = true)]
pub struct IngestArgs {
    /// The site's configuration.
    #[arg(value_name = "CONFIG")]
    pub config: PathBuf,
    /// A file that ssh-agent has printed, as ~/.ssh-agent_rs.
    #[arg(value_name = "SSH_AGENT_FILE")]
    pub agent: Option<PathBuf>,
    /// Go on until told to stop, as a service.
    #[arg(long)]
    pub follow: bool,
    /// Say what would be fetched and applied, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
}
