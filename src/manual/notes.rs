//! What the man pages say beyond the command lines.

use super::page::Note::{self, Example, Item};
use super::page::Notes;
use crate::args::Program;

/// What is to be said of a program.
pub(super) fn of(program: Program) -> Notes {
    let (status, files, environment, examples, see_also) = match program {
        Program::SubscriptionManager => {
            (MANAGER_STATUS, MANAGER_FILES, MANAGER_ENVIRONMENT, MANAGER_EXAMPLES, MANAGER_SEE)
        }
        Program::SubscribeSeries => (SITE_STATUS, SITE_FILES, SITE_ENVIRONMENT, SUBSCRIBE_EXAMPLES, SITE_SEE),
        Program::GetSlonyLogs => (SITE_STATUS, SITE_FILES, SITE_ENVIRONMENT, INGEST_EXAMPLES, SITE_SEE),
    };
    let section = |heading, notes: fn() -> Vec<Note>| (heading, notes());
    Notes {
        sections: vec![
            section("EXIT STATUS", status),
            section("FILES", files),
            section("ENVIRONMENT", environment),
            section("EXAMPLES", examples),
            section("SEE ALSO", see_also),
        ],
    }
}

const MANAGER_STATUS: fn() -> Vec<Note> = || {
    vec![
        Item("0", "All is well."),
        Item(
            "1",
            "It is not; the reason is printed. `check` has found something that is wrong (notes do not count), `status` something that \
              needs a person.",
        ),
        Item("2", "The command line is wrong, or `check` or `status` could not look."),
    ]
};

const MANAGER_FILES: fn() -> Vec<Note> = || {
    vec![
        Item(
            "/etc/subscription_manager.cfg",
            "The configuration: `key=value` lines. Nobody but its owner may write it.",
        ),
        Item(
            "triggerdir",
            "Where subscribers drop requests and find answers; what could not be used is in `rejected`.",
        ),
        Item("subscribers_dir", "Where each node has its directory of site logs."),
        Item(
            "parser_config, tables_dir",
            "The registry, and a list for each node with the files that belong to it.",
        ),
        Item(
            "work_dir",
            "The splitter's place `split.counter`, the audit trail `audit.jsonl`, locks, and \
              `subscription_manager.die`, which makes the daemon stop.",
        ),
    ]
};

const MANAGER_ENVIRONMENT: fn() -> Vec<Note> = || {
    vec![
        Item(
            "SUBSCRIPTION_MANAGER_KEY",
            "Every key of the configuration in capitals wins over the file, as in \
              `SUBSCRIPTION_MANAGER_PG_PORT=6543`.",
        ),
        Item(
            "PGPASSWORD, PGPASSFILE",
            "The password, and the file with passwords, as for every client of PostgreSQL.",
        ),
    ]
};

const MANAGER_EXAMPLES: fn() -> Vec<Note> = || {
    vec![
        Example("subscription_manager run", "Serve, in the foreground, with the configuration in /etc."),
        Example("subscription_manager list", "Who is served, how far, and since when."),
        Example(
            "subscription_manager check",
            "What is wrong, and what to do; its exit status is fit for cron.",
        ),
        Example("subscription_manager history nso --since 7d", "What became of the requests of a node."),
        Example("subscription_manager resplit nso --from 1200 --to 1210", "Make lost site logs again."),
    ]
};

const MANAGER_SEE: fn() -> Vec<Note> = || {
    vec![
        Item("subscribe_series(1), get_slony_logs(1), slon(1), systemd.service(5)", ""),
        Item(
            "/usr/share/doc/subscription-manager",
            "The operator's guide, what each message means, and every key.",
        ),
    ]
};

const SITE_STATUS: fn() -> Vec<Note> = || {
    vec![
        Item("0", "All is well."),
        Item("1", "Something failed that may work later: the line, the database, a full disk. Run it again."),
        Item("2", "The command line or the configuration is wrong."),
        Item("3", "Not now: another one runs, or the die file is there."),
        Item(
            "4",
            "A person has to do something: the request was refused, a log is missing for good or is not what it \
              should be.",
        ),
    ]
};

const SITE_FILES: fn() -> Vec<Note> = || {
    vec![
        Item(
            "CONFIG",
            "The site's configuration, `key value` or `key=value` lines; those of the deployed tools are read as \
              they are. Nobody but its owner may write it.",
        ),
        Item("ingestion_path", "While `get_slony_logs.<node>.die` is there, nothing is ingested."),
        Item(
            "work_dir",
            "What the tools must remember: locks, and the request that is under way. By default \
              <ingestion_path>/<node>.",
        ),
    ]
};

const SITE_ENVIRONMENT: fn() -> Vec<Note> = || {
    vec![
        Item(
            "PGPASSWORD, PGPASSFILE",
            "The password, and the file with passwords, as for every client of PostgreSQL.",
        ),
        Item("SSH_AUTH_SOCK", "The agent that ssh asks for keys."),
        Item("RUST_LOG", "`debug` tells more, `warn` less."),
    ]
};

const SUBSCRIBE_EXAMPLES: fn() -> Vec<Note> = || {
    vec![
        Example(
            "subscribe_series /etc/nso.cfg nso.list",
            "Ask for the series of the list, and see it through.",
        ),
        Example("subscribe_series /etc/nso.cfg nso.list --dry-run", "Only check, and show the request."),
        Example("subscribe_series /etc/nso.cfg -r", "Go on with a request that was interrupted."),
        Example("subscribe_series status /etc/nso.cfg", "What the site has, and how far it is."),
    ]
};

const INGEST_EXAMPLES: fn() -> Vec<Note> = || {
    vec![
        Example("get_slony_logs /etc/nso.cfg", "Apply what is there and stop: for cron, every minute."),
        Example("get_slony_logs /etc/nso.cfg --follow", "Go on for ever: for a service."),
        Example(
            "systemctl enable --now get_slony_logs@nso",
            "The same as a service of the package, with \
                 /etc/subscription_manager/nso.cfg.",
        ),
    ]
};

const SITE_SEE: fn() -> Vec<Note> = || {
    vec![
        Item("subscribe_series(1), get_slony_logs(1), subscription_manager(1), ssh(1)", ""),
        Item("/usr/share/doc/subscription-manager-site", "The remote site's guide, and every key."),
    ]
};
