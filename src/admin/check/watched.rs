//! What is wrong with the watch over the PostgreSQL servers.

use super::finding::Findings;
use crate::config::Config;
use crate::disk;
use crate::monitor;

/// Looks for it.
pub(super) fn decide(config: &Config, found: &mut Findings) {
    for (hook, command) in &config.hooks.commands {
        if let Some(program) = command.first().filter(|program| !disk::finds_program(program)) {
            no_program(&format!("hook.{}", hook.word()), program, found);
        }
    }
    let settings = match monitor::load_to_look(config) {
        Ok(Some(settings)) => settings,
        Ok(None) => return,
        Err(error) => {
            return found.error(
                "monitor-config",
                &"monitor_config",
                error.chain(),
                "put the file right: the daemon does not start with it, and one that runs goes by the one before",
            );
        }
    };
    if !settings.watches(&config.database) {
        let (host, port) = (&config.database.host, config.database.port);
        found.warning(
            "server-unwatched",
            &format!("{host}:{port}"),
            "the log-shipping node's server is not among the servers that are watched (spelled so)".into(),
            "name it there as `pg_host` and `pg_port` do: its loss holds no dump up now",
        );
    }
    for (occasion, program) in monitor::missing_programs(&settings) {
        no_program(occasion.reference_name(), &program, found);
    }
}

fn no_program(command: &str, program: &str, found: &mut Findings) {
    found.warning(
        "no-program",
        &command,
        format!("there is no program {program} that may be run"),
        "install it, or put the command right: nobody would be told",
    );
}
