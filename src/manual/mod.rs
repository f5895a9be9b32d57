//! What is made from the definitions in the code instead of being written by hand: man pages, completions for shells, and
//! the reference of all keys. `make man`, `make deb` and `make reference` put it where it belongs.

mod notes;
mod page;
mod reference;

use clap::{Command, CommandFactory as _};

use crate::args::{Args, Made, Program};
use crate::error::Result;
use crate::subscriber::args::{IngestArgs, SubscribeArgs};

/// Makes what is asked for of one program, as a text.
pub fn generate(made: Made, program: Program) -> Result<String> {
    match made {
        Made::Man => Ok(page::page(&command(program), &notes::of(program))),
        Made::Bash => Ok(completion(clap_complete::Shell::Bash, program)),
        Made::Zsh => Ok(completion(clap_complete::Shell::Zsh, program)),
        Made::Fish => Ok(completion(clap_complete::Shell::Fish, program)),
        Made::Reference => reference::reference(program),
    }
}

/// The command line of a program, as its own `--help` knows it.
fn command(program: Program) -> Command {
    match program {
        Program::SubscriptionManager => Args::command(),
        Program::SubscribeSeries => SubscribeArgs::command(),
        Program::GetSlonyLogs => IngestArgs::command(),
    }
}

fn name(program: Program) -> &'static str {
    match program {
        Program::SubscriptionManager => "subscription_manager",
        Program::SubscribeSeries => "subscribe_series",
        Program::GetSlonyLogs => "get_slony_logs",
    }
}

fn completion(shell: clap_complete::Shell, program: Program) -> String {
    let whole = command(program);
    // Anew, because it would propose what is hidden.
    let shown = whole.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    let name = name(program);
    let mut command = Command::new(name).version("").args(whole.get_arguments().cloned()).subcommands(shown);
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn a_page_tells_every_command_and_option_that_is_not_hidden() {
        for program in Program::value_variants() {
            let page = generate(Made::Man, *program).unwrap().replace("\\-", "-");
            let command = command(*program);
            let shown = command.get_subcommands().filter(|command| !command.is_hide_set());
            for told in shown.chain([&command]) {
                assert!(page.contains(told.get_name()), "{}", told.get_name());
                for option in told.get_arguments().filter_map(clap::Arg::get_long) {
                    assert!(page.contains(&format!("--{option}")), "{} --{option}", told.get_name());
                }
            }
            assert!(!page.contains("generate"), "what is hidden is not for people");
            for section in ["NAME", "SYNOPSIS", "EXIT STATUS", "FILES", "ENVIRONMENT", "EXAMPLES", "SEE ALSO"]
            {
                assert!(
                    page.contains(&format!(".SH {section}")) || page.contains(&format!(".SH \"{section}\"")),
                    "{section}"
                );
            }
        }
    }
}
