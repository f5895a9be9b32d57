//! What the tests stand on: a real PostgreSQL, a real Slony-I that ships its log, and a real sshd.
//!
//! Everything lives in a temporary directory ([`home`]) that is gone when the process that made it is gone, however
//! it ended. Nothing is skipped where a program is missing: the test fails and says so.
#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "every test binary compiles this module for itself and uses a part of it"
)]

pub mod clock;
pub mod compare;
pub mod hang;
pub mod home;
pub mod log_row;
pub mod pen;
pub mod postgres;
pub mod programs;
pub mod series;
pub mod site;
pub mod slonik;
pub mod slony;
pub mod sshd;
pub mod station;
pub mod wait;
pub mod writer;

pub use clock::Clock;
pub use compare::Comparison;
pub use hang::Hang;
pub use postgres::Server;
pub use site::Site;
pub use slony::Cluster;
pub use sshd::Sshd;
pub use station::Station;
pub use writer::Writer;
