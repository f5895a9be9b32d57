//! What each command prints, to the letter: `session.txt` is a session of an operator, and is held here.
//!
//! A line `$ ...` is a command without the program's name; what follows is what it prints and says, and `[N]` its exit status if that
//! is not 0. Lines that begin with `#` are for readers. `SESSION=accept` writes the file anew, to be read before it is believed.

use std::path::Path;
use std::process::Command;

use crate::by_hand::{three, written};
use crate::place::Place;
use crate::support::station::log_name;

const SESSION: &str = "tests/operator/session.txt";

/// Commands that are not in it: one goes on for ever, and the other explains what is in it.
const ELSEWHERE: [&str; 2] = ["run", "help"];

/// The words of a line, as a shell would part them; a text in quotation marks is one.
fn words(line: &str) -> Vec<String> {
    let parts = line.split('"').enumerate();
    let words = parts.flat_map(|(at, part)| match at % 2 {
        0 => part.split_whitespace().map(str::to_owned).collect(),
        _ => vec![part.to_owned()],
    });
    words.collect()
}

/// What a command prints and says, with what differs from run to run named. Paths are told from where everything lies.
fn answer(place: &Place, line: &str, user: &str) -> String {
    let words = words(line);
    let output = place.command(&words.iter().map(String::as_str).collect::<Vec<_>>());
    let said = [output.stdout, output.stderr].concat();
    let root = place.at("").display().to_string();
    let said =
        String::from_utf8(said).unwrap().replace(&root, "").replace(root.trim_end_matches('/'), "ROOT");
    let mut text: String = timeless(&said).lines().map(|line| narrow(line, user) + "\n").collect();
    if let Some(status @ 1..) = output.status.code() {
        text += &format!("[{status}]\n");
    }
    text
}

/// The name of who runs this is as long as it is: columns are parted by two blanks. He is called `USER`.
fn narrow(line: &str, user: &str) -> String {
    let name = |word: &str| if word == user { "USER".to_owned() } else { word.to_owned() };
    let begin = line.len() - line.trim_start().len();
    let words = line[begin..].split("  ").map(str::trim).filter(|word| !word.is_empty());
    line[..begin].to_owned() + &words.map(name).collect::<Vec<_>>().join("  ")
}

/// Times of the clock are written as `TIME`.
fn timeless(text: &str) -> String {
    const LENGTH: usize = "2026-11-21T16:40:00Z".len();
    let shape = |word: &str| word.replace(|c: char| c.is_ascii_digit(), "9");
    let is_time =
        |part: &str| ["9999-99-99T99:99:99Z", "9999-99-99 99:99:99Z"].contains(&shape(part).as_str());
    let mut told = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if rest.get(..LENGTH).is_some_and(is_time) {
            told += "TIME";
            rest = &rest[LENGTH..];
        } else {
            told.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    told
}

#[test]
fn a_session_of_an_operator_reads_as_it_is_written() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(SESSION);
    let expected = std::fs::read_to_string(&path).unwrap();
    let place = three();
    for counter in 1..=4 {
        written(&place, &format!("archives/{}", log_name(counter)), 3_660);
    }
    let user = String::from_utf8(Command::new("id").arg("-un").output().unwrap().stdout).unwrap();
    let mut found = String::new();
    let mut commands = Vec::new();
    for line in expected.lines().filter(|line| line.starts_with(['$', '#'])) {
        found += &format!("{line}\n");
        if let Some(command) = line.strip_prefix("$ ") {
            found += &answer(&place, command, user.trim());
            commands.extend(words(command).into_iter().next());
        }
    }
    if std::env::var("SESSION").as_deref() == Ok("accept") {
        std::fs::write(&path, &found).unwrap();
    }
    for (found, expected) in found.lines().zip(expected.lines()) {
        assert_eq!(found, expected);
    }
    assert_eq!(found, expected);
    let help = place.run(&["--help"]);
    let there = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let there = there.take_while(|line| !line.is_empty()).filter_map(|line| line.split_whitespace().next());
    for command in there.filter(|command| !ELSEWHERE.contains(command)) {
        assert!(commands.iter().any(|tried| tried == command), "`{command}` is not in {SESSION}");
    }
}
