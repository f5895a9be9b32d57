//! Who takes what the body of a log gives out, in its order.

use bytes::Bytes;

use crate::error::Result;
use crate::spelling::row::Row;

/// Makes the changes, or only looks at them.
pub(super) trait Taker {
    /// The rows that follow stand behind this COPY.
    async fn begin_rows(&mut self, copy: &[u8]) -> Result<()>;

    /// A row of `sl_log_archive` (without its line feed) that was checked before.
    async fn row(&mut self, line: &[u8], row: &Row<'_>) -> Result<()>;

    /// A change of the old formats.
    async fn statement(&mut self, statement: &[u8]) -> Result<()>;

    /// Any other statement. `may_be_ddl`: what is known of the tables is forgotten.
    async fn other(&mut self, statement: &[u8], may_be_ddl: bool) -> Result<()>;

    /// The copy of a table: its rows as they stand, until there are no more.
    async fn copy(&mut self, statement: &[u8], rows: impl FnMut() -> Result<Option<Bytes>>) -> Result<()>;

    /// Makes all that is gathered.
    async fn flush(&mut self) -> Result<()>;
}
