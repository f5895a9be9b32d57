//! The words of the project (ARCHITECTURE.md, "Words"): no I/O, nothing else of ours.

mod amount;
mod archive;
mod beat;
mod bundle;
mod counter;
mod drms;
mod hook;
mod name;
mod node;
mod occasion;
mod pattern;
mod server;
mod shelf;
mod shown;
mod step;
mod subscription;
mod time;

pub use amount::{age, count, numbered, size};
pub use archive::{ArchiveName, ArchiveNameFault};
pub use beat::{Beat, Moment};
pub use bundle::{BundleName, BundleNameFault};
pub use counter::{Counter, SlonyNode};
pub use drms::{MASTER_TABLES, SERIES_NAME, SITE_SETTINGS};
pub use hook::Hook;
pub use name::{NameFault, QualifiedName, Sequence, Series, quote_identifier, quote_literal};
pub use node::{Node, NodeFault};
pub use occasion::Occasion;
pub use pattern::SeriesPattern;
pub use server::{Address, AddressFault};
pub use shelf::{Bundle, Shelf, Single};
pub use shown::{excerpt, printable};
pub use step::Step;
pub use subscription::{Compression, Dialect, SeriesList, Subscription, TextStyle, Unrouted};
pub use time::{read_since, read_time, write_time};
