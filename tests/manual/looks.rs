//! What is installed beside the programs: units that systemd understands, man pages and completions that work.

use crate::machine::Machine;

/// systemd understands the units, and what they may do is little: below 2 of 10.
pub(crate) fn the_units_are_sound(machine: &Machine) {
    for unit in ["subscription_manager.service", "get_slony_logs@nso.service"] {
        let said = machine.run(&format!(
            "systemd-analyze verify {unit} 2>&1 | grep -E 'subscription_manager|get_slony_logs' || true"
        ));
        assert_eq!(said, "", "{unit}");
        machine.run(&format!("systemd-analyze security --offline=true --threshold=19 --no-pager {unit}"));
    }
    // It can fail, too.
    let open = "printf '[Service]\\nExecStart=/bin/true\\n' >/run/open.service && \
         ! systemd-analyze security --offline=true --threshold=19 --no-pager /run/open.service >/dev/null";
    machine.run(open);
}

/// Every program has a page, which groff formats without a word.
pub(crate) fn the_manual_can_be_read(machine: &Machine) {
    for (program, told) in [
        ("subscription_manager", ["resplit NODE", "--accept-empty N", "audit.jsonl"]),
        ("subscribe_series", ["--dry-run", "ingestion_path", "EXIT STATUS"]),
        ("get_slony_logs", ["--follow", "get_slony_logs@nso", "EXIT STATUS"]),
    ] {
        let page = machine.run(&format!("man --where {program}"));
        assert_eq!(page.trim(), format!("/usr/share/man/man1/{program}.1.gz"));
        let warned = machine.run(&format!("man --warnings=all -E UTF-8 -l {} 2>&1 >/dev/null", page.trim()));
        assert_eq!(warned, "", "{program}");
        let text = machine.run(&format!("man {program} | col -b"));
        for words in told {
            assert!(text.contains(words), "{program}: {words}\n{text}");
        }
    }
    for (package, pages) in [
        ("subscription-manager", &["operator", "hooks", "monitor", "troubleshooting", "README"][..]),
        ("subscription-manager-site", &["remote-site", "configuration"]),
    ] {
        let directory = format!("/usr/share/doc/{package}");
        let names = machine.run(&format!("cd {directory} && ls *.md"));
        assert!(pages.iter().all(|page| names.lines().any(|name| name == format!("{page}.md"))), "{names}");
        // Each behind the page that has it, without the place in the page; what has a colon is an address.
        let links = machine.run(&format!(
            "cd {directory} && grep -noE '\\]\\([^)#:]+[)#]' *.md | sed -E 's,:[0-9]+:..(.*).$, \\1,' | sort -u"
        ));
        assert!(links.lines().count() >= 2, "{links}");
        for (page, link) in links.lines().filter_map(|line| line.split_once(' ')) {
            let is_there = machine.bash(&format!("test -e {directory}/{link}")).status.success();
            assert!(is_there, "{package}: {page} leads to {link}, which is not installed");
        }
    }
}

/// What hooks.md lets an operator try does not lie where the unit hides it.
pub(crate) fn the_trials_work_under_the_unit(machine: &Machine) {
    let hooks = machine.run("cat /usr/share/doc/subscription-manager/hooks.md");
    let unit = machine.run("cat /usr/lib/systemd/system/subscription_manager.service");
    assert!(unit.contains("PrivateTmp=yes") && unit.contains("ProtectSystem=strict"), "{unit}");
    let written: Vec<&str> =
        hooks.split("tee -a ").skip(1).filter_map(|rest| rest.split(['`', '\n']).next()).collect();
    assert!(!written.is_empty());
    let state = unit.lines().find_map(|line| line.strip_prefix("StateDirectory=")).expect("a directory");
    let below = format!("/var/lib/{state}/");
    assert!(written.iter().all(|path| path.starts_with(&below)), "{written:?} are not below {below}");
}

/// TAB proposes what there is.
pub(crate) fn the_shell_completes(machine: &Machine) {
    // What readline does when TAB is pressed: it asks for the function of the command, and calls it with the words.
    let proposed = |words: &str, at: usize| {
        machine.run(&format!(
            "set -- {words}; . /usr/share/bash-completion/completions/$1; \
             function=$(complete -p $1 | sed 's/.*-F \\([^ ]*\\).*/\\1/'); \
             COMP_WORDS=(\"$@\" ''); COMP_CWORD={at}; COMP_LINE='{words} '; COMP_POINT=${{#COMP_LINE}}; \
             $function $1 '' \"${{!#}}\"; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        ))
    };
    let commands = proposed("subscription_manager", 1);
    for command in ["run", "list", "check", "resplit"] {
        assert!(commands.lines().any(|line| line == command), "{command} is not in {commands}");
    }
    assert!(!commands.contains("generate"), "{commands}");
    assert!(proposed("subscription_manager resplit -", 2).contains("--from"));
    assert!(proposed("get_slony_logs", 1).contains("--follow"));
    for program in ["subscription_manager", "subscribe_series", "get_slony_logs"] {
        machine.run(&format!("bash -n /usr/share/bash-completion/completions/{program}"));
        machine.run(&format!("zsh -n /usr/share/zsh/vendor-completions/_{program}"));
        machine.run(&format!("fish --no-execute /usr/share/fish/vendor_completions.d/{program}.fish"));
    }
    // fish tells what it would propose.
    let proposed = |words: &str| machine.run(&format!("fish -c 'complete -C\"{words}\"'"));
    let commands = proposed("subscription_manager ");
    assert!(
        commands.contains("\nresplit\tSplit archives again") && !commands.contains("generate"),
        "{commands}"
    );
    assert!(proposed("get_slony_logs --").contains("--follow\t"));
    // zsh does so on a terminal only: there it is typed.
    let typed = |words: &str| {
        machine.run(&format!(
            "printf 'autoload -Uz compinit; compinit -u -D\\n{words}\\nexit\\n' | TERM=dumb script -qec 'zsh -f -i' /dev/null"
        ))
    };
    let said = typed("subscription_manager resp\\t --he\\t");
    assert!(said.contains("Split archives again for one node"), "{said}");
    let said = typed("get_slony_logs --vers\\t");
    assert!(said.contains(concat!("get_slony_logs ", env!("CARGO_PKG_VERSION"))), "{said}");
}
