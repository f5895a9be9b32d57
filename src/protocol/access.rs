//! `access_file`: who may speak for which node, and which series each node may have.
//!
//! ```text
//! node nso
//!   users   nsosub
//!   series  hmi.*  aia.lev1_euv_12s
//!   group   nsosub
//! ```

use std::collections::{BTreeMap, BTreeSet};

use super::{Malformed, key_value, lines, plain_text};
use crate::model::{Node, Series, SeriesList, SeriesPattern, excerpt};

/// What may be done. Without an `access_file` that is everything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccessRules(Option<BTreeMap<Node, Rule>>);

/// What holds for one node.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    /// Where it begins.
    line: usize,
    /// Who may speak for it.
    users: BTreeSet<String>,
    /// What it may have.
    series: Vec<SeriesPattern>,
    /// The group of its directories, and the line that says so.
    group: Option<(usize, String)>,
}

/// What stands behind a line `node`.
const KEYS: [&str; 3] = ["users", "series", "group"];

/// Nothing may be left out: what is missing would have to mean something.
const USERS: &str =
    "has no line `users NAME ...`: nobody could speak for it (to let it do nothing, leave the node out)";
const SERIES: &str =
    "has no line `series schema.table ...`: it could have nothing (`series *.*` is everything)";

impl AccessRules {
    /// Reads the file. All faults are found, each with its line.
    pub fn parse(bytes: &[u8]) -> Result<Self, Vec<Malformed>> {
        let text = plain_text(bytes).map_err(|fault| vec![fault])?;
        let mut draft = Draft::default();
        for (line, words) in lines(&text) {
            if let Err(what) = draft.take(line, words) {
                draft.faults.push(Malformed::new(line, what));
            }
        }
        draft.finish()
    }

    /// Whether everything is allowed because there is no such file.
    pub fn is_open(&self) -> bool {
        self.0.is_none()
    }

    /// Whether this user of the operating system may speak for the node.
    pub fn may_speak(&self, node: &Node, user: &str) -> bool {
        self.0.as_ref().is_none_or(|rules| rules.get(node).is_some_and(|rule| rule.users.contains(user)))
    }

    /// Whether the node may have the series.
    pub fn may_have(&self, node: &Node, series: &Series) -> bool {
        let means = |rule: &Rule| rule.series.iter().any(|pattern| pattern.matches(series));
        self.0.as_ref().is_none_or(|rules| rules.get(node).is_some_and(means))
    }

    /// The group of the node's directories; `None`: they are open.
    pub fn group(&self, node: &Node) -> Option<&str> {
        Some(self.0.as_ref()?.get(node)?.group.as_ref()?.1.as_str())
    }

    /// Every group that the file names, with its line.
    pub fn groups(&self) -> impl Iterator<Item = (usize, &str)> {
        let rules = self.0.iter().flat_map(BTreeMap::values);
        rules.filter_map(|rule| rule.group.as_ref()).map(|(line, group)| (*line, group.as_str()))
    }

    /// What nodes have that they may not have: it was subscribed before the rules said so, and goes on until the operator
    /// takes it away. In the order of the nodes and their lists.
    pub fn beyond<'a>(
        &self,
        lists: impl IntoIterator<Item = (&'a Node, &'a SeriesList)>,
    ) -> Vec<(Node, Series)> {
        let pairs =
            lists.into_iter().flat_map(|(node, list)| list.iter().map(move |one| (node, &one.series)));
        let denied = pairs.filter(|(node, series)| !self.may_have(node, series));
        denied.map(|(node, series)| (node.clone(), series.clone())).collect()
    }
}

#[derive(Default)]
struct Draft {
    rules: BTreeMap<Node, Rule>,
    /// Whose lines are being read; `None` behind a line `node` that is not understood.
    node: Option<Node>,
    began: bool,
    /// Which lines each node has, with faults or without: whoever mends a fault has what is missing.
    said: BTreeSet<(Node, &'static str)>,
    faults: Vec<Malformed>,
}

impl Draft {
    fn take(&mut self, line: usize, words: &str) -> Result<(), String> {
        let (key, value) = key_value(words);
        if key == "node" {
            return self.begin(line, value);
        }
        let Some(key) = KEYS.into_iter().find(|known| *known == key) else {
            return Err(format!("`{}` is none of `node`, `users`, `series`, `group`", excerpt(key)));
        };
        if !self.began {
            return Err(format!("`{key}` stands before the first line `node NAME`"));
        }
        // Of a node that was not understood: that is a fault already.
        let Some(node) = &self.node else { return Ok(()) };
        self.said.insert((node.clone(), key));
        let Some(rule) = self.rules.get_mut(node) else { return Ok(()) };
        if value.is_empty() {
            return Err(format!("`{key}` needs something behind it"));
        }
        match key {
            "users" => rule.users.extend(value.split_whitespace().map(str::to_owned)),
            "series" => rule.series.extend(patterns(value)?),
            _ if value.contains(char::is_whitespace) => return Err("`group` takes one group".into()),
            _ => {
                if let Some((before, _)) = rule.group.replace((line, value.to_owned())) {
                    return Err(format!("`group` is given in line {before} already"));
                }
            }
        }
        Ok(())
    }

    fn begin(&mut self, line: usize, name: &str) -> Result<(), String> {
        self.began = true;
        self.node = None;
        let node: Node = name.parse().map_err(|fault: crate::model::NodeFault| fault.to_string())?;
        if let Some(rule) = self.rules.get(&node) {
            return Err(format!("node {node} begins in line {} already", rule.line));
        }
        let rule = Rule { line, users: BTreeSet::new(), series: Vec::new(), group: None };
        self.rules.insert(node.clone(), rule);
        self.node = Some(node);
        Ok(())
    }

    fn finish(mut self) -> Result<AccessRules, Vec<Malformed>> {
        for (node, rule) in &self.rules {
            for (key, what) in [("users", USERS), ("series", SERIES)] {
                if !self.said.contains(&(node.clone(), key)) {
                    self.faults.push(Malformed::new(rule.line, format!("node {node} {what}")));
                }
            }
        }
        self.faults.sort_by_key(|fault| fault.line);
        if self.faults.is_empty() { Ok(AccessRules(Some(self.rules))) } else { Err(self.faults) }
    }
}

/// Patterns parted by white space, which may stand inside quotes.
fn patterns(value: &str) -> Result<Vec<SeriesPattern>, String> {
    let mut patterns = Vec::new();
    let mut rest = value;
    while !rest.is_empty() {
        let (pattern, behind) =
            SeriesPattern::parse_prefix(rest).map_err(|fault| format!("`series`: {fault}"))?;
        patterns.push(pattern);
        rest = behind.trim_start();
    }
    Ok(patterns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Subscription;

    const FILE: &str = "\
        # who may do what\n\
        node nso\n  users nsosub slony\n  series hmi.*  aia.lev1\n  series \"Odd Schema\".*\n  group nsosub\n\n\
        node=mps\nusers=mps\nseries=*.*\n";

    fn node(name: &str) -> Node {
        name.parse().unwrap()
    }

    fn rules() -> AccessRules {
        AccessRules::parse(FILE.as_bytes()).unwrap()
    }

    #[test]
    fn a_node_has_its_users_and_series_and_others_have_nothing() {
        let rules = rules();
        for (of, user, expected) in [
            ("nso", "nsosub", true),
            ("nso", "slony", true),
            ("nso", "mps", false),
            ("nso", "nso", false),
            ("mps", "mps", true),
            ("mps", "nsosub", false),
            ("other", "other", false),
        ] {
            assert_eq!(rules.may_speak(&node(of), user), expected, "{of} {user}");
        }
        for (of, series, expected) in [
            ("nso", "hmi.m", true),
            ("nso", "aia.lev1", true),
            ("nso", "aia.lev15", false),
            ("nso", "\"Odd Schema\".x", true),
            ("mps", "aia.lev15", true),
            ("other", "hmi.m", false),
        ] {
            assert_eq!(rules.may_have(&node(of), &series.parse().unwrap()), expected, "{of} {series}");
        }
        assert_eq!((rules.group(&node("nso")), rules.group(&node("mps"))), (Some("nsosub"), None));
        assert_eq!(rules.groups().collect::<Vec<_>>(), [(6, "nsosub")]);
    }

    #[test]
    fn the_sample_is_an_access_file() {
        let sample = AccessRules::parse(include_bytes!("../../etc/access")).unwrap();
        assert!(sample.may_speak(&node("mps"), "mps_backup"));
        assert!(sample.may_have(&node("nso"), &"\"Odd Schema\".\"T*\"".parse().unwrap()));
        assert_eq!(sample.group(&node("nso")), Some("nso"));
    }

    #[test]
    fn without_a_file_everything_is_allowed_and_an_empty_one_allows_nothing() {
        let open = AccessRules::default();
        assert!(open.is_open() && open.may_speak(&node("x"), "y"));
        assert!(open.may_have(&node("x"), &Series::new("a", "b")));
        let closed = AccessRules::parse(b"# nobody\n").unwrap();
        assert!(!closed.is_open() && !closed.may_speak(&node("x"), "y"));
    }

    #[test]
    fn what_was_subscribed_before_a_rule_is_told() {
        let list = |names: &[&str]| -> SeriesList {
            names.iter().map(|name| Subscription::from_name(name.parse().unwrap())).collect()
        };
        let (nso, gone) = (list(&["hmi.m", "aia.lev15", "mdi.fd"]), list(&["hmi.m"]));
        let (name, other) = (node("nso"), node("gone"));
        let lists = || [(&name, &nso), (&other, &gone)];
        let beyond = rules().beyond(lists());
        let shown: Vec<_> = beyond.iter().map(|(node, series)| format!("{node} {series}")).collect();
        assert_eq!(shown, ["nso aia.lev15", "nso mdi.fd", "gone hmi.m"]);
        assert_eq!(AccessRules::default().beyond(lists()), []);
    }

    #[test]
    fn all_faults_are_found_with_their_lines() {
        let text = "users x\nnode a/b\nusers x\nnode a\nuser x\nseries hmi.m,aia.m\nnode b\nusers x\ngroup one two\n\
                    group g\ngroup h\nnode a\nnode c\nusers\nseries hmi.m\n";
        let faults = AccessRules::parse(text.as_bytes()).unwrap_err();
        let shown: Vec<_> = faults.iter().map(ToString::to_string).collect();
        let expected = [
            "line 1: `users` stands before the first line `node NAME`",
            "line 2: `a/b` is no node name",
            "line 4: node a has no line `users NAME ...`",
            "line 5: `user` is none of `node`, `users`, `series`, `group`",
            "line 6: `series`: `hmi.m,aia.m` holds `,`",
            "line 7: node b has no line `series schema.table ...`",
            "line 9: `group` takes one group",
            "line 11: `group` is given in line 10 already",
            "line 12: node a begins in line 4 already",
            "line 14: `users` needs something behind it",
        ];
        assert_eq!(shown.len(), expected.len(), "{shown:#?}");
        for (found, expected) in shown.iter().zip(expected) {
            assert!(found.starts_with(expected), "{found} does not begin with {expected}");
        }
        assert_eq!(AccessRules::parse(b"node a\0").unwrap_err().len(), 1);
    }
}
