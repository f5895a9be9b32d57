//! The grants that a site's roles get on a schema, each only if the site has the role.

use std::fmt::Write as _;

use crate::model::{quote_identifier, quote_literal};

/// What a role is granted, in SQL names.
#[derive(Default)]
pub(super) struct Grants {
    pub(super) schemas: Vec<String>,
    pub(super) tables: Vec<String>,
    sequences: Vec<String>,
}

impl Grants {
    /// Adds a sequence; false if it was there already.
    pub(super) fn add_sequence(&mut self, name: String) -> bool {
        let is_new = !self.sequences.contains(&name);
        if is_new {
            self.sequences.push(name);
        }
        is_new
    }

    /// The grants to `role`, if the site has it.
    pub(super) fn to(&self, role: &str) -> String {
        if role == "public" {
            return self.statements("public", "").trim_end().to_owned();
        }
        let name = quote_literal(role);
        let body = format!(
            "\nbegin\n    if exists (select from pg_catalog.pg_roles where rolname = {name}) then\n{}    else\n        \
             raise notice 'role % is not here: nothing is granted to it', {name};\n    end if;\nend\n",
            self.statements(&quote_identifier(role), "        "),
        );
        format!("do {};", dollar_quote(&body))
    }

    fn statements(&self, role: &str, indent: &str) -> String {
        let kinds = [
            ("usage on schema", &self.schemas),
            ("select on", &self.tables),
            ("select on sequence", &self.sequences),
        ];
        let mut text = String::new();
        for (what, names) in kinds.into_iter().filter(|(_, names)| !names.is_empty()) {
            let _ = writeln!(text, "{indent}grant {what} {} to {role};", names.join(", "));
        }
        text
    }
}

/// `body` between dollar quotes that do not occur in it.
fn dollar_quote(body: &str) -> String {
    let mut tag = "$do".to_owned();
    while body.contains(&tag) {
        tag.push('_');
    }
    format!("{tag}${body}{tag}$")
}
