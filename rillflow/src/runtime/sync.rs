//! Bringing a schema up to date, from any number of processes at once.

use std::collections::HashMap;
use std::time::Duration;

use sqlx::PgConnection;

use super::Core;
use crate::model::Collection;
use crate::sql::{MIGRATIONS, TABLES, Texts};
use crate::storage::schema;
use crate::{Error, Result};

/// How often a process that finds another one changing the schema looks again.
const POLL: Duration = Duration::from_millis(50);

/// What a sync did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SchemaChanges {
    /// Each step taken, in order. Empty when everything was there.
    pub steps: Vec<String>,
}

/// Makes what is missing.
pub(crate) async fn sync(core: &Core, texts: &Texts, collections: &[&'static Collection]) -> Result<SchemaChanges> {
    // a connection of its own: when it closes, for whatever reason, the lock is gone
    let mut conn = core.pool.acquire().await?.detach();
    while !schema::try_lock(&mut conn, texts).await? {
        tokio::time::sleep(POLL).await;
    }
    let mut changes = SchemaChanges::default();
    migrate(&mut conn, texts, &mut changes).await?;
    guard_order(&mut conn, texts).await?;
    for collection in collections {
        sync_collection(&mut conn, texts, collection, &mut changes).await?;
    }
    sqlx::Connection::close(conn).await?;
    Ok(changes)
}

/// Name -> valid, of everything in the schema.
async fn relations(conn: &mut PgConnection, texts: &Texts) -> Result<HashMap<String, bool>> {
    Ok(schema::relations(conn, texts).await?.into_iter().map(|it| (it.name, it.valid)).collect())
}

async fn migrate(conn: &mut PgConnection, texts: &Texts, changes: &mut SchemaChanges) -> Result<()> {
    let there = relations(conn, texts).await?;
    let applied = if there.contains_key("rillflow_migrations") {
        schema::applied(conn, texts).await?
    } else {
        refuse_foreign_tables(texts, &there)?;
        schema::create_schema(conn, texts).await?;
        Vec::new()
    };
    for (version, name, text) in MIGRATIONS.iter().filter(|(version, ..)| !applied.contains(version)) {
        schema::migrate(conn, texts, text).await?;
        changes.steps.push(format!("migration {version:04}_{name}"));
    }
    Ok(())
}

fn refuse_foreign_tables(texts: &Texts, there: &HashMap<String, bool>) -> Result<()> {
    let Some(table) = TABLES.iter().find(|table| there.contains_key(**table)) else { return Ok(()) };
    Err(Error::Schema {
        problem: format!("schema `{}` holds a table `{table}` that rillflow did not make", texts.schema()),
        help: "keep rillflow in a schema of its own: `Store::builder(url).schema(\"rillflow\")`, `--schema rillflow`"
            .to_owned(),
    })
}

/// Refuses a store whose global order could lose events.
async fn guard_order(conn: &mut PgConnection, texts: &Texts) -> Result<()> {
    let guards = schema::order_guards(conn, texts).await?;
    let schema = texts.schema();
    let refuse = |problem: &str, help: String| Err(Error::Schema { problem: problem.to_owned(), help });
    if !guards.one_at_a_time {
        let help = format!("ALTER SEQUENCE \"{schema}\".events_global_seq CACHE 1 INCREMENT 1 NO CYCLE");
        return refuse("the sequence of positions hands them out in blocks, so readers would miss events", help);
    }
    if !guards.never_twice {
        let help = format!(
            "SELECT setval('\"{schema}\".events_global_seq', (SELECT max(global_seq) FROM \"{schema}\".events) + 1000000)"
        );
        return refuse("the sequence of positions is behind the events, so positions would be used twice", help);
    }
    if !guards.others_announced {
        let help = format!(
            "ALTER TABLE \"{schema}\".events ENABLE TRIGGER events_announce; \
             ALTER TABLE \"{schema}\".outbox_messages ENABLE TRIGGER outbox_messages_announce"
        );
        return refuse("a trigger that keeps other software's inserts in order is off", help);
    }
    Ok(())
}

async fn sync_collection(
    conn: &mut PgConnection,
    texts: &Texts,
    collection: &'static Collection,
    changes: &mut SchemaChanges,
) -> Result<()> {
    let there = relations(conn, texts).await?;
    let table = collection.table.trim_start_matches("public.");
    if !there.contains_key(table) {
        schema::create_collection(conn, texts, collection).await?;
        changes.steps.push(format!("collection {} ({} indexes)", collection.name, collection.indexes.len()));
        return Ok(());
    }
    for index in collection.indexes {
        match there.get(index.name) {
            Some(true) => continue,
            Some(false) => schema::drop_index(conn, texts, index.name).await?,
            None => {}
        }
        schema::create_index(conn, texts, index).await?;
        changes.steps.push(format!("index {}", index.name));
    }
    Ok(())
}
