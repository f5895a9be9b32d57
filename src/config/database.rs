//! How to reach PostgreSQL: the keys that the manager and the tools of a remote site have in common. They mean what libpq
//! means by the same words.

use std::path::PathBuf;

use crate::settings::Reader;

/// How to reach PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DatabaseConfig {
    /// Host name, address, or the directory of a Unix socket.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Role.
    pub user: String,
    /// Database.
    pub dbname: String,
    /// The password, where a configuration holds one itself; `None`: as every client finds it.
    pub password: Option<Secret>,
    /// The password file; `None`: where every client looks for it.
    pub passfile: Option<PathBuf>,
    /// Whether and how the line is encrypted.
    pub tls: TlsConfig,
}

/// A password: it is not shown where a configuration is.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub Vec<u8>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, text: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        text.write_str("Secret")
    }
}

/// Whether and how the line to PostgreSQL is encrypted, and who is at its other end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsConfig {
    /// What is asked of the server.
    pub mode: TlsMode,
    /// Whom a server's certificate must come from.
    pub roots: Roots,
    /// Our own certificate; `None`: `~/.postgresql/postgresql.crt`, if it is there.
    pub certificate: Option<PathBuf>,
    /// Its key; `None`: `~/.postgresql/postgresql.key`.
    pub key: Option<PathBuf>,
}

/// What is asked of the server. Each asks more than the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum TlsMode {
    /// No encryption.
    Disable,
    /// Encryption if the server can do it; whoever answers is believed.
    #[default]
    Prefer,
    /// Encryption. The certificate is examined only where root certificates are there.
    Require,
    /// The certificate must come from one of the roots.
    VerifyCa,
    /// And it must be of the host that was asked for.
    VerifyFull,
}

/// Whom a server's certificate must come from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Roots {
    /// Those of `~/.postgresql/root.crt`.
    #[default]
    Usual,
    /// Those of this file.
    File(PathBuf),
    /// Those that the operating system trusts.
    System,
}

/// Every key with its default.
pub(crate) const KNOWN: &[(&str, Option<&str>)] = &[
    ("pg_host", Some("localhost")),
    ("pg_port", Some("5432")),
    ("pg_user", Some("slony")),
    ("pg_passfile", None),
    ("pg_sslmode", Some("prefer")),
    ("pg_sslrootcert", None),
    ("pg_sslcert", None),
    ("pg_sslkey", None),
];

/// The words for what is asked.
const MODES: &[(&str, TlsMode)] = &[
    ("disable", TlsMode::Disable),
    ("prefer", TlsMode::Prefer),
    ("require", TlsMode::Require),
    ("verify-ca", TlsMode::VerifyCa),
    ("verify-full", TlsMode::VerifyFull),
];

impl DatabaseConfig {
    /// Takes the keys out.
    pub(crate) fn read(read: &mut Reader<'_>) -> Self {
        Self {
            host: read.text("pg_host"),
            port: read.number("pg_port"),
            user: read.text("pg_user"),
            dbname: read.text("pg_dbname"),
            password: None,
            passfile: read.optional_path("pg_passfile"),
            tls: TlsConfig::read(read),
        }
    }

    /// The place for a message.
    pub fn place(&self) -> String {
        let Self { host, port, user, dbname, .. } = self;
        format!("database {dbname} at {host}:{port} as {user}")
    }

    /// Whether the server is reached by a Unix socket, where there is nobody to hide anything from.
    pub fn is_local(&self) -> bool {
        self.host.starts_with('/')
    }
}

impl TlsConfig {
    fn read(read: &mut Reader<'_>) -> Self {
        let mode = read.choice("pg_sslmode", MODES, TlsMode::Prefer);
        let roots = match read.given("pg_sslrootcert").as_deref() {
            None => Roots::Usual,
            Some("system") => Roots::System,
            Some(_) => read.optional_path("pg_sslrootcert").map_or(Roots::Usual, Roots::File),
        };
        if roots == Roots::System && mode != TlsMode::VerifyFull {
            // Anybody can have a certificate of theirs for a host of his own.
            read.fault("pg_sslrootcert", "can be `system` only with pg_sslmode=verify-full");
        }
        let (certificate, key) = (read.optional_path("pg_sslcert"), read.optional_path("pg_sslkey"));
        if certificate.is_some() != key.is_some() {
            let given = if certificate.is_some() { "pg_sslcert" } else { "pg_sslkey" };
            read.fault(given, "needs the other one of `pg_sslcert` and `pg_sslkey` beside it");
        }
        Self { mode, roots, certificate, key }
    }
}
