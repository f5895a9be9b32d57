//! Rows from the server to a sink, without ever holding more than a piece of them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, pin_mut};
use tokio::sync::mpsc::Sender;
use tokio::time::Instant;

use super::Session;
use crate::error::{Error, Result, Tried};

/// Rows are gathered into pieces of this size: one message from the server is one row, too little to hand on alone.
const PIECE: usize = 256 * 1024;

/// What counts the rows of several copies together, and holds them back where they may not come faster.
pub struct Meter<'a> {
    begun: Instant,
    /// Bytes a second; 0: no limit.
    rate: u64,
    bytes: AtomicU64,
    told: &'a (dyn Fn(u64, u64) + Sync),
}

impl<'a> Meter<'a> {
    /// Begins now: no more than `rate` bytes a second unless that is 0. `told` hears of each piece: its rows and its bytes.
    pub fn new(rate: u64, told: &'a (dyn Fn(u64, u64) + Sync)) -> Self {
        Self { begun: Instant::now(), rate, bytes: AtomicU64::new(0), told }
    }

    /// Neither counts nor holds back.
    pub fn none() -> Meter<'static> {
        Meter::new(0, &|_, _| ())
    }

    /// Counts a piece; returns until when the next one has to wait.
    fn count(&self, rows: u64, bytes: u64) -> Option<Instant> {
        (self.told)(rows, bytes);
        let bytes = bytes + self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let due = bytes.saturating_mul(1_000).checked_div(self.rate)?;
        Some(self.begun + Duration::from_millis(due))
    }
}

/// Runs `copy ... to stdout` and sends what comes, in pieces of whole rows, as fast as the meter lets it. Returns the
/// number of rows.
///
/// A stream that ends has not proved that the command did: the caller ends with [`super::Snapshot::prove`].
pub async fn copy_out(session: &Session, sql: &str, sink: &Sender<Bytes>, meter: &Meter<'_>) -> Result<u64> {
    let stream = session.client().copy_out(sql).await.tried("begin COPY")?;
    pin_mut!(stream);
    let (mut rows, mut counted) = (0, 0);
    let mut piece = BytesMut::with_capacity(PIECE);
    while let Some(row) = stream.next().await {
        let row = row.tried("read COPY")?;
        if !piece.is_empty() && piece.len() + row.len() > PIECE {
            send(sink, piece.split().freeze(), rows - counted, meter).await?;
            counted = rows;
            piece.reserve(PIECE);
        }
        rows += 1;
        piece.extend_from_slice(&row);
    }
    if !piece.is_empty() {
        send(sink, piece.freeze(), rows - counted, meter).await?;
    }
    Ok(rows)
}

/// The sink closes early only when writing failed; its own error is the one that counts.
async fn send(sink: &Sender<Bytes>, piece: Bytes, rows: u64, meter: &Meter<'_>) -> Result<()> {
    let bytes = piece.len() as u64;
    sink.send(piece).await.map_err(|_| Error::Cancelled)?;
    if let Some(due) = meter.count(rows, bytes) {
        tokio::time::sleep_until(due).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn many_small_copies_together_are_no_faster_than_a_large_one() {
        let heard = Mutex::new(Vec::new());
        let told = |rows, bytes| heard.lock().unwrap().push((rows, bytes));
        let meter = Meter::new(1_000, &told);
        let waits: Vec<_> = (0..4).map(|_| meter.count(2, 500).unwrap() - meter.begun).collect();
        assert_eq!(waits, [500, 1_000, 1_500, 2_000].map(Duration::from_millis));
        assert_eq!(*heard.lock().unwrap(), [(2, 500); 4]);
        assert_eq!(Meter::none().count(2, 500), None);
    }
}
