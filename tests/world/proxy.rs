//! Something between the daemon and PostgreSQL that takes what is sent and hands nothing on.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use crate::support::Server;

/// Listens on an address of its own for as long as the process lives.
pub(crate) struct Proxy {
    port: u16,
    gate: Arc<Gate>,
}

/// Whether bytes may pass.
#[derive(Default)]
struct Gate {
    is_shut: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn set(&self, is_shut: bool) {
        *self.is_shut.lock().unwrap_or_else(PoisonError::into_inner) = is_shut;
        self.opened.notify_all();
    }

    fn pass(&self) {
        let mut is_shut = self.is_shut.lock().unwrap_or_else(PoisonError::into_inner);
        while *is_shut {
            is_shut = self.opened.wait(is_shut).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Proxy {
    /// Hands on what comes to the server's socket.
    pub(crate) fn start(server: &Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
        let port = listener.local_addr().expect("an address").port();
        let gate = Arc::new(Gate::default());
        let (socket, shared) =
            (server.socket_dir().join(format!(".s.PGSQL.{}", server.port())), gate.clone());
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                serve(client, socket.clone(), shared.clone());
            }
        });
        Self { port, gate }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// From now on everything is taken and nothing handed on.
    pub(crate) fn swallow(&self) {
        self.gate.set(true);
    }

    /// Everything that was held comes, and what is sent from now on.
    pub(crate) fn pass(&self) {
        self.gate.set(false);
    }
}

/// Two threads for each connection, one for each direction.
fn serve(client: TcpStream, socket: PathBuf, gate: Arc<Gate>) {
    thread::spawn(move || {
        // A connection that is made while nothing passes waits here.
        gate.pass();
        let Ok(server) = UnixStream::connect(socket) else { return };
        let (mut from_client, mut to_client) = (client.try_clone().expect("a socket"), client);
        let (mut from_server, mut to_server) = (server.try_clone().expect("a socket"), server);
        let back = gate.clone();
        thread::spawn(move || {
            let mut bytes = vec![0; 1 << 16];
            while let Ok(count @ 1..) = from_server.read(&mut bytes) {
                back.pass();
                if to_client.write_all(&bytes[..count]).is_err() {
                    break;
                }
            }
            let _ = to_client.shutdown(Shutdown::Both);
        });
        let mut bytes = vec![0; 1 << 16];
        while let Ok(count @ 1..) = from_client.read(&mut bytes) {
            gate.pass();
            if to_server.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        let _ = to_server.shutdown(Shutdown::Both);
    });
}
