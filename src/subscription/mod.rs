//! Flow one: from a request to a site that follows its series.

mod offline;

pub use offline::offline_objects;
