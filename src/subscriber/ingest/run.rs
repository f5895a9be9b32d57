//! `get_slony_logs`: once, as a service, or only to see what it would do.

use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::decide::{Next, all};
use super::{APPLICATION, Done, Ingester, follow, followed, look, shelf, unsubscribed};
use crate::db::site::SiteDatabase;
use crate::disk;
use crate::error::{Error, Result};
use crate::subscriber::args::IngestArgs;
use crate::subscriber::{SiteConfig, node, notify};
use crate::transport::Host;

/// The tool's name in what people read.
pub(super) const TOOL: &str = "get_slony_logs";

/// How long work that was asked to stop may go on to the end of its log. After that it is dropped, and the database takes
/// the log back.
const GRACE: Duration = Duration::from_secs(10);

/// Does what the command line says; returns what is to be printed.
pub async fn run(config: &SiteConfig, args: &IngestArgs) -> Result<String> {
    let host = Host::new(&config.host).with_patience(config.line_patience).with_agent(args.agent.clone());
    if args.dry_run {
        return dry_run(config, &host).await;
    }
    let stop = stop_signals()?;
    let ended = if args.follow {
        follow::follow(config, &host, &stop).await
    } else {
        once(config, &host, &stop).await
    };
    ended.map(|()| String::new())
}

/// What a cron job does.
async fn once(config: &SiteConfig, host: &Host, stop: &CancellationToken) -> Result<()> {
    let mut place = None;
    let ended = async {
        check_die_file(config)?;
        let mut ingester = Ingester::start(config).await?;
        let ended = attempt(&mut ingester, config, host, stop).await;
        // After the signal the session may be in the middle of something that lasts.
        if ended.as_ref().is_err_and(|error| !matches!(error, Error::Cancelled)) {
            place = ingester.last_place().await;
        }
        ended
    }
    .await;
    if let Err(error) = &ended {
        notify(config, TOOL, error, place).await;
    }
    ended
}

/// Catches up once, tells what was done, and keeps house.
pub(super) async fn attempt(
    ingester: &mut Ingester,
    config: &SiteConfig,
    host: &Host,
    stop: &CancellationToken,
) -> Result<()> {
    let (before, started) = (ingester.done(), Instant::now());
    let die_file = config.die_file();
    let goes_on = || !stop.is_cancelled() && !disk::exists(&die_file);
    let ended = stoppable(stop, ingester.catch_up(host, None, &goes_on)).await;
    tell(before, ingester.done(), started);
    let caught_up = ended?;
    if caught_up.newest.is_some_and(|newest| newest < caught_up.place) {
        tracing::warn!(place = %caught_up.place, "the server has nothing newer than logs that were applied long ago");
    }
    if let Some(node) = ingester.followed
        && let Err(error) = shelf::tidy(config, node, &goes_on)
    {
        tracing::warn!(error = %error.chain(), "kept site logs are not in order");
    }
    if caught_up.was_stopped {
        check_die_file(config)?;
        return Err(Error::Cancelled);
    }
    Ok(())
}

/// One line, if there is anything to tell.
fn tell(before: Done, after: Done, started: Instant) {
    let (logs, rows, drift) =
        (after.logs - before.logs, after.rows - before.rows, after.drift - before.drift);
    if logs > 0 {
        let at = after.place.map(|place| place.to_string()).unwrap_or_default();
        let seconds = format!("{:.1}", started.elapsed().as_secs_f64());
        tracing::info!(logs, rows, drift, at, seconds, "applied site logs");
    }
}

/// [`Error::Busy`] if somebody has asked for quiet.
fn check_die_file(config: &SiteConfig) -> Result<()> {
    let die_file = config.die_file();
    if disk::exists(&die_file) {
        let path = die_file.display();
        return Err(Error::Busy(format!(
            "the die file `{path}` is there: nothing is ingested until it is removed"
        )));
    }
    Ok(())
}

/// Cancelled at SIGTERM and SIGINT.
fn stop_signals() -> Result<CancellationToken> {
    let stop = CancellationToken::new();
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        let mut signals =
            signal(kind).map_err(|error| Error::Fatal(format!("listen for signals: {error}")))?;
        let stop = stop.clone();
        tokio::spawn(async move {
            signals.recv().await;
            stop.cancel();
        });
    }
    Ok(stop)
}

/// Does work that sees for itself that it is to stop, but not for ever.
async fn stoppable<T>(stop: &CancellationToken, work: impl Future<Output = Result<T>>) -> Result<T> {
    let late = async {
        stop.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        biased;
        done = work => done,
        () = late => Err(Error::Cancelled),
    }
}

/// What would be fetched and applied, in words.
async fn dry_run(config: &SiteConfig, host: &Host) -> Result<String> {
    let database = SiteDatabase::connect(&config.database, &config.cluster, APPLICATION).await?;
    let Some(place) = database.place().await? else { return Err(unsubscribed()) };
    node::check(config, &database).await?;
    let offer = look(host, config, followed(config)?).await?;
    let newest = offer.newest().map_or("it has none".to_owned(), |newest| format!("its newest is {newest}"));
    let mut text = format!("{} is at log {place}; the server: {newest}\n", config.node);
    for step in all(&offer, place) {
        text += &match step {
            Next::Nothing => String::new(),
            Next::Singles(singles) => {
                let bytes: u64 = singles.iter().map(|single| single.bytes).sum();
                let end =
                    |single: Option<&super::decide::Single>| single.map(|single| single.counter.to_string());
                let (first, last) = (end(singles.first()), end(singles.last()));
                let (first, last) = (first.unwrap_or_default(), last.unwrap_or_default());
                format!("would apply {first} to {last}: {} singles, {bytes} bytes\n", singles.len())
            }
            Next::Bundle { name, bytes, last } => {
                format!("would apply up to {last} from {name}, {bytes} bytes\n")
            }
            Next::Gap { missing, there } => format!("log {missing} is missing, though {there} is there\n"),
        };
    }
    if disk::exists(&config.die_file()) {
        text +=
            &format!("nothing is ingested while the die file `{}` is there\n", config.die_file().display());
    }
    Ok(text)
}
