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

/// Runs a statement once for each row of values, in their order, without waiting for one before the next is sent. Gives
/// back how many rows each has changed; stops at the first that fails.
pub async fn each<'v>(
    session: &Session,
    statement: &Statement,
    action: &str,
    rows: impl Iterator<Item = Vec<Literal<'v>>>,
) -> Result<Vec<u64>> {
    let mut done = Vec::new();
    let mut under_way = VecDeque::with_capacity(UNDER_WAY + 1);
    for row in rows {
        under_way.push_back(Sent::send(session.client().execute_raw(statement, row)).await);
        if under_way.len() > UNDER_WAY
            && let Some(first) = under_way.pop_front()
        {
            done.push(first.answer().await.tried(action)?);
        }
    }
    for sent in under_way {
        done.push(sent.answer().await.tried(action)?);
    }
    Ok(done)
}

/// A request that is on its way.
enum Sent<F: Future> {
    Waiting(Pin<Box<F>>),
    Answered(F::Output),
}

impl<F: Future> Sent<F> {
    /// The driver sends a request when its future is polled for the first time.
    async fn send(request: F) -> Self {
        let mut request = Box::pin(request);
        let answer = poll_fn(|context| Poll::Ready(request.as_mut().poll(context))).await;
        match answer {
            Poll::Ready(answer) => Self::Answered(answer),
            Poll::Pending => Self::Waiting(request),
        }
    }

    async fn answer(self) -> F::Output {
        match self {
            Self::Waiting(request) => request.await,
            Self::Answered(answer) => answer,
        }
    }
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
