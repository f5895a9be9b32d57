//! A host at the other end of a line. The line is opened when it is needed, shared by all calls, and opened again when it
//! has broken; a call that it broke under is made again.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::fault::Fault;
use super::line::{Line, NoLine};
use super::{Entry, HostConfig, Part, agent, sftp, ssh};
use crate::disk;
use crate::error::{Error, Result};

/// How long a broken line is tried again, if the caller does not say.
const PATIENCE: Duration = Duration::from_secs(300);

/// The pause before the second attempt; it doubles from one to the next.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The longest pause.
const LAST_PAUSE: Duration = Duration::from_secs(30);

/// The data centre's host, far away.
pub(super) struct Remote {
    pub(super) patience: Duration,
    pub(super) agent: Option<PathBuf>,
    host: String,
    command: Vec<String>,
    door: Mutex<Door>,
}

/// What is known of the line.
enum Door {
    /// Nobody has asked for it.
    New,
    Open(Arc<Line>),
    /// It could not be opened at this time.
    Shut(Instant, NoLine),
}

impl Remote {
    pub(super) fn new(name: &str, config: &HostConfig, terminal: bool) -> Self {
        Self {
            patience: PATIENCE,
            agent: None,
            host: name.to_owned(),
            command: ssh::command(name, config, terminal),
            door: Mutex::new(Door::New),
        }
    }

    pub(super) async fn list(&self, directory: &str) -> Result<Vec<Entry>> {
        self.call("list", directory, |line| async move { sftp::list(&line, directory).await }).await
    }

    pub(super) async fn size(&self, path: &str) -> Result<Option<u64>> {
        self.call("examine", path, |line| async move { sftp::size(&line, path).await }).await
    }

    pub(super) async fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>> {
        self.call("read", path, |line| async move { sftp::read(&line, path, limit).await }).await
    }

    pub(super) async fn fetch(
        &self,
        part: Part<'_>,
        into: &Path,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Option<u64>> {
        let so_far = &Mutex::new(sftp::Progress::default());
        let call = |line: Arc<Line>| async move {
            sftp::fetch(&line, part, into, &mut *so_far.lock().await, progress).await
        };
        self.call("fetch", part.path, call).await
    }

    pub(super) async fn put(&self, path: &str, bytes: &[u8]) -> Result<()> {
        self.call("write", path, |line| async move { sftp::put(&line, path, bytes).await }).await
    }

    pub(super) async fn remove(&self, path: &str) -> Result<()> {
        self.call("remove", path, |line| async move { sftp::remove(&line, path).await }).await
    }

    /// Makes a call until it is answered, or the patience is over.
    async fn call<T, F>(&self, verb: &str, path: &str, call: impl Fn(Arc<Line>) -> F) -> Result<T>
    where
        F: Future<Output = Result<T, Fault>>,
    {
        let action = || format!("{verb} `{path}` at {}", self.host);
        let failed = |said: String| Error::Line { action: action(), source: said.into() };
        let mut trouble = Trouble::default();
        loop {
            let fault = match self.attempt(&call).await {
                Ok(result) => return Ok(result),
                Err(fault) => fault,
            };
            let (why, came) = match fault {
                Attempt::Line(NoLine::ToMend(said)) => {
                    return Err(Error::Stopped(format!("connect to {}: {said}", self.host)));
                }
                Attempt::Line(NoLine::Broken(why)) => (why, false),
                Attempt::Call(Fault::Broken { why, came }) => (why, came),
                Attempt::Call(Fault::Missing) => {
                    return Err(Error::Line { action: action(), source: missing() });
                }
                Attempt::Call(Fault::Failed(said)) => return Err(failed(said)),
                Attempt::Call(Fault::Forbidden(said)) => {
                    return Err(Error::Forbidden { action: action(), source: said.into() });
                }
                Attempt::Call(Fault::Ours(error)) => return Err(error),
            };
            if came {
                trouble = Trouble::default();
            }
            let Some(pause) = trouble.pause(self.patience) else { return Err(failed(why)) };
            tracing::debug!(host = self.host, verb, path, %why, ?pause, "trying again");
            tokio::time::sleep(pause).await;
        }
    }

    /// Makes a call once.
    async fn attempt<T, F>(&self, call: &impl Fn(Arc<Line>) -> F) -> Result<T, Attempt>
    where
        F: Future<Output = Result<T, Fault>>,
    {
        let line = self.line().await.map_err(Attempt::Line)?;
        let result = tokio::select! {
            result = call(Arc::clone(&line)) => result,
            () = line.ended() => Err(Fault::Broken { why: "it was not answered".into(), came: false }),
        };
        match result {
            Err(Fault::Broken { why, came }) => {
                let why = line.why(why).await;
                line.give_up();
                Err(Attempt::Call(Fault::Broken { why, came }))
            }
            result => result.map_err(Attempt::Call),
        }
    }

    /// The line, opened if it is not. Of many who ask at once, one opens it, and its failure is theirs.
    async fn line(&self) -> Result<Arc<Line>, NoLine> {
        let asked = Instant::now();
        let mut door = self.door.lock().await;
        match &*door {
            Door::Open(line) if line.is_open() => return Ok(Arc::clone(line)),
            Door::Open(line) => {
                tracing::warn!(host = self.host, "{}; connecting again", line.last_words());
            }
            Door::Shut(when, why) if *when > asked => return Err(why.clone()),
            Door::Shut(..) | Door::New => {}
        }
        let opened = match self.variables() {
            Ok(variables) => Line::open(&self.command, &variables).await.map(Arc::new),
            Err(fault) => Err(fault),
        };
        *door = match &opened {
            Ok(line) => Door::Open(Arc::clone(line)),
            Err(why) => {
                if let (NoLine::Broken(said), false) = (why, matches!(*door, Door::Shut(..))) {
                    tracing::warn!(
                        host = self.host,
                        "cannot connect: {said}; trying again for {:?}",
                        self.patience
                    );
                }
                Door::Shut(Instant::now(), why.clone())
            }
        };
        opened
    }

    /// The agent's variables, for ssh.
    fn variables(&self) -> Result<Vec<(String, String)>, NoLine> {
        let Some(file) = &self.agent else { return Ok(Vec::new()) };
        let name = file.display();
        let hint = format!("hint: `ssh-agent > {name}`, then load the key with `ssh-add`");
        let read = disk::read_optional(file).map_err(|error| NoLine::ToMend(error.chain()))?;
        let text =
            read.ok_or_else(|| NoLine::ToMend(format!("the ssh-agent file `{name}` is not there\n{hint}")))?;
        let text = String::from_utf8_lossy(&text);
        let variables = agent::variables(&text);
        if variables.is_empty() {
            return Err(NoLine::ToMend(format!(
                "the ssh-agent file `{name}` names no SSH_AUTH_SOCK\n{hint}"
            )));
        }
        Ok(variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

/// What the server says of a file that is not there, as [`Error::is_missing`] knows it.
fn missing() -> Box<dyn std::error::Error + Send + Sync> {
    io::Error::new(io::ErrorKind::NotFound, "no such file or directory").into()
}

/// Why one attempt came to nothing.
enum Attempt {
    Line(NoLine),
    Call(Fault),
}

/// How a call has fared since the line broke.
#[derive(Default)]
struct Trouble {
    since: Option<Instant>,
    last: Duration,
}

impl Trouble {
    /// The pause before the next attempt; `None` if the patience is over.
    fn pause(&mut self, patience: Duration) -> Option<Duration> {
        let left = patience.saturating_sub(self.since.get_or_insert_with(Instant::now).elapsed());
        self.last = (self.last * 2).clamp(FIRST_PAUSE, LAST_PAUSE);
        (!left.is_zero()).then(|| self.last.min(left))
    }
}
