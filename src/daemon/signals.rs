//! The signals that the daemon hears.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use super::Event;
use crate::error::{Error, Result};

/// Makes events of signals. The token is cancelled when one of them asks for the end: whoever waits gives up then.
pub(super) fn listen(events: &UnboundedSender<Event>) -> Result<CancellationToken> {
    let ending = CancellationToken::new();
    for (kind, name) in [
        (SignalKind::terminate(), "SIGTERM"),
        (SignalKind::interrupt(), "SIGINT"),
        (SignalKind::hangup(), "SIGHUP"),
    ] {
        let mut signals =
            signal(kind).map_err(|error| Error::Fatal(format!("listen for {name}: {error}")))?;
        let (events, ending) = (events.clone(), ending.clone());
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                if kind == SignalKind::hangup() {
                    let _ = events.send(Event::Reload);
                } else {
                    let _ = events.send(Event::Stop(name));
                    // Afterwards: who gives up finds the reason among the events.
                    ending.cancel();
                }
            }
        });
    }
    // A file that may not become larger (`ulimit -f`) is a failure like a full disk, not the end of the daemon.
    let too_large = SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw());
    let _ = signal(too_large).map_err(|error| Error::Fatal(format!("listen for SIGXFSZ: {error}")))?;
    Ok(ending)
}
