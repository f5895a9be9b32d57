//! Flow two: an archive of slon is cut into one site log per subscriber.
//!
//! ```text
//! archive -> survey (checks every byte, notes what occurs)
//!                \
//!   lists -> Routes -> plan (which outputs, for whom) -> write (second reading, raw rows to the outputs)
//! ```
//!
//! Only [`worker`], [`tidy`] and `gate` touch files and the database. For the others archives come as [`std::io::BufRead`], site logs
//! go to [`std::io::Write`]. Where both fit into memory, hand in a slice: lines are then read without being copied.
//!
//! In reading order: [`statement`] reads one, helped by `header`, `row`, `table_copy`
//! and `sequence_line`, and below them `copy_text` (escapes of COPY), `array` (array literals), `quoted` (SQL names)
//! and `lines`; [`route`] knows who has which series; [`site_log`] knows the two dialects; [`split`] puts them to
//! work; [`targets`] says which directory gets which list; [`worker`] does it for what `gate` lets through. Afterwards
//! [`expiry`] says what may be bundled or removed, [`mod@standing`] where a site stands, and [`tidy`] does it.

mod array;
mod copy_text;
pub mod expiry;
pub mod fault;
mod gate;
pub mod header;
mod lines;
mod quoted;
pub mod route;
pub mod row;
mod sequence_line;
pub mod site_log;
pub mod split;
pub mod standing;
pub mod statement;
mod table_copy;
pub mod targets;
pub mod tidy;
pub mod worker;

pub use fault::{ArchiveFault, SplitError};
pub use gate::{Committed, Gate, Vouched};
pub use route::{Destination, Routes};
pub use split::{Output, Plan, Survey, plan, survey, write};
pub use standing::{Standing, standing};
pub use statement::{Expected, Reader, Statement};
pub use tidy::{Place, Report, Tidier};
pub use worker::Splitter;
