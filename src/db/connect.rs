//! Sessions with the log-shipping node's database.

use std::pin::Pin;
use std::time::Duration;

use tokio_postgres::Client;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;

use crate::config::DatabaseConfig;
use crate::error::{Error, Result, Tried};
use crate::failpoint;
use crate::model::{SlonyNode, quote_identifier};
use crate::passfile;
use crate::tls::{self, Tls};

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
    set lc_monetary = 'C'; \
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
    /// For the connection on which a running statement is cancelled.
    tls: Tls,
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
        let row = session.client().query_one(&sql, &[&format!("_{}", self.cluster)]).await;
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

    /// The number that initdb gave to the server's files; standbys have that of their primary. `None`: the server does not tell it.
    pub async fn system_identifier(&self, session: &Session) -> Result<Option<i64>> {
        let asked =
            session.client().query_one("select system_identifier from pg_control_system()", &[]).await;
        let is_closed = |error: &tokio_postgres::Error| {
            let kept = [SqlState::INSUFFICIENT_PRIVILEGE, SqlState::UNDEFINED_FUNCTION];
            error.code().is_some_and(|code| kept.contains(code))
        };
        match asked {
            Err(error) if is_closed(&error) => Ok(None),
            asked => Ok(Some(asked.tried("ask for the server's system identifier")?.get(0))),
        }
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
    open_within(config, application, settings, CONNECT_TIMEOUT).await
}

/// The same for a server that may take so long.
pub(super) async fn open_within(
    config: &DatabaseConfig,
    application: &str,
    settings: &str,
    limit: Duration,
) -> Result<Opened> {
    let opened = async {
        // On the heap: what speaks TLS is large, and every future that connects would carry it along.
        let (session, mut driver) = Box::pin(connect(config, application, limit)).await?;
        let set_up = session.client.batch_execute(settings);
        drive(&mut driver, set_up).await.tried(format!("set up the session with {}", config.place()))?;
        Ok(Opened { session, driver })
    };
    // The driver's own limit ends when the socket is there; somebody may have it open and not answer.
    let silent = |_| Err(Error::Silent(format!("connect to {}: nobody answers", config.place())));
    tokio::time::timeout(limit, opened).await.unwrap_or_else(silent)
}

async fn connect(config: &DatabaseConfig, application: &str, limit: Duration) -> Result<(Session, Driver)> {
    let place = config.place();
    let mut tls = tls::tls(config)?;
    let mut how = how(config, application, limit)?;
    failpoint::reach("connect", application);
    let mut connected = how.ssl_mode(tls.mode).connect(tls.connector.clone()).await;
    if let Err(error) = &connected
        && tls.mode == SslMode::Prefer
        && is_of_encryption(error)
    {
        tracing::warn!(%error, cause = cause(error), "{place} is reached without encryption");
        tls.mode = SslMode::Disable;
        connected = how.ssl_mode(tls.mode).connect(tls.connector.clone()).await;
    }
    let (client, connection) = connected.tried(format!("connect to {place}"))?;
    // The connection's own error is also seen by the query that waits for it.
    Ok((Session { client, tls, task: None }, Box::pin(async move { drop(connection.await) })))
}

/// How to connect, in the words of the driver.
fn how(config: &DatabaseConfig, application: &str, limit: Duration) -> Result<tokio_postgres::Config> {
    let mut how = tokio_postgres::Config::new();
    if let Some(password) = passfile::password(config)? {
        how.password(password);
    }
    how.host(&config.host)
        .port(config.port)
        .user(&config.user)
        .dbname(&config.dbname)
        .application_name(application)
        .connect_timeout(limit)
        .keepalives_idle(KEEPALIVE_IDLE)
        .keepalives_interval(KEEPALIVE_INTERVAL)
        .keepalives_retries(KEEPALIVE_RETRIES);
    Ok(how)
}

/// Whether it is for its encryption that a connection failed: there was no agreement on it, or the server's rules want the
/// role without (`hostnossl`). Where encryption is only preferred, libpq goes on without then.
fn is_of_encryption(error: &tokio_postgres::Error) -> bool {
    let by_rule = error.code() == Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION);
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<std::io::Error>());
    by_rule
        || source
            .and_then(std::io::Error::get_ref)
            .is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>)
}

fn cause(error: &tokio_postgres::Error) -> Option<String> {
    std::error::Error::source(error).map(ToString::to_string)
}

impl Session {
    /// The driver's handle.
    #[track_caller]
    pub fn client(&self) -> &Client {
        failpoint::asked();
        &self.client
    }

    /// Whether the connection has ended.
    pub fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// The server process of this session, which holds its locks.
    pub async fn backend(&self) -> Result<i32> {
        let row = self.client().query_one("select pg_backend_pid()", &[]).await;
        Ok(row.tried("ask for the backend's number")?.get(0))
    }

    /// Asks the server to stop what this session is doing. Whether it did shows in the session.
    pub async fn cancel(&self) {
        let cancel = self.client.cancel_token();
        match tokio::time::timeout(CONNECT_TIMEOUT, cancel.cancel_query(self.tls.connector.clone())).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "cancel request"),
            Err(_) => tracing::debug!("nobody answers the cancel request"),
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
