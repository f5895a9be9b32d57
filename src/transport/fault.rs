//! Why a call has no result, and what the words of SFTP mean for that.

use russh_sftp::client::error::Error as Reply;
use russh_sftp::protocol::StatusCode;

use crate::error::Error;

/// Why a call has no result.
#[derive(Debug)]
pub(super) enum Fault {
    /// The line is of no use any more; another one may be. `came`: not without having brought something.
    Broken { why: String, came: bool },
    /// There is no such file.
    Missing,
    /// The server forbids it, in its words.
    Forbidden(String),
    /// The server failed at it, in its words; the line is good.
    Failed(String),
    /// It went wrong on our side.
    Ours(Error),
}

impl From<Reply> for Fault {
    fn from(reply: Reply) -> Self {
        let Reply::Status(status) = reply else {
            return Self::Broken { why: reply.to_string(), came: false };
        };
        let words = if status.error_message.is_empty() {
            status.status_code.to_string()
        } else {
            status.error_message.chars().filter(|c| !c.is_control()).take(200).collect()
        };
        match status.status_code {
            StatusCode::NoSuchFile => Self::Missing,
            StatusCode::PermissionDenied => Self::Forbidden(words),
            StatusCode::NoConnection | StatusCode::ConnectionLost => Self::Broken { why: words, came: false },
            _ => Self::Failed(words),
        }
    }
}

/// `None` instead of a missing file.
pub(super) fn optional<T>(result: Result<T, Fault>) -> Result<Option<T>, Fault> {
    match result {
        Err(Fault::Missing) => Ok(None),
        result => result.map(Some),
    }
}
