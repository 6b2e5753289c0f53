//! Of which version the read models of inline projections are.

use sqlx::PgConnection;

use super::ask::{query, query_as};
use crate::Result;
use crate::model::{Collection, Registered};
use crate::sql::{self, Texts};

/// Notes of which version a read model is, where nobody did.
pub(crate) async fn register(
    conn: &mut PgConnection,
    texts: &Texts,
    registered: &Registered,
    collection: &'static Collection,
) -> Result<()> {
    let types: Vec<&str> = registered.types.iter().flat_map(|types| types.iter()).map(|name| &**name).collect();
    let query = query(texts.of(sql::REGISTER_INLINE, collection));
    query.bind(&*registered.name).bind(registered.version).bind(types).execute(conn).await?;
    Ok(())
}

/// Of which version each of these is, in no order; `None` where nobody noted it.
pub(crate) async fn versions(
    conn: &mut PgConnection,
    texts: &Texts,
    names: &[&str],
) -> Result<Vec<(String, Option<i32>)>> {
    Ok(query_as(texts.statement(sql::INLINE_VERSIONS)).bind(names).fetch_all(conn).await?)
}

/// All that are known, by name, and of which version each is.
pub(crate) async fn models(conn: &mut PgConnection, texts: &Texts) -> Result<Vec<(String, i32)>> {
    Ok(query_as(texts.statement(sql::INLINE_MODELS)).fetch_all(conn).await?)
}

/// Notes of which version a read model is now. `false`: it was not of the version that it must be of.
pub(crate) async fn replaced(
    conn: &mut PgConnection,
    texts: &Texts,
    name: &str,
    version: i32,
    from: Option<i32>,
) -> Result<bool> {
    let query = query(texts.statement(sql::REPLACE_INLINE)).bind(name).bind(version).bind(from);
    Ok(query.fetch_optional(conn).await?.is_some())
}
