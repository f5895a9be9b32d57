//! Where a PostgreSQL server is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A host, or the directory of a Unix socket, and a port; written `host:port`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Address {
    /// Host name, address, or the directory of a Unix socket.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// A text is no [`Address`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be `host:port`")]
pub struct AddressFault;

impl fmt::Display for Address {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(text, "{}:{}", self.host, self.port)
    }
}

impl FromStr for Address {
    type Err = AddressFault;

    /// An IPv6 address may stand in brackets.
    fn from_str(text: &str) -> Result<Self, AddressFault> {
        let (host, port) = text.rsplit_once(':').ok_or(AddressFault)?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let port = port.parse().ok().filter(|port| *port != 0).ok_or(AddressFault)?;
        if host.is_empty() { Err(AddressFault) } else { Ok(Self { host: host.to_owned(), port }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_it_is_written() {
        for text in ["db.example.org:5432", "/run/postgresql:5433", "10.0.0.1:1"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        assert_eq!("[::1]:5432".parse::<Address>().unwrap().host, "::1");
        for bad in ["", "db", ":5432", "db:", "db:0", "db:65536", "db:x"] {
            assert_eq!(bad.parse::<Address>(), Err(AddressFault), "{bad}");
        }
    }
}
