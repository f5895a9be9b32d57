//! What operators are told of: a command of theirs is run with one JSON object on its standard input.
//!
//! What becomes of requests is read from the audit trail ([`Trail`]); how nodes, archives and the database stand is looked at, and
//! [`decide`] says what is new. Both are remembered over restarts, so that everything is told, and once. [`Teller`] runs the
//! commands.

mod decide;
mod message;
mod place;
mod queue;
mod seen;
mod state;
mod teller;
mod trail;

pub use decide::{HoleSeen, Known, NodeSeen, Seen, SplitterSeen, decide};
pub use message::{Condition, Facts, hook_of, object};
pub use state::State;
pub use teller::{Source, Task, Teller};
pub use trail::{Line, Trail};
