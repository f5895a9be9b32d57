//! plusmoin's configuration: JSON with comments. Its keys and its defaults; every fault with its place, all together. Pure.

use std::path::PathBuf;
use std::time::Duration;

use jsonc_parser::ParseOptions;
use jsonc_parser::ast::{Object, ObjectProp, Value};
use jsonc_parser::common::Ranged as _;

use crate::command;
use crate::config::{MonitorConfig, Secret};
use crate::model::{Address, Occasion};

/// What a file says.
#[derive(Debug)]
pub(super) struct Reading {
    /// What it asks for.
    pub config: MonitorConfig,
    /// What it says that has no effect here, and why.
    pub ignored: Vec<String>,
}

/// JSON and comments, nothing else that somebody has thought of.
const FORM: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_loose_object_property_names: false,
    allow_trailing_commas: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// Keys that plusmoin has and that have no effect here, and why.
const IGNORED: &[(&str, &str)] = &[
    ("daemon_user", "this runs as the user who starts it"),
    ("pid_file", "this stays in the foreground; `monitor.lock` in work_dir has the process number"),
    ("log_file", "`log_dir` of our own configuration says where the daemon's log goes"),
    ("log_level", "`log_level` of our own configuration holds"),
];

/// Reads a file. `base` has what it does not say. Returns its faults, each with line and column.
pub(super) fn read(text: &str, base: MonitorConfig) -> Result<Reading, Vec<String>> {
    let parsed = jsonc_parser::parse_to_ast(text, &jsonc_parser::CollectOptions::default(), &FORM);
    let parsed = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return Err(vec![format!("{}: {}", place(text, error.range().start), error.kind())]),
    };
    let Some(Value::Object(object)) = parsed.value else {
        return Err(vec!["line 1: the file must hold one object, `{...}`".to_owned()]);
    };
    let mut reader = Reader { text, config: base, ignored: Vec::new(), faults: Vec::new() };
    reader.all(&object);
    if reader.faults.is_empty() {
        Ok(Reading { config: reader.config, ignored: reader.ignored })
    } else {
        Err(reader.faults)
    }
}

/// Line and column of a byte, from 1.
fn place(text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("line {line}, column {column}")
}

/// A node: host and port, nothing else.
fn address(node: &Value<'_>) -> Option<Address> {
    let object = node.as_object().filter(|object| object.properties.len() == 2)?;
    let host = object.get_string("host")?.value.clone().into_owned();
    let port = object.get_number("port")?.value.parse().ok().filter(|port| *port != 0)?;
    (!host.is_empty()).then_some(Address { host, port })
}

struct Reader<'t> {
    text: &'t str,
    config: MonitorConfig,
    ignored: Vec<String>,
    faults: Vec<String>,
}

impl Reader<'_> {
    fn fault(&mut self, at: usize, what: &str) {
        self.faults.push(format!("{}: {what}", place(self.text, at)));
    }

    /// The key and the value are not what they must be.
    fn wrong(&mut self, property: &ObjectProp<'_>, must: &str) {
        self.fault(property.value.start(), &format!("`{}` must be {must}", property.name.as_str()));
    }

    fn all(&mut self, object: &Object<'_>) {
        let mut seen = Vec::new();
        for property in &object.properties {
            let key = property.name.as_str();
            if seen.contains(&key) {
                self.fault(property.start(), &format!("`{key}` is given twice"));
            }
            seen.push(key);
            self.one(key, property);
        }
        // The password may stand in a password file; plusmoin asks for it here.
        for key in ["dbname", "user"] {
            if !seen.contains(&key) {
                self.faults.push(format!("`{key}` is missing"));
            }
        }
    }

    fn one(&mut self, key: &str, property: &ObjectProp<'_>) {
        match key {
            "dbname" => self.text(property, |config, text| config.database.dbname = text),
            "user" => self.text(property, |config, text| config.database.user = text),
            // plusmoin asks for the key: a site whose servers ask for no password gives an empty one.
            "password" => match property.value.as_string_lit() {
                Some(text) if text.value.is_empty() => {}
                Some(text) => {
                    self.config.database.password =
                        Some(Secret(text.value.clone().into_owned().into_bytes()));
                }
                None => self.wrong(property, "a text"),
            },
            "heartbeat" => self.seconds(property, false, |config, time| config.heartbeat = time),
            "max_sync_delay" => self.seconds(property, true, |config, time| config.max_sync_delay = time),
            "recover_sync_delay" => {
                self.seconds(property, true, |config, time| config.recover_sync_delay = time);
            }
            "connect_timeout" => self.seconds(property, false, |config, time| config.connect_timeout = time),
            "trigger_timeout" => self.seconds(property, false, |config, time| config.trigger_timeout = time),
            "is_slave_statement" => self.text(property, |config, text| config.standby_statement = text),
            "status_file" => self.status_file(property),
            "nodes" => self.nodes(property),
            "triggers" => self.triggers(property),
            _ => match IGNORED.iter().find(|(ignored, _)| *ignored == key) {
                Some((_, why)) => self.ignored.push(format!("`{key}`: {why}")),
                None => self.fault(property.start(), &format!("`{key}` is no key")),
            },
        }
    }

    fn text(&mut self, property: &ObjectProp<'_>, put: impl FnOnce(&mut MonitorConfig, String)) {
        match property.value.as_string_lit() {
            Some(text) if !text.value.is_empty() => put(&mut self.config, text.value.clone().into_owned()),
            _ => self.wrong(property, "a text that is not empty"),
        }
    }

    fn seconds(
        &mut self,
        property: &ObjectProp<'_>,
        may_be_zero: bool,
        put: impl FnOnce(&mut MonitorConfig, Duration),
    ) {
        let number = property.value.as_number_lit().and_then(|number| number.value.parse().ok());
        match number.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()) {
            Some(time) if may_be_zero || !time.is_zero() => put(&mut self.config, time),
            _ => self.wrong(property, "a number of seconds"),
        }
    }

    fn status_file(&mut self, property: &ObjectProp<'_>) {
        match property.value.as_string_lit().map(|text| PathBuf::from(text.value.as_ref())) {
            Some(path) if path.is_absolute() => self.config.status_file = path,
            _ => self.wrong(property, "an absolute path"),
        }
    }

    fn nodes(&mut self, property: &ObjectProp<'_>) {
        let Some(nodes) = property.value.as_array() else { return self.wrong(property, "a list of nodes") };
        for node in &nodes.elements {
            match address(node) {
                Some(address) if self.config.servers.contains(&address) => {
                    self.fault(node.start(), &format!("the node {address} is given twice"));
                }
                Some(address) => self.config.servers.push(address),
                None => {
                    self.fault(node.start(), "a node must be `{\"host\": \"example.com\", \"port\": 5432}`");
                }
            }
        }
    }

    fn triggers(&mut self, property: &ObjectProp<'_>) {
        let Some(triggers) = property.value.as_object() else { return self.wrong(property, "an object") };
        for trigger in &triggers.properties {
            let name = trigger.name.as_str();
            let occasion = Occasion::ALL.into_iter().find(|occasion| occasion.reference_name() == name);
            let Some(occasion) = occasion else {
                self.fault(trigger.start(), &format!("`{name}` is no trigger"));
                continue;
            };
            match &trigger.value {
                Value::NullKeyword(_) => {}
                Value::StringLit(line) => match command::words(&line.value) {
                    // An empty line is no command, as with plusmoin.
                    Ok(words) if words.is_empty() => {}
                    Ok(words) => drop(self.config.triggers.insert(occasion, words)),
                    Err(fault) => self.wrong(trigger, &format!("a command: {fault}")),
                },
                _ => self.wrong(trigger, "a command or null"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Reading, Vec<String>> {
        super::read(text, MonitorConfig::default())
    }

    #[test]
    fn the_sample_is_read_with_its_comments() {
        let reading = read(include_str!("../../etc/monitor.json")).unwrap();
        let config = reading.config;
        assert_eq!(config.database.dbname, "plusmoin");
        assert_eq!(config.servers.len(), 3);
        assert_eq!(config.heartbeat, Duration::from_secs(60));
        assert_eq!(config.triggers.len(), 0);
        assert_eq!(reading.ignored.len(), IGNORED.len());
    }

    #[test]
    fn defaults_are_those_of_the_reference() {
        let config = read(r#"{"dbname": "d", "user": "u", "password": "p"}"#).unwrap().config;
        let seconds = [
            config.heartbeat,
            config.max_sync_delay,
            config.recover_sync_delay,
            config.trigger_timeout,
            config.connect_timeout,
        ];
        assert_eq!(seconds.map(|time| time.as_secs()), [60, 120, 60, 60, 60]);
        assert_eq!(config.standby_statement, "SELECT pg_is_in_recovery()");
        assert_eq!(config.status_file.to_str(), Some("/var/run/plusmoin/status.json"));
        assert!(config.servers.is_empty() && config.triggers.is_empty());
        assert!(!format!("{config:?}").contains("112"), "the password shows");
    }

    #[test]
    fn an_empty_password_is_none() {
        let password = |text: &str| {
            let text = format!("{{\"dbname\": \"d\", \"user\": \"u\", \"password\": {text}}}");
            read(&text).map(|reading| reading.config.database.password.map(|password| password.0))
        };
        assert_eq!(password("\"\"").unwrap(), None);
        assert_eq!(password("\"p\"").unwrap(), Some(b"p".to_vec()));
        assert_eq!(password("7").unwrap_err(), ["line 1, column 42: `password` must be a text"]);
        let empty = read("{\"dbname\": \"\", \"user\": \"u\"}").unwrap_err();
        assert_eq!(empty, ["line 1, column 12: `dbname` must be a text that is not empty"]);
    }

    #[test]
    fn the_example_of_the_reference_is_read_word_for_word() {
        let reading = read(include_str!("plusmoin.json")).unwrap();
        let mut expected = MonitorConfig::default();
        (expected.database.dbname, expected.database.user) = ("plusmoin".into(), "plusmoin".into());
        expected.database.password = Some(Secret(b"nothing".to_vec()));
        assert_eq!(reading.config, expected);
        assert_eq!(reading.ignored.len(), IGNORED.len());
    }

    #[test]
    fn a_trigger_is_words_and_not_for_a_shell() {
        let text = r#"{"dbname": "d", "user": "u", "heartbeat": 0.5, // half
            "triggers": {"slave_up": "/bin/up 'two words' $HOME", "slave_down": null, "master_up": ""}}"#;
        let config = read(text).unwrap().config;
        assert_eq!(config.heartbeat, Duration::from_millis(500));
        assert_eq!(config.triggers.len(), 1);
        assert_eq!(config.triggers[&Occasion::StandbyUp], ["/bin/up", "two words", "$HOME"]);
    }

    #[test]
    fn all_faults_are_reported_with_their_places() {
        let text = "{\n  \"dbname\": 7,\n  \"heartbeats\": 1, \"heartbeat\": 0,\n  \"heartbeat\": 1,\n  \
                    \"nodes\": [{\"host\": \"a\"}, {\"host\": \"b\", \"port\": 1}, {\"host\": \"b\", \"port\": 1}],\n  \
                    \"triggers\": {\"slave_gone\": \"x\", \"slave_up\": \"'x\"},\n  \"status_file\": \"status.json\"\n}";
        let expected = [
            "line 2, column 13: `dbname` must be a text that is not empty",
            "line 3, column 3: `heartbeats` is no key",
            "line 3, column 33: `heartbeat` must be a number of seconds",
            "line 4, column 3: `heartbeat` is given twice",
            "line 5, column 13: a node must be `{\"host\": \"example.com\", \"port\": 5432}`",
            "line 5, column 54: the node b:1 is given twice",
            "line 6, column 16: `slave_gone` is no trigger",
            "line 6, column 47: `slave_up` must be a command: `'x` has a quote without its end",
            "line 7, column 18: `status_file` must be an absolute path",
            "`user` is missing",
        ];
        assert_eq!(read(text).unwrap_err(), expected);
        assert_eq!(read("{\n  'a': 1}").unwrap_err().len(), 1);
        assert!(read("").unwrap_err()[0].starts_with("line 1"));
        assert!(read("{\"a\" 1}").unwrap_err()[0].starts_with("line 1, column 6: "));
    }
}
