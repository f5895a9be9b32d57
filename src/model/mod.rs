//! The words of the project (ARCHITECTURE.md, "Words"): no I/O, nothing else of ours.

mod archive;
mod counter;
mod name;
mod node;
mod step;
mod subscription;

pub use archive::{ArchiveName, ArchiveNameFault};
pub use counter::{Counter, SlonyNode};
pub use name::{NameFault, QualifiedName, Sequence, Series, quote_identifier, quote_literal};
pub use node::{Node, NodeFault};
pub use step::Step;
pub use subscription::{Compression, Dialect, SeriesList, Subscription, Unrouted};
