//! `slon_parser.cfg`: lines `<node directory><white space><list file>`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::{Malformed, plain_text};
use crate::model::Node;

/// The registry. Lines of nodes that are not touched, comments and blank lines stay as they are to the byte.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    /// What was read.
    source: Vec<u8>,
    lines: Vec<Line>,
    /// The line of each name: who asks for a thousand nodes one by one need not read a million lines.
    by_name: HashMap<String, usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    text: String,
    entry: Option<Entry>,
}

/// A node's directory and its list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where its site logs go.
    pub directory: PathBuf,
    /// Its user table list.
    pub list: PathBuf,
}

/// Equal are those that say the same, wherever they come from.
impl PartialEq for Registry {
    fn eq(&self, other: &Self) -> bool {
        self.lines == other.lines
    }
}

impl Eq for Registry {}

impl Registry {
    /// Reads the file.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let text = plain_text(bytes)?;
        let lines = text.lines().enumerate().map(|(at, text)| {
            Ok(Line {
                entry: entry(text).map_err(|what| Malformed::new(at + 1, what))?,
                text: text.to_owned(),
            })
        });
        let lines = lines.collect::<Result<Vec<_>, _>>()?;
        let by_name = by_name(&lines);
        for (at, line) in lines.iter().enumerate() {
            // Two directories of one name would be one node with two places.
            if let Some(name) = line.name().filter(|name| by_name.get(*name) != Some(&at)) {
                return Err(Malformed::new(at + 1, format!("a second directory of the name `{name}`")));
            }
        }
        Ok(Self { source: bytes.to_owned(), lines, by_name })
    }

    /// The file as it was read or is written meanwhile, before any change of this value that follows: an operator may have written
    /// another since.
    pub fn source(&self) -> &[u8] {
        &self.source
    }

    /// What it says is in the file now, and what it says next is written in place of that.
    pub fn settle(&mut self) {
        self.source = self.write();
    }

    /// Writes the file.
    pub fn write(&self) -> Vec<u8> {
        self.lines.iter().map(|line| format!("{}\n", line.text)).collect::<String>().into_bytes()
    }

    /// The entries in order.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.lines.iter().filter_map(|line| line.entry.as_ref())
    }

    /// The entry whose directory has this name.
    pub fn find(&self, name: &str) -> Option<&Entry> {
        self.by_name.get(name).and_then(|at| self.lines.get(*at)?.entry.as_ref())
    }

    /// Enters a directory with its list, in place of the line that has this directory or at the end.
    pub fn enter(&mut self, directory: &Path, list: &Path) {
        let entry = Entry { directory: directory.to_owned(), list: list.to_owned() };
        let line = Line { text: format!("{}\t{}", directory.display(), list.display()), entry: Some(entry) };
        match self.lines.iter_mut().find(|line| line.is(directory)) {
            Some(there) => *there = line,
            None => self.lines.push(line),
        }
        self.by_name = by_name(&self.lines);
    }

    /// Takes the line of a directory out, if it is there.
    pub fn remove(&mut self, directory: &Path) {
        self.lines.retain(|line| !line.is(directory));
        self.by_name = by_name(&self.lines);
    }
}

impl Entry {
    /// The last part of the directory: the node's name, or `<node>.new`.
    pub fn name(&self) -> Option<&str> {
        self.directory.file_name().and_then(|name| name.to_str())
    }

    /// The node whose directory this is, or the one that it gets by an open request; `None`: it is of no node of ours.
    pub fn node(&self) -> Option<Node> {
        let name = self.name()?;
        name.strip_suffix(".new").unwrap_or(name).parse().ok()
    }
}

/// The first line of each name.
fn by_name(lines: &[Line]) -> HashMap<String, usize> {
    let mut by_name = HashMap::with_capacity(lines.len());
    for (at, line) in lines.iter().enumerate() {
        if let Some(name) = line.name() {
            by_name.entry(name.to_owned()).or_insert(at);
        }
    }
    by_name
}

impl Line {
    fn name(&self) -> Option<&str> {
        self.entry.as_ref().and_then(Entry::name)
    }

    fn is(&self, directory: &Path) -> bool {
        self.entry.as_ref().is_some_and(|entry| entry.directory == directory)
    }
}

fn entry(text: &str) -> Result<Option<Entry>, String> {
    let text = text.trim();
    if text.is_empty() || text.starts_with('#') {
        return Ok(None);
    }
    let mut words = text.split_whitespace();
    match (words.next(), words.next(), words.next()) {
        (Some(directory), Some(list), None) => {
            // Both with and without a last slash in deployed files; `components` makes them one.
            let directory = Path::new(directory).components().collect();
            Ok(Some(Entry { directory, list: PathBuf::from(list) }))
        }
        _ => Err("a line of the registry is `<node directory> <list file>`".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_others_stay_to_the_byte() {
        let text = "# sites\n/logs/NSO/   /etc/NSO.lst\n\n/logs/SO\t/etc/SO.lst\n";
        let mut registry = Registry::parse(text.as_bytes()).unwrap();
        assert_eq!(registry.find("NSO").unwrap().directory, Path::new("/logs/NSO"));
        registry.enter(Path::new("/logs/SO.new"), Path::new("/etc/SO.new.lst"));
        assert_eq!(registry.source(), text.as_bytes());
        assert_eq!(registry.write(), format!("{text}/logs/SO.new\t/etc/SO.new.lst\n").as_bytes());
        registry.remove(Path::new("/logs/SO.new"));
        assert_eq!(registry.write(), text.as_bytes());
        registry.remove(Path::new("/logs/SO"));
        assert_eq!(registry.write(), b"# sites\n/logs/NSO/   /etc/NSO.lst\n\n", "a suffix is another node");
    }

    #[test]
    fn a_broken_line_is_named() {
        assert_eq!(Registry::parse(b"/a /b\n/c\n").unwrap_err().line, 2);
        assert_eq!(Registry::parse(b"/a /b /c\n").unwrap_err().line, 1);
        assert_eq!(Registry::parse(b"/a/n /b\n/b/n /c\n").unwrap_err().line, 2);
    }
}
