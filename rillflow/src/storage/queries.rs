//! Typed queries: send the const text, hand the rows' bytes to the query.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use super::ask::query_with;
use super::bind::{add_all, arguments};
use super::failure::not_ours;
use super::rows::{Statement, bytes, cells};
use crate::Result;
use crate::model::RawJson;
use crate::model::query::{AsJson, Queries, Query, Row};
use crate::sql::Texts;

/// What a query sends.
pub(crate) fn statement<Out>(texts: &Texts, query: &(impl Query<Out> + ?Sized)) -> Result<Statement> {
    query.check()?;
    Ok(Statement { text: texts.query(query.sql()), arguments: arguments(query.binds())? })
}

/// Runs a query.
pub(crate) async fn run<Out>(conn: &mut PgConnection, texts: &Texts, query: &dyn Query<Out>) -> Result<Out> {
    with_rows(&fetch_all(conn, statement(texts, query)?).await?, |rows| query.decode(rows))
}

/// Runs a query and strings its rows' JSON together, unparsed.
pub(crate) async fn run_json<Out: AsJson>(
    conn: &mut PgConnection,
    texts: &Texts,
    query: &dyn Query<Out>,
) -> Result<RawJson> {
    let found = fetch_all(conn, statement(texts, query)?).await?;
    with_rows(&found, |rows| Out::as_json(query.name(), rows)).map(RawJson::from_text)
}

fn with_rows<T>(found: &[PgRow], make: impl FnOnce(&[Row<'_>]) -> Result<T>) -> Result<T> {
    let cells = found.iter().map(cells).collect::<Result<Vec<_>>>()?;
    let rows: Vec<Row<'_>> = cells.iter().map(|cells| Row::new(cells)).collect();
    make(&rows)
}

/// Runs several queries in one statement.
pub(crate) async fn run_all<Outs>(
    conn: &mut PgConnection,
    texts: &Texts,
    queries: &impl Queries<Outs>,
) -> Result<Outs> {
    let statements = queries.statements()?;
    let keys: Vec<_> = statements.iter().map(|(text, binds)| (*text, binds.len())).collect();
    let mut arguments = arguments(Vec::new())?;
    let number = statements.len();
    statements.into_iter().try_for_each(|(_, binds)| add_all(&mut arguments, binds))?;
    let found = fetch_all(conn, Statement { text: texts.combined(&keys), arguments }).await?;
    let mut records: Vec<Vec<Vec<Option<&[u8]>>>> = vec![Vec::new(); number];
    for row in &found {
        let (at, record) = (row.try_get::<i32, _>(0)?, bytes(row, 1)?.unwrap_or_default());
        let of_query = usize::try_from(at).ok().and_then(|at| records.get_mut(at));
        of_query.ok_or_else(|| not_ours("a row", format_args!("it is of query {at}")))?.push(columns(record)?);
    }
    let rows: Vec<Vec<Row<'_>>> =
        records.iter().map(|records| records.iter().map(|cells| Row::new(cells)).collect()).collect();
    queries.decode(&rows)
}

async fn fetch_all(conn: &mut PgConnection, statement: Statement) -> Result<Vec<PgRow>> {
    Ok(query_with(statement.text, statement.arguments).fetch_all(conn).await?)
}

/// The columns of a value of type `record`: how many, then of each its type, its length (-1 for NULL), its bytes.
fn columns(mut record: &[u8]) -> Result<Vec<Option<&[u8]>>> {
    let number = int(&mut record)?;
    let column = |_| {
        let _type = int(&mut record)?;
        usize::try_from(int(&mut record)?).ok().map(|length| take(&mut record, length)).transpose()
    };
    (0..number).map(column).collect()
}

fn int(rest: &mut &[u8]) -> Result<i32> {
    let bytes = take(rest, 4)?.try_into();
    bytes.map(i32::from_be_bytes).map_err(|e| not_ours("a record", e))
}

fn take<'r>(rest: &mut &'r [u8], length: usize) -> Result<&'r [u8]> {
    let (taken, after) = rest.split_at_checked(length).ok_or_else(|| not_ours("a record", "it ends too early"))?;
    *rest = after;
    Ok(taken)
}
