//! The words of the project (ARCHITECTURE.md, "Words"): no I/O, nothing else of ours.

mod archive;
mod bundle;
mod counter;
mod drms;
mod name;
mod node;
mod shelf;
mod step;
mod subscription;

pub use archive::{ArchiveName, ArchiveNameFault};
pub use bundle::{BundleName, BundleNameFault};
pub use counter::{Counter, SlonyNode};
pub use drms::{MASTER_TABLES, SERIES_NAME, SITE_SETTINGS};
pub use name::{NameFault, QualifiedName, Sequence, Series, quote_identifier, quote_literal};
pub use node::{Node, NodeFault};
pub use shelf::{Bundle, Shelf, Single};
pub use step::Step;
pub use subscription::{Compression, Dialect, SeriesList, Subscription, Unrouted};
