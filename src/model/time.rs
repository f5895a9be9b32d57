//! Times as people and files of ours write them: RFC 3339 in UTC.

use std::time::{Duration, SystemTime};

use jiff::{Timestamp, civil, tz::TimeZone};

/// `2026-11-21T16:40:00.123456Z`: as long for every time, so that texts sort as the times do. A clock beyond all calendars
/// gives the begin of 1970.
pub fn write_time(time: SystemTime) -> String {
    let time = Timestamp::try_from(time).unwrap_or(Timestamp::UNIX_EPOCH);
    format!("{time:.6}")
}

/// Reads what [`write_time`] writes, or another time of RFC 3339.
pub fn read_time(text: &str) -> Option<SystemTime> {
    text.parse::<Timestamp>().ok().map(SystemTime::from)
}

/// Reads how far to look back: a time of RFC 3339, a day (`2026-11-21`, from its begin in UTC), or how long ago (`90m`, `12h`,
/// `7d`).
pub fn read_since(text: &str, now: SystemTime) -> Option<SystemTime> {
    if let Some(time) = read_time(text) {
        return Some(time);
    }
    if let Ok(day) = text.parse::<civil::Date>() {
        let begin = day.to_zoned(TimeZone::UTC).ok()?;
        return Some(SystemTime::from(begin.timestamp()));
    }
    let seconds = match text.chars().last()? {
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    let number: u64 = text.get(..text.len() - 1)?.parse().ok()?;
    now.checked_sub(Duration::from_secs(number.checked_mul(seconds)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_come_back_to_the_microsecond() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_micros(1_763_743_200_123_456);
        assert_eq!(write_time(time), "2025-11-21T16:40:00.123456Z");
        assert_eq!(read_time(&write_time(time)), Some(time));
        assert_eq!(write_time(SystemTime::UNIX_EPOCH), "1970-01-01T00:00:00.000000Z");
    }

    #[test]
    fn looking_back_has_three_spellings() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_763_743_200);
        let since = |text| read_since(text, now).map(write_time);
        assert_eq!(since("2025-11-20").as_deref(), Some("2025-11-20T00:00:00.000000Z"));
        assert_eq!(since("2025-11-20T10:00:00+02:00").as_deref(), Some("2025-11-20T08:00:00.000000Z"));
        assert_eq!(since("1d").as_deref(), Some("2025-11-20T16:40:00.000000Z"));
        assert_eq!(since("90m").as_deref(), Some("2025-11-21T15:10:00.000000Z"));
        for bad in ["", "d", "1", "yesterday", "-1d", "2025-13-01", "99999999999999999999d"] {
            assert_eq!(since(bad), None, "{bad}");
        }
    }
}
