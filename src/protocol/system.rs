//! `system_identifier`: which PostgreSQL cluster has written the archives, by the number that initdb gives it. Standbys and restored
//! backups have that of their origin.

use super::Malformed;

/// Reads the file.
pub fn read_system(bytes: &[u8]) -> Result<i64, Malformed> {
    let text = super::plain_text(bytes)?;
    let fault = |_| Malformed::new(1, "this is no system identifier: one decimal number");
    text.trim().parse().map_err(fault)
}

/// Writes the file.
pub fn write_system(system: i64) -> Vec<u8> {
    format!("{system}\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_identifier_comes_back() {
        for system in [7_710_880_096_136_003_250, i64::MIN] {
            assert_eq!(read_system(&write_system(system)), Ok(system));
        }
        for bad in ["", "x", "1 2"] {
            assert!(read_system(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }
}
