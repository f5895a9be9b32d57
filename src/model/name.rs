//! Names of tables and sequences, and the one place where identifiers and literals are quoted.

use std::fmt;
use std::str::FromStr;

use super::excerpt;

/// Bytes that PostgreSQL keeps of an identifier (`NAMEDATALEN` - 1).
const IDENTIFIER_BYTES: usize = 63;

/// Why a text is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameFault {
    /// There is no dot between two identifiers.
    #[error("`{0}` is not schema.table")]
    NotQualified(String),
    /// An identifier has characters that need double quotes.
    #[error("`{0}` holds `{1}`, which needs double quotes as in SQL")]
    NeedsQuotes(String, char),
    /// A double quote is opened and never closed.
    #[error("`{0}` has an opening double quote without its end")]
    OpenQuote(String),
    /// Something stands right behind the name.
    #[error("`{0}` goes on after the name with `{1}`")]
    Trailing(String, String),
    /// An identifier is empty, longer than PostgreSQL keeps, or holds a control character.
    #[error("`{0}` has an identifier that is empty, longer than 63 bytes, or holds a control character")]
    Identifier(String),
}

/// `schema.name`, as PostgreSQL's catalog spells it (not quoted).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QualifiedName {
    /// The schema (Slony and DRMS also say name space).
    pub schema: String,
    /// The table or sequence in it.
    pub name: String,
}

impl QualifiedName {
    /// Reads a name from the front of `text`: unquoted words are lower-cased, SQL-quoted identifiers are taken as
    /// they are. Returns the name and the rest, which is empty or begins with white space.
    pub fn parse_prefix(text: &str) -> Result<(Self, &str), NameFault> {
        let (schema, rest) = identifier(text, text)?;
        let rest = rest.strip_prefix('.').ok_or_else(|| NameFault::NotQualified(first_word(text)))?;
        let (name, rest) = identifier(text, rest)?;
        if rest.is_empty() || rest.starts_with([' ', '\t']) {
            return Ok((Self { schema, name }, rest));
        }
        Err(NameFault::Trailing(format!("{schema}.{name}"), first_word(rest)))
    }

    /// The name for SQL, both identifiers always quoted: `"hmi"."m_45s"`.
    pub fn sql(&self) -> String {
        format!("{}.{}", quote_identifier(&self.schema), quote_identifier(&self.name))
    }
}

impl FromStr for QualifiedName {
    type Err = NameFault;

    fn from_str(text: &str) -> Result<Self, NameFault> {
        match Self::parse_prefix(text)? {
            (name, "") => Ok(name),
            (name, rest) => Err(NameFault::Trailing(name.to_string(), rest.trim().to_owned())),
        }
    }
}

/// The spelling of lists and triggers: quoted only where the bare word would be read otherwise.
impl fmt::Display for QualifiedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |text: &str| if is_bare(text) { text.to_owned() } else { quote_identifier(text) };
        write!(f, "{}.{}", word(&self.schema), word(&self.name))
    }
}

macro_rules! qualified {
    ($(#[$doc:meta])* $word:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $word(pub QualifiedName);

        impl $word {
            /// From the two names of the catalog.
            pub fn new(schema: impl Into<String>, name: impl Into<String>) -> Self {
                Self(QualifiedName { schema: schema.into(), name: name.into() })
            }

            /// The name for SQL, both identifiers always quoted.
            pub fn sql(&self) -> String {
                self.0.sql()
            }
        }

        impl FromStr for $word {
            type Err = NameFault;

            fn from_str(text: &str) -> Result<Self, NameFault> {
                text.parse().map(Self)
            }
        }

        impl fmt::Display for $word {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

qualified!(
    /// A replicated table.
    Series
);
qualified!(
    /// A sequence that belongs to a series.
    Sequence
);

/// `text` as an SQL identifier, always in double quotes. `text` holds no NUL: names come from the catalog or were
/// checked when they were read.
pub fn quote_identifier(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// `text` as an SQL string literal that means the same whatever `standard_conforming_strings` says.
pub fn quote_literal(text: &str) -> String {
    let doubled = text.replace('\'', "''");
    if doubled.contains('\\') {
        format!("E'{}'", doubled.replace('\\', "\\\\"))
    } else {
        format!("'{doubled}'")
    }
}

/// One identifier from the front of `rest`; `whole` is the text for the message.
pub(super) fn identifier<'t>(whole: &str, rest: &'t str) -> Result<(String, &'t str), NameFault> {
    let (name, rest) = match rest.strip_prefix('"') {
        Some(quoted) => unquote(quoted).ok_or_else(|| NameFault::OpenQuote(first_word(whole)))?,
        None => bare(rest)?,
    };
    let valid = !name.is_empty() && name.len() <= IDENTIFIER_BYTES && !name.chars().any(char::is_control);
    if valid { Ok((name, rest)) } else { Err(NameFault::Identifier(first_word(whole))) }
}

/// The text up to the closing quote, doubled quotes undone, and what follows it.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut rest = text;
    loop {
        let (before, after) = rest.split_once('"')?;
        name.push_str(before);
        match after.strip_prefix('"') {
            Some(more) => {
                name.push('"');
                rest = more;
            }
            None => return Some((name, after)),
        }
    }
}

fn bare(text: &str) -> Result<(String, &str), NameFault> {
    let end = text.find(['.', ' ', '\t']).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    let odd =
        word.chars().find(|c| !is_bare_char(*c)).or_else(|| word.chars().next().filter(char::is_ascii_digit));
    match odd {
        Some(c) => Err(NameFault::NeedsQuotes(first_word(text), c)),
        None => Ok((word.to_ascii_lowercase(), rest)),
    }
}

fn is_bare(text: &str) -> bool {
    !text.is_empty()
        // At the start of a file it would be taken for a byte order mark.
        && !text.starts_with('\u{feff}')
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| is_bare_char(c) && !c.is_ascii_uppercase())
}

pub(super) fn is_bare_char(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || c == '_'
        || c == '$'
        || (!c.is_ascii() && !c.is_control() && !c.is_whitespace())
}

/// What a message may show of a text from outside: its first word, cut short.
pub(super) fn first_word(text: &str) -> String {
    excerpt(text.split_whitespace().next().unwrap_or(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, schema: &str, name: &str, spelled: &str) {
        let parsed: QualifiedName = text.parse().unwrap();
        assert_eq!((parsed.schema.as_str(), parsed.name.as_str()), (schema, name), "{text}");
        assert_eq!(parsed.to_string(), spelled);
        assert_eq!(spelled.parse(), Ok(parsed), "what is written is read back");
    }

    #[test]
    fn words_are_lower_cased_and_quoted_identifiers_kept() {
        check("hmi.M_45s", "hmi", "m_45s", "hmi.m_45s");
        check(r#""hmi"."m_45s""#, "hmi", "m_45s", "hmi.m_45s");
        check(r#""Odd Schema"."T,1""#, "Odd Schema", "T,1", r#""Odd Schema"."T,1""#);
        check(
            r#""Odd Schema"."We""ird,Tab{le}""#,
            "Odd Schema",
            r#"We"ird,Tab{le}"#,
            r#""Odd Schema"."We""ird,Tab{le}""#,
        );
        check(r#"hmi."1st""#, "hmi", "1st", r#"hmi."1st""#);
        check("\u{feff}hmi.m", "\u{feff}hmi", "m", "\"\u{feff}hmi\".m");
    }

    #[test]
    fn the_rest_of_the_line_is_handed_back() {
        let (name, rest) = QualifiedName::parse_prefix(r#""a b"."c" subscribe 1 2"#).unwrap();
        assert_eq!((name.to_string().as_str(), rest), (r#""a b".c"#, " subscribe 1 2"));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for bad in ["", "hmi", "hmi.", ".m", "hmi.m.x", "hmi.m;", "hmi.\"m", "hmi.m\"x\"", "1hmi.m", "a-b.c"]
        {
            assert!(bad.parse::<QualifiedName>().is_err(), "{bad:?}");
        }
        assert!(format!("s.{}", "x".repeat(64)).parse::<QualifiedName>().is_err());
        assert!("s.\"a\u{1}b\"".parse::<QualifiedName>().is_err());
    }

    #[test]
    fn quoting_doubles_what_would_end_the_quotes() {
        assert_eq!(quote_identifier(r#"We"ird"#), r#""We""ird""#);
        assert_eq!(quote_literal("it's"), "'it''s'");
        assert_eq!(quote_literal(r"a\b'"), r"E'a\\b'''");
    }
}
