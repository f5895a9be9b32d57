//! Telling people of a failure: the command of `on_error`, and a mail to `email_list` where there is a `sendmail`.
//! The same failure is told once an hour at the most. What fails here is logged only.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::SiteConfig;
use crate::command::{self, Failure};
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
    if let Some(command) = config.on_error.first() {
        told(command, command::run(&config.on_error, format!("{message}\n").as_bytes(), LIMIT).await);
    }
    if !config.email_list.is_empty() {
        let mail = mail(&config.email_list, tool, &config.node.to_string(), &text);
        told("sendmail", send(&mail).await);
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

/// Gives a mail to `sendmail`, from where Debian has it or from the search path.
async fn send(mail: &str) -> Result<String, Failure> {
    let run =
        async |program: &str| command::run(&[program, "-t"].map(str::to_owned), mail.as_bytes(), LIMIT).await;
    match run("/usr/sbin/sendmail").await {
        Err(Failure::Missing) => run("sendmail").await,
        sent => sent,
    }
}

fn told(command: &str, outcome: Result<String, Failure>) {
    if let Err(failure) = outcome {
        tracing::warn!(command, %failure, "nobody is told of the failure");
    }
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
