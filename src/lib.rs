//! Subscriptions to Slony-I replicated tables.
pub mod db;
pub mod logs;
pub mod model;
pub mod subscription;
