//! The name of a subscriber.

use std::fmt;
use std::str::FromStr;

use super::excerpt;

/// A subscriber's name: letters, digits, `_` and `-`, at most 63 bytes, no dot, so that it is one component of a
/// path and `<node>.new` can never be a node. Matched exactly, never as a part or a pattern.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node(String);

/// Why a text is no node name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no node name: letters, digits, `_` and `-`, beginning with a letter or digit, at most 63")]
pub struct NodeFault(String);

impl Node {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Node {
    type Err = NodeFault;

    fn from_str(text: &str) -> Result<Self, NodeFault> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let valid = text.len() <= 63
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.chars().all(allowed);
        if valid {
            return Ok(Self(text.to_owned()));
        }
        Err(NodeFault(excerpt(text)))
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_one_safe_component_of_a_path() {
        for good in ["nso", "NSO", "site-a", "site_a", "1"] {
            assert_eq!(good.parse::<Node>().unwrap().as_str(), good);
        }
        let long = "x".repeat(64);
        for bad in ["", ".", "..", "a.b", "a/b", "-a", "_a", "a b", "a\n", "é", "b(1", "*", long.as_str()] {
            assert!(bad.parse::<Node>().is_err(), "{bad:?}");
        }
    }
}
