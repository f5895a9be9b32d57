//! Sessions with the log-shipping node's database.

use std::pin::Pin;
use std::time::Duration;

use tokio_postgres::{Client, NoTls};

use crate::config::DatabaseConfig;
use crate::error::{Error, Result, Tried};
use crate::model::{Counter, SlonyNode, quote_identifier};
use crate::passfile;

/// A network that swallows packets must not hang a dump for ever: an idle receiver notices only by keepalives.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_RETRIES: u32 = 3;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What a dump must not inherit from the server's, the database's or the role's settings. The search path is empty so
/// that expressions of the catalog come out fully qualified.
const SETTINGS: &str = "\
    set client_encoding = 'UTF8'; set search_path = pg_catalog; set standard_conforming_strings = on; \
    set datestyle = ISO; set intervalstyle = postgres; set extra_float_digits = 3; set bytea_output = hex; \
    set statement_timeout = 0; set lock_timeout = 0; set idle_in_transaction_session_timeout = 0; \
    set synchronize_seqscans = off; set row_security = off; set quote_all_identifiers = off";

/// The database of the log-shipping node, and the Slony cluster in it.
#[derive(Debug, Clone)]
pub struct Database {
    config: DatabaseConfig,
    cluster: String,
}

/// One connection. Dropping it closes it, which ends whatever it was doing at the server.
pub struct Session {
    client: Client,
    /// The task that moves its bytes; `None` if a [`Driver`] does.
    task: Option<tokio::task::JoinHandle<()>>,
}

/// What moves the bytes of a session: to be polled beside every use of it, in the same task. For a stream of millions of
/// rows that saves a hand-over between two threads every few kilobytes.
pub type Driver = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Database {
    /// From the configuration; nothing is connected yet.
    pub fn new(config: &DatabaseConfig, cluster: &str) -> Self {
        Self { config: config.clone(), cluster: cluster.to_owned() }
    }

    /// The Slony cluster's name.
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// The cluster's schema for SQL: `"_jsoc"`.
    pub fn cluster_schema(&self) -> String {
        quote_identifier(&format!("_{}", self.cluster))
    }

    /// Connects and makes the session's settings our own.
    pub async fn connect(&self) -> Result<Session> {
        Ok(self.open().await?.driven())
    }

    /// As [`Database::connect`], for a caller that polls the driver itself.
    pub async fn connect_undriven(&self) -> Result<(Session, Driver)> {
        let Opened { session, driver } = self.open().await?;
        Ok((session, driver))
    }

    async fn open(&self) -> Result<Opened> {
        open(&self.config, "subscription_manager", SETTINGS).await
    }

    /// The Slony node that this database is. Fails if there is no such cluster in it.
    pub async fn local_node(&self, session: &Session) -> Result<SlonyNode> {
        let sql = format!("select {}.\"getlocalnodeid\"($1)", self.cluster_schema());
        let row = session.client.query_one(&sql, &[&format!("_{}", self.cluster)]).await;
        let row = row.tried(format!("ask for the node of Slony cluster {}", self.cluster))?;
        let node: i32 = row.get(0);
        // -1: the schema is there, the node is not initialised.
        u32::try_from(node).map(SlonyNode).map_err(|_| {
            Error::WrongDatabase(format!(
                "this database is no initialised node of Slony cluster {}",
                self.cluster
            ))
        })
    }

    /// The number of the last archive whose transaction has committed. slon names an archive before it commits; only up
    /// to here they are true.
    pub async fn committed(&self, session: &Session) -> Result<Counter> {
        let sql = format!("select ac_num from {}.sl_archive_counter", self.cluster_schema());
        let row = session.client.query_one(&sql, &[]).await.tried("read sl_archive_counter")?;
        Counter::from_database(row.get(0))
            .ok_or_else(|| Error::WrongDatabase("sl_archive_counter is negative".into()))
    }
}

/// A session and what moves its bytes.
pub(super) struct Opened {
    session: Session,
    driver: Driver,
}

impl Opened {
    /// Lets a task of its own move the bytes.
    pub(super) fn driven(self) -> Session {
        let Self { mut session, driver } = self;
        session.task = Some(tokio::spawn(driver));
        session
    }
}

/// Connects to a server as the program of this name, and runs SQL that sets up the session.
pub(super) async fn open(config: &DatabaseConfig, application: &str, settings: &str) -> Result<Opened> {
    let password = passfile::password(config);
    let DatabaseConfig { host, port, user, dbname } = config;
    let mut config = tokio_postgres::Config::new();
    if let Some(password) = password {
        config.password(password);
    }
    config
        .host(host)
        .port(*port)
        .user(user)
        .dbname(dbname)
        .application_name(application)
        .connect_timeout(CONNECT_TIMEOUT)
        .keepalives_idle(KEEPALIVE_IDLE)
        .keepalives_interval(KEEPALIVE_INTERVAL)
        .keepalives_retries(KEEPALIVE_RETRIES);
    let place = format!("database {dbname} at {host}:{port} as {user}");
    let (client, connection) = config.connect(NoTls).await.tried(format!("connect to {place}"))?;
    // The connection's own error is also seen by the query that waits for it.
    let mut driver: Driver = Box::pin(async move { drop(connection.await) });
    let session = Session { client, task: None };
    let set_up = session.client.batch_execute(settings);
    drive(&mut driver, set_up).await.tried(format!("set up the session with {place}"))?;
    Ok(Opened { session, driver })
}

impl Session {
    /// The driver's handle.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The server process of this session, which holds its locks.
    pub async fn backend(&self) -> Result<i32> {
        let row = self.client.query_one("select pg_backend_pid()", &[]).await;
        Ok(row.tried("ask for the backend's number")?.get(0))
    }

    /// Asks the server to stop what this session is doing. Whether it did shows in the session.
    pub async fn cancel(&self) {
        if let Err(error) = self.client.cancel_token().cancel_query(NoTls).await {
            tracing::debug!(%error, "cancel request");
        }
    }
}

/// Does work with a session whose driver this is. When the connection ends, the work learns it from its next query.
pub async fn drive<T>(driver: &mut Driver, work: impl Future<Output = T>) -> T {
    tokio::pin!(work);
    tokio::select! {
        biased;
        done = &mut work => return done,
        () = driver => {}
    }
    work.await
}

impl Drop for Session {
    fn drop(&mut self) {
        // Without this the task would read the rest of a running COPY before it noticed that nobody listens.
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}
