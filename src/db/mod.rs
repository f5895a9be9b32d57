//! The door to PostgreSQL: the only code that speaks to a server.
pub mod structure;
