//! Encryption of the line to PostgreSQL: certificates and keys, from where every PostgreSQL client looks for them. They are
//! read for every connection: whoever renews a certificate need not restart anything.

mod verify;

use std::env;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::config::{DatabaseConfig, Roots, TlsMode};
use crate::disk;
use crate::error::{Error, Result};
use verify::{Trust, Verifier};

/// What encrypts the connections to a database.
#[derive(Clone)]
pub(crate) struct Tls {
    /// For the driver; where `mode` says that nothing is encrypted it is not asked.
    pub connector: MakeRustlsConnect,
    /// What the driver must insist on. The driver knows nothing of certificates: those are the connector's.
    pub mode: tokio_postgres::config::SslMode,
}

/// Reads what the configuration speaks of. Nothing is encrypted over a Unix socket, whatever it says; libpq does the same.
pub(crate) fn tls(database: &DatabaseConfig) -> Result<Tls> {
    use tokio_postgres::config::SslMode;
    let mode = if database.is_local() { TlsMode::Disable } else { database.tls.mode };
    let provider = Arc::new(ring::default_provider());
    if mode == TlsMode::Disable {
        let config = client(&provider, Trust::Nobody, None)?;
        return Ok(Tls { connector: MakeRustlsConnect::new(config), mode: SslMode::Disable });
    }
    let trust = match (mode, roots(&database.tls.roots, mode)?) {
        (TlsMode::Prefer, _) | (_, None) => Trust::Anybody,
        (TlsMode::VerifyFull, Some(roots)) => Trust::Host(roots),
        (_, Some(roots)) => Trust::Roots(roots),
    };
    let config = client(&provider, trust, identity(database)?)?;
    let mode = if mode == TlsMode::Prefer { SslMode::Prefer } else { SslMode::Require };
    Ok(Tls { connector: MakeRustlsConnect::new(config), mode })
}

/// Who we are.
type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn client(provider: &Arc<CryptoProvider>, trust: Trust, identity: Option<Identity>) -> Result<ClientConfig> {
    let fault = |error: rustls::Error| Error::Stopped(format!("prepare TLS for PostgreSQL: {error}"));
    let verifier = Verifier::new(trust, provider.signature_verification_algorithms)?;
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(fault)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    match identity {
        None => Ok(config.with_no_client_auth()),
        Some((chain, key)) => config.with_client_auth_cert(chain, key).map_err(fault),
    }
}

/// The root certificates; `None` if there are none and none are needed.
fn roots(roots: &Roots, mode: TlsMode) -> Result<Option<Vec<CertificateDer<'static>>>> {
    match roots {
        Roots::System => {
            let found = rustls_native_certs::load_native_certs();
            if found.certs.is_empty() {
                let why: String = found.errors.iter().map(|error| format!(": {error}")).collect();
                return Err(Error::Stopped(format!("the system has no root certificates{why}")));
            }
            Ok(Some(found.certs))
        }
        Roots::File(path) => match certificates(path)? {
            None => Err(Error::Stopped(format!("`{}` (pg_sslrootcert) is not there", path.display()))),
            roots => Ok(roots),
        },
        Roots::Usual => match usual("root.crt").map(|path| certificates(&path)).transpose()?.flatten() {
            None if mode >= TlsMode::VerifyCa => Err(Error::Stopped(
                "there are no root certificates to verify the server's with: name a file in pg_sslrootcert, or put it at \
                 ~/.postgresql/root.crt"
                    .into(),
            )),
            roots => Ok(roots),
        },
    }
}

/// Our own certificate and its key; `None`: the server will not see one.
fn identity(database: &DatabaseConfig) -> Result<Option<Identity>> {
    let given = database.tls.certificate.clone().zip(database.tls.key.clone());
    let is_given = given.is_some();
    let Some((certificate, key)) = given.or_else(|| usual("postgresql.crt").zip(usual("postgresql.key")))
    else {
        return Ok(None);
    };
    let Some(chain) = certificates(&certificate)? else {
        let missing = || Error::Stopped(format!("`{}` (pg_sslcert) is not there", certificate.display()));
        return if is_given { Err(missing()) } else { Ok(None) };
    };
    if !disk::is_private(&key)? {
        return Err(Error::Stopped(format!(
            "the key `{}` is not used, because others can read it: chmod 600 it",
            key.display()
        )));
    }
    let bytes = disk::read_optional(&key)?.unwrap_or_default();
    let read = PrivateKeyDer::from_pem_slice(&bytes);
    let key = read.map_err(|error| Error::Stopped(format!("read the key `{}`: {error}", key.display())))?;
    Ok(Some((chain, key)))
}

/// The certificates of a file; `None` if it is not there.
fn certificates(path: &Path) -> Result<Option<Vec<CertificateDer<'static>>>> {
    let Some(bytes) = disk::read_optional(path)? else { return Ok(None) };
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let fault = |why: String| Error::Stopped(format!("read the certificates in `{}`: {why}", path.display()));
    match read {
        Ok(found) if found.is_empty() => Err(fault("there are none".into())),
        Ok(found) => Ok(Some(found)),
        Err(error) => Err(fault(error.to_string())),
    }
}

/// Where every client of PostgreSQL looks for a file of this name.
fn usual(name: &str) -> Option<PathBuf> {
    Some(Path::new(&env::var_os("HOME")?).join(".postgresql").join(name))
}
