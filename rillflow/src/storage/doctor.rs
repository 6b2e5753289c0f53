//! What a diagnosis asks, one question each.

use sqlx::{PgConnection, Row};

use super::ask::{query, query_scalar};
use crate::Result;
use crate::sql::{self, Texts};

/// The server, as this connection sees it.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) version_number: i32,
    pub(crate) version: String,
    pub(crate) standby: bool,
    pub(crate) user: String,
    pub(crate) database: String,
    pub(crate) encoding: String,
    pub(crate) schema_there: bool,
    /// Whether the book of migrations may be read; `None` when there is none.
    pub(crate) book_readable: Option<bool>,
}

/// What the role may do with the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Privileges {
    pub(crate) read: bool,
    pub(crate) append: bool,
    pub(crate) own: bool,
}

/// What the global order rests on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sequence {
    pub(crate) cache: i64,
    pub(crate) increment: i64,
    pub(crate) cycles: bool,
    pub(crate) drawn: i64,
    pub(crate) highest: i64,
    pub(crate) announces: bool,
}

/// The mark, computed and published.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    pub(crate) mark: i64,
    pub(crate) drawn: i64,
    pub(crate) published: i64,
    pub(crate) published_seconds: f64,
}

/// A transaction that holds the mark.
#[derive(Clone, Debug)]
pub(crate) struct Holder {
    pub(crate) announced: i64,
    /// None: a prepared transaction.
    pub(crate) pid: Option<i32>,
    pub(crate) user: Option<String>,
    pub(crate) application: Option<String>,
    pub(crate) client: Option<String>,
    pub(crate) state: Option<String>,
    pub(crate) transaction_seconds: Option<f64>,
    pub(crate) query_seconds: Option<f64>,
    pub(crate) query: Option<String>,
    pub(crate) prepared: Option<String>,
}

/// How a projection does.
#[derive(Clone, Debug)]
pub(crate) struct Behind {
    pub(crate) name: String,
    pub(crate) status: String,
    pub(crate) position: i64,
    pub(crate) owned: bool,
    pub(crate) error: Option<String>,
    pub(crate) seconds: f64,
}

/// An index that is invalid, or unused.
#[derive(Clone, Debug)]
pub(crate) struct DoubtfulIndex {
    pub(crate) table: String,
    pub(crate) name: String,
    pub(crate) valid: bool,
    pub(crate) bytes: i64,
}

/// A table with too many dead rows.
#[derive(Clone, Debug)]
pub(crate) struct Bloat {
    pub(crate) table: String,
    pub(crate) live: i64,
    pub(crate) dead: i64,
    pub(crate) vacuumed_seconds: Option<f64>,
}

/// The oldest transaction that VACUUM waits for.
#[derive(Clone, Debug)]
pub(crate) struct Horizon {
    pub(crate) pid: i32,
    pub(crate) application: String,
    pub(crate) state: Option<String>,
    pub(crate) seconds: f64,
}

/// Whose dead letters, how many, and the first.
#[derive(Clone, Debug)]
pub(crate) struct Letters {
    pub(crate) of: String,
    pub(crate) number: i64,
    pub(crate) first: i64,
}

/// Whether statements keep the names they are given: see [`Pooler`](crate::Pooler).
pub(crate) async fn keeps_names(conn: &mut PgConnection) -> Result<bool> {
    Ok(query_scalar(sql::KEEPS_NAMES).fetch_one(conn).await?)
}

/// The server process that answers this time. Asked without parameters, so that it is one trip even behind a pooler.
pub(crate) async fn backend(conn: &mut PgConnection) -> Result<i32> {
    Ok(sqlx::raw_sql(sql::BACKEND_PID).fetch_one(conn).await?.try_get(0)?)
}

/// Whether a transaction is open on a connection. Asked without parameters, so that it is one trip.
pub(crate) async fn holds_transaction(conn: &mut PgConnection) -> Result<bool> {
    Ok(sqlx::raw_sql(sql::HOLDS_TRANSACTION).fetch_one(conn).await?.try_get(0)?)
}

/// Looks at the server.
pub(crate) async fn server(conn: &mut PgConnection, texts: &Texts) -> Result<Server> {
    let query = query(texts.statement(sql::DOCTOR_SERVER)).bind(texts.schema().as_str());
    let row = query.fetch_one(conn).await?;
    Ok(Server {
        version_number: row.try_get(0)?,
        version: row.try_get(1)?,
        standby: row.try_get(2)?,
        user: row.try_get(3)?,
        database: row.try_get(4)?,
        encoding: row.try_get(5)?,
        schema_there: row.try_get(6)?,
        book_readable: row.try_get(7)?,
    })
}

/// What the role may do.
pub(crate) async fn privileges(conn: &mut PgConnection, texts: &Texts) -> Result<Privileges> {
    let row = query(texts.statement(sql::DOCTOR_PRIVILEGES)).fetch_one(conn).await?;
    Ok(Privileges { read: row.try_get(0)?, append: row.try_get(1)?, own: row.try_get(2)? })
}

/// Looks at the sequence of positions.
pub(crate) async fn sequence(conn: &mut PgConnection, texts: &Texts) -> Result<Sequence> {
    let row = query(texts.statement(sql::DOCTOR_SEQUENCE)).fetch_one(conn).await?;
    Ok(Sequence {
        cache: row.try_get(0)?,
        increment: row.try_get(1)?,
        cycles: row.try_get(2)?,
        drawn: row.try_get(3)?,
        highest: row.try_get(4)?,
        announces: row.try_get(5)?,
    })
}

/// Looks at the mark.
pub(crate) async fn mark(conn: &mut PgConnection, texts: &Texts) -> Result<Mark> {
    let row = query(texts.statement(sql::DOCTOR_MARK)).fetch_one(conn).await?;
    Ok(Mark {
        mark: row.try_get(0)?,
        drawn: row.try_get(1)?,
        published: row.try_get(2)?,
        published_seconds: row.try_get(3)?,
    })
}

/// Who holds the mark.
pub(crate) async fn holders(conn: &mut PgConnection, texts: &Texts, drawn: i64) -> Result<Vec<Holder>> {
    let rows = query(texts.statement(sql::DOCTOR_HOLDERS)).bind(drawn).fetch_all(conn).await?;
    let read = |row: &sqlx::postgres::PgRow| {
        Ok(Holder {
            announced: row.try_get(0)?,
            pid: row.try_get(1)?,
            user: row.try_get(2)?,
            application: row.try_get(3)?,
            client: row.try_get(4)?,
            state: row.try_get(5)?,
            transaction_seconds: row.try_get(6)?,
            query_seconds: row.try_get(7)?,
            query: row.try_get(8)?,
            prepared: row.try_get(9)?,
        })
    };
    rows.iter().map(read).collect()
}

/// How the projections do.
pub(crate) async fn projections(conn: &mut PgConnection, texts: &Texts) -> Result<Vec<Behind>> {
    let rows = query(texts.statement(sql::DOCTOR_PROJECTIONS)).fetch_all(conn).await?;
    let read = |row: &sqlx::postgres::PgRow| {
        Ok(Behind {
            name: row.try_get(0)?,
            status: row.try_get(1)?,
            position: row.try_get(2)?,
            owned: row.try_get::<Option<bool>, _>(3)?.unwrap_or(false),
            error: row.try_get(4)?,
            seconds: row.try_get(5)?,
        })
    };
    rows.iter().map(read).collect()
}

/// Indexes that are invalid, or unused.
pub(crate) async fn indexes(conn: &mut PgConnection, texts: &Texts) -> Result<Vec<DoubtfulIndex>> {
    let query = query(texts.statement(sql::DOCTOR_INDEXES)).bind(texts.schema().as_str());
    let read = |row: &sqlx::postgres::PgRow| {
        let (table, name, valid, bytes) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
        Ok(DoubtfulIndex { table, name, valid, bytes })
    };
    query.fetch_all(conn).await?.iter().map(read).collect()
}

/// Tables with too many dead rows.
pub(crate) async fn bloat(conn: &mut PgConnection, texts: &Texts) -> Result<Vec<Bloat>> {
    let query = query(texts.statement(sql::DOCTOR_BLOAT)).bind(texts.schema().as_str());
    let read = |row: &sqlx::postgres::PgRow| {
        let (table, live, dead) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        Ok(Bloat { table, live, dead, vacuumed_seconds: row.try_get(3)? })
    };
    query.fetch_all(conn).await?.iter().map(read).collect()
}

/// The oldest transaction that VACUUM waits for.
pub(crate) async fn horizon(conn: &mut PgConnection, texts: &Texts) -> Result<Option<Horizon>> {
    let row = query(texts.statement(sql::DOCTOR_HORIZON)).fetch_optional(conn).await?;
    let read = |row: sqlx::postgres::PgRow| {
        let (pid, application, state) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        Ok(Horizon { pid, application, state, seconds: row.try_get(3)? })
    };
    row.map(read).transpose()
}

/// The dead letters of projections and of subscriptions, as far as there are tables for them.
pub(crate) async fn letters(conn: &mut PgConnection, texts: &Texts, subscriptions: bool) -> Result<Vec<Letters>> {
    let (table, text) = match subscriptions {
        false => ("dead_letters", sql::DOCTOR_PROJECTION_LETTERS),
        true => ("subscription_dead_letters", sql::DOCTOR_SUBSCRIPTION_LETTERS),
    };
    let there = query_scalar(texts.statement(sql::DOCTOR_TABLE_THERE)).bind(texts.schema().as_str()).bind(table);
    if !there.fetch_one(&mut *conn).await? {
        return Ok(Vec::new());
    }
    let rows = query(texts.statement(text)).fetch_all(conn).await?;
    rows.iter()
        .map(|row| Ok(Letters { of: row.try_get(0)?, number: row.try_get(1)?, first: row.try_get(2)? }))
        .collect()
}
