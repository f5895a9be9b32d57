//! Subscriptions to Slony-I replicated tables.
pub mod config;
pub mod db;
pub mod disk;
pub mod error;
pub mod model;
pub mod paths;
pub mod protocol;
pub mod subscription;
pub mod logs {
    //! x
    /// x
    #[derive(Debug, thiserror::Error)]
    #[error("line {line}: {what}")]
    pub struct ArchiveFault {
        /// x
        pub line: u64,
        /// x
        pub what: String,
    }
}
