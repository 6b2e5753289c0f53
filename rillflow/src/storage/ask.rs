//! Asking PostgreSQL: as sqlx does, and so that a pooler between us cannot take two trips of one statement apart.
//!
//! A statement with parameters takes two trips, to prepare it and to run it. A pooler that lends a server for one
//! transaction at a time may send each to another one, which then runs what somebody else prepared there. So a text that
//! [says so](Text::in_transaction) is prepared under no name, and outside of a transaction gets one of its own.

use std::marker::PhantomData;

use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;
use sqlx::postgres::{PgArguments, PgQueryResult, PgRow};
use sqlx::query::Query;
use sqlx::{Connection, Encode, FromRow, PgConnection, Postgres, Type};

use crate::Result;
use crate::sql::Text;

/// A statement with its parameters.
pub(super) struct Question<'q> {
    query: Query<'q, Postgres, PgArguments>,
    in_transaction: bool,
}

/// A statement whose rows are read as `O`.
pub(super) struct Rows<'q, O>(Question<'q>, PhantomData<fn() -> O>);

/// A statement of whose rows the first column is read.
pub(super) struct Scalars<'q, O>(Rows<'q, (O,)>);

pub(super) fn query<'q>(text: impl Into<Text>) -> Question<'q> {
    let text = text.into();
    let in_transaction = text.in_transaction();
    Question { query: sqlx::query(text).persistent(!in_transaction), in_transaction }
}

pub(super) fn query_with<'q>(text: impl Into<Text>, arguments: PgArguments) -> Question<'q> {
    let text = text.into();
    let in_transaction = text.in_transaction();
    Question { query: sqlx::query_with(text, arguments).persistent(!in_transaction), in_transaction }
}

pub(super) fn query_as<'q, O>(text: impl Into<Text>) -> Rows<'q, O> {
    Rows(query(text), PhantomData)
}

pub(super) fn query_scalar<'q, O>(text: impl Into<Text>) -> Scalars<'q, O> {
    Scalars(query_as(text))
}

pub(super) fn query_scalar_with<'q, O>(text: impl Into<Text>, arguments: PgArguments) -> Scalars<'q, O> {
    Scalars(Rows(query_with(text, arguments), PhantomData))
}

/// Runs a query as it is, or in a transaction of its own.
macro_rules! ask {
    ($question:expr, $conn:expr, $how:ident) => {{
        let Question { query, in_transaction } = $question;
        if !in_transaction || $conn.is_in_transaction() {
            return query.$how($conn).await;
        }
        let mut tx = $conn.begin().await?;
        match query.$how(&mut *tx).await {
            Ok(answer) => tx.commit().await.map(|()| answer),
            Err(error) => {
                // a connection that cannot roll back is closed by its pool
                let _broken = tx.rollback().await;
                Err(error)
            }
        }
    }};
}

impl<'q> Question<'q> {
    pub(super) fn bind<T: Encode<'q, Postgres> + Type<Postgres>>(self, value: T) -> Self {
        Self { query: self.query.bind(value), ..self }
    }

    pub(super) fn persistent(self, persistent: bool) -> Self {
        Self { query: self.query.persistent(persistent && !self.in_transaction), ..self }
    }

    pub(super) async fn execute(self, conn: &mut PgConnection) -> sqlx::Result<PgQueryResult> {
        ask!(self, conn, execute)
    }

    pub(super) async fn fetch_all(self, conn: &mut PgConnection) -> sqlx::Result<Vec<PgRow>> {
        ask!(self, conn, fetch_all)
    }

    pub(super) async fn fetch_one(self, conn: &mut PgConnection) -> sqlx::Result<PgRow> {
        ask!(self, conn, fetch_one)
    }

    pub(super) async fn fetch_optional(self, conn: &mut PgConnection) -> sqlx::Result<Option<PgRow>> {
        ask!(self, conn, fetch_optional)
    }

    /// Hands the rows to `take` as they come.
    pub(super) async fn each(self, conn: &mut PgConnection, take: impl FnMut(PgRow) -> Result<()>) -> Result<()> {
        if !self.in_transaction || conn.is_in_transaction() {
            return hand_out(self.query.fetch(conn), take).await;
        }
        let mut tx = conn.begin().await?;
        hand_out(self.query.fetch(&mut *tx), take).await?;
        Ok(tx.commit().await?)
    }

    /// Rows as they come. Who asks for them in pieces holds a transaction, where the text needs one.
    pub(super) fn fetch<'c>(self, conn: &'c mut PgConnection) -> BoxStream<'c, sqlx::Result<PgRow>>
    where
        'q: 'c,
    {
        self.query.fetch(conn)
    }
}

async fn hand_out(
    mut rows: BoxStream<'_, sqlx::Result<PgRow>>,
    mut take: impl FnMut(PgRow) -> Result<()>,
) -> Result<()> {
    while let Some(row) = rows.try_next().await? {
        take(row)?;
    }
    Ok(())
}

impl<'q, O: for<'r> FromRow<'r, PgRow>> Rows<'q, O> {
    pub(super) fn bind<T: Encode<'q, Postgres> + Type<Postgres>>(self, value: T) -> Self {
        Self(self.0.bind(value), PhantomData)
    }

    pub(super) fn persistent(self, persistent: bool) -> Self {
        Self(self.0.persistent(persistent), PhantomData)
    }

    pub(super) async fn fetch_all(self, conn: &mut PgConnection) -> sqlx::Result<Vec<O>> {
        self.0.fetch_all(conn).await?.iter().map(O::from_row).collect()
    }

    pub(super) async fn fetch_one(self, conn: &mut PgConnection) -> sqlx::Result<O> {
        O::from_row(&self.0.fetch_one(conn).await?)
    }

    pub(super) async fn fetch_optional(self, conn: &mut PgConnection) -> sqlx::Result<Option<O>> {
        self.0.fetch_optional(conn).await?.as_ref().map(O::from_row).transpose()
    }
}

impl<'q, O> Scalars<'q, O>
where
    (O,): for<'r> FromRow<'r, PgRow>,
{
    pub(super) fn bind<T: Encode<'q, Postgres> + Type<Postgres>>(self, value: T) -> Self {
        Self(self.0.bind(value))
    }

    pub(super) fn persistent(self, persistent: bool) -> Self {
        Self(self.0.persistent(persistent))
    }

    pub(super) async fn fetch_all(self, conn: &mut PgConnection) -> sqlx::Result<Vec<O>> {
        Ok(self.0.fetch_all(conn).await?.into_iter().map(|(value,)| value).collect())
    }

    pub(super) async fn fetch_one(self, conn: &mut PgConnection) -> sqlx::Result<O> {
        self.0.fetch_one(conn).await.map(|(value,)| value)
    }

    pub(super) async fn fetch_optional(self, conn: &mut PgConnection) -> sqlx::Result<Option<O>> {
        Ok(self.0.fetch_optional(conn).await?.map(|(value,)| value))
    }
}
