//! SIGHUP: the configuration is read anew. What is under way goes on by the old one; what begins goes by the new one. With a fault the
//! old one stays.

use std::path::PathBuf;
use std::sync::Arc;

use crate::access::Access;
use crate::config::{Config, MonitorConfig};
use crate::error::{Error, Result};
use crate::monitor;
use crate::subscription::Service;

/// Changes what is logged.
pub type SetLogLevel = Box<dyn Fn(&str) -> Result<()> + Send + Sync>;

/// How the configuration is read anew.
pub struct Reload {
    /// The configuration file.
    pub path: PathBuf,
    /// Changes what is logged.
    pub log_level: SetLogLevel,
}

impl Reload {
    /// The service by the configuration of now, if that may take the place of the one before; and which servers are to be watched.
    pub(super) fn read(&self, before: &Service) -> Result<(Arc<Service>, Option<MonitorConfig>)> {
        let config = Config::load(&self.path)?;
        let changed = changed(&before.config, &config);
        if !changed.is_empty() {
            let list: Vec<String> = changed.iter().map(|key| format!("`{key}`")).collect();
            return Err(Error::Fatal(format!("{} changed, which needs a restart", list.join(", "))));
        }
        let access = if config.access_file == before.config.access_file {
            before.access.clone()
        } else {
            Access::load(&config)?
        };
        let monitor = monitor::load(&config)?;
        (self.log_level)(&config.log_level)?;
        Ok((before.reload(config, access), monitor))
    }
}

/// The keys that are others than before and cannot change while the daemon runs: its locks, its watches and its log stand on
/// them.
fn changed(before: &Config, now: &Config) -> Vec<&'static str> {
    let (old, new) = (&before.paths, &now.paths);
    let pairs = [
        ("triggerdir", old.triggerdir != new.triggerdir),
        ("subscribers_dir", old.subscribers_dir != new.subscribers_dir),
        ("parser_config", old.registry != new.registry),
        ("tables_dir", old.tables_dir != new.tables_dir),
        ("work_dir", old.work_dir != new.work_dir),
        ("archive_dir", old.archive_dir != new.archive_dir),
        ("http_listen", before.watch.http_listen != now.watch.http_listen),
        ("log_dir", before.log_dir != now.log_dir),
        ("cluster", before.cluster != now.cluster),
    ];
    pairs.into_iter().filter_map(|(key, differs)| differs.then_some(key)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_daemon_stands_on_cannot_change() {
        let read = |text: &str| {
            let paths = "triggerdir=/t\nsubscribers_dir=/s\nparser_config=/e/r\n";
            Config::read(&format!("{paths}{text}")).unwrap()
        };
        let old = read("tables_dir=/e\nrescan=1\n");
        assert_eq!(changed(&old, &read("tables_dir=/e\nrescan=2\ndump_jobs=7\n")), [""; 0]);
        assert_eq!(
            changed(&old, &read("tables_dir=/f\nwork_dir=/e\ncluster=c\n")),
            ["tables_dir", "cluster"]
        );
    }
}
