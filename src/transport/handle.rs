//! What is open at the server.

use std::sync::Arc;

use russh_sftp::client::RawSftpSession;
use russh_sftp::client::error::Error as Reply;
use russh_sftp::protocol::{self, FileAttributes, OpenFlags, StatusCode};
use tokio::sync::OwnedSemaphorePermit;

use super::fault::Fault;
use super::line::Line;

/// What the server has opened for us. It is closed when this is dropped, without waiting for the answer.
pub(super) struct Handle {
    pub(super) session: Arc<RawSftpSession>,
    pub(super) name: String,
    permit: Option<OwnedSemaphorePermit>,
}

impl Handle {
    /// Opens a file.
    pub(super) async fn file(line: &Line, path: &str, flags: OpenFlags) -> Result<Self, Fault> {
        // Readable by everybody, as our files are: others fetch with accounts of their own.
        let attributes = FileAttributes { permissions: Some(0o644), ..FileAttributes::empty() };
        let path = path.to_owned();
        Self::open(line, |session| async move { session.open(path, flags, attributes).await }).await
    }

    /// Opens a directory, for its listing.
    pub(super) async fn directory(line: &Line, path: &str) -> Result<Self, Fault> {
        let path = path.to_owned();
        Self::open(line, |session| async move { session.opendir(path).await }).await
    }

    async fn open<F>(line: &Line, open: impl FnOnce(Arc<RawSftpSession>) -> F) -> Result<Self, Fault>
    where
        F: Future<Output = Result<protocol::Handle, Reply>> + Send + 'static,
    {
        let permit = Arc::clone(&line.permits).acquire_owned().await.ok();
        let session = Arc::clone(&line.session);
        let opening = open(Arc::clone(&session));
        // In a task of its own: what is opened for somebody who no longer waits is closed again.
        let opened = tokio::spawn(async move { Ok(Self { name: opening.await?.handle, session, permit }) });
        let ended = |_| Err(Fault::Broken { why: "the program ends".into(), came: false });
        opened.await.unwrap_or_else(ended)
    }

    /// At the most so many bytes from a place on; none at the end of the file.
    pub(super) async fn read(&self, from: u64, bytes: u32) -> Result<Vec<u8>, Fault> {
        match self.session.read(self.name.as_str(), from, bytes).await {
            Ok(answer) if answer.data.len() <= bytes as usize => Ok(answer.data),
            Ok(_) => Err(Fault::Failed("more came than was asked for".into())),
            Err(Reply::Status(status)) if status.status_code == StatusCode::Eof => Ok(Vec::new()),
            Err(reply) => Err(reply.into()),
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let (session, name) = (Arc::clone(&self.session), std::mem::take(&mut self.name));
        let permit = self.permit.take();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                // Of a line that is broken nothing is open any more.
                let _ = session.close(name).await;
                drop(permit);
            });
        }
    }
}
