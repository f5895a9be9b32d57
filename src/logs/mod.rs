//! Flow two: an archive of slon is cut into one site log per subscriber.
//!
//! ```text
//! archive -> Survey (checks every byte, notes what occurs)
//!                \
//!   lists -> Routes -> plan (which outputs, for whom) -> write (the archive's own bytes to the outputs)
//! ```
//!
//! Only [`worker`], [`tidy`], [`alarm`], `evidence` and what they use touch files and the database. For the others archives come as
//! [`std::io::Read`], site logs go to [`std::io::Write`].
//!
//! In reading order: [`statement`] names every kind of statement and who gets it; [`crate::spelling`] is how slon writes them;
//! [`reader`] finds them in a `window`; [`keys`] holds what occurs, [`master`] knows the DRMS master tables; [`survey`] is
//! the first reading. [`route`] knows who has which series; [`plan`](mod@plan) finds the distinct outputs; [`site_log`]
//! knows the two dialects; [`write`](mod@write) and `gather` fill the outputs.
//!
//! [`targets`] says which directory gets which list, `roster` keeps the lists, `archives` finds the archives, `batch` splits
//! many together, `stops` and `obstacle` keep what ails one node from the others; [`worker`] does it for what `gate` lets through, and [`resplit`] once more. Afterwards [`expiry`] says what
//! may be bundled or removed, [`mod@standing`] where a site stands, and [`tidy`] does it. [`hole`] says whether slon has applied what
//! it has not archived, [`away`] what does not come to it at all, and `evidence` gathers what tells it.

pub mod alarm;
mod archives;
pub mod away;
mod batch;
mod evidence;
pub mod expiry;
pub mod fault;
mod gate;
mod gather;
pub mod hole;
pub mod keys;
mod left;
pub mod master;
mod obstacle;
pub mod plan;
mod position;
pub mod reader;
pub mod resplit;
mod roster;
pub mod route;
pub mod site_log;
pub mod standing;
pub mod statement;
mod stops;
pub mod survey;
pub mod targets;
pub mod tidy;
mod window;
pub mod worker;
pub mod write;

pub use crate::spelling::header::Expected;
pub use evidence::{Evidence, holes};
pub use fault::{ArchiveFault, SplitError};
pub use gate::{Committed, Gate, Vouched};
pub use plan::{Numbers, Output, Plan, Stop, plan};
pub use resplit::{Change, Resplit};
pub use route::{Destination, Routes};
pub use standing::{Standing, standing};
pub use survey::Survey;
pub use tidy::{Place, Report, Tidier};
pub use worker::Splitter;
pub use write::write;
