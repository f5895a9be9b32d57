//! Amounts as people read them: how long, how many, how much.

use std::time::Duration;

/// `5 s`, `12 min`, `1 h 2 min`, `3 d 4 h`: two units at the most.
pub fn age(age: Duration) -> String {
    let seconds = age.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => two(seconds / 3_600, "h", seconds % 3_600 / 60, "min"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3_600, "h"),
    }
}

fn two(large: u64, unit: &str, small: u64, smaller: &str) -> String {
    if small == 0 { format!("{large} {unit}") } else { format!("{large} {unit} {small} {smaller}") }
}

/// Bytes in binary units: `17 B`, `1.5 MiB`, `230 GiB`.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    scaled(bytes, 1_024, &UNITS)
}

/// A number that may be large: `812`, `4.2 k`, `1.3 M`.
pub fn count(number: u64) -> String {
    const UNITS: [&str; 7] = ["", "k", "M", "G", "T", "P", "E"];
    scaled(number, 1_000, &UNITS).trim_end().to_owned()
}

/// So many of something, in words: `1 log`, `3 logs`.
pub fn numbered(number: u64, one: &str) -> String {
    format!("{number} {one}{}", if number == 1 { "" } else { "s" })
}

/// Three digits at the most, one of them behind the point; cut off, not rounded: 1023.9 KiB are not a MiB yet.
fn scaled(number: u64, step: u64, units: &[&str]) -> String {
    let mut whole = number;
    let mut rest = 0;
    let mut power = 0;
    while whole >= step && power + 1 < units.len() {
        rest = whole % step;
        whole /= step;
        power += 1;
    }
    let unit = units.get(power).unwrap_or(&"");
    match (power, whole) {
        (0, _) | (_, 100..) => format!("{whole} {unit}"),
        _ => format!("{whole}.{} {unit}", rest * 10 / step),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_short() {
        let text = |seconds| age(Duration::from_secs(seconds));
        assert_eq!([text(5), text(61), text(3_720), text(90_000)], ["5 s", "1 min", "1 h 2 min", "1 d 1 h"]);
        assert_eq!([text(7_200), text(259_200)], ["2 h", "3 d"]);
    }

    #[test]
    fn one_is_not_many() {
        assert_eq!([0, 1, 2].map(|number| numbered(number, "log")), ["0 logs", "1 log", "2 logs"]);
    }

    #[test]
    fn sizes_are_binary_and_numbers_decimal() {
        assert_eq!([0, 1_023, 1_024, 1_048_575].map(size), ["0 B", "1023 B", "1.0 KiB", "1023 KiB"]);
        assert_eq!([1_572_864, 107_374_182_400, u64::MAX].map(size), ["1.5 MiB", "100 GiB", "15.9 EiB"]);
        assert_eq!([0, 999, 1_000, 1_349_000].map(count), ["0", "999", "1.0 k", "1.3 M"]);
    }
}
