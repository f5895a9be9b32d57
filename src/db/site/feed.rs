//! SQL as it stands, statement by statement.

use bytes::Bytes;
use futures_util::{SinkExt as _, pin_mut};

use crate::db::Session;
use crate::error::{Error, Result, Tried};

/// Runs a statement of a text.
pub async fn feed_statement(session: &Session, statement: &[u8]) -> Result<()> {
    session.client().batch_execute(text(statement)?).await.tried(run(statement))
}

/// Runs one statement and nothing else: if the text holds a second one, it is refused. Returns how many rows it changed.
pub async fn change(session: &Session, statement: &[u8]) -> Result<u64> {
    session.client().execute_typed(text(statement)?, &[]).await.tried(run(statement))
}

/// Runs `copy ... from stdin;` with what `rows` gives, piece by piece, until it gives nothing more. Returns the number of
/// rows.
pub async fn feed_copy(
    session: &Session,
    statement: &[u8],
    mut rows: impl FnMut() -> Result<Option<Bytes>>,
) -> Result<u64> {
    let sink = session.client().copy_in(text(statement)?).await.tried(run(statement))?;
    pin_mut!(sink);
    while let Some(piece) = rows()? {
        sink.send(piece).await.tried(run(statement))?;
    }
    sink.finish().await.tried(run(statement))
}

/// Statements are sent as text; one that is none would need bytes of another encoding, which the driver cannot send.
fn text(statement: &[u8]) -> Result<&str> {
    std::str::from_utf8(statement).map_err(|_| Error::Stopped(format!("{} is no UTF-8", run(statement))))
}

fn run(statement: &[u8]) -> String {
    format!("run `{}`", crate::spelling::fault::excerpt(statement))
}
