//! The words of the project (ARCHITECTURE.md, "Words"): no I/O, nothing else of ours.

mod counter;
mod name;
mod node;
mod subscription;

pub use counter::{Counter, SlonyNode};
pub use name::{NameFault, QualifiedName, Sequence, Series, quote_identifier, quote_literal};
pub use node::{Node, NodeFault};
pub use subscription::{Dialect, SeriesList, Subscription};
