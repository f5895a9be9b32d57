//! What a remote site's database knows of its subscriptions: the tables themselves, and `site_request`, in which every
//! request leaves a row in the transaction that applies its SQL.

use super::SiteDatabase;
use crate::error::{Result, Tried};
use crate::model::{Counter, MASTER_TABLES, Series, quote_identifier, quote_literal};

/// A request whose SQL is applied here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteRequest {
    /// Its name.
    pub request: String,
    /// Where the stream was cut.
    pub cut: Option<Counter>,
    /// What it made.
    pub series: Vec<Series>,
    /// What the site is no longer subscribed to by it.
    pub unsubscribed: Vec<Series>,
    /// Whether the data centre has finished it.
    pub is_finished: bool,
}

/// What the role may do here, and what kind of database it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The role.
    pub user: String,
    /// The database.
    pub database: String,
    /// Whether this is a DRMS database: schema `admin` with the table `ns`.
    pub is_drms: bool,
    /// Whether the role may make schemas.
    pub may_create: bool,
    /// The schemas that were asked for and are not there.
    pub missing: Vec<String>,
    /// Those that are there, and the role may not make anything in them.
    pub closed: Vec<String>,
}

impl SiteDatabase {
    /// What the role may do in the cluster's schema and in those of the series.
    pub async fn standing(&self, series: &[Series]) -> Result<Standing> {
        const QUERY: &str = "\
            select current_user::text, current_database()::text, to_regclass('admin.ns') is not null, \
                has_database_privilege(current_database(), 'CREATE'), \
                coalesce(array_agg(s.name) filter (where n.oid is null), '{}'), \
                coalesce(array_agg(s.name) filter (where not has_schema_privilege(n.oid, 'CREATE')), '{}') \
            from unnest($1::text[]) s (name) left join pg_catalog.pg_namespace n on n.nspname = s.name";
        let mut schemas: Vec<String> = series.iter().map(|series| series.0.schema.clone()).collect();
        schemas.push(format!("_{}", self.cluster));
        schemas.sort_unstable();
        schemas.dedup();
        let row = self.session.client().query_one(QUERY, &[&schemas]).await;
        let row = row.tried("ask what the role may do")?;
        Ok(Standing {
            user: row.get(0),
            database: row.get(1),
            is_drms: row.get(2),
            may_create: row.get(3),
            missing: row.get(4),
            closed: row.get(5),
        })
    }

    /// Those of the series of which something with their name is there.
    pub async fn existing(&self, series: &[Series]) -> Result<Vec<Series>> {
        const QUERY: &str = "\
            select w.number from unnest($1::text[], $2::text[]) with ordinality w (schema, name, number) \
            join pg_catalog.pg_namespace n on n.nspname = w.schema \
            join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = w.name order by w.number";
        let schemas: Vec<&str> = series.iter().map(|series| series.0.schema.as_str()).collect();
        let names: Vec<&str> = series.iter().map(|series| series.0.name.as_str()).collect();
        let rows = self.session.client().query(QUERY, &[&schemas, &names]).await;
        let numbers = rows.tried("look for the tables of the series")?;
        let number = |row: &tokio_postgres::Row| usize::try_from(row.get::<_, i64>(0)).ok();
        Ok(numbers.iter().filter_map(number).filter_map(|at| series.get(at - 1)).cloned().collect())
    }

    /// When the last log was made and when it was applied, in the words of this database.
    pub async fn times(&self) -> Result<Option<(String, String)>> {
        let query = format!(
            "select at_created::timestamp(0)::text, at_applied::timestamp(0)::text from {}.sl_archive_tracking \
             where at_created is not null and at_applied is not null",
            self.schema()
        );
        let row = self.session.client().query_opt(&query, &[]).await.tried("read sl_archive_tracking")?;
        Ok(row.map(|row| (row.get(0), row.get(1))))
    }

    /// Every request whose SQL is applied, in that order.
    pub async fn requests(&self) -> Result<Vec<SiteRequest>> {
        let (client, table) = (self.session.client(), self.requests_table());
        let there = client.query_one("select to_regclass($1) is not null", &[&table]).await;
        if !there.tried("look for site_request")?.get::<_, bool>(0) {
            return Ok(Vec::new());
        }
        let query = format!(
            "select request, cut, series, unsubscribed, finished is not null from {table} order by applied, request"
        );
        let rows = client.query(&query, &[]).await.tried("read site_request")?;
        let series = |names: Vec<String>| names.iter().filter_map(|name| name.parse().ok()).collect();
        Ok(rows
            .iter()
            .map(|row| SiteRequest {
                request: row.get(0),
                cut: row.get::<_, Option<i64>>(1).and_then(Counter::from_database),
                series: series(row.get(2)),
                unsubscribed: series(row.get(3)),
                is_finished: row.get(4),
            })
            .collect())
    }

    /// Notes, in the transaction that is open, that the SQL of a request is applied.
    pub async fn note_request(&self, request: &SiteRequest) -> Result<()> {
        let (client, table) = (self.session.client(), self.requests_table());
        let make = format!(
            "create table if not exists {table} (request text primary key, cut bigint, series text[] not null, \
             unsubscribed text[] not null, applied timestamptz not null, finished timestamptz)"
        );
        client.batch_execute(&make).await.tried("make site_request")?;
        let insert = format!(
            "insert into {table} (request, cut, series, unsubscribed, applied) \
             values ($1, $2, $3, $4, pg_catalog.clock_timestamp())"
        );
        let names = |series: &[Series]| series.iter().map(ToString::to_string).collect::<Vec<_>>();
        let cut = request.cut.and_then(|cut| i64::try_from(cut.value()).ok());
        let (series, unsubscribed) = (names(&request.series), names(&request.unsubscribed));
        let noted = client.execute(&insert, &[&request.request, &cut, &series, &unsubscribed]).await;
        noted.map(drop).tried("write site_request")
    }

    /// Notes that the data centre has finished a request.
    pub async fn finish_request(&self, request: &str) -> Result<()> {
        let update = format!(
            "update {} set finished = pg_catalog.clock_timestamp() where request = $1 and finished is null",
            self.requests_table()
        );
        let done = self.session.client().execute(&update, &[&request]).await;
        done.map(drop).tried("write site_request")
    }

    /// Takes back what a request has made, in one transaction: its tables, their rows in the DRMS master tables, its own
    /// row, and the place in the stream if it brought that.
    pub async fn undo_request(&self, request: &SiteRequest, brought_place: bool) -> Result<()> {
        let mut sql = String::from("start transaction;\n");
        for series in &request.series {
            sql += &self.drop_sql(series).await?;
        }
        let (table, id) = (self.requests_table(), quote_literal(&request.request));
        sql += &format!("delete from {table} where request = {id};\n");
        if brought_place {
            sql += &format!("delete from {}.sl_archive_tracking;\n", self.schema());
        }
        sql += "commit";
        self.session.client().batch_execute(&sql).await.tried("take back what the request has made")
    }

    /// Drops the table of a series and its rows in the DRMS master tables, in one transaction. Fails if something of the
    /// site's own depends on it.
    pub async fn drop_series(&self, series: &Series) -> Result<()> {
        let sql = format!("start transaction;\n{}commit", self.drop_sql(series).await?);
        let client = self.session.client();
        let dropped = client.batch_execute(&sql).await.tried(format!("drop table {}", series.sql()));
        if dropped.is_err() {
            client.batch_execute("rollback").await.tried("roll back")?;
        }
        dropped
    }

    async fn drop_sql(&self, series: &Series) -> Result<String> {
        const QUERY: &str = "\
            select c.relname::text from pg_catalog.pg_class c \
            join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
            join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attname = 'seriesname' and not a.attisdropped \
            where n.nspname = $1::text and c.relname = any ($2::text[]) and c.relkind in ('r', 'p')";
        let schema = &series.0.schema;
        let tables: Vec<&str> = MASTER_TABLES.to_vec();
        let rows = self.session.client().query(QUERY, &[schema, &tables]).await;
        let rows = rows.tried("look for DRMS master tables")?;
        let there: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        let name = quote_literal(&format!("{schema}.{}", series.0.name));
        // The master rows first those that may refer to others.
        let deletes =
            tables.iter().rev().filter(|table| there.iter().any(|one| one == *table)).map(|table| {
                let table = format!("{}.{}", quote_identifier(schema), quote_identifier(table));
                format!("delete from {table} where lower(seriesname) = lower({name});\n")
            });
        Ok(deletes.collect::<String>() + &format!("drop table if exists {};\n", series.sql()))
    }

    fn requests_table(&self) -> String {
        format!("{}.site_request", self.schema())
    }
}
