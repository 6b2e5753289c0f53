//! The schema: what is there, what would be there, and one statement at a time of what is missing.

use sqlx::{AssertSqlSafe, Connection, PgConnection, Postgres, Row, SqlSafeStr, Transaction};
use uuid::Uuid;

use super::ask::{query, query_scalar};
use super::failure;
use crate::model::catalog::{Catalog, Column, Constraint, IndexState, Table, Trigger};
use crate::model::{Collection, Index};
use crate::sql::fold::{Literals, fold};
use crate::sql::wanted::{self, Extensions, Wanted};
use crate::sql::{self, SchemaName, Texts, beside};
use crate::{Error, Result};

/// How a schema is, against how a program left it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct State {
    /// `None` when this program never synced it, or somebody changed it since. `false` when differences were left.
    pub(crate) synced: Option<bool>,
    pub(crate) order: OrderGuards,
}

/// What the global order rests on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OrderGuards {
    pub(crate) one_at_a_time: bool,
    pub(crate) never_twice: bool,
    pub(crate) others_announced: bool,
}

/// Looks at a schema: one statement. `None` when it does not hold what this version needs to look.
pub(crate) async fn state(conn: &mut PgConnection, texts: &Texts, wanted: Wanted<'_>) -> Result<Option<State>> {
    let look = query(texts.statement(sql::SCHEMA_STATE)).bind(wanted.fingerprint()).persistent(false);
    let row = match look.fetch_one(conn).await.map_err(Error::from) {
        Err(Error::Schema { .. }) => return Ok(None),
        row => row?,
    };
    let order =
        OrderGuards { one_at_a_time: row.try_get(1)?, never_twice: row.try_get(2)?, others_announced: row.try_get(3)? };
    Ok(Some(State { synced: row.try_get(0)?, order }))
}

/// Notes how a sync left the schema.
pub(crate) async fn record(
    conn: &mut PgConnection,
    texts: &Texts,
    wanted: Wanted<'_>,
    relations: &[String],
    complete: bool,
) -> Result<()> {
    let query = query(texts.statement(sql::RECORD_SYNC)).bind(wanted.fingerprint()).bind(relations).bind(complete);
    query.execute(conn).await?;
    Ok(())
}

/// Tries to become the only one who changes the schema, until `conn` closes.
pub(crate) async fn try_lock(conn: &mut PgConnection, texts: &Texts) -> Result<bool> {
    let query = query_scalar(texts.statement(sql::LOCK_SCHEMA)).bind(texts.schema().as_str());
    Ok(query.fetch_one(conn).await?)
}

/// The names of all tables, sequences, views and indexes of the schema.
pub(crate) async fn relations(conn: &mut PgConnection, texts: &Texts) -> Result<Vec<String>> {
    let query = query_scalar(texts.statement(sql::SCHEMA_RELATIONS)).bind(texts.schema().as_str());
    Ok(query.fetch_all(conn).await?)
}

/// Whether the schema is shared by tenants; `None` when it holds no store.
pub(crate) async fn has_tenant_column(conn: &mut PgConnection, texts: &Texts) -> Result<Option<bool>> {
    Ok(query_scalar(texts.statement(sql::HAS_TENANT_COLUMN)).fetch_one(conn).await?)
}

/// The migrations applied so far.
pub(crate) async fn applied(conn: &mut PgConnection, texts: &Texts) -> Result<Vec<i64>> {
    Ok(query_scalar(texts.statement(sql::APPLIED_MIGRATIONS)).fetch_all(conn).await?)
}

/// The schemas of those extensions that are there.
pub(crate) async fn extensions(conn: &mut PgConnection, texts: &Texts, names: &[&str]) -> Result<Extensions> {
    if names.is_empty() {
        return Ok(Extensions::new());
    }
    let rows = query(texts.statement(sql::EXTENSION_SCHEMAS)).bind(names).fetch_all(conn).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// Runs one statement of a step; several commands in one are one transaction.
///
/// # Errors
///
/// [`Error::Contention`] when a lock was not to be had for `lock_timeout`.
pub(crate) async fn run(conn: &mut PgConnection, statement: &str) -> Result<()> {
    // audited: put together from texts of this program, validated names, and PostgreSQL's own words, quoted by it
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned()).into_sql_str()).execute(conn).await?;
    Ok(())
}

/// As [`run`], for texts that make everything anew: a table that is there already is somebody else's.
pub(crate) async fn create(conn: &mut PgConnection, texts: &Texts, statements: &str) -> Result<()> {
    let created = sqlx::raw_sql(AssertSqlSafe(statements.to_owned()).into_sql_str()).execute(conn).await;
    created.map(drop).map_err(|error| failure::of_creation(error, texts.schema().as_str()))
}

/// How long the statements of a session wait for a lock; 0 is for ever.
pub(crate) async fn set_lock_timeout(conn: &mut PgConnection, milliseconds: u64) -> Result<()> {
    run(conn, &format!("SET lock_timeout = {milliseconds}")).await
}

/// What is wanted, made in a schema that nobody else ever sees, next to what there is.
pub(crate) struct Scratch<'c> {
    tx: Transaction<'c, Postgres>,
    name: SchemaName,
    texts: Texts,
    live: SchemaName,
}

impl<'c> Scratch<'c> {
    /// Begins a transaction that will be rolled back, next to the schema of these texts. Locks nothing that others use.
    ///
    /// # Errors
    ///
    /// [`Error::Schema`] when this role may not create a schema.
    pub(crate) async fn begin(conn: &'c mut PgConnection, live: &Texts) -> Result<Self> {
        let name = SchemaName::new(&format!("rillflow_plan_{}", Uuid::new_v4().simple()))?;
        let mut tx = conn.begin().await?;
        // with an empty path PostgreSQL names the schema of whatever it puts into words
        let begin = format!("CREATE SCHEMA {}; SET LOCAL search_path = ''", name.quoted());
        let begun = sqlx::raw_sql(AssertSqlSafe(begin).into_sql_str()).execute(&mut *tx).await;
        begun.map_err(failure::of_scratch)?;
        Ok(Self { tx, texts: live.elsewhere(name.clone()), name, live: live.schema().clone() })
    }

    /// Applies a migration here.
    pub(crate) async fn migrate(&mut self, migration: &str) -> Result<()> {
        let text = self.texts.qualify(migration);
        run(&mut self.tx, &text).await
    }

    /// Makes what the collections declare.
    pub(crate) async fn collect(&mut self, wanted: Wanted<'_>, there: &Extensions) -> Result<()> {
        let extensions = wanted.missing_extensions(there).into_iter().flat_map(|step| step.statements);
        let collections = wanted.collections.iter().flat_map(|it| self.statements(it, there));
        let keys = wanted.foreign_keys().map(|key| self.texts.query(key.add).as_str().to_owned());
        let all: Vec<_> = extensions.chain(collections).chain(keys).collect();
        run(&mut self.tx, &all.join(";\n")).await
    }

    /// Gives what was made so far a column for the tenant, when it is to have one.
    pub(crate) async fn tenancy(&mut self, wanted: Wanted<'_>) -> Result<()> {
        match wanted.tenancy(&self.texts) {
            Some(tenancy) => run(&mut self.tx, &tenancy).await,
            None => Ok(()),
        }
    }

    fn statements(&self, collection: &'static Collection, there: &Extensions) -> Vec<String> {
        wanted::collection_statements(&self.texts, collection, there)
    }

    /// What was made so far.
    pub(crate) async fn made(&mut self) -> Result<Catalog> {
        let schemas = [&self.name, &self.live];
        read(&mut self.tx, &self.name, &schemas, None).await
    }

    /// What the live schema holds under these names.
    pub(crate) async fn found(&mut self, relations: &[String]) -> Result<Catalog> {
        read(&mut self.tx, &self.live, &[&self.live], Some(relations)).await
    }

    /// Forgets what was made.
    pub(crate) async fn end(self) -> Result<()> {
        Ok(self.tx.rollback().await?)
    }
}

async fn read(
    conn: &mut PgConnection,
    schema: &SchemaName,
    folded: &[&SchemaName],
    relations: Option<&[String]>,
) -> Result<Catalog> {
    let query = query(sql::SCHEMA_CATALOG).bind(schema.as_str()).bind(relations).persistent(false);
    let mut catalog = Catalog::default();
    for row in query.fetch_all(conn).await? {
        let row = CatalogRow {
            kind: row.try_get(0)?,
            relation: row.try_get(1)?,
            name: row.try_get(2)?,
            definition: row.try_get(3)?,
            clause: row.try_get(4)?,
            flag: row.try_get(5)?,
        };
        row.put_into(&mut catalog, folded);
    }
    Ok(catalog)
}

struct CatalogRow {
    kind: String,
    relation: String,
    name: String,
    definition: String,
    clause: Option<String>,
    flag: bool,
}

impl CatalogRow {
    fn put_into(self, catalog: &mut Catalog, schemas: &[&SchemaName]) {
        let words = |list: &str| list.split(',').filter(|it| !it.is_empty()).map(str::to_owned).collect();
        let definition = fold(&self.definition, schemas, Literals::Kept);
        let (name, clause) = (self.name, self.clause.map(|clause| fold(&clause, schemas, Literals::Kept)));
        if self.kind == "function" {
            catalog.functions.insert(name, fold(&self.definition, schemas, Literals::Folded));
            return;
        }
        if self.kind == "sequence" {
            catalog.sequences.insert(name, definition);
            return;
        }
        let table: &mut Table = catalog.tables.entry(self.relation).or_default();
        match self.kind.as_str() {
            "table" => {
                table.options = words(&self.definition);
                table.row_security = words(clause.as_deref().unwrap_or_default());
            }
            "column" => table.columns.push(Column { name, data_type: definition, not_null: self.flag, clause }),
            "constraint" => {
                let kind = clause.as_deref();
                let (foreign_key, checked_later) = (kind == Some("f"), matches!(kind, Some("f" | "c")));
                table.constraints.insert(name, Constraint { definition, foreign_key, checked_later });
            }
            "policy" => drop(table.policies.insert(name, definition)),
            "index" => drop(table.indexes.insert(name, IndexState { definition, valid: self.flag })),
            _ => drop(table.triggers.insert(name, Trigger { definition, enabled: self.flag })),
        }
    }
}

/// Builds an index on the table that is built beside a collection's own.
pub(crate) async fn create_index_beside(
    conn: &mut PgConnection,
    texts: &Texts,
    collection: &'static Collection,
    index: &'static Index,
) -> Result<()> {
    let required: Vec<_> = index.requires.into_iter().collect();
    let there = extensions(conn, texts, &required).await?;
    let statement = wanted::index_statement(texts, index, &there);
    run(conn, &beside::index(&statement, index, collection)).await
}
