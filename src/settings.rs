//! Settings: `key=value` or `key value` lines and the environment in, values out, every fault of all of them together.
//!
//! The `config` crate layers file and environment and remembers where each value came from; what is asked of a value
//! stands in [`Reader`], which collects every fault before anything is refused.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use ::config::{Environment, Map, Source, Value, ValueKind};

use crate::command;
use crate::disk;
use crate::error::{Error, Result};
use crate::protocol::key_value;

/// The keys that a configuration may have.
pub(crate) struct Keys {
    /// Every key with its default, in parts that files may have in common; `None`: must be given or may stay away.
    pub known: &'static [&'static [(&'static str, Option<&'static str>)]],
    /// Other names of keys: first the other name, then the key.
    pub aliases: &'static [(&'static str, &'static str)],
    /// Keys of other tools that mean nothing here.
    pub unused: &'static [&'static str],
    /// What the names of environment variables begin with, in front of `_KEY`; `None`: the environment is not asked.
    pub environment: Option<&'static str>,
}

/// A key as the reference shows it.
pub(crate) struct Key {
    /// Its name.
    pub name: &'static str,
    /// What holds if it is not given.
    pub default: Option<&'static str>,
    /// Whether it must be given.
    pub is_required: bool,
}

impl Keys {
    /// Reads a file and the environment, and checks what they say. All faults are reported together, each with its
    /// place.
    pub(crate) fn load<T>(&self, path: &Path, check: impl FnOnce(&mut Reader<'_>) -> T) -> Result<T> {
        let unread =
            |why: String| Error::Fatal(format!("read the configuration `{}`: {why}", path.display()));
        let bytes = disk::read_guarded(path).map_err(|error| unread(error.chain()))?;
        let bytes = bytes.ok_or_else(|| unread("there is no such file".into()))?;
        let text = String::from_utf8(bytes).map_err(|error| unread(error.to_string()))?;
        accepted(self.check(&text, None, check)?, &format!("the configuration `{}`", path.display()))
    }

    /// The same of a text, whatever the environment says.
    pub(crate) fn read<T>(&self, text: &str, check: impl FnOnce(&mut Reader<'_>) -> T) -> Result<T> {
        accepted(self.check(text, Some(Map::new()), check)?, "the configuration")
    }

    /// The same of a text; `variables` stand for the environment if they are given. Returns the faults.
    pub(crate) fn check<T>(
        &self,
        text: &str,
        variables: Option<Map<String, String>>,
        check: impl FnOnce(&mut Reader<'_>) -> T,
    ) -> Result<(T, Vec<String>)> {
        let mut faults = Faults::default();
        let values = self.layered(text, variables, &mut faults)?;
        let checked = check(&mut Reader { keys: self, values: &values, faults: &mut faults });
        Ok((checked, faults.0))
    }

    fn layered(
        &self,
        text: &str,
        variables: Option<Map<String, String>>,
        faults: &mut Faults,
    ) -> Result<Map<String, Value>> {
        let mut file = Map::new();
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let place = format!("line {}", at + 1);
            let (given, value) = key_value(line);
            let key = self.aliases.iter().find(|(alias, _)| *alias == given).map_or(given, |(_, key)| key);
            let value = Value::new(Some(&place), ValueKind::String(unquoted(value).to_owned()));
            if self.unused.contains(&key) {
                continue;
            }
            if !self.is_known(key) {
                faults.0.push(format!("{place}: `{key}` is no key{}", self.hint(key)));
            } else if file.insert(key.to_owned(), value).is_some() {
                faults.0.push(format!("{place}: `{key}` is given twice"));
            }
        }
        let mut layers = ::config::Config::builder();
        for (key, default) in self.keys() {
            if let Some(default) = default {
                layers = layers.set_default(*key, *default).map_err(|e| Error::Fatal(e.to_string()))?;
            }
        }
        layers = layers.add_source(KeyValueFile(file));
        if let Some(prefix) = self.environment {
            layers = layers.add_source(Environment::with_prefix(prefix).source(variables));
        }
        let values =
            layers.build().and_then(|built| built.collect()).map_err(|e| Error::Fatal(e.to_string()))?;
        for key in values.keys().filter(|key| !self.is_known(key)) {
            let hint = self.hint(key);
            faults.0.push(format!("environment {}: `{key}` is no key{hint}", self.variable(key)));
        }
        Ok(values)
    }

    /// Every key, for the reference. Which of them must be given is asked of `check`, by giving it none.
    pub(crate) fn all<T>(&self, check: impl FnOnce(&mut Reader<'_>) -> T) -> Result<Vec<Key>> {
        let (_, faults) = self.check("", Some(Map::new()), check)?;
        let is_required = |name: &str| faults.iter().any(|fault| *fault == format!("`{name}` is missing"));
        let key = |(name, default): &(&'static str, _)| Key {
            name: self.written(name),
            default: *default,
            is_required: is_required(name),
        };
        Ok(self.keys().map(key).collect())
    }

    fn keys(&self) -> impl Iterator<Item = &'static (&'static str, Option<&'static str>)> {
        self.known.iter().copied().flatten()
    }

    fn is_known(&self, key: &str) -> bool {
        self.keys().any(|(known, _)| *known == key)
    }

    /// The key as a file has it: one with a dot is another inside, because to the `config` crate a dot is a path.
    fn written<'k>(&self, key: &'k str) -> &'k str {
        let dotted = self.aliases.iter().find(|(alias, of)| *of == key && alias.contains('.'));
        dotted.map_or(key, |(alias, _)| alias)
    }

    /// The environment variable of a key.
    fn variable(&self, key: &str) -> String {
        format!("{}_{}", self.environment.unwrap_or_default(), key.to_ascii_uppercase())
    }

    /// The known key nearest to a misspelt one: with the same first letters.
    fn hint(&self, key: &str) -> String {
        let near = self.keys().map(|(known, _)| *known).find(|known| {
            let bare = |text: &str| text.replace(['_', '-'], "").to_ascii_lowercase();
            bare(known) == bare(key) || (key.len() > 3 && (known.starts_with(key) || key.starts_with(known)))
        });
        near.map(|near| format!(" (did you mean `{}`?)", self.written(near))).unwrap_or_default()
    }
}

/// Faults found so far, each with the place of the value.
#[derive(Default)]
struct Faults(Vec<String>);

/// The file of the document as a layer.
#[derive(Debug, Clone)]
struct KeyValueFile(Map<String, Value>);

impl Source for KeyValueFile {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ::config::ConfigError> {
        Ok(self.0.clone())
    }
}

fn unquoted(value: &str) -> &str {
    let inside = |quote: char| value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    inside('"').or_else(|| inside('\'')).unwrap_or(value)
}

/// Words between commas and white space. Those of a command are parted by white space alone.
pub(crate) fn words(text: &str) -> Vec<String> {
    text.split([',', ' ', '\t']).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// Takes values out one by one; what is wrong goes to the faults and a stand-in goes on.
pub(crate) struct Reader<'a> {
    keys: &'a Keys,
    values: &'a Map<String, Value>,
    faults: &'a mut Faults,
}

impl Reader<'_> {
    /// Notes what is wrong with the value of a key.
    pub(crate) fn fault(&mut self, key: &str, what: &str) {
        let place = match self.values.get(key).and_then(Value::origin) {
            Some(line) if line.starts_with("line ") => format!("{line}: "),
            Some(_) => format!("environment {}: ", self.keys.variable(key)),
            None => String::new(),
        };
        let key = self.keys.written(key);
        self.faults.0.push(format!("{place}`{key}` {what}"));
    }

    /// What is given for a key; `None` if that is nothing.
    pub(crate) fn given(&self, key: &str) -> Option<String> {
        let text = self.values.get(key)?.clone().into_string().ok()?;
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// The same, empty if that is nothing.
    pub(crate) fn text(&self, key: &str) -> String {
        self.given(key).unwrap_or_default()
    }

    /// A number, or whatever is read from a word, that may stay away.
    pub(crate) fn optional<T: FromStr>(&mut self, key: &str) -> Option<T> {
        let parsed = self.given(key)?.parse().ok();
        if parsed.is_none() {
            self.fault(key, "must be a whole number in its range");
        }
        parsed
    }

    /// A number, 0 if it stays away.
    pub(crate) fn number<T: FromStr + Default>(&mut self, key: &str) -> T {
        self.optional(key).unwrap_or_default()
    }

    /// A number from 1 on.
    pub(crate) fn positive(&mut self, key: &str) -> u64 {
        match self.optional(key) {
            Some(0) => {
                self.fault(key, "must be at least 1");
                1
            }
            value => value.unwrap_or(1),
        }
    }

    /// Seconds, which need not be whole, that may stay away.
    pub(crate) fn seconds(&mut self, key: &str) -> Option<Duration> {
        let seconds =
            self.given(key)?.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        if seconds.is_none() {
            self.fault(key, "must be a number of seconds");
        }
        seconds
    }

    /// Days as a duration.
    pub(crate) fn days(&mut self, key: &str) -> Duration {
        Duration::from_secs(self.number::<u64>(key).saturating_mul(24 * 60 * 60))
    }

    /// The words of a command that may stay away. Its program need not be there: it is run when something happens, and what is wrong with
    /// it must not keep from its work who does the rest.
    pub(crate) fn command(&mut self, key: &str) -> Option<Vec<String>> {
        match command::words(&self.given(key)?) {
            Ok(words) => Some(words),
            Err(why) => {
                self.fault(key, &format!("is no command: {why}"));
                None
            }
        }
    }

    /// An absolute path that may stay away.
    pub(crate) fn optional_path(&mut self, key: &str) -> Option<PathBuf> {
        let path = PathBuf::from(self.given(key)?);
        if path.is_absolute() {
            // Without a last slash, so that `with_file_name` and messages are the same for every spelling.
            return Some(path.components().collect());
        }
        self.fault(key, "must be an absolute path");
        None
    }

    /// A path that must be given.
    pub(crate) fn path(&mut self, key: &str) -> Option<PathBuf> {
        if self.given(key).is_none() {
            self.fault(key, "is missing");
        }
        self.optional_path(key)
    }

    /// One of some words.
    pub(crate) fn choice<T: Copy>(&mut self, key: &str, choices: &[(&str, T)], otherwise: T) -> T {
        let text = self.text(key);
        if let Some((_, choice)) = choices.iter().find(|(word, _)| *word == text) {
            return *choice;
        }
        let words: Vec<String> = choices.iter().map(|(word, _)| format!("`{word}`")).collect();
        let words = match words.split_last() {
            Some((last, before)) if !before.is_empty() => format!("{} or {last}", before.join(", ")),
            _ => words.concat(),
        };
        self.fault(key, &format!("must be {words}"));
        otherwise
    }
}

/// What was checked, if it has no faults.
fn accepted<T>((checked, faults): (T, Vec<String>), whose: &str) -> Result<T> {
    if faults.is_empty() {
        return Ok(checked);
    }
    let list: String = faults.iter().map(|fault| format!("\n  {fault}")).collect();
    Err(Error::Fatal(format!("{whose} has faults:{list}")))
}
