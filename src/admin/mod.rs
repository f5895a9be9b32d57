//! The operator's commands: one file each. They print; what they change they change under the hold.

mod list;
mod offline_sql;
mod split;
mod tidy;

pub use list::list;
pub use offline_sql::offline_sql;
pub use split::split;
pub use tidy::tidy;
