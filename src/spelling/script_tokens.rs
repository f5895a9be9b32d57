//! The words of an SQL script, as far as the parser and the server are sure to agree on them.

use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, Tokenizer};

use super::fault::excerpt;
use super::statement_end::{self, End};

/// How deep brackets may nest: more than people write, and far less than a small stack bears.
const BRACKETS: usize = 12;

/// Tokens that can make a syntax tree deeper, such as operators and words, but not literals and commas. The tree of
/// `a + a + a` is as deep as it is long, and is walked by recursion.
const TOKENS: usize = 2000;

/// Words that PostgreSQL takes for no name of a table without quotes. Where the parser does, it has misunderstood.
const RESERVED: &[&str] = &[
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "authorization",
    "binary",
    "both",
    "case",
    "cast",
    "check",
    "collate",
    "collation",
    "column",
    "concurrently",
    "constraint",
    "create",
    "cross",
    "current_catalog",
    "current_date",
    "current_role",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "default",
    "deferrable",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "false",
    "fetch",
    "for",
    "foreign",
    "freeze",
    "from",
    "full",
    "grant",
    "group",
    "having",
    "ilike",
    "in",
    "initially",
    "inner",
    "intersect",
    "into",
    "is",
    "isnull",
    "join",
    "lateral",
    "leading",
    "left",
    "like",
    "limit",
    "localtime",
    "localtimestamp",
    "natural",
    "not",
    "notnull",
    "null",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "outer",
    "overlaps",
    "placing",
    "primary",
    "references",
    "returning",
    "right",
    "select",
    "session_user",
    "similar",
    "some",
    "symmetric",
    "system_user",
    "table",
    "tablesample",
    "then",
    "to",
    "trailing",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "variadic",
    "verbose",
    "when",
    "where",
    "window",
    "with",
];

/// The tokens of a script, without white space, comments and the word ONLY before tables. `None` if nothing is left. An
/// error says why the text is better not given to the parser.
pub(crate) fn read(statement: &[u8]) -> Result<Option<Vec<Token>>, String> {
    check_literals(statement)?;
    // The parser does not see every comment that stands right behind an operator.
    let text = statement_end::without_comments(statement)
        .ok_or_else(|| "a literal, a name or a comment without an end".to_owned())?;
    let text = str::from_utf8(&text).map_err(|_| "not in UTF-8".to_owned())?;
    // Blanks to the parser, parts of names to the server.
    if text.chars().any(|char| char == '\x0b' || (char.is_whitespace() && !char.is_ascii())) {
        return Err("an unusual kind of white space".to_owned());
    }
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, text).tokenize().map_err(|error| unparsed(&error))?;
    if tokens.iter().all(|token| matches!(token, Token::Whitespace(_) | Token::SemiColon)) {
        return Ok(None);
    }
    check_tokens(&tokens)?;
    without_only(tokens).map(Some)
}

/// Whether it can be told where literals end.
fn check_literals(text: &[u8]) -> Result<(), String> {
    let mut rest = text;
    loop {
        match statement_end::find(rest) {
            End::Behind(length) => rest = rest.get(length..).unwrap_or_default(),
            End::NotYet => return Ok(()),
            End::Unknown(at) => {
                let literal = excerpt(rest.get(at..).unwrap_or_default());
                return Err(format!("a backslash before a quote in the literal `{literal}`"));
            }
        }
    }
}

/// Whether the text is harmless to the parser, which sees it as the server does.
fn check_tokens(tokens: &[Token]) -> Result<(), String> {
    let mut depth = 0_usize;
    let mut count = 0;
    for token in tokens {
        match token {
            Token::LParen | Token::LBracket => depth += 1,
            Token::RParen | Token::RBracket => depth = depth.saturating_sub(1),
            Token::Word(word) if matches!(word.keyword, Keyword::NULL | Keyword::TRUE | Keyword::FALSE) => {}
            Token::Whitespace(_)
            | Token::Comma
            | Token::Number(..)
            | Token::SingleQuotedString(_)
            | Token::EscapedStringLiteral(_)
            | Token::DollarQuotedString(_) => {}
            _ => count += 1,
        }
        if depth > BRACKETS {
            return Err(format!("more than {BRACKETS} brackets in each other"));
        }
    }
    if count > TOKENS { Err(format!("more than {TOKENS} words and operators")) } else { Ok(()) }
}

/// Leaves out the word ONLY before the name of a table, which the parser takes for a table itself.
fn without_only(tokens: Vec<Token>) -> Result<Vec<Token>, String> {
    let mut tokens: Vec<Token> =
        tokens.into_iter().filter(|token| !matches!(token, Token::Whitespace(_))).collect();
    let is = |token: Option<&Token>, keywords: &[Keyword]| matches!(token, Some(Token::Word(word)) if keywords.contains(&word.keyword));
    let mut at = 0;
    while at < tokens.len() {
        let before = at.checked_sub(1).and_then(|before| tokens.get(before));
        if is(tokens.get(at), &[Keyword::ONLY]) && !is(before, &[Keyword::ROW, Keyword::ROWS]) {
            if !matches!(tokens.get(at + 1), Some(Token::Word(_))) {
                return Err("an unusual use of ONLY".to_owned());
            }
            tokens.remove(at);
        }
        at += 1;
    }
    Ok(tokens)
}

/// Every `name.name` in a text without white space.
pub(crate) fn qualified(tokens: &[Token]) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    for three in tokens.windows(3) {
        if let [Token::Word(first), Token::Period, Token::Word(second)] = three {
            pairs.push((
                folded(&first.value, first.quote_style.is_some()),
                folded(&second.value, second.quote_style.is_some()),
            ));
        }
    }
    pairs
}

/// A name as PostgreSQL folds it.
pub(crate) fn folded(name: &str, quoted: bool) -> String {
    if quoted { name.to_owned() } else { name.to_ascii_lowercase() }
}

/// Why a text cannot be parsed.
pub(crate) fn unparsed(error: &dyn std::fmt::Display) -> String {
    format!("cannot be parsed ({})", excerpt(error.to_string().as_bytes()))
}

/// Whether a word, without quotes, cannot be the name of a table. Where the parser has one, it has misunderstood.
pub(crate) fn is_reserved(word: &str) -> bool {
    RESERVED.contains(&word.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Result<String, String> {
        let tokens = read(text.as_bytes())?.unwrap_or_default();
        Ok(tokens.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn only_is_left_out_before_tables() {
        for (text, expected) in [
            ("delete from ONLY a.b -- x", "delete from a . b"),
            (
                "select 1 from a, only b fetch first 1 rows only",
                "select 1 from a , b fetch first 1 rows only",
            ),
            ("select \"only\" /* only */, 'only'", "select \"only\" , 'only'"),
            ("-- only", ""),
        ] {
            assert_eq!(words(text).as_deref(), Ok(expected));
        }
        assert!(words("select 1 from only (a)").is_err() && words("delete from only").is_err());
    }

    #[test]
    fn qualified_names_are_found_and_folded() {
        let text = b"select A.b, \"C\" . /* x */ \"D.e\", f.g.h, 'i.j', $$k.l$$, 1.5 from m -- n.o";
        let found = qualified(&read(text).unwrap().unwrap());
        let found: Vec<_> = found.iter().map(|(first, second)| format!("{first}|{second}")).collect();
        assert_eq!(found, ["a|b", "C|D.e", "f|g", "g|h"]);
    }

    /// A comment is one for the parser too, whatever operator stands before it, or the text is refused.
    #[test]
    fn comments_behind_operators_are_comments() {
        let signs = b"+-*/<>=~!@#%^&|`?:.,;()[]{}$";
        for first in signs {
            for second in signs {
                for comment in ["-- x.y\n", "/* x.y */"] {
                    let text = [b"a ", &[*first, *second][..], comment.as_bytes(), b" b"].concat();
                    let starts = [first, second].map(|sign| char::from(*sign)).iter().collect::<String>();
                    if starts == "--" || starts == "/*" {
                        continue;
                    }
                    if let Ok(Some(tokens)) = read(&text) {
                        let hidden = ("x".to_owned(), "y".to_owned());
                        assert!(!qualified(&tokens).contains(&hidden), "{}: {tokens:?}", text.escape_ascii());
                    }
                }
            }
        }
    }

    #[test]
    fn what_the_server_reads_in_another_way_is_refused() {
        for text in ["'a\\'", "a\u{a0}b", "a\u{b}b", "'open", "$$open", "\"open"] {
            assert!(words(text).is_err(), "{text}");
        }
        assert!(read(b"'\xff'").is_err());
        assert!(words(&"(".repeat(BRACKETS + 1)).is_err() && words(&"a ".repeat(TOKENS + 1)).is_err());
        assert!(words(&"(1, 'x'),".repeat(100)).is_ok());
    }
}
