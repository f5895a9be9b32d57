//! The status page and what programs ask for: read-only, without a login, for an address that only those reach who may see it.
//!
//! Whoever connects gets little room and little time, so that nobody who does keeps the daemon from its work.

mod metrics;
mod page;
mod plot;
mod routes;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::serve::Listener;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::config::Listen;
use crate::disk;
use crate::error::Result;
use crate::overview::Status;

/// So many connections at once; those who come then wait until one ends.
const CONNECTIONS: usize = 32;

/// The head of a request must be there within this time.
const HEAD_LIMIT: Duration = Duration::from_secs(5);

/// The longest that one connection may last.
const CONNECTION_LIMIT: Duration = Duration::from_secs(60);

/// The most that the head of a request may have.
const HEAD_BYTES: usize = 16 * 1024;

/// An address that is taken, or a network that is not there yet, is tried again after this time.
const PAUSE: Duration = Duration::from_secs(10);

/// Who knows what is shown.
#[async_trait]
pub trait Source: Send + Sync {
    /// The whole now, or as it was a moment ago.
    async fn status(&self) -> Result<Arc<Status>>;
    /// What is wrong with the daemon itself; `None`: it does what it should.
    fn fault(&self) -> Option<String>;
}

/// Answers until it is cancelled. An address that cannot be had is told once and tried again: sites are served all the same.
pub async fn serve(listen: Listen, source: Arc<dyn Source>, cancel: CancellationToken) {
    let router = routes::router(source);
    let mut told = None;
    loop {
        let outcome = tokio::select! {
            outcome = listen_at(&listen, &router) => outcome,
            () = cancel.cancelled() => return,
        };
        let said = outcome.err().map(|error| error.to_string());
        if said.is_some() && said != told {
            let error = said.clone().unwrap_or_default();
            tracing::error!(error, %listen, "the status page cannot be served; it is tried again");
        }
        told = said;
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = cancel.cancelled() => return,
        }
    }
}

/// Answers at this place. Returns only with a failure.
async fn listen_at(listen: &Listen, router: &Router) -> io::Result<()> {
    match listen {
        Listen::Tcp(address) => {
            let listener = TcpListener::bind(address).await?;
            tracing::info!(address = %listener.local_addr()?, "the status page is served");
            answer_all(listener, router).await
        }
        Listen::Unix(path) => {
            clear(path)?;
            let listener = UnixListener::bind(path)?;
            disk::open_socket(path).map_err(|error| io::Error::other(error.chain()))?;
            tracing::info!(path = %path.display(), "the status page is served");
            answer_all(listener, router).await
        }
    }
}

/// A socket of an earlier run is in the way of a new one. Whatever else has the name stays.
fn clear(path: &Path) -> io::Result<()> {
    match disk::is_socket(path) {
        Some(true) => disk::remove_fleeting(path).map_err(|error| io::Error::other(error.chain())),
        Some(false) => Err(io::Error::other(format!("`{}` is no socket: take it away", path.display()))),
        None => Ok(()),
    }
}

async fn answer_all<L>(mut listener: L, router: &Router) -> io::Result<()>
where
    L: Listener,
    L::Addr: Sync,
{
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let place = places.clone().acquire_owned().await.map_err(io::Error::other)?;
        // It logs and goes on where no more files can be opened.
        let (stream, _) = listener.accept().await;
        tokio::spawn(answer(stream, router.clone(), place));
    }
}

/// Answers one connection. How it ends is of no concern here: whoever asks may go away at any time.
async fn answer(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
    _place: OwnedSemaphorePermit,
) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let _ = tokio::time::timeout(CONNECTION_LIMIT, connection).await;
}
