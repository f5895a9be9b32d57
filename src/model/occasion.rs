//! When the monitor runs a command.

use serde::{Deserialize, Serialize};

/// What a command is run for. They are told in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Occasion {
    /// The monitor has started.
    Up,
    /// A cluster has lost its primary, and has no other.
    PrimaryDown,
    /// A cluster has a new primary.
    PrimaryUp,
    /// A standby is away or too far behind.
    StandbyDown,
    /// A standby is there, and near its primary.
    StandbyUp,
    /// All servers were looked at, and everything else was told.
    Heartbeat,
}

impl Occasion {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Up, Self::PrimaryDown, Self::PrimaryUp, Self::StandbyDown, Self::StandbyUp, Self::Heartbeat];

    /// What plusmoin calls it.
    pub fn reference_name(self) -> &'static str {
        match self {
            Self::Up => "plusmoin_up",
            Self::PrimaryDown => "master_down",
            Self::PrimaryUp => "master_up",
            Self::StandbyDown => "slave_down",
            Self::StandbyUp => "slave_up",
            Self::Heartbeat => "plusmoin_heartbeat",
        }
    }

    /// The key in our own configuration.
    pub fn key(self) -> &'static str {
        match self {
            Self::Up => "monitor_on_up",
            Self::PrimaryDown => "monitor_on_primary_down",
            Self::PrimaryUp => "monitor_on_primary_up",
            Self::StandbyDown => "monitor_on_standby_down",
            Self::StandbyUp => "monitor_on_standby_up",
            Self::Heartbeat => "monitor_on_heartbeat",
        }
    }
}
