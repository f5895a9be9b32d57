//! One connection: a child that runs ssh, and the SFTP session over its standard input and output.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use russh_sftp::client::{Config, RawSftpSession};
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, ChildStderr, Command};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::ssh;

/// How long one answer may take, a person's answer to ssh's question included. Of a slow line, all that is on the way at once
/// must fit in.
const ANSWER: u64 = 120;

/// So many files and directories are open at once; further ones wait. OpenSSH numbers what it has opened, and the library
/// takes the number for text, which it is below 128 only. It also bounds what lies in memory.
const OPEN: usize = 32;

/// How long ssh may take to say why it ends.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// So many bytes of what ssh has said are kept.
const SAID: usize = 4096;

/// Why there is no line.
#[derive(Debug, Clone)]
pub(super) enum NoLine {
    /// It may go better another time.
    Broken(String),
    /// A person has to mend something; with what helps.
    ToMend(String),
}

/// An open connection. When it is dropped, the child is killed.
pub(super) struct Line {
    /// What requests are sent over.
    pub(super) session: Arc<RawSftpSession>,
    /// Who opens something there has one of these.
    pub(super) permits: Arc<Semaphore>,
    /// Whether the server takes a sync of a file.
    pub(super) syncs: bool,
    child: Watched,
}

/// The child, what it has said, and how it ended.
struct Watched {
    said: Arc<Mutex<Vec<u8>>>,
    status: Arc<OnceLock<ExitStatus>>,
    ended: CancellationToken,
    _watch: AbortOnDropHandle<()>,
}

impl Line {
    /// Starts the command and greets the server behind it.
    pub(super) async fn open(words: &[String], variables: &[(String, String)]) -> Result<Self, NoLine> {
        let (program, arguments) = words.split_first().expect("a command has a first word");
        let mut command = Command::new(program);
        command.args(arguments).envs(variables.iter().cloned());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| cannot_start(program, &error))?;
        let (Some(input), Some(output), Some(errors)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            unreachable!("all three were asked for as pipes");
        };
        let child = Watched::new(child, errors);
        let config = Config { request_timeout_secs: ANSWER, ..Config::default() };
        let session = RawSftpSession::new_with_config(tokio::io::join(output, input), config);
        match session.init().await {
            Ok(greeting) => {
                let syncs = greeting.extensions.contains_key("fsync@openssh.com");
                Ok(Self { session: Arc::new(session), permits: Arc::new(Semaphore::new(OPEN)), syncs, child })
            }
            Err(error) => Err(child.why_not(&error.to_string()).await),
        }
    }

    /// Whether it is of use.
    pub(super) fn is_open(&self) -> bool {
        !self.child.ended.is_cancelled()
    }

    /// Returns a moment after the line has ended: by then every request over it has failed by itself, or never will.
    pub(super) async fn ended(&self) {
        self.child.ended.cancelled().await;
        tokio::time::sleep(LAST_WORDS).await;
    }

    /// Why a request failed: what ssh says as it ends, else the `fault` that the session saw.
    pub(super) async fn why(&self, fault: String) -> String {
        let _ = tokio::time::timeout(LAST_WORDS, self.child.ended.cancelled()).await;
        let gist = ssh::gist(&self.child.said());
        if gist.is_empty() { fault } else { gist }
    }

    /// What ssh said last.
    pub(super) fn last_words(&self) -> String {
        let gist = ssh::gist(&self.child.said());
        if gist.is_empty() { "the connection was closed".into() } else { gist }
    }

    /// Sees to it that nobody uses it again: it does not answer as it should.
    pub(super) fn give_up(&self) {
        self.child.ended.cancel();
    }
}

impl Watched {
    fn new(mut child: Child, errors: ChildStderr) -> Self {
        let (said, status) = (Arc::new(Mutex::new(Vec::new())), Arc::new(OnceLock::new()));
        let ended = CancellationToken::new();
        let (heard, seen, end) = (Arc::clone(&said), Arc::clone(&status), ended.clone());
        let watch = tokio::spawn(async move {
            let listening = AbortOnDropHandle::new(tokio::spawn(listen(errors, heard)));
            if let Ok(exit) = child.wait().await {
                let _ = seen.set(exit);
            }
            // Not without a limit: a master connection that ssh leaves behind may keep the other end for hours.
            let _ = tokio::time::timeout(LAST_WORDS, listening).await;
            end.cancel();
        });
        Self { said, status, ended, _watch: AbortOnDropHandle::new(watch) }
    }

    fn said(&self) -> String {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&said).into_owned()
    }

    /// Why no session was begun; `fault` is what the session says of it.
    async fn why_not(&self, fault: &str) -> NoLine {
        let ended = tokio::time::timeout(LAST_WORDS, self.ended.cancelled()).await.is_ok();
        let said = self.said();
        let gist = ssh::gist(&said);
        if let Some(hint) = ssh::hint(&said) {
            return NoLine::ToMend(format!("{gist}\nhint: {hint}"));
        }
        let told = if gist.is_empty() { fault.to_owned() } else { gist };
        match self.status.get().and_then(ExitStatus::code) {
            // ssh's own failures.
            Some(255) | None if ended => NoLine::Broken(told),
            None => NoLine::Broken(format!("no greeting from its sftp server: {told}")),
            Some(code) => NoLine::ToMend(format!(
                "{told} (exit status {code})\nhint: what answers there is no sftp server; try `sftp` by hand"
            )),
        }
    }
}

/// Keeps the last of what the child says, to its end.
async fn listen(mut errors: ChildStderr, said: Arc<Mutex<Vec<u8>>>) {
    let mut piece = [0; 1024];
    while let Ok(count @ 1..) = errors.read(&mut piece).await {
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        said.extend_from_slice(piece.get(..count).unwrap_or_default());
        let surplus = said.len().saturating_sub(SAID);
        said.drain(..surplus);
    }
}

fn cannot_start(program: &str, error: &io::Error) -> NoLine {
    NoLine::ToMend(format!(
        "start `{program}`: {error}\nhint: OpenSSH's client must be installed; see `ssh_cmd`"
    ))
}
