//! A tool that runs, and that others may kill.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::wait;
use crate::world::LIMIT;

/// A place for one process at a time.
#[derive(Default)]
pub(crate) struct Process(Mutex<Option<Child>>);

/// How a run ended.
pub(crate) struct Ended {
    /// The exit status; `None`: it was killed.
    pub(crate) status: Option<i32>,
    /// What it said.
    pub(crate) said: String,
}

impl Process {
    /// Runs the command to its end, and does something now and then meanwhile. What it says goes to `log`.
    pub(crate) fn run(&self, mut command: Command, log: &Path, mut meanwhile: impl FnMut()) -> Ended {
        let file = File::create(log).expect("create a log");
        command.stdin(Stdio::null()).stdout(file.try_clone().expect("clone a log")).stderr(file);
        *self.lock() = Some(command.spawn().expect("start a tool"));
        let status = wait::until(&format!("the end of {command:?}"), LIMIT * 5, || {
            meanwhile();
            self.lock().as_mut().and_then(|child| child.try_wait().expect("look after a tool"))
        });
        *self.lock() = None;
        let said = String::from_utf8_lossy(&fs::read(log).expect("read a log")).into_owned();
        Ended { status: status.code(), said }
    }

    /// Kills it; whether it ran.
    pub(crate) fn kill(&self) -> bool {
        self.signal(Signal::KILL)
    }

    /// Asks it to end; whether it ran.
    pub(crate) fn terminate(&self) -> bool {
        self.signal(Signal::TERM)
    }

    fn signal(&self, signal: Signal) -> bool {
        let mut running = self.lock();
        // Nobody has waited for it yet: the number is its own.
        let Some(child) = running.as_mut() else { return false };
        if !matches!(child.try_wait(), Ok(None)) {
            return false;
        }
        kill_process(Pid::from_child(child), signal).expect("signal a tool");
        true
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Child>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
