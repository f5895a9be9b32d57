//! `dumps.json`: how far the dumps are, for whoever looks on from another process. The daemon writes it while there are any;
//! PROTOCOL.md documents the fields.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::model::{age, count, read_time, size, write_time};

/// What was written last is older than this only if the daemon has died, or stands still.
const FRESH: Duration = Duration::from_secs(15);

/// The file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dumps {
    /// When it was written, RFC 3339 in UTC.
    pub at: String,
    /// The dumps, by node.
    pub dumps: Vec<Dump>,
}

/// One dump. Sums are about all of its series together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dump {
    /// Whose request it is.
    pub node: String,
    /// What it does.
    pub state: DumpState,
    /// For how long it has done that.
    pub seconds: u64,
    /// How many series it dumps.
    pub series: u64,
    /// How many of them are done.
    pub series_done: u64,
    /// Rows so far.
    pub rows: u64,
    /// How many there will be about, by the catalog; `None`: it does not know.
    pub rows_expected: Option<u64>,
    /// Bytes of rows so far, as text and not packed.
    pub bytes: u64,
    /// How many in a second, since it began.
    pub bytes_per_second: u64,
    /// How much of the work is done, by the sizes of the tables.
    pub percent: u64,
    /// How long the rest will take at this pace; `None`: nothing is done yet.
    pub seconds_left: Option<u64>,
}

/// What a dump does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DumpState {
    /// It waits until others have ended (`dump_jobs`), or gives way to somebody.
    Waiting,
    /// It reads rows.
    Running,
}

impl Dumps {
    /// These dumps, now.
    pub fn new(dumps: Vec<Dump>, now: SystemTime) -> Self {
        Self { at: write_time(now), dumps }
    }

    /// Writes the file.
    pub fn write(&self) -> Vec<u8> {
        // Strings and numbers: nothing that JSON could refuse.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads the file; `None` if it is none, or not of this moment.
    pub fn read(bytes: &[u8], now: SystemTime) -> Option<Self> {
        let dumps: Self = serde_json::from_slice(bytes).ok()?;
        let written = read_time(&dumps.at)?;
        let apart = now.duration_since(written).unwrap_or_else(|ahead| ahead.duration());
        (apart <= FRESH).then_some(dumps)
    }
}

impl Dump {
    /// In one line, for people.
    pub fn describe(&self) -> String {
        let seconds = |seconds: u64| age(Duration::from_secs(seconds));
        let Self { series, series_done, percent, .. } = self;
        if self.state == DumpState::Waiting {
            return format!("its dump of {series} series waits for its turn, for {}", seconds(self.seconds));
        }
        let rows = match self.rows_expected {
            Some(expected) => format!("{} of about {} rows", count(self.rows), count(expected)),
            None => format!("{} rows", count(self.rows)),
        };
        let left = self.seconds_left.map(|left| format!(", {} left", seconds(left))).unwrap_or_default();
        format!(
            "its dump is at {percent} %: {series_done} of {series} series, {rows}, {}, {}/s{left}",
            size(self.bytes),
            size(self.bytes_per_second)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dump() -> Dump {
        Dump {
            node: "nso".into(),
            state: DumpState::Running,
            seconds: 20,
            series: 3,
            series_done: 1,
            rows: 1_200,
            rows_expected: Some(4_000_000),
            bytes: 1_572_864,
            bytes_per_second: 78_643,
            percent: 42,
            seconds_left: Some(130),
        }
    }

    #[test]
    fn a_dump_is_told_in_one_line() {
        let text =
            "its dump is at 42 %: 1 of 3 series, 1.2 k of about 4.0 M rows, 1.5 MiB, 76.7 KiB/s, 2 min left";
        assert_eq!(dump().describe(), text);
        let unknown = Dump { rows_expected: None, seconds_left: None, ..dump() };
        assert_eq!(unknown.describe(), "its dump is at 42 %: 1 of 3 series, 1.2 k rows, 1.5 MiB, 76.7 KiB/s");
        let waiting = Dump { state: DumpState::Waiting, ..dump() };
        assert_eq!(waiting.describe(), "its dump of 3 series waits for its turn, for 20 s");
    }

    #[test]
    fn what_is_not_of_this_moment_is_not_believed() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let dumps = Dumps::new(vec![dump()], at(100));
        let read = |seconds| Dumps::read(&dumps.write(), at(seconds));
        assert_eq!(read(100), Some(dumps.clone()));
        assert_eq!(read(115), Some(dumps.clone()));
        assert_eq!(read(116), None);
        assert_eq!(read(84), None);
        assert_eq!(Dumps::read(b"{\"at\":", at(100)), None);
    }
}
