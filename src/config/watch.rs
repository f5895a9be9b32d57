//! What is shown to those who watch: a page, and a file.

use std::fmt;
use std::path::PathBuf;

use crate::settings::Reader;

/// What is shown.
#[derive(Debug, Clone, Default)]
pub struct WatchConfig {
    /// Where the status page is served; `None`: nowhere.
    pub http_listen: Option<Listen>,
    /// The file that says the same as `/status.json`; `None`: none.
    pub status_file: Option<PathBuf>,
}

/// Where somebody is listened to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// `127.0.0.1:8642`
    Tcp(String),
    /// `/run/subscription_manager/http.sock`
    Unix(PathBuf),
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => f.write_str(address),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

/// Every key with its default.
pub(super) const KNOWN: &[(&str, Option<&str>)] = &[("http_listen", None), ("status_file", None)];

impl WatchConfig {
    pub(super) fn read(read: &mut Reader<'_>) -> Self {
        Self { http_listen: listen(read, "http_listen"), status_file: read.optional_path("status_file") }
    }
}

fn listen(read: &mut Reader<'_>, key: &str) -> Option<Listen> {
    let given = read.given(key)?;
    if given.starts_with('/') {
        return read.optional_path(key).map(Listen::Unix);
    }
    let port = given.rsplit_once(':').filter(|(host, _)| !host.is_empty());
    if port.is_none_or(|(_, port)| port.parse::<u16>().is_err()) {
        read.fault(key, "must be `address:port`, or the path of a Unix socket");
        return None;
    }
    Some(Listen::Tcp(given))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn an_address_is_a_port_or_a_path() {
        let needed = "triggerdir=/t\nsubscribers_dir=/s\nparser_config=/e/r\ntables_dir=/e\n";
        let read = |value: &str| Config::read(&format!("{needed}http_listen={value}\n"));
        let listen = |value: &str| read(value).unwrap().watch.http_listen;
        assert_eq!(listen(""), None);
        assert_eq!(listen("[::1]:8642"), Some(Listen::Tcp("[::1]:8642".into())));
        assert_eq!(listen("/run/x/"), Some(Listen::Unix("/run/x".into())));
        for bad in ["8642", ":8642", "localhost", "localhost:http", "127.0.0.1:99999"] {
            assert!(read(bad).unwrap_err().chain().contains("`http_listen` must be"), "{bad}");
        }
    }
}
