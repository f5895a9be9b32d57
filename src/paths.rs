//! Every path that the program owns, with an example beside it.

use std::path::{Path, PathBuf};

use crate::model::{Node, printable};
use crate::protocol::{Entry, Kind, Stem, TriggerFile};

/// The places of one installation.
#[derive(Debug, Clone)]
pub struct Paths {
    /// `/srv/slony/triggers`: where subscribers and the manager drop files for each other.
    pub triggerdir: PathBuf,
    /// `/srv/slony/site_logs`: one directory for each node.
    pub subscribers_dir: PathBuf,
    /// `/srv/slony/etc`: user table lists and what belongs to them.
    pub tables_dir: PathBuf,
    /// `/srv/slony/etc/slon_parser.cfg`
    pub registry: PathBuf,
    /// `/srv/slony/work`: locks, the splitter's counter, the die file.
    pub work_dir: PathBuf,
    /// `/srv/slony/archives`: where slon writes; `None`: this daemon does not split.
    pub archive_dir: Option<PathBuf>,
}

impl Paths {
    /// `triggers/nso.subscription_series.tgr`
    pub fn trigger(&self, node: &Node, stem: Stem, kind: Kind) -> PathBuf {
        self.triggerdir.join(TriggerFile { node: node.clone(), stem, kind }.to_string())
    }

    /// `triggers/.nso.subscription_series.sqldone.ready`: made, but not to be seen before the cut says so.
    pub fn ready(&self, name: &str) -> PathBuf {
        self.triggerdir.join(format!(".{name}.ready"))
    }

    /// `triggers/.nso.subscription_series.tgr.claim`: a request on its way out of the subscriber's hands.
    pub fn claim(&self, file: &TriggerFile) -> PathBuf {
        self.triggerdir.join(format!(".{file}.claim"))
    }

    /// `triggers/rejected`: what could not be understood, with the reason beside it.
    pub fn rejected(&self) -> PathBuf {
        self.triggerdir.join("rejected")
    }

    /// `work/split.counter`
    pub fn split_counter(&self) -> PathBuf {
        self.work_dir.join("split.counter")
    }

    /// `work/split.seen`: what the archives looked like that were split last.
    pub fn seen(&self) -> PathBuf {
        self.work_dir.join("split.seen")
    }

    /// `work/split.confirmed`: how far it was compared what slon has applied with what it has archived.
    pub fn confirmed(&self) -> PathBuf {
        self.work_dir.join("split.confirmed")
    }

    /// `work/system_identifier`: of the PostgreSQL cluster whose archives were split.
    pub fn system_identifier(&self) -> PathBuf {
        self.work_dir.join("system_identifier")
    }

    /// `work/holes`: where slon ran without `-a`, and who misses rows since.
    pub fn holes(&self) -> PathBuf {
        self.work_dir.join("holes")
    }

    /// `work/sequences`: the numbers by which Slony-I before 2.2 calls sequences.
    pub fn sequence_numbers(&self) -> PathBuf {
        self.work_dir.join("sequences")
    }

    /// `work/accepted_empty`: archives that slon committed and never wrote, taken as empty at an operator's word.
    pub fn accepted_empty(&self) -> PathBuf {
        self.work_dir.join("accepted_empty")
    }

    /// `work/subscription_manager.lock`: held by `run` for its life.
    pub fn instance_lock(&self) -> PathBuf {
        self.work_dir.join("subscription_manager.lock")
    }

    /// `etc/subscription_manager.lock`: held as well by `run` for its life, also where `work_dir` is another.
    pub fn lists_lock(&self) -> PathBuf {
        self.tables_dir.join("subscription_manager.lock")
    }

    /// `work/audit.jsonl`: what became of every request.
    pub fn audit(&self) -> PathBuf {
        self.work_dir.join("audit.jsonl")
    }

    /// `work/hooks.at`: up to where hooks have told of the audit trail.
    pub fn hooks_place(&self) -> PathBuf {
        self.work_dir.join("hooks.at")
    }

    /// `work/hooks.state`: what hooks know of nodes, archives and the database.
    pub fn hooks_state(&self) -> PathBuf {
        self.work_dir.join("hooks.state")
    }

    /// `work/dumps.json`: how far the dumps are, while there are any.
    pub fn dumps(&self) -> PathBuf {
        self.work_dir.join("dumps.json")
    }

    /// `work/troubles.json`: what the daemon tries again, while there is anything.
    pub fn troubles(&self) -> PathBuf {
        self.work_dir.join("troubles.json")
    }

    /// `work/lag.jsonl`: how far behind every node was, sample by sample.
    pub fn lag(&self) -> PathBuf {
        self.work_dir.join("lag.jsonl")
    }

    /// `work/nso.cancel`: an operator wants the open request of the node to end.
    pub fn cancel(&self, node: &Node) -> PathBuf {
        self.work_dir.join(format!("{node}.cancel"))
    }

    /// `work/monitor.state`: what the monitor knows of the servers.
    pub fn monitor_state(&self) -> PathBuf {
        self.work_dir.join("monitor.state")
    }

    /// `work/monitor.lock`: held by the one who watches the servers.
    pub fn monitor_lock(&self) -> PathBuf {
        self.work_dir.join("monitor.lock")
    }

    /// `work/hold.lock`: the hold.
    pub fn hold(&self) -> PathBuf {
        self.work_dir.join("hold.lock")
    }

    /// `work/tidy.lock`: held by the one who bundles and removes.
    pub fn tidy_lock(&self) -> PathBuf {
        self.work_dir.join("tidy.lock")
    }

    /// `triggers/nso.counter`: what a site acknowledges that may not write into its directory.
    pub fn acknowledgement(&self, node: &Node) -> PathBuf {
        self.triggerdir.join(format!("{node}.counter"))
    }

    /// `work/subscription_manager.die`: stops the daemon, which removes it.
    pub fn die_file(&self) -> PathBuf {
        self.work_dir.join("subscription_manager.die")
    }

    /// The places of one node. A registered node keeps the directory and the list that its entry names.
    pub fn site(&self, node: &Node, entry: Option<&Entry>) -> SitePaths {
        let directory =
            entry.map_or_else(|| self.subscribers_dir.join(node.as_str()), |e| e.directory.clone());
        let in_tables = |ending: &str| self.tables_dir.join(format!("{node}{ending}"));
        SitePaths {
            new_directory: directory.with_file_name(format!("{node}.new")),
            held_directory: directory.with_file_name(format!("{node}.held")),
            list: entry.map_or_else(|| in_tables(".lst"), |e| e.list.clone()),
            new_list: in_tables(".new.lst"),
            open_request: in_tables(".new.cut"),
            cuts: in_tables(".cuts"),
            stopped: in_tables(".stopped"),
            decisions: in_tables(".ddl"),
            directory,
        }
    }
}

/// The places of one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SitePaths {
    /// `site_logs/nso`
    pub directory: PathBuf,
    /// `site_logs/nso.new`: logs after the cut of an open request, by its list.
    pub new_directory: PathBuf,
    /// `site_logs/nso.held`: logs after the cut, by the old list, while a fence stands.
    pub held_directory: PathBuf,
    /// `etc/nso.lst`
    pub list: PathBuf,
    /// `etc/nso.new.lst`
    pub new_list: PathBuf,
    /// `etc/nso.new.cut`
    pub open_request: PathBuf,
    /// `etc/nso.cuts`
    pub cuts: PathBuf,
    /// `etc/nso.stopped`: before which archive its logs stop, and why.
    pub stopped: PathBuf,
    /// `etc/nso.ddl`: what an operator has decided about statements that could not be routed.
    pub decisions: PathBuf,
}

impl SitePaths {
    /// `site_logs/nso/slony_counter.txt`: what the site acknowledges.
    pub fn acknowledgement(&self) -> PathBuf {
        self.directory.join("slony_counter.txt")
    }
}

/// A path for a message: names from outside may hold what a terminal obeys.
pub fn shown(path: &Path) -> String {
    printable(&path.to_string_lossy())
}

/// Whether `path` is a name of ours in progress or set aside: such names begin with a dot and mean nothing to others.
pub fn is_hidden(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with('.'))
}
