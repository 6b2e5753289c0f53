//! Read models beside the live one: begun, swapped, given up.

use sqlx::PgConnection;
use std::time::Duration;

use super::ask::{query, query_scalar};
use crate::Result;
use crate::model::Collection;
use crate::sql::beside::{self, Beside};
use crate::sql::{self, Texts};

/// Makes the rows and the table of a rebuild, unless one was begun.
pub(crate) async fn begin(
    conn: &mut PgConnection,
    texts: &Texts,
    projection: &str,
    version: i32,
    shards: i32,
    collection: &Collection,
) -> Result<()> {
    let rows = query(texts.statement(sql::BEGIN_REBUILD)).bind(projection).bind(version).bind(shards);
    rows.execute(&mut *conn).await?;
    let key = beside::index_name(Beside::Rebuild, &format!("{}_pkey", beside::table(collection)));
    let make = query(texts.statement(sql::MAKE_BESIDE)).bind(beside::table(collection)).bind(key);
    make.execute(conn).await?;
    Ok(())
}

/// How many shards the rebuild that was begun for this version has, which may go on. `None`: it is of another version.
pub(crate) async fn find(
    conn: &mut PgConnection,
    texts: &Texts,
    projection: &str,
    version: i32,
) -> Result<Option<i32>> {
    let shards = query_scalar(texts.statement(sql::FIND_REBUILD)).bind(projection).bind(version);
    Ok(shards.fetch_optional(conn).await?)
}

/// Keeps everybody away from the live table, until the transaction ends: those who write it have committed by then.
pub(crate) async fn lock_live(conn: &mut PgConnection, texts: &Texts, collection: &'static Collection) -> Result<()> {
    query(texts.of(sql::LOCK_LIVE, collection)).execute(conn).await?;
    Ok(())
}

/// Gives up a read model beside the live one. `false`: there was none.
pub(crate) async fn give_up(
    conn: &mut PgConnection,
    texts: &Texts,
    projection: &str,
    collection: &Collection,
    which: Beside,
) -> Result<bool> {
    let drop = query_scalar(texts.statement(sql::DROP_BESIDE));
    Ok(drop.bind(projection).bind(beside::table(collection)).bind(which.word()).fetch_one(conn).await?)
}

/// Bounds the wait for locks, until the transaction ends.
pub(crate) async fn bound_locks(conn: &mut PgConnection, texts: &Texts, longest: Duration) -> Result<()> {
    let longest = longest.as_millis().max(1).to_string();
    query(texts.statement(sql::LOCK_TIMEOUT)).bind(longest).execute(conn).await?;
    Ok(())
}

/// Puts the read model beside in the place of the live one. `false`: it is not as far, or there is none.
pub(crate) async fn swap(
    conn: &mut PgConnection,
    texts: &Texts,
    projection: &str,
    token: i64,
    collection: &Collection,
    which: Beside,
) -> Result<bool> {
    let names = beside::index_names(collection);
    let called = |at: Beside| names.iter().map(|name| beside::index_name(at, name)).collect::<Vec<_>>();
    let swap = query_scalar(texts.statement(sql::SWAP_READ_MODEL));
    let swap = swap.bind(projection).bind(token).bind(beside::table(collection)).bind(which.word());
    Ok(swap.bind(&names).bind(called(which)).bind(called(Beside::Old)).fetch_one(conn).await?)
}
