//! Which tables a statement of EXECUTE SCRIPT names.
//!
//! A relation that is overlooked would send the statement to a site that does not have it, where it fails and stops
//! the site. So only statements of known kinds are answered for, and only if every qualified name in their text is
//! accounted for: as a relation, as a function that is called, as a column, or as something of `pg_catalog`.
//!
//! What functions do and views read, and what is named only inside of strings, is not seen.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::panic::catch_unwind;

use sqlparser::ast::{
    AlterTable, AlterTableOperation, ColumnDef, ColumnOption, CommentObject, CreateTable,
    CreateTableLikeKind, DataType, Expr, FromTable, Function, GrantObjects, Ident, Insert, ObjectName,
    ObjectType, Query, RenameTableNameKind, Select, SetExpr, Statement, TableConstraint, TableFactor,
    TableObject, TableWithJoins, Visit, Visitor, visit_relations,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

use super::fault::excerpt;
use super::script_effect::{self, Effect, Reach};
use super::script_tokens::{self, folded, is_reserved, qualified, unparsed};

/// Bytes that PostgreSQL keeps of a name.
const NAME_BYTES: usize = 63;

/// What a statement names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Names {
    /// Nothing that a site needs: it is empty, holds only comments, or is about what a copy does not have.
    Nothing,
    /// These relations, each once, and no others.
    Tables(Vec<Named>),
    /// These relations, but at a site it may do something else than at the original.
    Doubtful {
        /// Each once.
        tables: Vec<Named>,
        /// What else may be concerned.
        reach: Reach,
        /// Why, in words for an operator.
        why: String,
    },
    /// No table, or it cannot be told: why, in words for an operator.
    Unknown(String),
}

/// A relation, its names folded as PostgreSQL folds them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Named {
    /// The schema, if it is named.
    pub schema: Option<String>,
    /// The table.
    pub table: String,
}

/// The relations that a statement names, or all statements of a text together. What is created is named too.
pub fn names(statement: &[u8]) -> Names {
    // A parser of a foreign house, on text of any kind.
    let found = catch_unwind(|| find(statement)).unwrap_or_else(|_| Err("the parser failed".to_owned()));
    let said = |why: &str| format!("{why}: `{}`", excerpt(statement.trim_ascii()));
    match found {
        Ok(None) => Names::Nothing,
        Ok(Some((tables, Effect::Doubtful(reach, why)))) => Names::Doubtful { tables, reach, why: said(why) },
        Ok(Some((tables, _))) => Names::Tables(tables),
        Err(why) => Names::Unknown(said(&why)),
    }
}

type Step = ControlFlow<String>;

fn find(statement: &[u8]) -> Result<Option<(Vec<Named>, Effect)>, String> {
    let Some(tokens) = script_tokens::read(statement)? else { return Ok(None) };
    let pairs = qualified(&tokens);
    let statements = Parser::new(&PostgreSqlDialect {})
        .with_tokens(tokens)
        .parse_statements()
        .map_err(|error| unparsed(&error))?;
    let effect = script_effect::effect(&statements);
    if effect == Effect::Needless {
        return Ok(None);
    }
    let mut finder = Finder::default();
    for statement in &statements {
        let before = finder.uses;
        if let ControlFlow::Break(why) = statement.visit(&mut finder) {
            return Err(why);
        }
        if finder.uses == before {
            return Err("names no table".to_owned());
        }
    }
    if let Some(named) = finder.found.iter().find(|named| finder.expressions.contains(&named.table)) {
        return Err(format!("`{}` is a table and a common table expression", named.table));
    }
    for (first, second) in pairs {
        if first != "pg_catalog" && !finder.accounted.contains(&(first.clone(), second.clone())) {
            return Err(format!("`{first}.{second}` may be a table"));
        }
    }
    Ok(Some((finder.found, effect)))
}

fn ident(ident: &Ident) -> String {
    folded(&ident.value, ident.quote_style.is_some())
}

/// Walks through a statement; breaks with a reason where something is not known.
#[derive(Default)]
struct Finder {
    /// Each once.
    found: Vec<Named>,
    /// How often a relation was named.
    uses: usize,
    /// Names of the common table expressions that hold here, one list for each query.
    scopes: Vec<Vec<String>>,
    /// Names of all common table expressions.
    expressions: HashSet<String>,
    /// Qualified names that were understood.
    accounted: HashSet<(String, String)>,
    /// Whether the next relation is a function that is called.
    is_call: bool,
}

impl Visitor for Finder {
    type Break = String;

    fn pre_visit_statement(&mut self, statement: &Statement) -> Step {
        match statement {
            Statement::Query(_) | Statement::CreateIndex(_) | Statement::Truncate(_) | Statement::Lock(_) => {
                ControlFlow::Continue(())
            }
            Statement::Insert(insert) => self.insert(insert),
            Statement::Update(update) => self.target(std::slice::from_ref(&update.table)),
            Statement::Delete(delete) if delete.tables.is_empty() => match &delete.from {
                FromTable::WithFromKeyword(from) => self.target(from),
                FromTable::WithoutKeyword(_) => unknown("delete without from"),
            },
            Statement::AlterTable(alter) => self.alter_table(alter),
            Statement::CreateTable(create) => self.create_table(create),
            Statement::CreateView(create) if create.to.is_none() => ControlFlow::Continue(()),
            Statement::Analyze(analyze) if analyze.table_name.is_some() => ControlFlow::Continue(()),
            Statement::Drop {
                object_type: ObjectType::Table | ObjectType::View | ObjectType::MaterializedView,
                names,
                table: None,
                ..
            } => self.relations(names),
            Statement::Comment { object_type, object_name, .. } => self.comment(*object_type, object_name),
            Statement::Grant(grant) => self.grant(grant.objects.as_ref()),
            Statement::Revoke(revoke) => self.grant(revoke.objects.as_ref()),
            _ => unknown("names no table"),
        }
    }

    fn pre_visit_query(&mut self, query: &Query) -> Step {
        if holds_table_command(&query.body) {
            return unknown("a query of the kind TABLE");
        }
        let expressions = query.with.iter().flat_map(|with| &with.cte_tables);
        let names: Vec<String> =
            expressions.clone().map(|expression| ident(&expression.alias.name)).collect();
        // Inside of an expression its own name, or that of a later one, may mean a table.
        for (number, expression) in expressions.enumerate() {
            let hidden = names.get(number..).unwrap_or_default();
            visit_relations(&expression.query, |name| match name.0.as_slice() {
                [only] if only.as_ident().is_none_or(|only| hidden.contains(&ident(only))) => {
                    unknown("a common table expression that names itself, or a later one")
                }
                _ => ControlFlow::Continue(()),
            })?;
        }
        self.expressions.extend(names.iter().cloned());
        self.scopes.push(names);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> Step {
        self.scopes.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> Step {
        if select.into.is_some() { unknown("select into") } else { ControlFlow::Continue(()) }
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> Step {
        match factor {
            TableFactor::Table { args, .. } => self.is_call = args.is_some(),
            TableFactor::Function { name, .. } => self.account(&parts(name)),
            TableFactor::Derived { .. } | TableFactor::UNNEST { .. } | TableFactor::NestedJoin { .. } => {}
            _ => return unknown("an unusual kind of table"),
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, name: &ObjectName) -> Step {
        if std::mem::take(&mut self.is_call) {
            self.account(&parts(name));
            return ControlFlow::Continue(());
        }
        if let [only] = parts(name).as_slice()
            && self.scopes.iter().flatten().any(|expression| *expression == ident(only))
        {
            return ControlFlow::Continue(());
        }
        self.relation(name)
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> Step {
        match expr {
            Expr::CompoundIdentifier(names) => self.account(&names.iter().collect::<Vec<_>>()),
            Expr::Function(function) => return self.call(function),
            Expr::Cast { data_type, .. } => return no_relation(data_type),
            Expr::TypedString(typed) => return no_relation(&typed.data_type),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

impl Finder {
    fn relation(&mut self, name: &ObjectName) -> Step {
        let parts = parts(name);
        if parts.len() == name.0.len() {
            return self.named(&parts);
        }
        unknown("an unusual name of a table")
    }

    fn relations<'a>(&mut self, names: impl IntoIterator<Item = &'a ObjectName>) -> Step {
        names.into_iter().try_for_each(|name| self.relation(name))
    }

    fn named(&mut self, parts: &[&Ident]) -> Step {
        let named = match parts {
            [table] => Named { schema: None, table: ident(table) },
            [schema, table] => Named { schema: Some(ident(schema)), table: ident(table) },
            _ => return unknown("a table with another database before its schema"),
        };
        if named.table.len() > NAME_BYTES || named.schema.as_ref().is_some_and(|name| name.len() > NAME_BYTES)
        {
            return unknown("a name that PostgreSQL would cut short");
        }
        if parts.iter().any(|part| part.quote_style.is_none() && is_reserved(&part.value)) {
            return unknown("a reserved word where the name of a table should be");
        }
        self.account(parts);
        self.uses += 1;
        if !self.found.contains(&named) {
            self.found.push(named);
        }
        ControlFlow::Continue(())
    }

    fn account(&mut self, parts: &[&Ident]) {
        let pairs = parts.windows(2).filter_map(|pair| match pair {
            [first, second] => Some((ident(first), ident(second))),
            _ => None,
        });
        self.accounted.extend(pairs);
    }

    /// A function that is called. Those that are given the name of a relation as a string are refused.
    fn call(&mut self, function: &Function) -> Step {
        const BY_NAME: [&str; 5] = ["nextval", "currval", "setval", "to_regclass", "pg_get_serial_sequence"];
        let parts = parts(&function.name);
        self.account(&parts);
        match parts.last() {
            Some(name) if BY_NAME.contains(&ident(name).as_str()) => {
                unknown("a sequence or table in a string")
            }
            _ => ControlFlow::Continue(()),
        }
    }

    /// The tables that are changed. No common table expression can be meant, and the visitor would take it for one.
    fn target(&mut self, tables: &[TableWithJoins]) -> Step {
        tables.iter().try_for_each(|table| match &table.relation {
            TableFactor::Table { name, args: None, .. } => self.relation(name),
            _ => unknown("an unusual kind of table"),
        })
    }

    fn insert(&mut self, insert: &Insert) -> Step {
        let several = insert.multi_table_insert_type.is_some() || !insert.multi_table_into_clauses.is_empty();
        match &insert.table {
            TableObject::TableName(name) if !several => self.relation(name),
            _ => unknown("an insert into several tables"),
        }
    }

    fn alter_table(&mut self, alter: &AlterTable) -> Step {
        use AlterTableOperation as Operation;
        self.relation(&alter.name)?;
        alter.operations.iter().try_for_each(|operation| match operation {
            Operation::AddConstraint { constraint, .. } => self.constraint(constraint),
            Operation::AddColumn { column_def, .. } => self.column(column_def),
            Operation::RenameTable {
                table_name: RenameTableNameKind::To(new) | RenameTableNameKind::As(new),
            } => match (parts(&alter.name).as_slice(), parts(new).as_slice()) {
                // It stays in its schema.
                ([schema, _], [table]) => self.named(&[schema, table]),
                _ => self.relation(new),
            },
            Operation::DropConstraint { .. }
            | Operation::DropColumn { .. }
            | Operation::RenameColumn { .. }
            | Operation::RenameConstraint { .. }
            | Operation::AlterColumn { .. }
            | Operation::OwnerTo { .. }
            | Operation::ValidateConstraint { .. }
            | Operation::SetOptionsParens { .. }
            | Operation::SetLogged
            | Operation::SetUnlogged
            | Operation::ReplicaIdentity { .. }
            | Operation::EnableTrigger { .. }
            | Operation::EnableAlwaysTrigger { .. }
            | Operation::EnableReplicaTrigger { .. }
            | Operation::DisableTrigger { .. } => ControlFlow::Continue(()),
            _ => unknown("an unusual kind of alter table"),
        })
    }

    fn create_table(&mut self, create: &CreateTable) -> Step {
        if create.clone.is_some() {
            return unknown("an unusual kind of create table");
        }
        self.relation(&create.name)?;
        create.columns.iter().try_for_each(|column| self.column(column))?;
        create.constraints.iter().try_for_each(|constraint| self.constraint(constraint))?;
        self.relations(create.inherits.iter().flatten())?;
        match &create.like {
            Some(CreateTableLikeKind::Parenthesized(like) | CreateTableLikeKind::Plain(like)) => {
                self.relation(&like.name)
            }
            None => ControlFlow::Continue(()),
        }
    }

    fn column(&mut self, column: &ColumnDef) -> Step {
        column.options.iter().try_for_each(|option| match &option.option {
            ColumnOption::ForeignKey(key) => self.relation(&key.foreign_table),
            _ => ControlFlow::Continue(()),
        })
    }

    fn constraint(&mut self, constraint: &TableConstraint) -> Step {
        match constraint {
            TableConstraint::ForeignKey(key) => self.relation(&key.foreign_table),
            _ => ControlFlow::Continue(()),
        }
    }

    fn comment(&mut self, kind: CommentObject, name: &ObjectName) -> Step {
        match kind {
            CommentObject::Table | CommentObject::View | CommentObject::MaterializedView => {
                self.relation(name)
            }
            CommentObject::Column => {
                let parts = parts(name);
                self.account(&parts);
                self.named(parts.split_last().map_or(&[], |(_, table)| table))
            }
            _ => unknown("names no table"),
        }
    }

    fn grant(&mut self, objects: Option<&GrantObjects>) -> Step {
        match objects {
            Some(GrantObjects::Tables(names) | GrantObjects::Views(names)) => self.relations(names),
            _ => unknown("names no table"),
        }
    }
}

fn unknown(why: &str) -> Step {
    ControlFlow::Break(why.to_owned())
}

fn parts(name: &ObjectName) -> Vec<&Ident> {
    name.0.iter().filter_map(|part| part.as_ident()).collect()
}

/// Refuses types whose values are names of relations, given as strings.
fn no_relation(data_type: &DataType) -> Step {
    let name = data_type.to_string().to_ascii_lowercase();
    if name.contains("reg") { unknown("a string that names a relation") } else { ControlFlow::Continue(()) }
}

/// Whether `TABLE name` stands in a query. The parser does not keep the quotes of that name.
fn holds_table_command(body: &SetExpr) -> bool {
    match body {
        SetExpr::Table(_) => true,
        SetExpr::SetOperation { left, right, .. } => holds_table_command(left) || holds_table_command(right),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Statements and what they name, blanks between.
    const NAMED: &[(&str, &str)] = &[
        ("insert into a.b values (1)", "a.b"),
        (
            "INSERT INTO A.\"B\" (x, y) select 1, c.x from C.d as c join \"e.f\".g on c.x = g.x",
            "a.B c.d e.f.g",
        ),
        ("insert into a.b (x) values (1) on conflict (x) do update set x = excluded.x returning x", "a.b"),
        ("insert into a.b as t (x) values ((select max(x) from c.d)) returning t.x", "a.b c.d"),
        ("insert into b default values", "b"),
        ("update a.b set x = c.y from c.d c where c.k = b.k", "a.b c.d"),
        (
            "update a.b set x = (select y from c.d where c.d.k = a.b.k) where k in (select k from e.f)",
            "a.b c.d e.f",
        ),
        ("update only a.b set x = 'it''s; \\\\ {x}'", "a.b"),
        ("delete from a.b", "a.b"),
        ("delete from only a.b where x = '1'", "a.b"),
        ("delete from only b where x = '1'", "b"),
        ("select * from only b join only c.d using (x), only e fetch first 3 rows only", "b c.d e"),
        ("select * from a.b natural join c cross join d left join e on true", "a.b c d e"),
        ("update a.b set (x, y) = (select 1, 2 from c.d)", "a.b c.d"),
        ("lock only a.b", "a.b"),
        ("delete from a.b using c.d where b.k = d.k and exists (select 1 from e.f)", "a.b c.d e.f"),
        ("alter table a.b add column c text default 'it''s; \\\\ {x}'", "a.b"),
        ("alter table only a.b add column \"new \"\"col\" int references c.d (k)", "a.b c.d"),
        ("alter table if exists a.b add column x int references c.d, drop column y cascade", "a.b c.d"),
        (
            "alter table a.b add constraint k foreign key (x, y) references c.d (x, y) on delete cascade, add z int",
            "a.b c.d",
        ),
        ("alter table a.b add foreign key (x) references d, add check (x > 0)", "a.b d"),
        ("alter table a.b owner to jsoc, disable trigger t, drop column x", "a.b"),
        ("alter table a.b drop column x; grant select, insert on table c.d, e.f to x", "a.b c.d e.f"),
        ("alter table a.b drop column x; revoke all on c.d from x", "a.b c.d"),
        ("alter table a.b add primary key (x), add check (x > 0), add unique (y)", "a.b"),
        ("alter table a.b alter column x type bigint using x::bigint", "a.b"),
        ("alter table a.b alter x set default now(), alter y drop not null, alter z set not null", "a.b"),
        ("alter table a.b alter x set default (select max(k) from c.d)", "a.b c.d"),
        ("alter table a.b rename to c", "a.b a.c"),
        ("alter table a.b rename column x to y", "a.b"),
        ("alter table a.b drop constraint k", "a.b"),
        ("create index i on a.b (x, lower(y)) where z is not null", "a.b"),
        ("create unique index concurrently if not exists i on a.b using btree (x)", "a.b"),
        ("drop table a.b, \"C\".d cascade", "a.b C.d"),
        ("drop table if exists b", "b"),
        ("drop view a.b", "a.b"),
        ("truncate a.b", "a.b"),
        ("TRUNCATE TABLE ONLY a.b, c.d CASCADE", "a.b c.d"),
        ("comment on table a.b is 'x; y'", "a.b"),
        ("comment on column a.b.c is 'x'", "a.b"),
        ("comment on column b.c is null", "b"),
        ("create table a.b (x int primary key, y text not null default 'x', check (x > 1))", "a.b"),
        ("create table a.b (x int references c.d (k), foreign key (x) references e.f)", "a.b c.d e.f"),
        ("create table a.b (like c.d)", "a.b c.d"),
        ("create table a.b (like c.d including defaults)", "a.b c.d"),
        ("create table a.b (x int) inherits (c.d, e.f)", "a.b c.d e.f"),
        ("create table a.b partition of c.d for values from (1) to (2)", "a.b c.d"),
        ("create table a.b as select * from c.d", "a.b c.d"),
        ("create view a.b as select * from c.d union select * from e.f", "a.b c.d e.f"),
        ("create or replace view a.b as select x from (select x from c.d) as t", "a.b c.d"),
        ("analyze a.b", "a.b"),
        ("analyze a.b (x)", "a.b"),
        ("lock table a.b in exclusive mode", "a.b"),
        ("select f(x), c.g(b.x) from a.b", "a.b"),
        (
            "select * from a.b, lateral (select * from c.d) t left join e.f using (k) where x > all (select 1 from g.h)",
            "a.b c.d e.f g.h",
        ),
        (
            "select case when exists (select 1 from c.d) then 1 end from a.b order by (select 1 from e.f)",
            "c.d a.b e.f",
        ),
        ("select * from a.b where x = any(array(select y from c.d)) for update", "a.b c.d"),
        (
            "select sum(x) over (partition by (select 1 from c.d)) from a.b group by (select 2 from e.f)",
            "c.d a.b e.f",
        ),
        ("insert into a.b select * from generate_series(1, 10)", "a.b"),
        ("insert into a.b select * from c.series(1, (select max(k) from d.e))", "a.b d.e"),
        ("with t as (select * from c.d) insert into a.b select * from t", "c.d a.b"),
        ("with t as (select * from c.d), u as (select * from t) update a.b set x = u.x from u", "c.d a.b"),
        ("with t as (delete from a.b returning *) insert into c.d select * from t", "a.b c.d"),
        ("insert into a.b with t as (select * from c.d) select * from t", "a.b c.d"),
        ("-- a.x; comment\nupdate /* b.x */ a.b set x = 1; ; delete from c.d", "a.b c.d"),
        (
            "update \"Odd Schema\".\"We\"\"ird,Tab{le}\" set \"K ey\" = 'a.b; from c.d'",
            "Odd Schema.We\"ird,Tab{le}",
        ),
        ("update A . \"b\" set x = $$a.x; it's \\' y.z$$ || E'\\'; delete from c.d --' ", "a.b"),
        ("update É.\"É\" set x = x operator(pg_catalog.+) 1", "É.É"),
    ];

    /// Statements of which nothing is known, and the begin of the reason.
    const UNKNOWN: &[(&str, &str)] = &[
        ("vacuum a.b", "names no table"),
        ("drop index a.i", "names no table"),
        ("alter index a.i rename to j", "names no table"),
        ("create sequence a.s", "names no table"),
        ("alter sequence a.s restart", ""),
        ("drop sequence a.s", "names no table"),
        ("drop schema a cascade", "names no table"),
        ("create schema a", "names no table"),
        ("create function f() returns int as $$ delete from a.b; $$ language sql", "names no table"),
        ("drop function f()", "names no table"),
        ("do $$ begin delete from a.b; end $$", ""),
        ("set search_path to a", "names no table"),
        ("set session_replication_role to local", "names no table"),
        ("begin", "names no table"),
        ("select f()", "names no table"),
        ("select * from f(1)", "names no table"),
        ("select setval('a.s', 1) from a.b", "a sequence or table in a string"),
        ("alter table a.b add x int default nextval('a.s'::regclass)", "a sequence or table"),
        ("select 'a.c'::regclass from a.b", "a string that names"),
        ("select regclass 'a.c' from a.b", ""),
        ("with t as (select 1) select * from t", "names no table"),
        ("with b as (select 1) update a.b set x = 1", "`b` is a table and a common table expression"),
        ("with b as (select 1) update b set x = 1", "`b` is a table and"),
        ("with b as (select 1) delete from b", "`b` is a table and"),
        ("with b as (select 1) insert into b select 1", "`b` is a table and"),
        ("with b as (select * from b) select * from b, c.d", "a common table expression that names itself"),
        (
            "with t as (select * from u), u as (select 1) select * from t, a.b",
            "a common table expression that",
        ),
        ("with recursive t as (select 1 union select * from t) select * from t, a.b", "a common table"),
        (
            "select * from a.b where x in (with c as (select 1) select 1) and y in (select y from c)",
            "`c` is a table",
        ),
        ("table a.b", "cannot be parsed"),
        ("insert into a.b table c.d", "cannot be parsed"),
        ("insert into a.b (select 1 union table c.d)", "a query of the kind TABLE"),
        ("select * into c from a.b", "select into"),
        ("select * into c.d from a.b", "select into"),
        ("copy a.b from stdin", ""),
        ("merge into a.b using c.d on true when matched then delete", "names no table"),
        ("update x.a.b set y = 1", "a table with another database"),
        ("comment on column x.a.b.c is 'x'", "a table with another"),
        ("comment on column c is 'x'", "a table with another"),
        ("comment on index a.i is 'x'", "names no table"),
        ("grant x to y", ""),
        ("create rule r as on insert to a.b do instead nothing", ""),
        ("alter table a.b attach partition c.d default", ""),
        ("alter table a.b inherit c.d", ""),
        ("alter table a.b set schema c", ""),
        ("create table a.b (x c.d)", "`c.d` may be a table"),
        ("update a.b set x = 'a\\'", "a backslash before a quote"),
        ("update a.b set x = 'a\\''; delete from c.d; --'", "a backslash before a quote"),
        ("update a.b set x = 1; set x to 1", "names no table"),
        ("update a.b set x = 1; nonsense", "cannot be parsed"),
        ("update a.b set x = 1 delete from c.d", "cannot be parsed"),
        ("update a.b set x = 'open", ""),
        ("update a.b set\u{a0}x = 1", "an unusual kind of white space"),
        ("\\! ls", ""),
        ("analyze verbose", "a reserved word"),
        ("select * from only (b)", "an unusual use of ONLY"),
        (
            "update a.bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb set x = 1",
            "a name that",
        ),
    ];

    fn shown(names: &[Named]) -> String {
        let name = |named: &Named| {
            let schema = named.schema.as_ref().map(|schema| format!("{schema}."));
            schema.unwrap_or_default() + &named.table
        };
        names.iter().map(name).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn every_relation_is_named() {
        let mut wrong = String::new();
        for (text, expected) in NAMED {
            for text in [(*text).to_owned(), format!("{text};"), format!("\n-- x\n{text} ;\n")] {
                match names(text.as_bytes()) {
                    Names::Tables(found) | Names::Doubtful { tables: found, .. }
                        if shown(&found) == *expected => {}
                    other => wrong += &format!("{text}: {other:?}\n"),
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong}");
    }

    #[test]
    fn what_is_not_known_is_said() {
        let mut wrong = String::new();
        for (text, says) in UNKNOWN {
            match names(text.as_bytes()) {
                Names::Unknown(why) if why.starts_with(says) && why.chars().count() < 350 => {}
                other => wrong += &format!("{text}: {other:?}\n"),
            }
        }
        assert!(wrong.is_empty(), "{wrong}");
        assert!(matches!(names(b"delete from a.b where x = '\xff'"), Names::Unknown(_)));
    }

    #[test]
    fn what_no_copy_has_is_nothing() {
        for text in [
            "alter table a.b owner to jsoc",
            "alter table a.b add foreign key (x) references d",
            "alter table a.b set unlogged",
            "grant select on a.b to public; revoke all on c.d from x",
            "grant usage on schema a to x",
            "grant select on all tables in schema a to x",
            "create trigger t before insert on a.b for each row execute procedure c.f()",
        ] {
            assert_eq!(names(text.as_bytes()), Names::Nothing, "{text}");
        }
    }

    #[test]
    fn a_doubt_says_why() {
        let Names::Doubtful { tables, reach, why } = names(b"delete from a.b; truncate c.d cascade") else {
            panic!("no doubt");
        };
        assert_eq!((shown(&tables).as_str(), reach), ("a.b c.d", Reach::Everything));
        assert!(why.starts_with("it empties every table") && why.contains("`delete from a.b;"), "{why}");
    }

    #[test]
    fn comments_alone_are_nothing() {
        for text in ["", " \n", ";", "-- a.b\n", "/* delete from a.b; /* x */ */ ; -- y", "\n;\n"] {
            assert_eq!(names(text.as_bytes()), Names::Nothing, "{text}");
        }
    }

    /// Expressions; `@` is a subquery.
    const EXPRESSIONS: &[&str] = &[
        "@",
        "-@",
        "1 + @",
        "@ is null",
        "not @",
        "x between @ and 2",
        "x between 1 and @",
        "x in (1, @)",
        "x like @",
        "x like 'a' escape @",
        "x ~ @",
        "x is distinct from @",
        "x = any(@)",
        "x = all(array[@])",
        "exists @",
        "x in @",
        "case @ when 1 then 2 end",
        "case when @ then 2 end",
        "case when x then @ end",
        "case when x then 1 else @ end",
        "cast(@ as int)",
        "@::int",
        "f(@)",
        "f(a => @)",
        "f(distinct x order by @)",
        "count(*) filter (where @)",
        "percentile_cont(0.5) within group (order by @)",
        "sum(x) over (order by @)",
        "sum(x) over (partition by @ rows between @ preceding and current row)",
        "array[1, @]",
        "array[[1], [@]]",
        "array(select 1 from zz)",
        "x[@]",
        "x[1:@]",
        "(row(1, @)).f",
        "row(1, @)",
        "(1, @)",
        "@ at time zone 'UTC'",
        "'2000-01-01' at time zone @",
        "extract(day from @)",
        "position(@ in 'x')",
        "position('x' in @)",
        "substring(@ from 1)",
        "substring('x' from @ for 2)",
        "substring('x' from 1 for @)",
        "trim(both 'x' from @)",
        "overlay('x' placing @ from 1 for 2)",
        "ceil(@)",
        "x collate \"C\" = @",
        "x -> @",
        "x operator(pg_catalog.=) @",
        "coalesce(1, @)",
        "greatest(@, 1)",
        "nullif(@, 1)",
        "interval '1' * @",
        "x similar to @",
        "(x, y) overlaps (@, 1)",
        "x is json and @",
        "json_object('a': @)",
        "xmlelement(name a, @)",
        "1 = some(@)",
        "grouping(@)",
        "((@))",
    ];
    /// Statements; `%` is an expression.
    const STATEMENTS: &[&str] = &[
        "select % from a.b",
        "select distinct on (%) x from a.b",
        "select x from a.b where %",
        "select x from a.b group by %",
        "select x from a.b group by rollup (%)",
        "select x from a.b having %",
        "select x from a.b group by grouping sets ((%), ())",
        "select x from a.b order by % desc nulls last",
        "select x from a.b limit %",
        "select x from a.b offset %",
        "select x from a.b fetch first (%) rows only",
        "select x from a.b window w as (order by %)",
        "select x from a.b join c.d on %",
        "select x from a.b, f(%) t",
        "select x from a.b, lateral f(%) t",
        "select x from a.b, unnest(%) t",
        "values (1, %), (2, 3)",
        "select x from a.b tablesample system (%)",
        "select x from a.b, (values (%)) as t (x)",
        "select x from a.b, rows from (f(%), g()) t",
        "select 1 from a.b union all select %",
        "with t as (select % from a.b) select x from t",
        "with t as (select 1) select % from t, a.b",
        "insert into a.b values (%)",
        "insert into a.b select %",
        "insert into a.b values (1) returning %",
        "insert into a.b values (1) on conflict (x) where % do nothing",
        "insert into a.b values (1) on conflict (x) do update set x = % where y",
        "insert into a.b values (1) on conflict (x) do update set x = 1 where %",
        "update a.b set x = %",
        "update a.b set (x, y) = (1, %)",
        "update a.b set x[%] = 1",
        "update a.b set x = 1 where %",
        "update a.b set x = 1 from (select %) t",
        "update a.b set x = 1 returning %",
        "delete from a.b where %",
        "delete from a.b using (select %) t",
        "delete from a.b returning %",
        "with t as (delete from a.b where % returning x) select x from t",
        "create view a.b as select %",
        "create table a.b as select %",
        "create materialized view a.b as select %",
        "alter table a.b alter x type int using %",
        "alter table a.b alter x set default %",
        "alter table a.b add check (%)",
        "alter table a.b add x int default %",
        "alter table a.b add x int check (%)",
        "create table a.b (x int default %)",
        "create table a.b (x int, check (%))",
        "create table a.b (x int generated always as (%) stored)",
        "create index i on a.b ((%))",
        "create index i on a.b (x) where %",
        "create table a.b (x int, exclude using gist (x with =) where (%))",
        "create table a.b partition of c.d for values in (%)",
        "create table a.b (x int) partition by range ((%))",
    ];

    /// A subquery in every place where one may stand is found, or the whole is not known.
    #[test]
    fn no_subquery_is_overlooked() {
        let (mut told, mut wrong) = (0, String::new());
        for statement in STATEMENTS {
            for expression in EXPRESSIONS {
                let text = statement.replace('%', &expression.replace('@', "(select 1 from zz)"));
                if let Names::Tables(found) | Names::Doubtful { tables: found, .. } = names(text.as_bytes()) {
                    told += 1;
                    if !found.iter().any(|named| named.table == "zz") {
                        wrong += &format!("{text}\n");
                    }
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong}");
        assert!(told > STATEMENTS.len() * EXPRESSIONS.len() / 2, "{told}");
    }

    /// Every damage of one byte: nothing panics.
    #[test]
    fn damage_is_survived() {
        for (text, _) in NAMED.iter().chain(UNKNOWN) {
            for at in 0..text.len() {
                for byte in *b"'\"\\;$-(.)e \xff" {
                    let mut damaged = text.as_bytes().to_vec();
                    damaged[at] = byte;
                    names(&damaged);
                }
                names(&text.as_bytes()[..at]);
            }
        }
    }
}
