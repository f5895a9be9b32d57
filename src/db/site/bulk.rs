//! Many changes at once: values go to the server as the text that they are in a log, for it to read as it reads literals.

use std::collections::VecDeque;
use std::error::Error as StdError;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use bytes::{BufMut as _, BytesMut};
use futures_util::{StreamExt as _, pin_mut};
use tokio_postgres::Statement;
use tokio_postgres::types::{Format, IsNull, ToSql, Type, to_sql_checked};

use crate::db::Session;
use crate::error::{Result, Tried};

/// Statements that are under way at once. More gain nothing, and each holds its values.
const UNDER_WAY: usize = 128;

/// A value of any type as text; `None` is NULL.
#[derive(Debug, Clone, Copy)]
pub struct Literal<'v>(pub Option<&'v [u8]>);

impl ToSql for Literal<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        match self.0 {
            None => Ok(IsNull::Yes),
            Some(text) => {
                out.put_slice(text);
                Ok(IsNull::No)
            }
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

/// Prepares a statement.
pub async fn prepare(session: &Session, sql: &str) -> Result<Statement> {
    session.client().prepare(sql).await.tried(format!("prepare `{sql}`"))
}

/// Statements on their way to the server, none of which waits for the one before to be answered. They are run in the order
/// in which they were sent; behind one that fails, all fail.
pub struct Pipeline<'s, T> {
    session: &'s Session,
    under_way: VecDeque<(T, &'s str, Sent<'s>)>,
    done: Vec<(T, u64)>,
}

impl<'s, T> Pipeline<'s, T> {
    /// Of a session that nobody else uses meanwhile.
    pub fn new(session: &'s Session) -> Self {
        Self { session, under_way: VecDeque::new(), done: Vec::new() }
    }

    /// Sends a statement. `tag` is what it is known by, `action` what it does, for the error.
    pub async fn send(
        &mut self,
        tag: T,
        action: &'s str,
        statement: Statement,
        values: Vec<Literal<'s>>,
    ) -> Result<()> {
        let client = self.session.client();
        let mut request: Request<'s> = Box::pin(async move { client.execute_raw(&statement, values).await });
        // The driver sends a request when its future is polled for the first time.
        let answer = poll_fn(|context| Poll::Ready(request.as_mut().poll(context))).await;
        let sent = match answer {
            Poll::Ready(answer) => Sent::Answered(answer),
            Poll::Pending => Sent::Waiting(request),
        };
        self.under_way.push_back((tag, action, sent));
        if self.under_way.len() > UNDER_WAY { self.wait().await } else { Ok(()) }
    }

    /// Waits for all of them: whoever uses the session besides would be told of their failure as of its own.
    pub async fn settle(&mut self) -> Result<()> {
        while !self.under_way.is_empty() {
            self.wait().await?;
        }
        Ok(())
    }

    /// The same. Gives back how many rows each has changed.
    pub async fn finish(&mut self) -> Result<Vec<(T, u64)>> {
        self.settle().await?;
        Ok(std::mem::take(&mut self.done))
    }

    async fn wait(&mut self) -> Result<()> {
        if let Some((tag, action, sent)) = self.under_way.pop_front() {
            let answer = match sent {
                Sent::Waiting(request) => request.await,
                Sent::Answered(answer) => answer,
            };
            self.done.push((tag, answer.tried(action)?));
        }
        Ok(())
    }
}

/// A request and its answer.
type Request<'s> = Pin<Box<dyn Future<Output = Answer> + Send + 's>>;

/// How many rows were changed.
type Answer = std::result::Result<u64, tokio_postgres::Error>;

/// A request that is on its way.
enum Sent<'s> {
    Waiting(Request<'s>),
    Answered(Answer),
}

/// Runs a statement that returns numbers.
pub async fn numbers(
    session: &Session,
    statement: &Statement,
    action: &str,
    values: &[Literal<'_>],
) -> Result<Vec<i64>> {
    let rows = session.client().query_raw(statement, values).await.tried(action)?;
    pin_mut!(rows);
    let mut numbers = Vec::new();
    while let Some(row) = rows.next().await {
        numbers.push(row.tried(action)?.try_get(0).tried(action)?);
    }
    Ok(numbers)
}
