//! The rules of `access_file` that hold at the moment, with what the operating system says of users and groups. Whoever
//! must ask may has this in hand; the daemon reads the file anew at every look.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use crate::config::Config;
use crate::disk::{self, Readers};
use crate::error::{Error, Result};
use crate::model::{Node, Series};
use crate::protocol::{AccessRules, Writer};

/// Who may do what, now.
#[derive(Debug)]
pub struct Access {
    /// `access_file`; `None`: everybody may do everything.
    file: Option<PathBuf>,
    /// Where it is tried whether a group can be given to a file.
    scratch: PathBuf,
    held: RwLock<Held>,
}

/// What was read last.
#[derive(Debug)]
struct Held {
    /// The last good rules, whatever has become of the file since.
    rules: Arc<Rules>,
    /// The file as it was read last, or what was wrong with it.
    seen: Result<Vec<u8>, String>,
}

#[derive(Debug, Default)]
struct Rules {
    said: AccessRules,
    groups: HashMap<String, u32>,
}

/// What has become of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// Other rules hold from now on.
    Changed,
    /// It cannot be used; the rules before go on.
    Faulty(String),
    /// It says again what holds.
    Well,
}

/// Why a file does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// Its owner may not write it: it is set aside.
    #[error("{0}")]
    Stranger(String),
    /// The system does not say who its owner is: it waits until that is known.
    #[error("{0}")]
    Unknown(String),
}

impl Access {
    /// Reads the file that the configuration names. With faults nothing begins.
    pub fn load(config: &Config) -> Result<Arc<Self>> {
        let (file, scratch) = (config.access_file.clone(), config.paths.work_dir.clone());
        let (rules, bytes) = match &file {
            None => (Rules::default(), Vec::new()),
            Some(path) => {
                let bytes = bytes(path).map_err(Error::Fatal)?;
                (read(path, &bytes, &scratch).map_err(Error::Fatal)?, bytes)
            }
        };
        let held = RwLock::new(Held { rules: Arc::new(rules), seen: Ok(bytes) });
        Ok(Arc::new(Self { file, scratch, held }))
    }

    /// For those who only look: with faults, which are returned, whoever has written something may have.
    pub fn load_to_look(config: &Config) -> (Arc<Self>, Option<String>) {
        match Self::load(config) {
            Ok(access) => (access, None),
            Err(error) => {
                let held = RwLock::new(Held { rules: Arc::new(Rules::default()), seen: Ok(Vec::new()) });
                let open = Self { file: None, scratch: config.paths.work_dir.clone(), held };
                (Arc::new(open), Some(error.chain()))
            }
        }
    }

    /// Reads the file anew; returns what is new about it.
    pub fn refresh(&self) -> Option<News> {
        let path = self.file.as_deref()?;
        let seen = bytes(path);
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        if held.seen == seen {
            return None;
        }
        let parsed = seen.as_ref().map_err(Clone::clone).and_then(|bytes| read(path, bytes, &self.scratch));
        let was_well = held.seen.is_ok();
        match parsed {
            Ok(rules) => {
                held.seen = seen;
                if rules.said == held.rules.said {
                    return (!was_well).then_some(News::Well);
                }
                held.rules = Arc::new(rules);
                Some(News::Changed)
            }
            Err(fault) => {
                let is_told = held.seen.as_ref().is_err_and(|told| *told == fault);
                held.seen = Err(fault.clone());
                (!is_told).then_some(News::Faulty(fault))
            }
        }
    }

    /// Whether everything is allowed because no `access_file` is configured.
    pub fn is_open(&self) -> bool {
        self.file.is_none()
    }

    /// The rules, for those who ask for all nodes at once.
    pub fn rules(&self) -> AccessRules {
        self.now().said.clone()
    }

    /// Whether the owner of a file, given by number, may speak for the node. If not, why.
    pub fn may_speak(&self, node: &Node, owner: u32) -> Result<(), Denial> {
        let rules = self.now();
        if rules.said.is_open() {
            return Ok(());
        }
        let user = disk::user(owner).map_err(|error| Denial::Unknown(error.chain()))?;
        if rules.said.may_speak(node, &user) {
            return Ok(());
        }
        let reason = format!("it is of user `{user}`, who may not speak for {node}: see access_file");
        Err(Denial::Stranger(reason))
    }

    /// Whether a file that only the manager writes is the manager's. If not, why.
    fn may_answer(&self, owner: u32) -> Result<(), Denial> {
        // An operator who looks is not the daemon; what that writes is of the owner of its directory.
        let daemon = || disk::owner(&self.scratch) == Some(owner);
        if self.is_open() || owner == 0 || owner == disk::own_number() || daemon() {
            return Ok(());
        }
        let user = disk::user_name(owner);
        Err(Denial::Stranger(format!("it is of user `{user}`; only the manager writes files of this name")))
    }

    /// Whether the owner of a file may have written it. If not, why.
    pub fn may_write(&self, writer: &Writer, owner: u32) -> Result<(), Denial> {
        match writer {
            Writer::Site(node) => self.may_speak(node, owner),
            Writer::Manager => self.may_answer(owner),
        }
    }

    /// Those of the series that the node may not have.
    pub fn denied<'s>(&self, node: &Node, series: impl IntoIterator<Item = &'s Series>) -> Vec<&'s Series> {
        let rules = self.now();
        series.into_iter().filter(|series| !rules.said.may_have(node, series)).collect()
    }

    /// Who may read what is made for the node.
    pub fn readers(&self, node: &Node) -> Readers {
        let rules = self.now();
        let group = rules.said.group(node).and_then(|group| rules.groups.get(group));
        group.map_or(Readers::Everybody, |group| Readers::Group(*group))
    }

    fn now(&self) -> Arc<Rules> {
        self.held.read().unwrap_or_else(PoisonError::into_inner).rules.clone()
    }
}

fn bytes(path: &Path) -> Result<Vec<u8>, String> {
    match disk::read_guarded(path) {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => Err(format!("the access_file `{}` is not there", path.display())),
        Err(error) => Err(format!("the access_file cannot be used: {}", error.chain())),
    }
}

/// Reads the rules, and asks the system for the groups: a group that does not exist, or that this process cannot give to
/// its files, would leave open what the operator wants closed.
fn read(path: &Path, bytes: &[u8], scratch: &Path) -> Result<Rules, String> {
    let listed = |faults: Vec<String>| {
        let list: String = faults.iter().map(|fault| format!("\n  {fault}")).collect();
        format!("the access_file `{}` has faults:{list}", path.display())
    };
    let said = AccessRules::parse(bytes)
        .map_err(|faults| listed(faults.iter().map(ToString::to_string).collect()))?;
    let mut groups = HashMap::new();
    let mut faults = Vec::new();
    for (line, name) in said.groups() {
        let usable = disk::group_number(name).and_then(|group| {
            disk::try_group(scratch, group)?;
            Ok(group)
        });
        match usable {
            Ok(group) => drop(groups.insert(name.to_owned(), group)),
            Err(error @ Error::Stopped(_)) => faults.push(format!("line {line}: {}", error.chain())),
            Err(error) => faults.push(format!(
                "line {line}: the manager cannot give its files to the group `{name}` ({}): make the user `{}` a member of \
                 it (`usermod -aG`) and start the manager anew",
                error.chain(),
                disk::user_name(disk::own_number())
            )),
        }
    }
    if faults.is_empty() { Ok(Rules { said, groups }) } else { Err(listed(faults)) }
}
