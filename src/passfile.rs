//! The password of a role: what the configuration says, or what every PostgreSQL client finds: `PGPASSWORD`, or a line of the
//! password file, `host:port:database:role:password`, `*` for any, and a backslash before `:` and `\`. That is read for every
//! connection: whoever changes a password need not restart anything.

use std::env;
use std::path::{Path, PathBuf};

use crate::config::DatabaseConfig;
use crate::disk;
use crate::error::{Error, Result};

/// The password for this database; `None` if nobody has given one. A password file that the configuration names must be
/// there, and only its owner may read it. One that is merely found is left alone if others can read it, as libpq does: that
/// is a warning, because the server may not even ask for a password.
pub(crate) fn password(database: &DatabaseConfig) -> Result<Option<Vec<u8>>> {
    if let Some(given) = &database.password {
        return Ok(Some(given.0.clone()));
    }
    if let Some(given) = env::var_os("PGPASSWORD") {
        return Ok(Some(given.into_encoded_bytes()));
    }
    if let Some(path) = &database.passfile {
        let missing = || Error::Stopped(format!("the password file `{}` is not there", path.display()));
        return Ok(find(&disk::read_secret(path)?.ok_or_else(missing)?, database));
    }
    let Some(path) = usual() else { return Ok(None) };
    match disk::read_secret(&path) {
        Ok(bytes) => Ok(bytes.and_then(|bytes| find(&bytes, database))),
        // In the home of another user: it is not ours.
        Err(error) if error.is_forbidden() => Ok(None),
        Err(error) => {
            tracing::warn!(error = error.chain(), "the password file is left alone");
            Ok(None)
        }
    }
}

/// Where every client looks.
fn usual() -> Option<PathBuf> {
    if let Some(path) = env::var_os("PGPASSFILE") {
        return Some(path.into());
    }
    Some(Path::new(&env::var_os("HOME")?).join(".pgpass"))
}

/// The password of the first line that fits.
pub fn find(file: &[u8], database: &DatabaseConfig) -> Option<Vec<u8>> {
    let DatabaseConfig { host, port, user, dbname, .. } = database;
    let port = port.to_string();
    let wanted = [host.as_str(), &port, dbname, user];
    file.split(|byte| *byte == b'\n').find_map(|line| {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.starts_with(b"#") {
            return None;
        }
        let mut rest = line;
        for (at, wanted) in wanted.iter().enumerate() {
            let (field, behind) = field(rest);
            let is_socket = at == 0 && wanted.starts_with('/') && field == b"localhost";
            if field != wanted.as_bytes() && field != b"*" && !is_socket {
                return None;
            }
            rest = behind?;
        }
        let (password, _) = field(rest);
        Some(password)
    })
}

/// A field, its backslashes undone, and what stands behind its colon.
fn field(text: &[u8]) -> (Vec<u8>, Option<&[u8]>) {
    let mut field = Vec::new();
    let mut rest = text;
    loop {
        rest = match rest {
            [] => return (field, None),
            [b':', behind @ ..] => return (field, Some(behind)),
            [b'\\', byte, behind @ ..] | [byte, behind @ ..] => {
                field.push(*byte);
                behind
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_fits_has_the_password() {
        let file = b"# db:5432:jsoc:slony:comment\n\
            db:5432:jsoc:other:no\n\
            db:5433:*:slony:wrong port\n\
            db:5432:js\\:oc:slony:odd\\\\name\\:\r\n\
            localhost:*:jsoc:slony:socket\n\
            *:*:*:slony:se:cret\n\
            *:*:*:*:nobody gets here";
        let password = |host: &str, dbname: &str, user: &str| {
            find(file, &database(host, dbname, user)).map(|bytes| String::from_utf8(bytes).unwrap())
        };
        assert_eq!(password("db", "jsoc", "slony").unwrap(), "se");
        assert_eq!(password("db", "js:oc", "slony").unwrap(), "odd\\name:");
        assert_eq!(password("/run/postgresql", "jsoc", "slony").unwrap(), "socket");
        assert_eq!(password("localhost", "jsoc", "slony").unwrap(), "socket");
        assert_eq!(password("x", "y", "z").unwrap(), "nobody gets here");
        assert_eq!(find(b"db:5432:jsoc:slony\n\n:\n", &database("db", "jsoc", "slony")), None);
    }

    fn database(host: &str, dbname: &str, user: &str) -> DatabaseConfig {
        let (host, dbname, user) = (host.into(), dbname.into(), user.into());
        DatabaseConfig { host, port: 5432, user, dbname, ..DatabaseConfig::default() }
    }
}
