//! The password of a role, from where every PostgreSQL client looks for it: `PGPASSWORD`, or the password file, of which
//! a line reads `host:port:database:role:password`, `*` for any, and a backslash before `:` and `\`. It is read for every
//! connection: whoever changes a password need not restart anything.

use std::env;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::config::DatabaseConfig;

/// The password for this database; `None` if nobody has given one. A file that others can read is left alone, as libpq
/// does: what is said of it is a warning, because the server may not even ask for a password.
pub(crate) fn password(database: &DatabaseConfig) -> Option<Vec<u8>> {
    if let Some(given) = env::var_os("PGPASSWORD") {
        return Some(given.into_encoded_bytes());
    }
    let path = path()?;
    let bytes = std::fs::read(&path).ok()?;
    if std::fs::metadata(&path).is_ok_and(|metadata| metadata.mode() & 0o077 != 0) {
        tracing::warn!(path = %path.display(), "the password file is left alone: others can read it (chmod 600)");
        return None;
    }
    find(&bytes, database)
}

fn path() -> Option<PathBuf> {
    if let Some(path) = env::var_os("PGPASSFILE") {
        return Some(path.into());
    }
    Some(Path::new(&env::var_os("HOME")?).join(".pgpass"))
}

/// The password of the first line that fits.
fn find(file: &[u8], database: &DatabaseConfig) -> Option<Vec<u8>> {
    let DatabaseConfig { host, port, user, dbname } = database;
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
            let database =
                DatabaseConfig { host: host.into(), port: 5432, user: user.into(), dbname: dbname.into() };
            find(file, &database).map(|bytes| String::from_utf8(bytes).unwrap())
        };
        assert_eq!(password("db", "jsoc", "slony").unwrap(), "se");
        assert_eq!(password("db", "js:oc", "slony").unwrap(), "odd\\name:");
        assert_eq!(password("/run/postgresql", "jsoc", "slony").unwrap(), "socket");
        assert_eq!(password("localhost", "jsoc", "slony").unwrap(), "socket");
        assert_eq!(password("x", "y", "z").unwrap(), "nobody gets here");
        assert_eq!(
            find(
                b"db:5432:jsoc:slony\n\n:\n",
                &DatabaseConfig {
                    host: "db".into(),
                    port: 5432,
                    user: "slony".into(),
                    dbname: "jsoc".into()
                }
            ),
            None
        );
    }
}
