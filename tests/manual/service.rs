//! The installed daemon, started as its unit says, but by hand.

use std::fs;

use crate::machine::Machine;
use crate::support::station::{LIMIT, log_name};
use crate::support::{Cluster, programs, wait};

/// The installed configuration.
pub(crate) const CONFIG: &str = "/etc/subscription_manager.cfg";

/// The installed unit.
pub(crate) const UNIT: &str = "/usr/lib/systemd/system/subscription_manager.service";

/// Its name among the daemons of the home.
const NAME: &str = "manager-packaged";

/// The installed daemon in front of a real cluster.
pub(crate) struct Service<'m> {
    pub(crate) machine: &'m Machine,
    cluster: &'m Cluster,
    user: String,
    command: String,
}

impl<'m> Service<'m> {
    /// Sets in the delivered configuration what an operator has to set. Nothing runs yet.
    pub(crate) fn configured(machine: &'m Machine, cluster: &'m Cluster) -> Self {
        let server = cluster.server();
        let settings = [
            ("pg_host", server.socket_dir().display().to_string()),
            ("pg_port", server.port().to_string()),
            ("pg_user", "postgres".to_owned()),
            ("pg_dbname", "archiver".to_owned()),
            ("archive_dir", cluster.archive_dir().display().to_string()),
            ("archive_days", "0".to_owned()),
            ("#log_dir", "/var/log/subscription_manager".to_owned()),
        ];
        let mut config = machine.run(&format!("cat {CONFIG}"));
        for (key, value) in settings {
            let line = config.lines().find(|line| line.starts_with(&format!("{key}=")));
            let line = line.unwrap_or_else(|| panic!("{CONFIG} has no {key}")).to_owned();
            config = config.replace(&line, &format!("{}={value}", key.trim_start_matches('#')));
        }
        fs::write(machine.at(CONFIG), &config).expect("write the configuration");
        // systemd makes them at a start.
        let own = "/var/log/subscription_manager /var/lib/subscription_manager";
        machine.run(&format!("install -d -o slony -g slony {own}"));
        let unit = machine.run(&format!("cat {UNIT}"));
        let of_unit = |key: &str| {
            let line = unit.lines().find_map(|line| line.strip_prefix(&format!("{key}=")));
            line.unwrap_or_else(|| panic!("the unit has no {key}")).to_owned()
        };
        Self { machine, cluster, user: of_unit("User"), command: of_unit("ExecStart") }
    }

    /// The command as the unit's user gives it, without any rights.
    pub(crate) fn as_user(&self, command: &str) -> String {
        let user = &self.user;
        format!(
            "setpriv --reuid={user} --regid={user} --init-groups --no-new-privs --bounding-set=-all {command}"
        )
    }

    pub(crate) fn start(&self) {
        self.start_by(&self.as_user(&self.command));
    }

    /// Starts it under strace, which counts its system calls into a file.
    pub(crate) fn start_traced(&self, into: &str) {
        self.start_by(&format!("strace -D -f -qq -c -U name -o {into} -u {} {}", self.user, self.command));
    }

    /// The calls in that file, once the daemon has ended.
    pub(crate) fn traced(&self, into: &str) -> Vec<String> {
        let table = || fs::read_to_string(self.machine.at(into)).ok().filter(|table| table.contains("total"));
        let table = wait::until("strace to write its table", LIMIT, table);
        let is_call = |line: &&str| !["", "syscall", "total"].contains(line) && !line.starts_with('-');
        table.lines().map(str::trim).filter(is_call).map(str::to_owned).collect()
    }

    fn start_by(&self, command: &str) {
        let words = self.machine.there();
        let script = format!("exec {command}");
        let mut args: Vec<&str> = words[1..].iter().map(String::as_str).collect();
        args.extend(["bash", "-c", &script]);
        self.cluster.server().home().start_as_caller(NAME, &programs::find(&words[0]), &args);
    }

    /// SIGTERM, as systemd does it.
    pub(crate) fn stop(&self) {
        let home = self.cluster.server().home();
        let status = home.stop(NAME).expect("it runs");
        assert!(status.success(), "{status}\n{}", home.said(NAME));
    }

    /// Waits for a file, and returns its text.
    #[track_caller]
    pub(crate) fn await_file(&self, path: &str) -> String {
        let read = || fs::read_to_string(self.machine.at(path)).ok();
        let said = || self.cluster.server().home().said(NAME);
        wait::within(LIMIT, read).unwrap_or_else(|| panic!("no {path}\n{}", said()))
    }

    /// Waits until a node has its part of all that is committed.
    #[track_caller]
    pub(crate) fn await_logs(&self, node: &str) {
        let counter = self.cluster.sync();
        self.await_file(&format!("/srv/slony/site_logs/{node}/{}", log_name(counter)));
    }

    /// Drops a file as careful subscribers do.
    pub(crate) fn drop_file(&self, name: &str, text: &str) {
        let hidden = self.machine.at("/srv/slony/triggers/.part");
        fs::write(&hidden, text).expect("write a trigger");
        fs::rename(hidden, self.machine.at(&format!("/srv/slony/triggers/{name}")))
            .expect("rename a trigger");
    }
}
