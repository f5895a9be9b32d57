//! The system's ssh, as a command and in its own words. Agent, `~/.ssh/config`, jump hosts and known hosts are its business.

use super::HostConfig;

/// What is asked of ssh beside what the person has configured. What stands in `ssh_cmd` comes first, and wins.
const OPTIONS: &[&str] = &[
    // Seconds, to reach a host that does not answer.
    "ConnectTimeout=20",
    // A line that is dead without a word is given up after 45 seconds.
    "ServerAliveInterval=15",
    "ServerAliveCountMax=3",
    // What sftp(1) asks, too: nothing but the one channel.
    "ForwardAgent=no",
    "ForwardX11=no",
    "ClearAllForwardings=yes",
    "PermitLocalCommand=no",
    "RemoteCommand=none",
    "RequestTTY=no",
];

/// The command, its arguments after it, that speaks SFTP on its standard input and output. With a terminal ssh may ask the
/// person at it.
pub(super) fn command(host: &str, config: &HostConfig, terminal: bool) -> Vec<String> {
    let mut words = config.ssh.clone();
    if words.is_empty() {
        words.push("ssh".into());
    }
    let mut add = |more: &[&str]| words.extend(more.iter().map(|&word| word.to_owned()));
    for option in OPTIONS {
        add(&["-o", option]);
    }
    if !terminal {
        add(&["-o", "BatchMode=yes"]);
    }
    if let Some(port) = config.port {
        add(&["-p", &port.to_string()]);
    }
    if let Some(user) = &config.user {
        add(&["-l", user]);
    }
    // After `--` no name of a host is taken for an option.
    add(&["-s", "--", host, "sftp"]);
    words
}

/// What ssh says where trying again is no use, with what helps.
const TO_MEND: &[(&str, &str)] = &[
    (
        "REMOTE HOST IDENTIFICATION HAS CHANGED",
        "somebody may be listening in; ask the data centre whether its host key has changed, then remove the old one with \
         `ssh-keygen -R`",
    ),
    (
        "Host key verification failed",
        "connect once by hand with `ssh`, compare the fingerprint with what the data centre says, and accept the key",
    ),
    (
        "Permission denied (",
        "the data centre must know this account's public key; is the key loaded (`ssh-add -l`), and is the ssh-agent file \
         given?",
    ),
    (
        "Too many authentication failures",
        "choose the key in ~/.ssh/config with `IdentityFile` and `IdentitiesOnly yes`",
    ),
    (
        "subsystem request failed",
        "the host does not offer sftp: its sshd_config needs `Subsystem sftp internal-sftp`",
    ),
    ("Unable to negotiate with", "the two versions of ssh have no algorithm in common"),
    ("Bad configuration option", "see `ssh_cmd` and ~/.ssh/config"),
    ("Bad owner or permissions on", "ssh reads only files that nobody else can write"),
    ("Can't open user config file", "see `ssh_cmd`"),
    ("Bad port", "see `webdb_port`"),
    ("hostname contains invalid characters", "see `webdb_ip`"),
];

/// What a person has to do about what ssh said when it did not connect; `None`: it may go better another time.
pub(super) fn hint(said: &str) -> Option<&'static str> {
    TO_MEND.iter().find(|(words, _)| said.contains(words)).map(|(_, hint)| *hint)
}

/// The lines of what ssh said that tell something, as one: without frames of `@`, control characters and its warnings about
/// keys that it has added.
pub(super) fn gist(said: &str) -> String {
    let clean: String = said.chars().filter(|c| *c == '\n' || !c.is_control()).collect();
    let told: Vec<&str> = clean
        .lines()
        .map(str::trim)
        .filter(|line| {
            !line.is_empty() && !line.starts_with('@') && !line.starts_with("Warning: Permanently added")
        })
        .collect();
    let last = told.len().saturating_sub(LINES);
    told.get(last..).unwrap_or_default().join("; ")
}

/// So many lines are repeated; before them a host may have told a novel.
const LINES: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    fn config(port: Option<u16>, user: Option<&str>, ssh: &str) -> HostConfig {
        let ssh = ssh.split_whitespace().map(str::to_owned).collect();
        HostConfig { name: None, port, user: user.map(str::to_owned), ssh }
    }

    #[test]
    fn a_name_is_never_an_option() {
        let plain = command("-oProxyCommand=x", &config(None, None, ""), true);
        assert_eq!(plain[0], "ssh");
        assert_eq!(plain[plain.len() - 4..], ["-s", "--", "-oProxyCommand=x", "sftp"]);
        assert!(!plain.contains(&"BatchMode=yes".into()));
        let full = command("webdb", &config(Some(2222), Some("nso"), "ssh -F file"), false);
        assert_eq!(full[..3], ["ssh", "-F", "file"]);
        let tail = ["-o", "BatchMode=yes", "-p", "2222", "-l", "nso", "-s", "--", "webdb", "sftp"];
        assert_eq!(full[full.len() - tail.len()..], tail);
    }

    #[test]
    fn what_a_person_must_mend_is_told_apart() {
        for (said, mend) in [
            ("nso@webdb: Permission denied (publickey).", true),
            ("No ED25519 host key is known for webdb.\r\nHost key verification failed.\r\n", true),
            ("subsystem request failed on channel 0", true),
            ("ssh: connect to host webdb port 22: Connection refused", false),
            ("ssh: connect to host webdb port 22: Connection timed out", false),
            ("kex_exchange_identification: Connection closed by remote host", false),
            ("ssh: Could not resolve hostname webdb: Temporary failure in name resolution", false),
            ("Timeout, server webdb not responding.", false),
            ("", false),
        ] {
            assert_eq!(hint(said).is_some(), mend, "{said}");
        }
    }

    #[test]
    fn the_gist_is_what_was_said_last() {
        let said = "Warning: Permanently added 'x'\r\n@@@@@\r\n@  WARNING  @\r\na\r\nb\r\n\r\nc\x1b\r\nd\r\n";
        assert_eq!(gist(said), "b; c; d");
        assert_eq!(gist(""), "");
    }
}
