//! `subscription_manager`: parse, log, dispatch, exit code.

use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Duration;

use clap::Parser as _;
use subscription_manager::admin::{Form, Paint};
use subscription_manager::args::{Args, Change, Command, Shown};
use subscription_manager::config::Config;
use subscription_manager::disk::LogFile;
use subscription_manager::error::{Error, Result};
use subscription_manager::protocol::Decision;
use subscription_manager::recent::Recent;
use subscription_manager::{admin, daemon, manual, output};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, fmt, reload};

fn main() -> ExitCode {
    let args = Args::parse();
    let tells_by_status = matches!(args.command, Command::Check { .. } | Command::Status { .. });
    let said = dispatch(args).and_then(|(text, status)| {
        output::print(&text)?;
        Ok(status)
    });
    match said {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            let hint = if error.is_forbidden() { "; give the command as the user of the daemon" } else { "" };
            eprintln!("subscription_manager: {}{hint}", error.chain());
            // Of these, 1 would say that they have looked.
            ExitCode::from(if tells_by_status { 2 } else { 1 })
        }
    }
}

/// Runs the command; returns what it prints, and the exit status.
fn dispatch(args: Args) -> Result<(String, u8)> {
    // It is made where nothing is configured yet.
    if let Command::Generate { made, program } = args.command {
        return manual::generate(made, program).map(|text| (text, 0));
    }
    let config = Config::load(&args.config)?;
    let log_file = matches!(args.command, Command::Run);
    let recent = Recent::default();
    let log_level = log(&config, log_file, recent.clone())?;
    raise_open_files();
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| Error::Fatal(format!("start the runtime: {error}")))?;
    let said = match args.command {
        Command::Run => {
            let reload = daemon::Reload { path: args.config, log_level };
            let ended = runtime.block_on(daemon::run(config, reload, recent));
            // A thread that packs gigabytes must not keep the process; what it makes is hidden until it is whole.
            runtime.shutdown_timeout(daemon::STOP_LIMIT);
            ended.map(|()| String::new())
        }
        Command::Check { json, fix, dry_run } => {
            let mending = match (fix, dry_run) {
                (false, _) => admin::Mending::No,
                (true, true) => admin::Mending::Say,
                (true, false) => admin::Mending::Do,
            };
            let report = runtime.block_on(admin::check(&config, mending))?;
            return Ok((report.print(json)?, report.status()));
        }
        Command::Status { shown } => {
            return runtime.block_on(look(shown, async |form| admin::status(&config, form).await));
        }
        Command::List { shown } => {
            let list = async |form| Ok((admin::list(&config, form)?, 0));
            return runtime.block_on(look(shown, list));
        }
        Command::Monitor { once: false, .. } => runtime.block_on(admin::monitor(&config)),
        Command::Monitor { once: true, json } => runtime.block_on(admin::monitor_once(&config, json)),
        Command::Show { node, shown } => {
            let show = async |form| Ok((admin::show(&config, &node, form)?, 0));
            return runtime.block_on(look(shown, show));
        }
        Command::Series { pattern, told } => {
            runtime.block_on(admin::series(&config, pattern.as_ref(), form(told.json)))
        }
        Command::History { node, json, since, limit } => {
            admin::history(&config, &admin::Wanted { node, since, limit }, json)
        }
        Command::OfflineSql { node } => runtime.block_on(admin::offline_sql(&config, &node)),
        Command::Change(command) => runtime.block_on(change(&config, command)),
        Command::Generate { made, program } => manual::generate(made, program),
    };
    said.map(|text| (text, 0))
}

/// Looks once, or shows again and again what is seen; returns what is to be printed, and the exit status.
async fn look(shown: Shown, look: impl AsyncFn(Form) -> Result<(String, u8)>) -> Result<(String, u8)> {
    let Some(seconds) = shown.watch else { return look(form(shown.json)).await };
    let form = if shown.json { Form::JsonLine } else { form(false) };
    let text = async || look(form).await.map(|(text, _)| text);
    admin::watch(Duration::from_secs(seconds), text).await.map(|()| (String::new(), 0))
}

/// Runs a command that changes something.
async fn change(config: &Config, command: Change) -> Result<String> {
    match command {
        Change::Split { until, accept_empty } => admin::split(config, until, accept_empty).await,
        Change::Resplit { node, from, to, dry_run } => {
            admin::resplit(config, &node, (from, to), dry_run).await
        }
        Change::Ddl { node, counter, send, skip: _ } => {
            let decision = if send { Decision::Send } else { Decision::Skip };
            admin::ddl(config, &node, counter, decision).await
        }
        Change::Tidy => admin::tidy(config).await,
        Change::Pause { node, reason, told } => {
            form(told.json).tell(&admin::pause(config, &node, &reason).await?)
        }
        Change::Resume { node, told } => form(told.json).tell(&admin::resume(config, &node).await?),
        Change::Cancel { node, told } => form(told.json).tell(&admin::cancel(config, &node).await?),
        Change::Remove { node, dry_run, told } => {
            form(told.json).tell(&admin::remove(config, &node, dry_run).await?)
        }
        Change::Subscribe { node, series, from_operator: _, unsubscribe, told } => {
            let wish = if unsubscribe { admin::Wish::Unsubscribe } else { admin::Wish::Subscribe };
            form(told.json).tell(&admin::ask(config, &node, &series, wish).await?)
        }
    }
}

/// For whom a command prints.
fn form(json: bool) -> Form {
    if json { Form::Json } else { Form::Text(Paint::of_output()) }
}

/// An archive may have as many distinct outputs as there are nodes, each an open file; the usual soft limit is 1,024.
fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // Refused only where the hard limit forbids it, and then the splitter says which file it could not open.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

/// Logs to standard error, which is journald's for a service, and the daemon also to its file in `log_dir`. What is logged can be
/// changed later. The last errors stay in `recent`.
fn log(config: &Config, with_file: bool, recent: Recent) -> Result<daemon::SetLogLevel> {
    let (level, handle) = reload::Layer::new(filter(&config.log_level)?);
    let file = match &config.log_dir {
        Some(directory) if with_file => Some(LogFile::open(&directory.join("subscription_manager.log"))?),
        _ => None,
    };
    let file =
        file.map(|file| fmt::layer().with_ansi(false).with_target(false).with_writer(Mutex::new(file)));
    let ansi = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let stderr = fmt::layer().with_ansi(ansi).with_target(false).with_writer(std::io::stderr);
    tracing_subscriber::registry().with(level).with(stderr).with(file).with(recent).init();
    Ok(Box::new(move |level| {
        let changed = handle.reload(filter(level)?);
        changed.map_err(|error| Error::Fatal(format!("change what is logged: {error}")))
    }))
}

fn filter(level: &str) -> Result<EnvFilter> {
    let filter = EnvFilter::try_new(level)
        .map_err(|error| Error::Fatal(format!("`log_level` is not understood: {error}")))?;
    // It tells every token that it reads.
    Ok(filter.add_directive("sqlparser=warn".parse().map_err(|_| Error::Fatal("a directive".into()))?))
}
