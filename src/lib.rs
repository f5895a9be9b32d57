//! Subscriptions to Slony-I replicated tables.
pub mod db;
pub mod model;
