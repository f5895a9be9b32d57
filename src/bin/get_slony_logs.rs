//! `get_slony_logs`: parse, log, dispatch, exit status.

use std::process::ExitCode;

use clap::Parser as _;
use subscription_manager::error::{Error, Result};
use subscription_manager::output;
use subscription_manager::subscriber::args::IngestArgs;
use subscription_manager::subscriber::{AboveProgress, SiteConfig, exit_status, get_slony_logs};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let said = dispatch(&IngestArgs::parse());
    match said.and_then(|text| output::print(&text)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("get_slony_logs: {}", error.chain());
            ExitCode::from(exit_status(&error))
        }
    }
}

fn dispatch(args: &IngestArgs) -> Result<String> {
    let config = SiteConfig::load(&args.config)?;
    log();
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| Error::Fatal(format!("start the runtime: {error}")))?;
    runtime.block_on(get_slony_logs(&config, args))
}

/// To standard error; `RUST_LOG` asks for more or less than what people want to know.
fn log() {
    let level = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let ansi = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let lines = tracing_subscriber::fmt().with_env_filter(level).with_ansi(ansi).with_target(false);
    lines.with_writer(AboveProgress::default).init();
}
