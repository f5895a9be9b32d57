//! A data centre played by hand: the files that a server leaves, one after the other.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use sha2::{Digest as _, Sha256};

use crate::client::{Client, Run};
use crate::support::station::LIMIT;
use crate::support::wait;

/// What a server sends for the series `hand.a`, in one file.
pub(crate) const SQL: &str = "\\set ON_ERROR_STOP on\nstart transaction;\ncreate schema _jsoc;\n\
    create table _jsoc.sl_archive_tracking (at_counter bigint, at_created timestamp, at_applied timestamp);\n\
    insert into _jsoc.sl_archive_tracking values (7, now(), now());\ncreate schema hand;\n\
    create table hand.a (i int primary key, t text);\nCOPY hand.a (i, t) FROM stdin;\n1\tone\n2\t\\\\.\n\\.\ncommit;\n";

/// The server's side of one client's request.
pub(crate) struct Hand<'c> {
    client: &'c Client<'c>,
    stem: &'static str,
    running: Option<Child>,
}

impl<'c> Hand<'c> {
    /// Lets the client ask for this list.
    pub(crate) fn asked(client: &'c Client<'c>, stem: &'static str, list: &str, args: &[&str]) -> Self {
        let list = client.list(list);
        let list = list.to_str().expect("a plain path");
        let mut command = client.command(&[&[list], args].concat());
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        Self { client, stem, running: Some(child.expect("run subscribe_series")) }
    }

    /// Runs the client again, which goes on.
    pub(crate) fn again(&self, args: &[&str]) -> Self {
        let mut command = self.client.command(args);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        Self { running: Some(child.expect("run subscribe_series")), ..*self }
    }

    /// A file of this kind in the drop directory.
    pub(crate) fn path(&self, kind: &str) -> PathBuf {
        self.at(&format!("{}.{}.{kind}", self.client.site.node(), self.stem))
    }

    fn at(&self, name: &str) -> PathBuf {
        self.client.station.at(&format!("triggers/{name}"))
    }

    /// Waits for a file and returns its text.
    #[track_caller]
    pub(crate) fn text(&mut self, kind: &str) -> String {
        let path = self.path(kind);
        let text = wait::within(LIMIT, || {
            let ended =
                self.running.as_mut().is_some_and(|child| child.try_wait().expect("look after it").is_some());
            fs::read_to_string(&path).map(Ok).ok().or(ended.then_some(Err(())))
        });
        match text {
            Some(Ok(text)) => text,
            _ => panic!("no {kind}: {:?}", self.end()),
        }
    }

    /// Takes the request up; returns the line with its name, if it has one.
    #[track_caller]
    pub(crate) fn accept(&mut self) -> String {
        let request = self.text("tgr");
        let lines = request.lines().filter(|line| *line != "end");
        let text: String = lines.map(|line| format!("{line}\n")).collect();
        self.put("cfg", &format!("{text}new_site true\n"));
        fs::remove_file(self.path("tgr")).expect("remove the request");
        let name = request.lines().find(|line| line.starts_with("request "));
        name.map(|line| format!("{line}\n")).unwrap_or_default()
    }

    /// Puts a file of this kind into place.
    pub(crate) fn put(&self, kind: &str, text: &str) {
        let path = self.path(kind);
        let hidden = path.with_extension("hidden");
        fs::write(&hidden, text).expect("write an answer");
        fs::rename(hidden, path).expect("rename an answer");
    }

    /// Puts a file of SQL into place and returns its line for `.sqldone`.
    pub(crate) fn sql(&self, name: &str, bytes: &[u8]) -> String {
        let name = format!("{}.{name}", self.client.site.node());
        fs::write(self.at(&name), bytes).expect("write SQL");
        let digest: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        format!("file {name} {} {digest}\n", bytes.len())
    }

    /// Sends the client a signal.
    pub(crate) fn signal(&self, signal: &str) {
        let process = self.running.as_ref().expect("it runs").id().to_string();
        let mut kill = std::process::Command::new("sh");
        kill.args(["-c", "kill -s \"$1\" \"$2\"", "sh", signal, &process]);
        assert!(kill.status().expect("run kill").success());
    }

    /// Waits for the client's end.
    pub(crate) fn end(&mut self) -> Run {
        let child = self.running.take().expect("it ends once");
        Run::of(child.wait_with_output().expect("wait for subscribe_series"))
    }

    /// Ends as a server does: everything of the request goes, `.done` comes.
    #[track_caller]
    pub(crate) fn done(&mut self, text: &str) -> String {
        let applied = self.text("sqlapplied");
        for kind in ["sqlapplied", "cfg", "sqldone"] {
            let _ = fs::remove_file(self.path(kind));
        }
        self.put("done", text);
        applied
    }
}
