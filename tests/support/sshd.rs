//! An sshd of its own for a test, on a loopback port: with its own keys, for SFTP and nothing else, gone with the test.

use std::fs;
use std::io::Read as _;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::home::Home;
use super::postgres::expect_success;
use super::{programs, wait};

/// From the start of sshd to its first word.
const START_LIMIT: Duration = Duration::from_secs(30);

/// How often a port is tried that somebody else may take before sshd does.
const PORTS: usize = 20;

/// What sshd is told beside port and keys.
const SETTINGS: &str = "\
Subsystem sftp internal-sftp
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
# The directory of the keys belongs to whom the test's daemons run as.
StrictModes no
PidFile none
LogLevel VERBOSE
MaxStartups 1000
";

/// What README.md recommends for the accounts of sites.
const FOR_SITES: &str = "\
  DisableForwarding yes
  PermitTTY no
  PermitUserRC no
  ForceCommand internal-sftp";

/// All that our tools ask of the server.
const REQUESTS: &str = " -p open,close,read,write,lstat,opendir,readdir,remove,posix-rename,fsync";

/// A running sshd that lets one account in.
pub struct Sshd {
    home: Home,
    port: u16,
    user: String,
}

impl Sshd {
    /// For the user who runs the test.
    pub fn start() -> Self {
        Self::launch(&me(), None)
    }

    /// For an account without rights: `nobody` if root runs the test, else there is only the user's own.
    pub fn for_nobody() -> Self {
        Self::launch(&unprivileged(), None)
    }

    /// The same, and the account sees nothing but this directory, which belongs to root as those above it do, and may ask for
    /// nothing but what our tools need. `None` if it is not root who runs the test: nobody else can do that.
    pub fn in_chroot(directory: &Path) -> Option<Self> {
        is_root().then(|| Self::launch(&unprivileged(), Some(directory)))
    }

    fn launch(user: &str, chroot: Option<&Path>) -> Self {
        let home = Home::new();
        let at = |name: &str| home.path().join(name);
        for key in ["host_key", "key"] {
            keygen(&at(key));
        }
        if is_root() {
            // Where sshd puts itself before somebody has logged in. The service makes it when it starts.
            fs::create_dir_all("/run/sshd").expect("create /run/sshd");
        }
        let mut sshd = Self { port: 0, user: user.to_owned(), home };
        for _ in 0..PORTS {
            sshd.port = free_port();
            sshd.configure(chroot);
            sshd.spawn();
            if sshd.speaks() {
                return sshd;
            }
            sshd.home.kill("sshd");
        }
        panic!("sshd does not start:\n{}", sshd.said());
    }

    fn configure(&self, chroot: Option<&Path>) {
        let at = |name: &str| self.home.path().join(name);
        let chroot = chroot.map(|directory| format!("{REQUESTS}\n  ChrootDirectory {}", directory.display()));
        let settings = format!(
            "ListenAddress 127.0.0.1:{}\nHostKey {}\nAuthorizedKeysFile {}\nAllowUsers {user}\n{SETTINGS}\
             Match User {user}\n{FOR_SITES}{}\n",
            self.port,
            at("host_key").display(),
            at("key.pub").display(),
            chroot.unwrap_or_default(),
            user = self.user,
        );
        fs::write(at("sshd_config"), settings).expect("write sshd_config");
        let host_key = fs::read_to_string(at("host_key.pub")).expect("read a public key");
        fs::write(at("known_hosts"), format!("[127.0.0.1]:{} {host_key}", self.port))
            .expect("write known_hosts");
        self.write_ssh_config("ssh_config", &at("key"), &at("known_hosts"));
    }

    /// Writes a configuration of the client in which nothing of the caller's own has a part, and returns the command that
    /// uses it.
    fn write_ssh_config(&self, name: &str, key: &Path, known_hosts: &Path) -> String {
        let text = format!(
            "Host *\n  User {}\n  IdentityFile {}\n  IdentitiesOnly yes\n  IdentityAgent none\n  UserKnownHostsFile {}\n  \
             GlobalKnownHostsFile /dev/null\n  StrictHostKeyChecking yes\n  BatchMode yes\n",
            self.user,
            key.display(),
            known_hosts.display()
        );
        let path = self.home.path().join(name);
        fs::write(&path, text).expect("write ssh_config");
        format!("ssh -F {}", path.display())
    }

    fn spawn(&self) {
        let config = self.home.path().join("sshd_config");
        let args = ["-D", "-e", "-f", config.to_str().expect("the path is UTF-8")];
        self.home.start_as_caller("sshd", &programs::find("sshd"), &args);
    }

    /// Whether it comes to speak; it does not if another has taken its port.
    fn speaks(&self) -> bool {
        let greeted = || {
            let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok()?;
            let mut word = [0; 4];
            stream.set_read_timeout(Some(START_LIMIT)).expect("set a timeout");
            stream.read_exact(&mut word).ok()?;
            (word == *b"SSH-").then_some(true)
        };
        wait::within(START_LIMIT, || if self.home.has_ended("sshd") { Some(false) } else { greeted() })
            .unwrap_or(false)
    }

    /// Its address, for `webdb_ip`.
    #[expect(clippy::unused_self, reason = "callers must not know that it is the same for all")]
    pub fn host(&self) -> &'static str {
        "127.0.0.1"
    }

    /// For `webdb_port`.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Who may log in.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// For `ssh_cmd`: it knows key, account and host key.
    pub fn ssh_cmd(&self) -> String {
        format!("ssh -F {}", self.home.path().join("ssh_config").display())
    }

    /// scp of the system to a path there, with so many kilobits a second; it is still to be started.
    pub fn scp(&self, file: &Path, to: &Path, limit: u32) -> Command {
        let mut scp = Command::new(programs::find("scp"));
        scp.arg("-q").arg("-F").arg(self.home.path().join("ssh_config"));
        scp.args(["-P", &self.port.to_string(), "-l", &limit.to_string()]);
        scp.arg(file).arg(format!("{}:{}", self.host(), to.display()));
        scp
    }

    /// The same with a key that the server does not know.
    pub fn ssh_cmd_with_wrong_key(&self) -> String {
        let key = self.home.path().join("wrong_key");
        keygen(&key);
        self.write_ssh_config("ssh_config.wrong_key", &key, &self.home.path().join("known_hosts"))
    }

    /// The same for a client that has seen another host key here.
    pub fn ssh_cmd_with_wrong_host_key(&self) -> String {
        let at = |name: &str| self.home.path().join(name);
        keygen(&at("wrong_host_key"));
        let wrong = fs::read_to_string(at("wrong_host_key.pub")).expect("read a public key");
        fs::write(at("wrong_hosts"), format!("[127.0.0.1]:{} {wrong}", self.port))
            .expect("write known_hosts");
        self.write_ssh_config("ssh_config.wrong_host_key", &at("key"), &at("wrong_hosts"))
    }

    /// The same without a key: an agent must have it.
    pub fn ssh_cmd_without_key(&self) -> String {
        let at = |name: &str| self.home.path().join(name);
        let command = self.write_ssh_config("ssh_config.agent", &at("key"), &at("known_hosts"));
        let path = at("ssh_config.agent");
        let text = fs::read_to_string(&path).expect("read ssh_config");
        let kept = text.lines().filter(|line| !line.contains("Identit"));
        let text: String = kept.map(|line| format!("{line}\n")).collect();
        fs::write(path, text + "  IdentityFile none\n").expect("write ssh_config");
        command
    }

    /// Starts an ssh-agent that has the key, and returns the file that it has printed.
    pub fn start_agent(&self) -> PathBuf {
        let at = |name: &str| self.home.path().join(name);
        let socket = at("agent.socket");
        let args = ["-D", "-a", socket.to_str().expect("the path is UTF-8")];
        self.home.start_as_caller("ssh-agent", &programs::find("ssh-agent"), &args);
        wait::until("ssh-agent to say where it listens", START_LIMIT, || {
            (socket.exists() && self.home.said("ssh-agent").contains("SSH_AUTH_SOCK")).then_some(())
        });
        let added = Command::new("ssh-add").arg(at("key")).env("SSH_AUTH_SOCK", &socket).output();
        expect_success("ssh-add", &added.expect("run ssh-add"));
        at("ssh-agent.log")
    }

    /// Stops listening, and cuts all connections.
    pub fn stop(&self) {
        let sessions = self.sessions();
        self.home.kill("sshd");
        signal("KILL", &sessions);
    }

    /// Listens again, on the same port.
    pub fn start_again(&self) {
        self.spawn();
        assert!(self.speaks(), "sshd does not start again:\n{}", self.said());
    }

    /// Cuts all connections; new ones are taken. Returns how many processes served them.
    pub fn cut(&self) -> usize {
        let sessions = self.sessions();
        signal("KILL", &sessions);
        sessions.len()
    }

    /// Lets all connections stand still, as a line does that is dead without a word; new ones are taken.
    pub fn freeze(&self) -> usize {
        let sessions = self.sessions();
        signal("STOP", &sessions);
        sessions.len()
    }

    /// Whether anybody is connected.
    pub fn is_connected(&self) -> bool {
        !self.sessions().is_empty()
    }

    /// The processes that serve connections: the children of sshd, and theirs.
    fn sessions(&self) -> Vec<u32> {
        let Some(daemon) = self.home.id("sshd") else { return Vec::new() };
        let all = parents();
        let mut found = vec![daemon];
        let mut at = 0;
        while let Some(&parent) = found.get(at) {
            found.extend(all.iter().filter(|(_, of)| *of == parent).map(|(child, _)| *child));
            at += 1;
        }
        found.split_off(1)
    }

    /// What sshd has said, for the message of a panic.
    pub fn said(&self) -> String {
        self.home.said("sshd")
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        // A frozen one would not notice that everybody has gone.
        self.cut();
    }
}

/// Every process with its parent.
fn parents() -> Vec<(u32, u32)> {
    let processes = fs::read_dir("/proc").expect("list /proc");
    let parent = |id: u32| {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // After the name, which is in parentheses and may hold anything: the state, then the parent.
        let rest = stat.rsplit_once(')')?.1;
        Some((id, rest.split_whitespace().nth(1)?.parse().ok()?))
    };
    processes.filter_map(|entry| parent(entry.ok()?.file_name().to_str()?.parse().ok()?)).collect()
}

fn signal(name: &str, processes: &[u32]) {
    for id in processes {
        let mut kill = Command::new("sh");
        // It may be gone by itself.
        kill.args(["-c", "kill -s \"$1\" \"$2\"", "sh", name, &id.to_string()]).stderr(Stdio::null());
        kill.status().expect("run kill");
    }
}

/// Makes a pair of keys.
fn keygen(path: &Path) {
    if path.exists() {
        return;
    }
    let mut keygen = Command::new(programs::find("ssh-keygen"));
    keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f"]).arg(path);
    expect_success("ssh-keygen", &keygen.output().expect("run ssh-keygen"));
    // sshd reads it as the user who logs in.
    fs::set_permissions(path.with_extension("pub"), fs::Permissions::from_mode(0o644)).expect("chmod a key");
}

/// A TCP port of the loopback that nobody has at the moment.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind a port");
    listener.local_addr().expect("it has an address").port()
}

fn me() -> String {
    let output = Command::new("id").arg("-un").output().expect("run id");
    String::from_utf8(output.stdout).expect("a name is UTF-8").trim().to_owned()
}

/// An account without rights that exists everywhere and is not locked.
fn unprivileged() -> String {
    if is_root() { "nobody".into() } else { me() }
}

/// Whether root runs the test.
pub fn is_root() -> bool {
    fs::metadata("/proc/self").expect("stat /proc/self").uid() == 0
}
