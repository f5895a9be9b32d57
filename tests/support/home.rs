//! A temporary directory and the daemons that live in it; both are gone when the test process is gone.
//!
//! A test may end by returning, by a panic, by SIGKILL, or with servers in statics that are never dropped. So the
//! cleaning is not left to it: a shell holds the other end of a pipe, and when the pipe closes, it stops every daemon
//! and removes the directory. Dropping a [`Home`] closes the same pipe: there is one way to clean up, and it is always
//! tested.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, ErrorKind};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::{env, str};

use super::programs;

/// Makes the directory, says its name, waits for the end of its input, then cleans up.
///
/// `pids` is moved away first: a daemon that is just starting finds no place for its id, and does not start.
/// Slony-I is killed, because it answers SIGTERM at its leisure. PostgreSQL gets SIGQUIT, which makes it give back its
/// shared memory, and SIGKILL only if it does not go. `initdb` is let finish: it would leave shared memory behind.
/// (`kill -KILL -- -N` is an illegal number for dash.)
const CARETAKER: &str = r#"
trap '' HUP INT TERM PIPE
home=$(mktemp -d "${TMPDIR:-/tmp}/subscription_manager.XXXXXX") || exit 1
chmod 0755 "$home"; mkdir -m 0755 "$home/pids"
echo "$home"
exec >/dev/null
while read -r line; do :; done
mv "$home/pids" "$home/last"
has_gone() {
    tries=0
    while kill -s 0 "$1"; do
        [ "$tries" -lt 200 ] || return 1
        sleep 0.05; tries=$((tries + 1))
    done
}
for file in "$home"/last/slon* "$home"/last/manager* "$home"/last/ssh*; do
    [ -e "$file" ] && read -r pid <"$file" && kill -s KILL -- "-$pid"
done
for file in "$home"/last/initdb*; do
    [ -e "$file" ] && read -r pid <"$file" && has_gone "$pid"
done
for file in "$home"/last/postgres*; do
    [ -e "$file" ] && read -r pid <"$file" || continue
    kill -s QUIT "$pid"
    has_gone "$pid" || kill -s KILL "$pid"
done
tries=0
until rm -rf "$home" || [ "$tries" -ge 20 ]; do sleep 0.1; tries=$((tries + 1)); done
"#;

/// Leaves its process id in the file `$1` and becomes the daemon; the id is there before the daemon is.
const DAEMON: &str = r#"umask 022; echo $$ >"$1" || exit 1; shift; exec "$@""#;

/// A directory with daemons in it.
pub struct Home {
    path: PathBuf,
    /// Whom the daemons run as: PostgreSQL refuses to run as root.
    account: Option<Account>,
    /// Its standard input is the pipe on which everything depends.
    caretaker: Child,
    /// The daemons still to be waited for, by name.
    daemons: Mutex<Vec<(String, Child)>>,
}

/// A user that is not root.
#[derive(Clone, Copy)]
struct Account {
    uid: u32,
    gid: u32,
}

impl Home {
    /// Makes the directory, and starts the shell that will remove it.
    pub fn new() -> Self {
        let mut caretaker = Command::new("sh")
            .args(["-c", CARETAKER])
            // A group of its own: neither Ctrl-C nor a test runner that kills a group may take it.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Not ours: whoever reads our output would wait for the caretaker too.
            .stderr(Stdio::null())
            .spawn()
            .expect("start sh");
        let mut line = String::new();
        let said = caretaker.stdout.take().expect("stdout is a pipe");
        BufReader::new(said).read_line(&mut line).expect("read the name of the directory");
        assert!(!line.is_empty(), "mktemp made no directory in {}", env::temp_dir().display());
        let mut home = Self {
            path: PathBuf::from(line.trim_end()),
            account: None,
            caretaker,
            daemons: Mutex::new(Vec::new()),
        };
        if fs::metadata(&home.path).expect("stat the directory").uid() == 0 {
            home.settle(Account::postgres());
        }
        home
    }

    /// Gives the directory to the account.
    fn settle(&mut self, account: Account) {
        for path in [self.path.clone(), self.path.join("pids")] {
            chown(&path, Some(account.uid), Some(account.gid)).expect("chown the directory");
        }
        self.account = Some(account);
    }

    /// The directory: everybody may enter and read.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes a directory in it that belongs to the daemons, and that everybody may read.
    pub fn directory(&self, name: &str) -> PathBuf {
        let path = self.path.join(name);
        fs::create_dir(&path).expect("create a directory");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("chmod a directory");
        if let Some(account) = self.account {
            chown(&path, Some(account.uid), Some(account.gid)).expect("chown a directory");
        }
        path
    }

    /// The program, to be run in the directory, by the user who owns it, without the caller's `PG*` variables.
    pub fn command(&self, program: &str) -> Command {
        self.as_owner(Command::new(programs::find(program)))
    }

    fn as_owner(&self, mut command: Command) -> Command {
        without_pg_variables(&mut command).current_dir(&self.path);
        if let Some(account) = self.account {
            command.uid(account.uid).gid(account.gid);
        }
        command
    }

    /// Starts a daemon, which writes what it has to say to `<name>.log` and is stopped at the latest with the home.
    ///
    /// The name begins with `postgres`, `slon` or `initdb`, and that says how it is stopped.
    pub fn start(&self, name: &str, program: &str, args: &[&str]) {
        self.spawn(name, self.as_owner(Command::new("sh")), &programs::find(program), args);
    }

    /// As [`Home::start`], for a program of ours: by the caller's own user, who can read what was built. Its name begins
    /// with `manager`, or with `ssh` for those of OpenSSH.
    pub fn start_as_caller(&self, name: &str, program: &Path, args: &[&str]) {
        let mut shell = Command::new("sh");
        without_pg_variables(&mut shell).current_dir(&self.path);
        self.spawn(name, shell, program, args);
    }

    fn spawn(&self, name: &str, mut command: Command, program: &Path, args: &[&str]) {
        let log = File::options().create(true).append(true).open(self.log(name)).expect("open a log");
        command
            .args(["-c", DAEMON, "sh"])
            .arg(self.path.join("pids").join(name))
            .arg(program)
            .args(args)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("clone a log"))
            .stderr(log);
        let child = command.spawn().expect("start a daemon");
        self.daemons.lock().expect("no holder panics").push((name.to_owned(), child));
    }

    /// Kills a daemon and all processes of its group, and waits for its end. Nothing happens if it does not run.
    pub fn kill(&self, name: &str) {
        let Some(mut child) = self.take(name) else { return };
        // Not by `Child::kill`: slon is two processes, and the second outlives the first.
        let group = format!("-{}", child.id());
        let mut kill = Command::new("sh");
        kill.args(["-c", "kill -s KILL -- \"$1\"", "sh", &group]).stderr(Stdio::null());
        kill.status().expect("run kill");
        self.bury(name, &mut child);
    }

    /// Asks a daemon to stop, by SIGTERM, and waits for its end.
    pub fn stop(&self, name: &str) -> Option<ExitStatus> {
        self.end_by(name, "TERM")
    }

    /// Asks a daemon to stop by a signal, and waits for its end.
    pub fn end_by(&self, name: &str, signal: &str) -> Option<ExitStatus> {
        let mut child = self.take(name)?;
        send(signal, child.id());
        Some(self.bury(name, &mut child))
    }

    /// Runs a program to its end; panics with its words if it fails.
    #[track_caller]
    pub fn run(&self, name: &str, program: &str, args: &[&str]) {
        self.start(name, program, args);
        let mut child = self.take(name).expect("it was started just now");
        let status = self.bury(name, &mut child);
        assert!(status.success(), "{program}: {status}\n{}", self.said(name));
    }

    /// The process id of a daemon that runs.
    pub fn id(&self, name: &str) -> Option<u32> {
        let daemons = self.daemons.lock().expect("no holder panics");
        daemons.iter().find(|(it, _)| it == name).map(|(_, child)| child.id())
    }

    fn take(&self, name: &str) -> Option<Child> {
        let mut daemons = self.daemons.lock().expect("no holder panics");
        let at = daemons.iter().position(|(it, _)| it == name)?;
        Some(daemons.swap_remove(at).1)
    }

    /// Waits for the end of a process and forgets its id: from now on it may be another's.
    fn bury(&self, name: &str, child: &mut Child) -> ExitStatus {
        let status = child.wait().expect("wait for a daemon");
        // One that was killed at once had not written it yet.
        match fs::remove_file(self.path.join("pids").join(name)) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            removed => removed.expect("remove a process id"),
        }
        status
    }

    /// What a daemon had to say, for the message of a panic.
    pub fn said(&self, name: &str) -> String {
        let text = fs::read(self.log(name)).unwrap_or_default();
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Whether a daemon has ended by itself.
    pub fn has_ended(&self, name: &str) -> bool {
        let mut daemons = self.daemons.lock().expect("no holder panics");
        let found = daemons.iter_mut().find(|(it, _)| it == name);
        found.is_none_or(|(_, child)| child.try_wait().expect("look after a daemon").is_some())
    }

    fn log(&self, name: &str) -> PathBuf {
        self.path.join(format!("{name}.log"))
    }
}

/// Sends a signal to one process.
pub fn send(signal: &str, process: u32) {
    let mut kill = Command::new("sh");
    kill.args(["-c", "kill -s \"$1\" \"$2\"", "sh", signal, &process.to_string()]).stderr(Stdio::null());
    kill.status().expect("run kill");
}

impl Drop for Home {
    fn drop(&mut self) {
        drop(self.caretaker.stdin.take());
        // First the daemons: while nobody has waited for it, a dead one still looks alive to the caretaker. A failure to
        // clean up must not hide the failure of the test.
        for (_, daemon) in self.daemons.get_mut().into_iter().flatten() {
            let _ = daemon.wait();
        }
        let _ = self.caretaker.wait();
    }
}

impl Account {
    /// The user that the packages of PostgreSQL create.
    fn postgres() -> Self {
        Self { uid: Self::id("-u"), gid: Self::id("-g") }
    }

    fn id(which: &str) -> u32 {
        let output = Command::new("id").args([which, "postgres"]).output().expect("run id");
        let number = str::from_utf8(&output.stdout).ok().and_then(|text| text.trim().parse().ok());
        number.expect("root needs the user `postgres` to run PostgreSQL; `make deps` installs it")
    }
}

/// Takes away every `PG*` variable that the command would inherit.
pub fn without_pg_variables(command: &mut Command) -> &mut Command {
    for (name, _) in env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"PG") {
            command.env_remove(name);
        }
    }
    command
}
