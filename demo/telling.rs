//! How the demo speaks: plain text, about 110 columns at the most.

/// Where a line is cut off.
pub(crate) const WIDTH: usize = 90;

/// The title of a step.
pub(crate) fn step(number: u32, title: &str) {
    println!("\n{number}. {title}");
}

/// A sentence.
pub(crate) fn say(text: &str) {
    println!("   {text}");
}

/// What somebody types.
pub(crate) fn shell(command: &str) {
    println!("   $ {command}");
}

/// A file that appears, and who wrote it or how large it is.
pub(crate) fn file(name: &str, remark: &str) {
    println!("   {name:<56} {remark}");
}

/// The content of a small file.
pub(crate) fn excerpt(text: &str) {
    for line in text.lines() {
        let end = line.char_indices().nth(WIDTH).map(|(at, _)| at);
        match end {
            Some(at) => println!("       {}...", &line[..at]),
            None => println!("       {line}"),
        }
    }
}
