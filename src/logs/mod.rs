//! Flow two: an archive of slon is cut into one site log per subscriber.
//!
//! ```text
//! archive -> Survey (checks every byte, notes what occurs)
//!                \
//!   lists -> Routes -> plan (which outputs, for whom) -> write (the archive's own bytes to the outputs)
//! ```
//!
//! Only [`worker`], [`tidy`] and what they use touch files and the database. For the others archives come as [`std::io::Read`], site logs
//! go to [`std::io::Write`].
//!
//! In reading order: [`statement`] names every kind of statement and who gets it; `reader` finds them in a `window`,
//! helped by `header`, `row`, `table_copy`, `sequence_line`, `legacy` and `script`, and below them `copy_text` (escapes of
//! COPY), `array` (array literals), `quoted` (SQL names) and `lines`; [`keys`] holds what occurs, [`master`] knows the DRMS
//! master tables; [`route`] knows who has which series; [`plan`](mod@plan) finds the distinct outputs; [`site_log`] knows
//! the two dialects; [`write`](mod@write) and `gather` fill the outputs; [`targets`] says which directory gets which list;
//! [`worker`] does it for what `gate` lets through. Afterwards [`expiry`] says what may be bundled or removed,
//! [`mod@standing`] where a site stands, and [`tidy`] does it.

pub mod alarm;
mod archives;
mod array;
mod batch;
mod copy_text;
pub mod expiry;
pub mod fault;
mod gate;
mod gather;
pub mod header;
pub mod keys;
mod legacy;
mod lines;
pub mod master;
pub mod plan;
mod quoted;
pub mod reader;
pub mod resplit;
mod roster;
pub mod route;
mod row;
mod script;
mod script_tokens;
mod sequence_line;
pub mod site_log;
mod slon_words;
pub mod standing;
pub mod statement;
mod statement_end;
pub mod survey;
mod table_copy;
pub mod targets;
pub mod tidy;
mod window;
pub mod worker;
pub mod write;

pub use fault::{ArchiveFault, SplitError};
pub use gate::{Committed, Gate, Vouched};
pub use header::Expected;
pub use plan::{Numbers, Output, Plan, Stop, plan};
pub use resplit::{Change, Resplit};
pub use route::{Destination, Routes};
pub use standing::{Standing, standing};
pub use survey::Survey;
pub use tidy::{Place, Report, Tidier};
pub use worker::Splitter;
pub use write::write;
