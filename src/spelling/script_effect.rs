//! What a statement of EXECUTE SCRIPT does to a copy, beyond the tables that it names.
//!
//! A copy has the rows of its series, and of their structure what the dump makes: no foreign keys, triggers, rules, owners or
//! privileges. So a statement about those is none of a site's business; and one that changes rows may change others at the
//! original than at a site, where nothing follows from it. The text alone does not tell what follows.

use std::ops::ControlFlow;

use sqlparser::ast::{
    AlterColumnOperation, AlterTableOperation, CascadeOption, ColumnDef, ColumnOption, DataType, Expr,
    Insert, Query, SetExpr, Statement, TableConstraint, UnaryOperator, Value, visit_expressions,
    visit_statements,
};

/// What is to be thought of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// No site needs it.
    Needless,
    /// At a site that has what it names, it does what it did at the original.
    Same,
    /// It may do something else, or something more: why, and who is concerned.
    Doubtful(Reach, &'static str),
}

/// How far a statement may reach whose effect cannot be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// To what it names.
    Named,
    /// To any table of the schemas that it names.
    Schemas,
    /// To any table.
    Everything,
}

/// What may follow from a change of rows.
const ROWS: &str =
    "a change of rows by a statement, of which foreign keys and triggers of the original may make more";
const CASCADE: &str = "it empties every table that refers to what it names";
const CONSTRAINT: &str = "a constraint by its name, and if that is a foreign key, no site has it";
const MIXED: &str =
    "owners, triggers, foreign keys and the like, which are not for sites, beside something else";
const VALUES: &str = "values for the rows that are there, which may be others each time";
const CALL: &str = "a function is called that may change rows";

/// Functions that give the same for the same, wherever they are run.
const STEADY: &[&str] = &[
    "abs",
    "avg",
    "btrim",
    "ceil",
    "ceiling",
    "coalesce",
    "concat",
    "count",
    "floor",
    "greatest",
    "least",
    "left",
    "length",
    "lower",
    "ltrim",
    "max",
    "min",
    "nullif",
    "replace",
    "right",
    "round",
    "rtrim",
    "substr",
    "substring",
    "sum",
    "trim",
    "trunc",
    "upper",
];

/// Words that PostgreSQL reads in a literal as the time at which it does so.
const MOMENTS: [&str; 4] = ["now", "today", "tomorrow", "yesterday"];

/// What is to be thought of all these statements together.
pub(crate) fn effect(statements: &[Statement]) -> Effect {
    let effects: Vec<Effect> = statements.iter().map(of_whole).collect();
    together(&effects)
}

/// The gravest; what is needless in part only is doubtful.
fn together(effects: &[Effect]) -> Effect {
    let doubts = effects.iter().filter_map(|effect| match effect {
        Effect::Doubtful(reach, why) => Some((*reach, *why)),
        _ => None,
    });
    if let Some((reach, why)) = doubts.max_by_key(|(reach, _)| *reach) {
        return Effect::Doubtful(reach, why);
    }
    match effects.iter().filter(|effect| **effect == Effect::Needless).count() {
        0 => Effect::Same,
        needless if needless == effects.len() => Effect::Needless,
        _ => Effect::Doubtful(Reach::Named, MIXED),
    }
}

/// A statement with those inside of it.
fn of_whole(statement: &Statement) -> Effect {
    let mut effects = Vec::new();
    let _: ControlFlow<()> = visit_statements(statement, |inner| {
        effects.push(of_one(inner));
        ControlFlow::Continue(())
    });
    together(&effects)
}

fn of_one(statement: &Statement) -> Effect {
    match statement {
        Statement::Grant(_)
        | Statement::Revoke(_)
        | Statement::CreateTrigger(_)
        | Statement::DropTrigger(_)
        | Statement::CreatePolicy(_)
        | Statement::AlterPolicy(_)
        | Statement::DropPolicy(_) => Effect::Needless,
        Statement::Insert(insert) if is_constant(insert) => Effect::Same,
        Statement::Insert(_) | Statement::Update(_) | Statement::Delete(_) => {
            Effect::Doubtful(Reach::Schemas, ROWS)
        }
        Statement::Truncate(truncate) if matches!(truncate.cascade, Some(CascadeOption::Cascade)) => {
            Effect::Doubtful(Reach::Everything, CASCADE)
        }
        Statement::Truncate(_) => Effect::Doubtful(Reach::Schemas, ROWS),
        Statement::Query(query) if !is_steady(&**query) => Effect::Doubtful(Reach::Schemas, CALL),
        Statement::AlterTable(alter) => {
            let effects: Vec<Effect> = alter.operations.iter().map(of_operation).collect();
            together(&effects)
        }
        _ => Effect::Same,
    }
}

fn of_operation(operation: &AlterTableOperation) -> Effect {
    use AlterTableOperation as Operation;
    let doubtful_unless =
        |same: bool, why| if same { Effect::Same } else { Effect::Doubtful(Reach::Named, why) };
    match operation {
        Operation::OwnerTo { .. }
        | Operation::SetLogged
        | Operation::SetUnlogged
        | Operation::ValidateConstraint { .. }
        | Operation::EnableTrigger { .. }
        | Operation::EnableAlwaysTrigger { .. }
        | Operation::EnableReplicaTrigger { .. }
        | Operation::DisableTrigger { .. }
        | Operation::EnableRule { .. }
        | Operation::EnableAlwaysRule { .. }
        | Operation::EnableReplicaRule { .. }
        | Operation::DisableRule { .. }
        | Operation::EnableRowLevelSecurity
        | Operation::DisableRowLevelSecurity
        | Operation::ForceRowLevelSecurity
        | Operation::NoForceRowLevelSecurity
        | Operation::AddConstraint { constraint: TableConstraint::ForeignKey(_), .. } => Effect::Needless,
        Operation::DropConstraint { if_exists, .. } => doubtful_unless(*if_exists, CONSTRAINT),
        Operation::RenameConstraint { .. } => doubtful_unless(false, CONSTRAINT),
        Operation::AddColumn { column_def, .. } => doubtful_unless(is_filled_alike(column_def), VALUES),
        Operation::AlterColumn { op: AlterColumnOperation::SetDataType { using, .. }, .. } => {
            doubtful_unless(using.as_ref().is_none_or(is_steady), VALUES)
        }
        _ => Effect::Same,
    }
}

/// Whether a new column has the same values in the rows that are there, wherever it is added.
fn is_filled_alike(column: &ColumnDef) -> bool {
    let counts = matches!(&column.data_type, DataType::Custom(name, _)
        if name.to_string().to_ascii_lowercase().contains("serial"));
    let is_alike = |option: &ColumnOption| match option {
        ColumnOption::Default(value) => is_steady(value),
        ColumnOption::Identity(_) => false,
        // An identity column; a generated one has an expression, in which the server allows nothing else.
        ColumnOption::Generated { generation_expr, .. } => generation_expr.is_some(),
        _ => true,
    };
    !counts && column.options.iter().all(|option| is_alike(&option.option))
}

/// Whether the functions that are called give the same wherever they are run, and no literal is a moment.
fn is_steady<V: sqlparser::ast::Visit>(part: &V) -> bool {
    let found: ControlFlow<()> = visit_expressions(part, |expr| {
        let is_steady = match expr {
            Expr::Function(function) => {
                let name = function.name.to_string().to_ascii_lowercase();
                STEADY.contains(&name.strip_prefix("pg_catalog.").unwrap_or(&name))
            }
            Expr::Value(value) => !is_moment(&value.value),
            Expr::TypedString(typed) => !is_moment(&typed.value.value),
            _ => true,
        };
        if is_steady { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    found.is_continue()
}

fn is_moment(value: &Value) -> bool {
    let text = match value {
        Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) => text,
        Value::DollarQuotedString(text) => &text.value,
        _ => return false,
    };
    MOMENTS.contains(&text.trim().to_ascii_lowercase().as_str())
}

/// Whether it is `insert into ... values` of constants and nothing else.
fn is_constant(insert: &Insert) -> bool {
    let rows = insert.source.as_deref().and_then(plain_values);
    let plain = insert.on.is_none() && insert.returning.is_none() && insert.assignments.is_empty();
    plain && rows.is_some_and(|rows| rows.iter().all(|row| row.iter().all(is_literal)))
}

fn plain_values(query: &Query) -> Option<Vec<&Vec<Expr>>> {
    let is_plain = query.with.is_none()
        && query.order_by.is_none()
        && query.limit_clause.is_none()
        && query.fetch.is_none()
        && query.locks.is_empty();
    match &*query.body {
        SetExpr::Values(values) if is_plain => Some(values.rows.iter().map(|row| &row.content).collect()),
        _ => None,
    }
}

fn is_literal(expr: &Expr) -> bool {
    match expr {
        Expr::Value(value) => !is_moment(&value.value),
        Expr::TypedString(typed) => !is_moment(&typed.value.value),
        Expr::UnaryOp { op: UnaryOperator::Minus | UnaryOperator::Plus, expr }
        | Expr::Nested(expr)
        | Expr::Cast { expr, .. } => is_literal(expr),
        Expr::Interval(interval) => is_literal(&interval.value),
        Expr::Array(array) => array.elem.iter().all(is_literal),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlparser::dialect::PostgreSqlDialect;
    use sqlparser::parser::Parser;

    fn of(text: &str) -> Effect {
        effect(
            &Parser::parse_sql(&PostgreSqlDialect {}, text).unwrap_or_else(|error| panic!("{text}: {error}")),
        )
    }

    #[test]
    fn what_is_not_of_a_copy_is_needless() {
        for text in [
            "alter table a.b owner to jsoc",
            "alter table a.b owner to jsoc, set unlogged, enable trigger t",
            "alter table a.b set logged",
            "alter table a.b validate constraint k",
            "alter table a.b add constraint k foreign key (x) references c.d on delete cascade",
            "alter table a.b add foreign key (x) references c.d not valid",
            "alter table a.b disable trigger t",
            "alter table a.b enable row level security",
            "grant select on a.b to public",
            "revoke all on a.b from x",
            "grant usage on schema a to x",
            "create trigger t before insert on a.b for each row execute procedure f()",
            "drop trigger t on a.b",
            "grant select on a.b to x; alter table a.b owner to x",
        ] {
            assert_eq!(of(text), Effect::Needless, "{text}");
        }
    }

    #[test]
    fn what_does_the_same_everywhere_is_told() {
        for text in [
            "alter table a.b add column c text default 'x'",
            "alter table a.b add column c int default 0 not null, add column d text",
            "alter table a.b add column c int references c.d",
            "alter table a.b add column c int generated always as (x + 1) stored",
            "alter table a.b alter x set default now()",
            "alter table a.b alter x type bigint using x::bigint",
            "alter table a.b alter x type text using upper(x)",
            "alter table a.b drop constraint if exists k",
            "alter table a.b add primary key (x), add check (f(x) > 0)",
            "alter table a.b drop column c cascade",
            "insert into a.b values (1, -2.5, 'x', null, true, E'\\n', '{1,2}'::int[], date '2000-01-01')",
            "insert into a.b (x, y) values (1, array[1, 2]), (2, null)",
            "create index i on a.b (f(x))",
            "drop table a.b",
            "comment on table a.b is 'now'",
            "select max(x), count(*) from a.b",
            "create view a.b as select now()",
        ] {
            assert_eq!(of(text), Effect::Same, "{text}");
        }
    }

    #[test]
    fn what_may_do_more_or_something_else_is_doubtful() {
        for (text, reach) in [
            ("delete from a.b where x = 1", Reach::Schemas),
            ("update a.b set x = 1", Reach::Schemas),
            ("insert into a.b select 1", Reach::Schemas),
            ("insert into a.b values (now())", Reach::Schemas),
            ("insert into a.b values ('now')", Reach::Schemas),
            ("insert into a.b values (default)", Reach::Schemas),
            ("insert into a.b values (current_timestamp)", Reach::Schemas),
            ("insert into a.b default values", Reach::Schemas),
            ("insert into a.b values (1) on conflict do nothing", Reach::Schemas),
            ("insert into a.b values ((select 1))", Reach::Schemas),
            ("with t as (delete from a.b returning *) select * from t", Reach::Schemas),
            ("with t as (delete from a.b returning *) insert into c.d values (1)", Reach::Schemas),
            ("truncate a.b", Reach::Schemas),
            ("truncate a.b, c.d cascade", Reach::Everything),
            ("truncate a.b restart identity cascade; insert into a.b values (1)", Reach::Everything),
            ("select f(x) from a.b", Reach::Schemas),
            ("alter table a.b drop constraint k", Reach::Named),
            ("alter table a.b rename constraint k to l", Reach::Named),
            ("alter table a.b add column c int, owner to x", Reach::Named),
            ("alter table a.b add column c int; grant select on a.b to x", Reach::Named),
            ("alter table a.b add column c timestamptz default now()", Reach::Named),
            ("alter table a.b add column c date default 'Today'", Reach::Named),
            ("alter table a.b add column c float default random()", Reach::Named),
            ("alter table a.b add column c date default current_date", Reach::Named),
            ("alter table a.b add column c bigserial", Reach::Named),
            ("alter table a.b add column c int generated always as identity", Reach::Named),
            ("alter table a.b alter x type int using a.f(x)", Reach::Named),
        ] {
            assert!(
                matches!(of(text), Effect::Doubtful(found, _) if found == reach),
                "{text}: {:?}",
                of(text)
            );
        }
    }
}
