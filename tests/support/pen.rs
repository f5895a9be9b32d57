//! psql that is kept: a new one for each question costs the machine more than the answer does.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// psql says this when it has done all that it was told so far.
const MARKER: &str = "=so=far=";

/// What leaves nothing of one piece of SQL to the next. Where a transaction is open it fails, and ends the session with it.
const RESET: &str = "discard all;";

/// Sessions that rest at once, of one server.
const KEPT: usize = 16;

/// One psql that runs one piece of SQL after another.
pub struct Pen {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    /// What it says of errors, and how much of it was there before the SQL of now.
    stderr: File,
    said: u64,
}

impl Pen {
    /// Starts it.
    pub fn start(mut psql: Command) -> Self {
        let stderr = tempfile::tempfile().expect("make a file for what psql says");
        psql.args(["-q", "-At", "-v", "ON_ERROR_STOP=1"]);
        psql.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(stderr.try_clone().expect("clone a file"));
        let mut child = psql.spawn().expect("start psql");
        let stdin = child.stdin.take().expect("stdin is a pipe");
        let stdout = BufReader::new(child.stdout.take().expect("stdout is a pipe"));
        Self { child, stdin, stdout, stderr, said: 0 }
    }

    /// Runs SQL to its end, and returns what it printed: unaligned, without headers.
    ///
    /// # Errors
    ///
    /// What psql said. It has ended then.
    pub fn run(&mut self, sql: &str) -> Result<String, String> {
        self.said = self.stderr.metadata().expect("examine what psql said").len();
        let text = format!("{sql}\n;\n\\echo {MARKER}\n{RESET}\n");
        let (stdin, stdout) = (&mut self.stdin, &mut self.stdout);
        let printed = thread::scope(|scope| {
            // From a second thread: with both pipes full, each side would wait for the other. A psql that has ended cannot
            // be written to, but can say why.
            scope.spawn(move || stdin.write_all(text.as_bytes()));
            until_marker(stdout)
        });
        printed.ok_or_else(|| self.words())
    }

    /// Waits until it has ended; returns what it said to the last piece of SQL.
    fn words(&mut self) -> String {
        let status = self.child.wait().expect("wait for psql");
        let mut words = Vec::new();
        self.stderr.seek(SeekFrom::Start(self.said)).expect("go to what psql said");
        self.stderr.read_to_end(&mut words).expect("read what psql said");
        format!("{status}\n{}", String::from_utf8_lossy(&words))
    }
}

impl Drop for Pen {
    /// Nothing that it was told is under way.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What comes before the marker; `None` if that never comes.
fn until_marker(stdout: &mut impl BufRead) -> Option<String> {
    let mut printed = Vec::new();
    loop {
        let before = printed.len();
        if stdout.read_until(b'\n', &mut printed).expect("read from psql") == 0 {
            return None;
        }
        if printed[before..].trim_ascii() == MARKER.as_bytes() {
            printed.truncate(before);
            return Some(String::from_utf8(printed).expect("psql prints UTF-8"));
        }
    }
}

/// Sessions that rest, each with the database and the user that it is for; the last that was used is the last.
#[derive(Default)]
pub struct Pens(Mutex<Vec<(String, String, Pen)>>);

impl Pens {
    /// Runs SQL in a session that rests, or in a new one. Where one that rested fails, it may have been ended meanwhile: a new one
    /// has the last word.
    ///
    /// # Errors
    ///
    /// What psql said.
    pub fn run(
        &self,
        (database, user): (&str, &str),
        psql: impl Fn() -> Command,
        sql: &str,
    ) -> Result<String, String> {
        let rested = {
            let mut pens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let at = pens.iter().rposition(|(of, by, _)| of == database && by == user);
            at.map(|at| pens.remove(at).2)
        };
        let done = rested.and_then(|mut pen| Some((pen.run(sql).ok()?, pen)));
        let (printed, pen) = if let Some(done) = done {
            done
        } else {
            let mut pen = Pen::start(psql());
            (pen.run(sql)?, pen)
        };
        let mut pens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pens.push((database.to_owned(), user.to_owned(), pen));
        if pens.len() > KEPT {
            drop(pens.remove(0));
        }
        Ok(printed)
    }
}
