//! What a command says, on standard output.

use std::io::{self, ErrorKind, Write as _};

use crate::error::{Error, Result};

/// Writes it. A pipe that was closed, as by `head`, is no failure; a disk that is full is one: whoever keeps the text would take a part
/// of it for the whole.
pub fn print(text: &str) -> Result<()> {
    let mut output = io::stdout().lock();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Error::Fatal(format!("write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}
