//! What has to be done to a schema: what a program wants is made aside and compared with what there is.

use sqlx::PgConnection;

use super::Core;
use crate::model::catalog::Catalog;
use crate::model::{SchemaPlan, SchemaStep};
use crate::sql::difference::difference;
use crate::sql::wanted::{self, Extensions, Wanted};
use crate::sql::{MIGRATIONS, Migration, Texts};
use crate::storage::schema::{self, OrderGuards, Scratch};
use crate::{Error, Result};

/// What a comparison finds.
pub(super) enum Found {
    /// Nothing of ours: the steps that make everything.
    Nothing(Vec<SchemaStep>),
    /// What is to be done, and the relations that were looked at.
    Something(SchemaPlan, Vec<String>),
}

/// Plans, and changes nothing.
pub(crate) async fn plan(core: &Core, texts: &Texts, wanted: Wanted<'_>) -> Result<SchemaPlan> {
    let mut conn = core.pool.acquire().await?;
    conn.close_on_drop(); // given up on in the middle, nobody knows which transaction is open
    let state = schema::state(&mut conn, texts, wanted).await?;
    let refused = state.and_then(|state| refusal(texts, state.order));
    let mut plan = match state.and_then(|state| state.synced) {
        Some(true) => SchemaPlan::default(),
        _ => match compare(&mut conn, texts, wanted).await? {
            Found::Nothing(steps) => SchemaPlan { steps, warnings: Vec::new() },
            Found::Something(plan, _) => plan,
        },
    };
    plan.warnings.extend(refused.map(|refusal| refusal.to_string()));
    Ok(plan)
}

/// Fails with the differences when there are any.
pub(crate) async fn assert(core: &Core, texts: &Texts, wanted: Wanted<'_>) -> Result<()> {
    let plan = plan(core, texts, wanted).await?;
    if plan.is_empty() && plan.warnings.is_empty() {
        return Ok(());
    }
    Err(Error::SchemaDiffers { schema: texts.schema().to_string(), plan: plan.into() })
}

/// Whether this schema is shared by tenants is settled when it is made: neither kind becomes the other by a sync.
async fn refuse_other_tenancy(conn: &mut PgConnection, texts: &Texts, wanted: Wanted<'_>) -> Result<()> {
    let (problem, help) = match (schema::has_tenant_column(conn, texts).await?, wanted.tenant_column) {
        (Some(false), true) => (
            "is a store's of its own, and no tenants share it",
            "name another schema by `Store::builder(..).schema(..)` and copy what is here to one tenant; or open this \
             one without `TenancyMode::TenantColumn`",
        ),
        (Some(true), false) => (
            "is shared by tenants, each row being one's",
            "open it by `Store::builder(..).tenants(TenancyMode::TenantColumn)`; or name another schema",
        ),
        _ => return Ok(()),
    };
    Err(Error::Schema { problem: format!("schema `{}` {problem}", texts.schema()), help: help.to_owned() })
}

/// Makes what is wanted aside, and compares.
pub(super) async fn compare(conn: &mut PgConnection, texts: &Texts, wanted: Wanted<'_>) -> Result<Found> {
    refuse_other_tenancy(conn, texts, wanted).await?;
    let there = schema::relations(conn, texts).await?;
    let extensions = schema::extensions(conn, texts, &wanted.extensions()).await?;
    if !there.iter().any(|name| name == "rillflow_migrations") {
        refuse_tables(texts, &there, MIGRATIONS.iter().flat_map(|(.., text)| wanted::tables_of(text)))?;
        refuse_tables(texts, &there, wanted.collections.iter().map(|it| wanted::table_of(it)))?;
        return Ok(Found::Nothing(wanted.all_steps(texts, &extensions)));
    }
    let applied = schema::applied(conn, texts).await?;
    let (done, pending): (Vec<&Migration>, Vec<&Migration>) =
        MIGRATIONS.iter().partition(|(version, ..)| applied.contains(version));
    refuse_tables(texts, &there, pending.iter().flat_map(|(.., text)| wanted::tables_of(text)))?;

    let newer = applied.iter().find(|it| MIGRATIONS.iter().all(|(version, ..)| version != *it));
    let mut scratch = Scratch::begin(conn, texts).await?;
    let shape = shape(&mut scratch, &done, &pending, wanted, &extensions, newer.is_some()).await?;
    let mut live = scratch.found(&shape.relations()).await?;
    if newer.is_some() {
        live.functions.clear(); // what they have become is not known here
    }
    scratch.end().await?;

    refuse_collections(texts, &there, &live, wanted)?;
    let mut steps = wanted.migration_steps(texts, &pending);
    steps.extend(wanted.missing_extensions(&extensions));
    steps.extend(difference(&live, &shape, texts.schema()));
    let warnings = newer.map(|version| {
        format!("a newer rillflow made this schema (migration {version}): only this program's documents were compared")
    });
    let warnings = warnings.into_iter().collect();
    Ok(Found::Something(SchemaPlan { steps, warnings }, shape.relations()))
}

/// What the schema should be before the pending migrations, and with the collections as they are to be after them.
async fn shape(
    scratch: &mut Scratch<'_>,
    done: &[&Migration],
    pending: &[&Migration],
    wanted: Wanted<'_>,
    extensions: &Extensions,
    newer: bool,
) -> Result<Catalog> {
    for (.., text) in done {
        scratch.migrate(text).await?;
    }
    scratch.tenancy(wanted).await?;
    let mut shape = scratch.made().await?;
    let mut migrated = shape.clone();
    if !pending.is_empty() {
        for (.., text) in pending {
            scratch.migrate(text).await?;
        }
        scratch.tenancy(wanted).await?;
        migrated = scratch.made().await?;
    }
    if newer {
        shape = Catalog::default();
    }
    if !wanted.collections.is_empty() {
        scratch.collect(wanted, extensions).await?;
        scratch.tenancy(wanted).await?;
        shape.extend_with_new(scratch.made().await?, &migrated);
    }
    Ok(shape)
}

fn refuse_tables<'n>(texts: &Texts, there: &[String], mut tables: impl Iterator<Item = &'n str>) -> Result<()> {
    match tables.find(|table| there.iter().any(|it| it == table)) {
        Some(table) => Err(Error::foreign_table(texts.schema().as_str(), table)),
        None => Ok(()),
    }
}

/// A table of a collection's name that no collection could be.
fn refuse_collections(texts: &Texts, there: &[String], live: &Catalog, wanted: Wanted<'_>) -> Result<()> {
    let foreign = wanted.collections.iter().map(|it| wanted::table_of(it)).filter(|table| {
        let is_collection = live
            .tables
            .get(*table)
            .is_some_and(|it| ["id", "doc", "version"].iter().all(|name| it.column(name).is_some()));
        !is_collection
    });
    refuse_tables(texts, there, foreign)
}

/// Why a store must not run here: its global order could lose events.
pub(super) fn refusal(texts: &Texts, order: OrderGuards) -> Option<Error> {
    let schema = texts.schema();
    let refuse = |problem: &str, help: String| Some(Error::Schema { problem: problem.to_owned(), help });
    if !order.one_at_a_time {
        let help = format!("ALTER SEQUENCE \"{schema}\".events_global_seq CACHE 1 INCREMENT 1 NO CYCLE");
        return refuse("the sequence of positions hands them out in blocks, so readers would miss events", help);
    }
    if !order.never_twice {
        let help = format!(
            "SELECT setval('\"{schema}\".events_global_seq', (SELECT max(global_seq) FROM \"{schema}\".events) + 1000000)"
        );
        return refuse("the sequence of positions is behind the events, so positions would be used twice", help);
    }
    if !order.others_announced {
        let help = format!(
            "ALTER TABLE \"{schema}\".events ENABLE TRIGGER events_announce; \
             ALTER TABLE \"{schema}\".outbox_messages ENABLE TRIGGER outbox_messages_announce"
        );
        return refuse("a trigger that keeps other software's inserts in order is off", help);
    }
    None
}
