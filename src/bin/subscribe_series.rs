//! `subscribe_series`: parse, log, dispatch, exit status.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::Parser as _;
use subscription_manager::error::{Error, Result};
use subscription_manager::output;
use subscription_manager::subscriber::args::SubscribeArgs;
use subscription_manager::subscriber::{AboveProgress, exit_status, subscribe};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let args = SubscribeArgs::parse();
    log();
    let said = dispatch(&args);
    match said.and_then(|text| output::print(&text)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("subscribe_series: {}", error.chain());
            ExitCode::from(exit_status(&error))
        }
    }
}

fn dispatch(args: &SubscribeArgs) -> Result<String> {
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| Error::Fatal(format!("start the runtime: {error}")))?;
    let ended = runtime.block_on(subscribe(args));
    // A thread that waits for an answer of a person is not waited for.
    runtime.shutdown_background();
    ended
}

/// Plain lines to standard error; `RUST_LOG=debug` tells more.
fn log() {
    let level = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let ansi = std::io::stderr().is_terminal();
    let stderr = tracing_subscriber::fmt().with_env_filter(level).with_target(false).with_ansi(ansi);
    stderr.with_writer(AboveProgress::default).init();
}
