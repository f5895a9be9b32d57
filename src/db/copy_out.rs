//! Rows from the server to a sink, without ever holding more than a piece of them.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, pin_mut};
use tokio::sync::mpsc::Sender;
use tokio::time::Instant;

use super::Session;
use crate::error::{Error, Result, Tried};

/// Rows are gathered into pieces of this size: one message from the server is one row, too little to hand on alone.
const PIECE: usize = 256 * 1024;

/// Runs `copy ... to stdout` and sends what comes, in pieces of whole rows, no more than `rate` bytes a second unless
/// that is 0. Returns the number of rows.
///
/// A stream that ends has not proved that the command did: the caller ends with [`super::Snapshot::prove`].
pub async fn copy_out(session: &Session, sql: &str, sink: &Sender<Bytes>, rate: u64) -> Result<u64> {
    let begun = Instant::now();
    let mut sent = 0;
    let stream = session.client().copy_out(sql).await.tried("begin COPY")?;
    pin_mut!(stream);
    let mut rows = 0;
    let mut piece = BytesMut::with_capacity(PIECE);
    while let Some(row) = stream.next().await {
        let row = row.tried("read COPY")?;
        rows += 1;
        if !piece.is_empty() && piece.len() + row.len() > PIECE {
            sent += piece.len() as u64;
            send(sink, piece.split().freeze()).await?;
            piece.reserve(PIECE);
            if let Some(due) = sent.saturating_mul(1_000).checked_div(rate) {
                tokio::time::sleep_until(begun + Duration::from_millis(due)).await;
            }
        }
        piece.extend_from_slice(&row);
    }
    if !piece.is_empty() {
        send(sink, piece.freeze()).await?;
    }
    Ok(rows)
}

/// The sink closes early only when writing failed; its own error is the one that counts.
async fn send(sink: &Sender<Bytes>, piece: Bytes) -> Result<()> {
    sink.send(piece).await.map_err(|_| Error::Cancelled)
}
