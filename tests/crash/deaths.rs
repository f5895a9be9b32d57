//! The deaths that a run is to die.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::power::{Loss, lose};

/// How a program ends at a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Way {
    /// SIGKILL: everything that was done stays.
    Kill,
    /// The power goes, and what was not synced with it.
    Power,
    /// The power goes, and the contents that were not synced with it; names stay.
    Torn,
}

/// One death: the point of this name, when it is passed for the n-th time.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Death {
    pub(crate) name: String,
    pub(crate) nth: u32,
    pub(crate) way: Way,
}

/// How often each point was passed.
pub(crate) type Points = BTreeMap<String, u32>;

/// What a run has before it, and where it notes what it does.
pub(crate) struct Deaths {
    scratch: tempfile::TempDir,
    /// Everything that a loss of power concerns.
    root: PathBuf,
    /// The directory in which names are lost, if it is one alone.
    disk: Option<PathBuf>,
    plan: Vec<Death>,
    /// Deaths that came.
    dead: Cell<usize>,
    /// Programs that were started.
    starts: Cell<u32>,
}

impl Deaths {
    pub(crate) fn new(root: &Path, disk: Option<PathBuf>, plan: Vec<Death>) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        fs::create_dir(scratch.path().join("journal")).unwrap();
        Self { scratch, root: root.to_owned(), disk, plan, dead: Cell::new(0), starts: Cell::new(0) }
    }

    fn journal(&self) -> PathBuf {
        self.scratch.path().join("journal")
    }

    fn trace(&self, start: u32) -> PathBuf {
        self.scratch.path().join(format!("trace.{start}"))
    }

    /// The environment of the next program: with the next death, if there is one.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        self.starts.set(self.starts.get() + 1);
        let path = |path: PathBuf| path.to_str().unwrap().to_owned();
        let mut variables = vec![
            ("FAILPOINT_TRACE".to_owned(), path(self.trace(self.starts.get()))),
            ("FAILPOINT_JOURNAL".to_owned(), path(self.journal())),
        ];
        if let Some(Death { name, nth, .. }) = self.plan.get(self.dead.get()) {
            variables.push(("FAILPOINT_KILL".to_owned(), format!("{nth} {name}")));
        }
        variables
    }

    /// The same without a death: what was planned did not come.
    pub(crate) fn peaceful_environment(&self) -> Vec<(String, String)> {
        self.environment().into_iter().filter(|(variable, _)| variable != "FAILPOINT_KILL").collect()
    }

    /// The program was found dead.
    #[track_caller]
    pub(crate) fn died(&self, said: &dyn Fn() -> String) {
        let dead = self.dead.get();
        let Some(death) = self.plan.get(dead) else { panic!("it died, and should not have:\n{}", said()) };
        self.dead.set(dead + 1);
        match death.way {
            Way::Kill => {}
            Way::Power => match &self.disk {
                Some(disk) => {
                    let disk = fs::metadata(disk).unwrap().ino();
                    lose(Loss::Disk(disk), &self.journal(), &self.root);
                }
                None => self.lose_power(),
            },
            Way::Torn => lose(Loss::Contents, &self.journal(), &self.root),
        }
    }

    /// Nothing runs, and the power goes: what was not synced since the last time is lost.
    pub(crate) fn lose_power(&self) {
        lose(Loss::All, &self.journal(), &self.root);
    }

    /// Whether anything dies at all.
    pub(crate) fn are_planned(&self) -> bool {
        !self.plan.is_empty()
    }

    /// Whether all of them came.
    pub(crate) fn all_came(&self) -> bool {
        self.dead.get() == self.plan.len()
    }

    /// What the last program passed.
    pub(crate) fn passed(&self) -> Points {
        let mut points = Points::new();
        for name in fs::read_to_string(self.trace(self.starts.get())).unwrap_or_default().lines() {
            *points.entry(name.to_owned()).or_default() += 1;
        }
        points
    }
}
