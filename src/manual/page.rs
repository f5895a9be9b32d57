//! A man page: the command line as clap knows it, every subcommand in full, then what only words can say.

use clap::{Arg, ArgAction, Command};
use clap_mangen::Man;
use roff::{Inline, Roff, bold, roman};

/// What a page says that the command line does not: sections of paragraphs.
pub(super) struct Notes {
    /// Heading and paragraphs.
    pub(super) sections: Vec<(&'static str, Vec<Note>)>,
}

/// A part of a section.
pub(super) enum Note {
    /// What is told of, and what is told.
    Item(&'static str, &'static str),
    /// A command as it is typed, and what it does.
    Example(&'static str, &'static str),
}

/// The page in roff.
pub(super) fn page(command: &Command, notes: &Notes) -> String {
    let name = command.get_name().to_owned();
    let man = Man::new(command.clone().disable_help_subcommand(true)).title(name.to_uppercase());
    let man = man.manual("Subscriptions to Slony-I").date("");
    let mut text = Vec::new();
    // Only a writer that refuses bytes could fail here, and a vector takes all.
    let _ = man.render_title(&mut text);
    let _ = man.render_name_section(&mut text);
    let _ = man.render_synopsis_section(&mut text);
    let _ = man.render_description_section(&mut text);
    let _ = man.render_options_section(&mut text);
    let mut rest = Roff::new();
    commands(command, &mut rest);
    for (heading, parts) in &notes.sections {
        rest.control("SH", [*heading]);
        for part in parts {
            note(part, &mut rest);
        }
    }
    let _ = rest.to_writer(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// One page for all: whoever looks for an option of `check` finds it without opening another.
fn commands(command: &Command, page: &mut Roff) {
    let shown: Vec<_> = command.get_subcommands().filter(|command| !command.is_hide_set()).collect();
    if shown.is_empty() {
        return;
    }
    page.control("SH", ["COMMANDS"]);
    for subcommand in shown {
        let words: String = subcommand.get_positionals().map(|arg| format!(" {}", usage(arg))).collect();
        page.control("SS", [format!("{}{words}", subcommand.get_name()).as_str()]);
        if let Some(about) = subcommand.get_long_about().or_else(|| subcommand.get_about()) {
            page.text(inlines(&about.to_string()));
        }
        for arg in subcommand
            .get_arguments()
            .filter(|arg| !arg.is_hide_set() && !arg.is_global_set() && arg.get_id() != "help")
        {
            page.control("TP", []);
            page.text([bold(usage(arg))]);
            let help = arg.get_long_help().or_else(|| arg.get_help());
            page.text(inlines(&help.map(ToString::to_string).unwrap_or_default()));
        }
    }
}

/// An argument as it is typed: `--since WHEN`, `--watch [SECONDS]`, `[NODE]`, `SERIES...`.
fn usage(arg: &Arg) -> String {
    let values: Vec<_> = arg.get_value_names().into_iter().flatten().map(ToString::to_string).collect();
    let mut value = if arg.get_action().takes_values() { values.join(" ") } else { String::new() };
    let may_be_left_out = match arg.get_long() {
        Some(_) => arg.get_num_args().is_some_and(|count| count.min_values() == 0),
        None => !arg.is_required_set(),
    };
    if may_be_left_out && !value.is_empty() {
        value = format!("[{value}]");
    }
    if arg.get_long().is_none() && matches!(arg.get_action(), ArgAction::Append) {
        value += "...";
    }
    match arg.get_long() {
        Some(long) => format!("--{long} {value}").trim_end().to_owned(),
        None => value,
    }
}

fn note(note: &Note, page: &mut Roff) {
    page.control("TP", []);
    match note {
        Note::Item(what, told) => page.text([bold(*what)]).text(inlines(told)),
        Note::Example(typed, told) => page.text([bold(format!("$ {typed}"))]).text(inlines(told)),
    };
}

/// Words between backticks are bold, as everywhere in manuals.
fn inlines(text: &str) -> Vec<Inline> {
    let parts = text.split('`').enumerate();
    parts.map(|(at, part)| if at % 2 == 1 { bold(part) } else { roman(part) }).collect()
}
