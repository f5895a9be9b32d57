//! `--watch`: the same again and again, until Ctrl-C.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use crate::error::{Error, Result};

/// Shows what `look` says now and then: redrawn in place on a terminal, one below the other elsewhere. What fails the first
/// time is an error; later it is shown, and looked again. Ends well with Ctrl-C, or when nobody reads any more.
pub async fn watch(every: Duration, look: impl AsyncFn() -> Result<String>) -> Result<()> {
    let is_terminal = io::stdout().is_terminal();
    let mut text = look().await?;
    let stop = tokio::signal::ctrl_c();
    tokio::pin!(stop);
    loop {
        let shown = if is_terminal { redrawn(&text) } else { text };
        if io::stdout().write_all(shown.as_bytes()).and_then(|()| io::stdout().flush()).is_err() {
            return Ok(());
        }
        tokio::select! {
            ended = &mut stop => return interrupted(ended),
            () = tokio::time::sleep(every) => {}
        }
        // A database that is silent takes its time.
        text = tokio::select! {
            ended = &mut stop => return interrupted(ended),
            seen = look() => seen.unwrap_or_else(|error| error.chain() + "\n"),
        };
    }
}

fn interrupted(ended: io::Result<()>) -> Result<()> {
    ended.map_err(|error| Error::Fatal(format!("wait for Ctrl-C: {error}")))
}

/// The text in the place of what was on the screen; each line clears its own rest, so that nothing flickers.
fn redrawn(text: &str) -> String {
    const HOME: &str = "\x1b[H";
    const CLEAR_LINE: &str = "\x1b[K";
    const CLEAR_BELOW: &str = "\x1b[J";
    let lines: String = text.lines().map(|line| format!("{line}{CLEAR_LINE}\r\n")).collect();
    format!("{HOME}{lines}{CLEAR_BELOW}")
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_was_longer_before_is_cleared() {
        assert_eq!(super::redrawn("a\nb\n"), "\x1b[Ha\x1b[K\r\nb\x1b[K\r\n\x1b[J");
    }
}
