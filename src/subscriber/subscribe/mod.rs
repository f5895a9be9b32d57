//! `subscribe_series`: asks the data centre for series, applies its SQL, and sees the request through to its end.
//!
//! `prepare` checks what can be checked here; `work` then looks (`server`, `shown`), decides (`decide`, pure), acts and
//! records (`record`), step by step. Whatever interrupts it, another run goes on.

mod apply;
mod decide;
mod download;
mod leave;
mod list;
mod place;
mod prepare;
mod quiet;
mod record;
mod server;
mod shown;
mod statement;
mod status;
mod work;

use std::path::Path;

use tokio::signal::unix::{SignalKind, signal};

use self::leave::Wish;
use self::list::List;
use self::quiet::Quiet;
use self::record::Record;
use self::server::Server;
use self::work::Work;
use super::args::SubscribeArgs;
use super::{SiteConfig, node, notify};
use crate::disk::{self, Lock};
use crate::error::{Error, Result};
use crate::transport::Host;

/// The tool's name in what people read.
const TOOL: &str = "subscribe_series";

/// Runs the command. Returns what it prints.
pub async fn subscribe(args: &SubscribeArgs) -> Result<String> {
    if args.config.as_os_str() == "status" {
        let Some(config) = &args.list else {
            return Err(Error::Fatal("`status` needs the configuration behind it".into()));
        };
        return status::status(&SiteConfig::load(config)?, args.agent.clone()).await;
    }
    let config = SiteConfig::load(&args.config)?;
    let Some(triggerdir) = config.triggerdir.as_deref() else {
        return Err(Error::Fatal(format!(
            "the configuration `{}` lacks `webdb_dir`, the drop directory of the data centre",
            args.config.display()
        )));
    };
    let host = Host::new(&config.host).with_patience(config.line_patience).with_agent(args.agent.clone());
    if args.dry_run {
        return dry_run(&config, args.list.as_deref(), &host, triggerdir).await;
    }
    let stop = stopped()?;
    let ended = tokio::select! {
        biased;
        ended = run(&config, args, &host, triggerdir) => ended,
        () = stop => Err(Error::Cancelled),
    };
    if let Err(error) = &ended {
        notify(&config, TOOL, error, None).await;
    }
    ended.map(|()| String::new())
}

async fn run(config: &SiteConfig, args: &SubscribeArgs, host: &Host, triggerdir: &str) -> Result<()> {
    disk::create_directories(&config.work_dir)?;
    let _lock = Lock::take(&config.work_dir.join("subscribe_series.lock")).map_err(|error| match error {
        Error::Busy(_) => Error::Busy(format!("another subscribe_series runs for {}", config.node)),
        other => other,
    })?;
    Quiet::lift_left(config);
    let record = match work::read_record(config)? {
        Some(record) => resumed(config, record, args.list.as_deref())?,
        None if args.resume => {
            return Err(Error::Fatal("no request is open: there is nothing to go on with".into()));
        }
        None => prepared(config, args.list.as_deref(), host).await?,
    };
    let wish = match (args.drop, args.keep) {
        (true, _) => Wish::Drop,
        (_, true) => Wish::Keep,
        _ => Wish::Ask,
    };
    let quiet = Quiet::begin(config).await?;
    // What a run that was killed left half written: nobody else writes there now. `ingestion_path` is shared with others.
    disk::remove_temporary(&config.work_dir)?;
    let server = Server::new(host, triggerdir, &config.node);
    let sql_directory = config.work_dir.join("sql");
    Work { config, host, server, record, wish, quiet, sql_directory }.run().await
}

/// Ends at SIGTERM and SIGINT: the die file goes, the request stays open.
fn stopped() -> Result<impl Future<Output = ()>> {
    let listen = |kind| signal(kind).map_err(|error| Error::Fatal(format!("listen for signals: {error}")));
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    Ok(async move {
        let signal = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        tracing::info!("{signal}: an open request stays open; run this again to go on");
    })
}

/// A new request, after everything that can be checked here was checked.
async fn prepared(config: &SiteConfig, list: Option<&Path>, host: &Host) -> Result<Record> {
    let Some(path) = list else {
        return Err(Error::Fatal("no request is open, and no LIST is given for a new one".into()));
    };
    // What is wrong with it whoever asks is said before the database is needed.
    prepare::read_list(path, true)?;
    let database = work::connect(config).await?;
    node::check(config, &database).await?;
    let is_new_site = database.place().await?.is_none();
    let list = prepare::read_list(path, is_new_site)?;
    prepare::check(config, &database, host, &list).await?;
    Ok(prepare::request(config, &list, is_new_site))
}

/// An open request; a list that is given must be the one that it was asked with.
fn resumed(config: &SiteConfig, record: Record, list: Option<&Path>) -> Result<Record> {
    if !record.is_of(&config.node) {
        return Err(Error::Fatal(format!(
            "a request of another node than {} is open in `{}`: each node needs a `work_dir` of its own",
            config.node,
            config.work_dir.display()
        )));
    }
    if let Some(path) = list {
        let given = prepare::read_list(path, record.is_new_site)?;
        if !is_same(&given, &record.list()) {
            return Err(Error::Fatal(format!(
                "a request with another list than `{}` is open: let it come to its end first (run this without a list, or \
                 with the one it was asked with)",
                path.display()
            )));
        }
    }
    tracing::info!("going on with the request {}", record.id);
    Ok(record)
}

fn is_same(one: &List, other: &List) -> bool {
    let holds = |all: &[_], some: &[_]| some.iter().all(|series| all.contains(series));
    one.len() == other.len()
        && holds(&one.subscribe, &other.subscribe)
        && holds(&one.unsubscribe, &other.unsubscribe)
}

async fn dry_run(config: &SiteConfig, list: Option<&Path>, host: &Host, triggerdir: &str) -> Result<String> {
    if let Some(record) = work::read_record(config)? {
        return Ok(format!("A request is open, which would be gone on with:\n{}", record.request));
    }
    let record = prepared(config, list, host).await?;
    host.list(triggerdir).await?;
    Ok(format!("All is well. This would be asked:\n{}", record.request))
}
