//! What ssh-agent prints when it starts: where it listens. People keep it in a file for programs that run without them.

/// The variables that matter to ssh, with their values, of what ssh-agent has printed for a Bourne shell or a C shell. Of a
/// file that was appended to, the last ones count; nothing else in it does.
pub fn variables(text: &str) -> Vec<(&'static str, &str)> {
    ["SSH_AUTH_SOCK", "SSH_AGENT_PID"]
        .into_iter()
        .filter_map(|name| {
            let mut commands = text.split([';', '\n']).rev();
            commands.find_map(|command| value(command.trim(), name)).map(|value| (name, value))
        })
        .collect()
}

/// The value that a command of a shell gives to a variable.
fn value<'a>(command: &'a str, name: &str) -> Option<&'a str> {
    let given = if let Some(rest) = command.strip_prefix("setenv ") {
        rest.trim_start().strip_prefix(name)?.strip_prefix([' ', '\t'])?
    } else {
        let bare = command.strip_prefix("export ").unwrap_or(command);
        bare.trim_start().strip_prefix(name)?.strip_prefix('=')?
    };
    let given = given.trim();
    let inside = |quote: char| given.strip_prefix(quote)?.strip_suffix(quote);
    Some(inside('"').or_else(|| inside('\'')).unwrap_or(given)).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_agent_prints_is_understood() {
        let both = vec![("SSH_AUTH_SOCK", "/tmp/ssh-a/agent.1"), ("SSH_AGENT_PID", "2")];
        let cases = [
            (
                "SSH_AUTH_SOCK=/tmp/ssh-a/agent.1; export SSH_AUTH_SOCK;\nSSH_AGENT_PID=2; export SSH_AGENT_PID;\n\
                 echo Agent pid 2;\n",
                both.clone(),
            ),
            (
                "setenv SSH_AUTH_SOCK /tmp/ssh-a/agent.1;\nsetenv SSH_AGENT_PID 2;\necho Agent pid 2;\n",
                both.clone(),
            ),
            ("export SSH_AUTH_SOCK='/tmp/a b'\r\n", vec![("SSH_AUTH_SOCK", "/tmp/a b")]),
            ("SSH_AUTH_SOCK=/old;\nSSH_AUTH_SOCK=\"/new\";", vec![("SSH_AUTH_SOCK", "/new")]),
            ("MY_SSH_AUTH_SOCK=/x; SSH_AUTH_SOCKS=/y; setenv SSH_AUTH_SOCKET z", vec![]),
            ("SSH_AUTH_SOCK=; export SSH_AUTH_SOCK;", vec![]),
            ("LD_PRELOAD=/tmp/x.so; rm -rf /", vec![]),
            ("", vec![]),
        ];
        for (text, expected) in cases {
            assert_eq!(variables(text), expected, "{text}");
        }
    }
}
