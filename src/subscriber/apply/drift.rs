//! Changes that meet no row: the copy has drifted from the original.

use super::gather::Group;
use crate::model::quote_identifier;
use crate::spelling::fault::excerpt;
use crate::spelling::legacy::Verb;

/// So many are described.
const DESCRIBED: usize = 20;

/// Those of a log.
#[derive(Default)]
pub(super) struct Drift {
    pub(super) count: u64,
    said: Vec<String>,
}

impl Drift {
    /// One more.
    pub(super) fn add(&mut self, describe: impl FnOnce() -> String) {
        self.count += 1;
        if self.said.len() < DESCRIBED {
            self.said.push(describe());
        }
    }

    /// The first of them in words, and how many more there are.
    pub(super) fn told(mut self) -> Vec<String> {
        let more = self.count - self.said.len() as u64;
        if more > 0 {
            self.said.push(format!("and {more} more changes that met no row"));
        }
        self.said
    }
}

/// `update of hmi.m_45s where recnum = 7 meets no row`
pub(super) fn describe(group: &Group, row: usize) -> String {
    let verb = if group.direct.verb == Verb::Update { "update" } else { "delete" };
    let pair = |(name, value): (&String, Option<&[u8]>)| {
        let is_bare =
            name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        let name = if is_bare { name.clone() } else { excerpt(quote_identifier(name).as_bytes()) };
        format!("{name} = {}", value.map_or_else(|| "NULL".to_owned(), excerpt))
    };
    let keys: Vec<_> = group.direct.keys.iter().zip(group.key(row)).map(pair).collect();
    format!("{verb} of {} where {} meets no row", group.direct.series, keys.join(" and "))
}
