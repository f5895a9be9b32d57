//! Telling people of a failure: the command of `on_error`, and a mail to `email_list` where there is a `sendmail`.
//! The same failure is told once an hour at the most. What fails here is logged only.

use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::SiteConfig;
use crate::disk;
use crate::error::Error;
use crate::model::Counter;

/// How long a command may take.
const LIMIT: Duration = Duration::from_secs(30);

/// How long the same is not said again.
const QUIET: Duration = Duration::from_secs(60 * 60);

/// Tells that a tool has failed. Nobody is told of [`Error::Busy`] and [`Error::Cancelled`]: that is how it should be.
pub async fn notify(config: &SiteConfig, tool: &'static str, error: &Error, place: Option<Counter>) {
    let anybody = !config.on_error.is_empty() || !config.email_list.is_empty();
    if !anybody || matches!(error, Error::Busy(_) | Error::Cancelled) {
        return;
    }
    let text = error.chain();
    if !is_news(config, tool, &text) {
        return;
    }
    let message = serde_json::json!({
        "tool": tool,
        "node": config.node.to_string(),
        "error": text,
        "place": place.map(Counter::value),
        "time": since_epoch().as_secs(),
    });
    if let Some((command, arguments)) = config.on_error.split_first() {
        told(command, run(command, arguments, format!("{message}\n").as_bytes()).await);
    }
    if !config.email_list.is_empty() {
        let mail = mail(&config.email_list, tool, &config.node.to_string(), &text);
        let arguments = ["-t".to_owned()];
        let sent = match run("/usr/sbin/sendmail", &arguments, mail.as_bytes()).await {
            Err(Failure::Missing) => run("sendmail", &arguments, mail.as_bytes()).await,
            sent => sent,
        };
        told("sendmail", sent);
    }
}

/// Whether it was not said just now; notes that it is.
fn is_news(config: &SiteConfig, tool: &str, text: &str) -> bool {
    let path = config.work_dir.join(format!("{tool}.told"));
    let known = disk::read_optional(&path).ok().flatten().unwrap_or_default();
    let known = String::from_utf8_lossy(&known);
    let again = known.split_once('\n').is_some_and(|(time, said)| {
        let age = time.parse().ok().and_then(|at| since_epoch().checked_sub(Duration::from_secs(at)));
        said == text && age.is_some_and(|age| age < QUIET)
    });
    if !again {
        let note = format!("{}\n{text}", since_epoch().as_secs());
        let noted =
            disk::create_directories(&config.work_dir).and_then(|()| disk::write(&path, note.as_bytes()));
        if let Err(error) = noted {
            tracing::warn!(error = %error.chain(), "it will be told again");
        }
    }
    !again
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn mail(to: &[String], tool: &str, node: &str, text: &str) -> String {
    let first: String = text.lines().next().unwrap_or_default().chars().take(100).collect();
    let subject: String = first.chars().map(|c| if c.is_ascii_graphic() { c } else { ' ' }).collect();
    format!(
        "To: {}\nSubject: {tool} of {node}: {subject}\n\n{tool} of node {node} has failed:\n\n{text}\n",
        to.join(", ")
    )
}

/// Why a command could not be told.
enum Failure {
    /// There is none of this name.
    Missing,
    /// In words.
    Other(String),
}

/// Runs a command with this text as its input.
async fn run(command: &str, arguments: &[String], input: &[u8]) -> Result<(), Failure> {
    let other = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => Failure::Missing,
        _ => Failure::Other(error.to_string()),
    };
    let mut command = Command::new(command);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).kill_on_drop(true);
    let mut child = command.spawn().map_err(other)?;
    let stdin = child.stdin.take();
    let ended = async {
        if let Some(mut stdin) = stdin {
            // One that does not read its input may still do its work.
            let _ = stdin.write_all(input).await;
        }
        child.wait().await
    };
    match tokio::time::timeout(LIMIT, ended).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(Failure::Other(status.to_string())),
        Ok(Err(error)) => Err(other(error)),
        Err(_) => Err(Failure::Other(format!("it took longer than {} s and was ended", LIMIT.as_secs()))),
    }
}

fn told(command: &str, outcome: Result<(), Failure>) {
    let error = match outcome {
        Ok(()) => return,
        Err(Failure::Missing) => "there is no such command".to_owned(),
        Err(Failure::Other(error)) => error,
    };
    tracing::warn!(command, error, "nobody is told of the failure");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_has_one_line_of_subject() {
        let to = ["a@b".to_owned(), "c@d".to_owned()];
        let mail = mail(&to, "get_slony_logs", "nso", "log 7 `ü`\nBcc: x@y\nand more");
        assert_eq!(
            mail,
            "To: a@b, c@d\nSubject: get_slony_logs of nso: log 7 ` `\n\nget_slony_logs of node nso has failed:\n\n\
             log 7 `ü`\nBcc: x@y\nand more\n"
        );
    }
}
