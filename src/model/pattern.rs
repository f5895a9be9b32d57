//! Patterns of series: which series a rule means.

use std::fmt;

use super::Series;
use super::name::{NameFault, first_word, identifier, is_bare_char};

/// `schema.table`, where a `*` stands for any characters of the schema, or of the table, none among them. As in names of
/// series, what is not quoted is lower-cased; in double quotes everything is meant as it stands, a `*` too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesPattern {
    schema: Part,
    table: Part,
    text: String,
}

/// The pattern of one identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// This one.
    Exact(String),
    /// Those that have these pieces in this order, the first in front and the last at the end; there are at least two.
    Like(Vec<String>),
}

impl SeriesPattern {
    /// Reads a pattern from the front of `text`. Returns it and the rest, which is empty or begins with white space.
    pub fn parse_prefix(text: &str) -> Result<(Self, &str), NameFault> {
        let (schema, rest) = part(text, text)?;
        let rest = rest.strip_prefix('.').ok_or_else(|| NameFault::NotQualified(first_word(text)))?;
        let (table, rest) = part(text, rest)?;
        if !rest.is_empty() && !rest.starts_with([' ', '\t']) {
            return Err(NameFault::Trailing(first_word(text), first_word(rest)));
        }
        let spelled = text.strip_suffix(rest).unwrap_or(text).to_owned();
        Ok((Self { schema, table, text: spelled }, rest))
    }

    /// Whether it means this series.
    pub fn matches(&self, series: &Series) -> bool {
        self.schema.matches(&series.0.schema) && self.table.matches(&series.0.name)
    }
}

impl fmt::Display for SeriesPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Part {
    fn matches(&self, name: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == name,
            Self::Like(pieces) => is_like(pieces, name),
        }
    }
}

/// The pieces between are taken as early as they come: what is left for those behind them is then the most.
fn is_like(pieces: &[String], name: &str) -> bool {
    let [first, between @ .., last] = pieces else { return false };
    let Some(mut rest) = name.strip_prefix(first.as_str()) else { return false };
    for piece in between {
        let Some((_, behind)) = rest.split_once(piece.as_str()) else { return false };
        rest = behind;
    }
    rest.ends_with(last.as_str())
}

/// One identifier's pattern from the front of `rest`; `whole` is the text for the message.
fn part<'t>(whole: &str, rest: &'t str) -> Result<(Part, &'t str), NameFault> {
    if rest.starts_with('"') {
        let (name, rest) = identifier(whole, rest)?;
        return Ok((Part::Exact(name), rest));
    }
    let end = rest.find(['.', ' ', '\t']).unwrap_or(rest.len());
    let (word, behind) = rest.split_at(end);
    let odd = word.chars().find(|c| *c != '*' && !is_bare_char(*c));
    if let Some(odd) = odd.or_else(|| word.chars().next().filter(char::is_ascii_digit)) {
        return Err(NameFault::NeedsQuotes(first_word(whole), odd));
    }
    if word.is_empty() {
        return Err(NameFault::Identifier(first_word(whole)));
    }
    let word = word.to_ascii_lowercase();
    if word.contains('*') {
        return Ok((Part::Like(word.split('*').map(str::to_owned).collect()), behind));
    }
    Ok((Part::Exact(word), behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, meant: &[&str], others: &[&str]) {
        let (parsed, rest) = SeriesPattern::parse_prefix(pattern).unwrap();
        assert_eq!((parsed.to_string().as_str(), rest), (pattern, ""));
        for (names, expected) in [(meant, true), (others, false)] {
            for name in names {
                assert_eq!(parsed.matches(&name.parse().unwrap()), expected, "{pattern} {name}");
            }
        }
    }

    #[test]
    fn a_star_is_any_run_of_characters_within_its_identifier() {
        check("*.*", &["hmi.m", r#""Odd Schema"."T*""#], &[]);
        check("hmi.*", &["hmi.m", r#"hmi."X.y""#], &["hmi2.m", "xhmi.m", r#""HMI".m"#]);
        check(
            "hmi*.m_*s",
            &["hmi.m_45s", "hmi2.m_s", "hmi_x.m_s_s"],
            &["hmi.m_45s_nrt", "hm.m_s", "hmi.m45s"],
        );
        check("a.b*b", &["a.bb", "a.bxb"], &["a.b"]);
        check("a.*x*y*", &["a.xy", r#"a."1x2y3""#, "a.yxy"], &["a.yx", "a.x"]);
    }

    #[test]
    fn what_stands_without_a_star_is_that_series() {
        check("HMI.M_45s", &["hmi.m_45s", "HMI.M_45S"], &["hmi.m_45s_nrt", r#"hmi."M_45s""#]);
        check(r#""Odd Schema"."T*""#, &[r#""Odd Schema"."T*""#], &[r#""Odd Schema"."Tx""#]);
        check(r#""Odd Schema".*"#, &[r#""Odd Schema"."T*""#, r#""Odd Schema".t"#], &["odd.t"]);
    }

    #[test]
    fn patterns_stand_in_a_row() {
        let (first, rest) = SeriesPattern::parse_prefix("hmi.*  aia.lev1").unwrap();
        assert_eq!((first.to_string().as_str(), rest), ("hmi.*", "  aia.lev1"));
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for bad in [
            "",
            "*",
            "hmi",
            "hmi.",
            ".m",
            "hmi.m.x",
            "hmi.m,aia.x",
            "1hmi.*",
            "a-*.c",
            "hmi.\"m",
            "\"a*\"*.x",
        ] {
            assert!(SeriesPattern::parse_prefix(bad).is_err(), "{bad:?}");
        }
    }
}
