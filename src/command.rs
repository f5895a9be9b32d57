//! Commands that an operator has configured: run without a shell, told what happened by standard input, and ended with
//! everything that they have started when their time is over.

use std::fmt;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;

/// So much of what a command says is kept for the log.
const KEPT: usize = 4096;

/// What systemd has told this program alone: who else had it could speak for us.
const OURS: [&str; 3] = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"];

/// How long the output of a command is waited for that has ended: something that it left running may have it still.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// Why a command did not do what it was asked to.
#[derive(Debug)]
pub(crate) enum Failure {
    /// There is none of this name.
    Missing,
    /// It could not be started or waited for.
    NotRun(std::io::Error),
    /// It ended badly: how, and what it said.
    Ended(std::process::ExitStatus, String),
    /// Its time was over, and it was ended with its whole process group; what it had said.
    TooLong(Duration, String),
}

impl fmt::Display for Failure {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => write!(text, "there is no such command"),
            Self::NotRun(error) => write!(text, "{error}"),
            Self::Ended(status, said) => write!(text, "{status}{}", quoted(said)),
            Self::TooLong(limit, said) => {
                write!(text, "it took longer than {} s and was ended{}", limit.as_secs_f64(), quoted(said))
            }
        }
    }
}

fn quoted(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!("; it said: {}", said.escape_debug()) }
}

/// The words of a command line, as a shell would part them, and nothing else that a shell does: white space parts,
/// `'...'`, `"..."` and a backslash keep together. Fails where a quote is not closed.
pub(crate) fn words(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            space if space.is_whitespace() => words.extend(word.take()),
            quote @ ('\'' | '"') => {
                let word = word.get_or_insert_default();
                loop {
                    match characters.next().ok_or_else(|| format!("`{line}` has a quote without its end"))? {
                        end if end == quote => break,
                        '\\' if quote == '"' => word.extend(characters.next()),
                        other => word.push(other),
                    }
                }
            }
            '\\' => word.get_or_insert_default().extend(characters.next()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    Ok(words)
}

/// Runs a command with these bytes as its input, and returns what it said. After `limit` it is killed with its process
/// group, and so it is when the future is dropped.
pub(crate) async fn run(words: &[String], input: &[u8], limit: Duration) -> Result<String, Failure> {
    let Some((program, arguments)) = words.split_first() else { return Err(Failure::Missing) };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for variable in OURS {
        command.env_remove(variable);
    }
    let mut child =
        command.process_group(0).kill_on_drop(true).spawn().map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Failure::Missing,
            _ => Failure::NotRun(error),
        })?;
    let group = Group(child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)));
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (mut said, mut complained) = (Vec::new(), Vec::new());
    let ended = async {
        let talk = async {
            let feed = async {
                if let Some(mut stdin) = stdin {
                    // One that does not read its input may still do its work.
                    let _ = stdin.write_all(input).await;
                }
            };
            tokio::join!(feed, listen(stdout, &mut said), listen(stderr, &mut complained));
        };
        tokio::pin!(talk);
        tokio::select! {
            status = child.wait() => {
                let _ = tokio::time::timeout(LAST_WORDS, &mut talk).await;
                status
            }
            () = &mut talk => child.wait().await,
        }
    };
    let ended = tokio::time::timeout(limit, ended).await;
    said.extend(complained);
    let said = String::from_utf8_lossy(&said).trim().to_owned();
    match ended {
        Ok(Ok(status)) => {
            group.leave();
            if status.success() { Ok(said) } else { Err(Failure::Ended(status, said)) }
        }
        Ok(Err(error)) => Err(Failure::NotRun(error)),
        Err(_) => {
            drop(group);
            // Reaped here, so that nothing of it is left when the caller goes on.
            let _ = child.wait().await;
            Err(Failure::TooLong(limit, said))
        }
    }
}

/// Reads to the end, and keeps the begin of it.
async fn listen(stream: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>) {
    let Some(mut stream) = stream else { return };
    let mut piece = [0; 1024];
    loop {
        match stream.read(&mut piece).await {
            Ok(read @ 1..) => {
                let room = KEPT.saturating_sub(kept.len());
                kept.extend(piece.iter().take(read.min(room)));
            }
            _ => return,
        }
    }
}

/// The process group of a command that has not ended: killed when this is dropped.
struct Group(Option<Pid>);

impl Group {
    /// It has ended; what it has left running on purpose goes on.
    fn leave(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn sh(script: &str) -> Vec<String> {
        ["sh", "-c", script].map(str::to_owned).to_vec()
    }

    #[test]
    fn words_are_parted_as_by_a_shell() {
        let parted = |line| words(line).map(|words| words.join("|"));
        assert_eq!(parted(" /bin/tell a,b  c "), Ok("/bin/tell|a,b|c".into()));
        assert_eq!(parted(r#"x 'two words' "a \" b"c d\ e ''"#), Ok(r#"x|two words|a " bc|d e|"#.into()));
        assert_eq!(parted("echo $HOME; rm *"), Ok("echo|$HOME;|rm|*".into()));
        assert_eq!(parted("  "), Ok(String::new()));
        assert!(parted("x 'open").is_err());
    }

    #[tokio::test]
    async fn a_command_reads_its_input_and_is_heard() {
        assert_eq!(run(&sh("cat; echo oh >&2"), b"told ", LONG).await.unwrap(), "told oh");
        let failure = run(&sh("echo no; exit 3"), b"", LONG).await.unwrap_err();
        assert_eq!(failure.to_string(), "exit status: 3; it said: no");
        assert!(matches!(run(&["/nowhere/none".to_owned()], b"", LONG).await, Err(Failure::Missing)));
        // More than a pipe holds on both sides, and an input that nobody reads.
        let much = vec![b'x'; 1 << 20];
        assert_eq!(run(&sh("cat; cat /dev/null"), &much, LONG).await.unwrap().len(), KEPT);
        assert_eq!(run(&sh("exit 0"), &much, LONG).await.unwrap(), "");
    }

    #[tokio::test]
    async fn one_that_takes_too_long_goes_with_all_that_it_has_started() {
        let directory = tempfile::tempdir().unwrap();
        let note = directory.path().join("child");
        let script =
            format!("sh -c 'echo $$ >{0}.part; mv {0}.part {0}; exec sleep 600' & wait", note.display());
        let (words, limit) = (sh(&script), Duration::from_secs(1));
        let failure = run(&words, b"", limit).await.unwrap_err();
        assert!(matches!(failure, Failure::TooLong(..)), "{failure}");
        let child = std::fs::read_to_string(&note).unwrap();
        let gone = || {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.trim())).unwrap_or_default();
            stat.is_empty() || stat.contains(") Z ")
        };
        let start = std::time::Instant::now();
        while !gone() {
            assert!(start.elapsed() < LONG, "{child} lives");
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn what_it_leaves_running_is_not_waited_for() {
        let said = run(&sh("sleep 600 & echo $!"), b"", LONG).await.unwrap();
        let pid = Pid::from_raw(said.parse().unwrap()).unwrap();
        rustix::process::kill_process(pid, Signal::KILL).unwrap();
    }
}
