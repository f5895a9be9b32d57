//! Whether a series is the same in two databases, row by row.

use std::collections::BTreeMap;

use super::Server;
use super::postgres::expect_success;

/// What a comparison has found.
pub struct Comparison {
    /// The rows of the original.
    pub rows: usize,
    /// Rows that only the original has, as PostgreSQL writes a whole row.
    pub missing: Vec<String>,
    /// Rows that only the copy has.
    pub extra: Vec<String>,
}

impl Comparison {
    /// Reads both tables and compares whole rows, every column of them; a changed row is missing once and extra once.
    #[track_caller]
    pub fn of(server: &Server, series: &str, original: &str, copy: &str) -> Self {
        Self::between((server, original), (server, copy), series)
    }

    /// As [`Comparison::of`], for databases of two servers.
    #[track_caller]
    pub fn between(original: (&Server, &str), copy: (&Server, &str), series: &str) -> Self {
        let original = rows(original.0, original.1, series);
        let mut balance: BTreeMap<&str, i64> = BTreeMap::new();
        for row in &original {
            *balance.entry(row).or_default() += 1;
        }
        let copy = rows(copy.0, copy.1, series);
        for row in &copy {
            *balance.entry(row).or_default() -= 1;
        }
        let only = |sign: i64| {
            let found = balance.iter().filter(|(_, count)| count.signum() == sign);
            found.map(|(row, _)| (*row).to_owned()).collect()
        };
        Self { rows: original.len(), missing: only(1), extra: only(-1) }
    }

    /// Whether both tables have the same rows.
    pub fn is_equal(&self) -> bool {
        self.missing.is_empty() && self.extra.is_empty()
    }
}

/// The rows of a table as text. They end with NUL, the one character that no row can hold.
#[track_caller]
fn rows(server: &Server, database: &str, table: &str) -> Vec<String> {
    let sql = format!("select t::text from {table} t");
    let output = server.psql(database, "postgres").args(["-Atq0", "-c", &sql]).output().expect("run psql");
    expect_success(&sql, &output);
    let text = String::from_utf8(output.stdout).expect("psql prints UTF-8");
    text.split_terminator('\0').map(str::to_owned).collect()
}
