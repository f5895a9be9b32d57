//! `subscription_manager`: parse, log, dispatch, exit code.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Mutex;

use clap::Parser as _;
use subscription_manager::args::{Args, Command};
use subscription_manager::config::Config;
use subscription_manager::error::{Context as _, Error, Result};
use subscription_manager::protocol::Decision;
use subscription_manager::{admin, daemon};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, fmt};

fn main() -> ExitCode {
    let args = Args::parse();
    match dispatch(args) {
        Ok(text) => {
            // A pipe that was closed, as by `head`, is no failure.
            let _ = std::io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("subscription_manager: {}", error.chain());
            ExitCode::FAILURE
        }
    }
}

/// Runs the command; returns what it prints.
fn dispatch(args: Args) -> Result<String> {
    let config = Config::load(&args.config)?;
    let log_file = matches!(args.command, Command::Run);
    log(&config, log_file)?;
    raise_open_files();
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| Error::Fatal(format!("start the runtime: {error}")))?;
    match args.command {
        Command::Run => {
            let ended = runtime.block_on(daemon::run(config));
            // A thread that packs gigabytes must not keep the process; what it makes is hidden until it is whole.
            runtime.shutdown_timeout(daemon::STOP_LIMIT);
            ended.map(|()| String::new())
        }
        Command::List { json } => admin::list(&config, json),
        Command::Split { until, accept_empty } => {
            runtime.block_on(admin::split(&config, until, accept_empty))
        }
        Command::Resplit { node, from, to, dry_run } => {
            runtime.block_on(admin::resplit(&config, &node, (from, to), dry_run))
        }
        Command::Ddl { node, counter, send, skip: _ } => {
            let decision = if send { Decision::Send } else { Decision::Skip };
            runtime.block_on(admin::ddl(&config, &node, counter, decision))
        }
        Command::Tidy => runtime.block_on(admin::tidy(&config)),
        Command::OfflineSql { node } => runtime.block_on(admin::offline_sql(&config, &node)),
    }
}

/// An archive may have as many distinct outputs as there are nodes, each an open file; the usual soft limit is 1,024.
fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // Refused only where the hard limit forbids it, and then the splitter says which file it could not open.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

/// Logs to standard error, which is journald's for a service, and the daemon also to its file in `log_dir`.
fn log(config: &Config, with_file: bool) -> Result<()> {
    let level = EnvFilter::try_new(&config.log_level)
        .map_err(|error| Error::Fatal(format!("`log_level` is not understood: {error}")))?;
    // It tells every token that it reads.
    let level =
        level.add_directive("sqlparser=warn".parse().map_err(|_| Error::Fatal("a directive".into()))?);
    let file = match &config.log_dir {
        Some(directory) if with_file => {
            let path = directory.join("subscription_manager.log");
            Some(OpenOptions::new().create(true).append(true).open(&path).context("open", &path)?)
        }
        _ => None,
    };
    let file =
        file.map(|file| fmt::layer().with_ansi(false).with_target(false).with_writer(Mutex::new(file)));
    let ansi = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let stderr = fmt::layer().with_ansi(ansi).with_target(false).with_writer(std::io::stderr);
    tracing_subscriber::registry().with(level).with(stderr).with(file).init();
    Ok(())
}
