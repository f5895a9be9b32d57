//! The remote site: a directory with a configuration, and its two programs, which reach the data centre by ssh alone.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};

use crate::support::home::without_pg_variables;
use crate::support::{Cluster, Site, Sshd, Station, wait};
use crate::telling::WIDTH;

/// The programs, as they were just built.
const SUBSCRIBE: &str = env!("CARGO_BIN_EXE_subscribe_series");
const INGEST: &str = env!("CARGO_BIN_EXE_get_slony_logs");

/// A remote site.
pub(crate) struct Remote {
    directory: PathBuf,
    config: String,
}

impl Remote {
    /// Writes its configuration.
    pub(crate) fn new(cluster: &Cluster, station: &Station<'_>, sshd: &Sshd, site: &Site<'_>) -> Self {
        let server = cluster.server();
        let directory = server.socket_dir().join(site.node());
        fs::create_dir(&directory).expect("make a directory");
        let config = format!(
            "node            {}\nwebdb_ip        {}\nwebdb_port      {}\nwebdb_user      {}\nwebdb_dir       {}\n\
             rmt_slony_dir   {}\npg_host         {}\npg_port         {}\npg_dbname       {}\nslony_cluster   jsoc\n\
             ingestion_path  {}\narchive         0\nretention       21\ntapegroup       1\ninterval        1\nssh_cmd         {}\n",
            site.node(),
            sshd.host(),
            sshd.port(),
            sshd.user(),
            station.at("triggers").display(),
            station.at("site_logs").display(),
            server.socket_dir().display(),
            server.port(),
            site.database(),
            directory.display(),
            sshd.ssh_cmd(),
        );
        fs::write(directory.join("nso.cfg"), &config).expect("write the configuration");
        Self { directory, config }
    }

    /// The lines of its configuration that matter.
    pub(crate) fn config(&self) -> String {
        let told =
            ["node", "webdb_ip", "webdb_port", "webdb_dir", "rmt_slony_dir", "pg_dbname", "slony_cluster"];
        let is_told = |line: &&str| told.iter().any(|key| line.split_whitespace().next() == Some(key));
        self.config.lines().filter(is_told).map(|line| format!("{line}\n")).collect()
    }

    /// Runs `subscribe_series` with this list; what it says is shown as it comes. It must succeed.
    pub(crate) fn subscribe(&self, list: &str, args: &[&str]) {
        let path = self.directory.join("nso.list");
        fs::write(&path, list).expect("write the list");
        let mut child = self.spawn(SUBSCRIBE, &[&[path.to_str().expect("a plain path")], args].concat());
        show(&mut child);
        assert!(child.wait().expect("wait for subscribe_series").success(), "subscribe_series has failed");
    }

    /// What `subscribe_series status` prints.
    pub(crate) fn status(&self) -> String {
        let mut status = Command::new(SUBSCRIBE);
        status.arg("status").arg(self.directory.join("nso.cfg"));
        let output = without_pg_variables(&mut status).output().expect("run subscribe_series");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// Starts `get_slony_logs --follow`.
    pub(crate) fn follow(&self) -> Following {
        let mut child = self.spawn(INGEST, &["--follow"]);
        let said = child.stderr.take().expect("stderr is a pipe");
        let collect = thread::spawn(move || BufReader::new(said).lines().map_while(Result::ok).collect());
        Following { child, said: Some(collect) }
    }

    fn spawn(&self, program: &str, args: &[&str]) -> Child {
        let mut command = Command::new(program);
        command.arg(self.directory.join("nso.cfg")).args(args);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        without_pg_variables(&mut command).spawn().expect("start a program of the site")
    }
}

/// A running `get_slony_logs --follow`.
pub(crate) struct Following {
    child: Child,
    said: Option<JoinHandle<Vec<String>>>,
}

impl Following {
    /// Waits until a log is applied at the site.
    pub(crate) fn await_counter(&mut self, station: &Station<'_>, site: &Site<'_>, counter: u64) {
        station.wait_for("the site to apply its logs", || {
            assert!(self.child.try_wait().expect("ask for a status").is_none(), "get_slony_logs has ended");
            (site.counter() >= counter).then_some(())
        });
    }

    /// SIGTERM; it must end well. Returns what it has said.
    pub(crate) fn stop(mut self) -> Vec<String> {
        let id = self.child.id().to_string();
        let status = Command::new("kill").args(["-TERM", &id]).status().expect("run kill");
        assert!(status.success(), "get_slony_logs was gone");
        let ended = wait::until("get_slony_logs to end", crate::support::station::LIMIT, || {
            self.child.try_wait().expect("ask for a status")
        });
        let said = self.said.take().and_then(|said| said.join().ok()).unwrap_or_default();
        assert!(ended.success(), "{ended}: {said:?}");
        said
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        // Nobody waits for it if the demo fails.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Shows what a program says, line by line, without the times.
fn show(child: &mut Child) {
    let said = child.stderr.take().expect("stderr is a pipe");
    for line in BufReader::new(said).lines().map_while(Result::ok) {
        let told = line.split_once(" INFO ").map_or(line.as_str(), |(_, told)| told);
        let shown: String = told.chars().take(WIDTH).collect();
        println!("       {shown}");
    }
}
