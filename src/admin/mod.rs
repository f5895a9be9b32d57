//! The operator's commands: one file each. They print; what they change they change under the hold.

mod ddl;
mod list;
mod offline_sql;
mod resplit;
mod split;
mod tidy;

pub use ddl::ddl;
pub use list::list;
pub use offline_sql::offline_sql;
pub use resplit::resplit;
pub use split::split;
pub use tidy::tidy;
