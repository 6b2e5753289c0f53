use rillflow::{Document, Error, Expected, Lifecycle, SchemaConfig, SchemaPlan, Store, StoreBuilder};
use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::orders::{Customer, CustomerId, SalesProjection, customer, placed};
use crate::support::{Db, TestResult, statements_sent, store_with, until_somebody_waits};

const CONFIG: fn() -> SchemaConfig = SchemaConfig::single_tenant;

/// A note as it was declared first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Document)]
#[document(collection = "notes", gin, index(author, year desc), trigram(author))]
struct Note {
    #[document(id)]
    id: i64,
    #[document(index)]
    title: String,
    author: String,
    year: i32,
}

/// The same collection, declared anew: one index gone, one changed, one new.
mod later {
    use super::*;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Document)]
    #[document(collection = "notes", gin, index(author, year))]
    pub(super) struct Note {
        #[document(id)]
        pub(super) id: i64,
        #[document(unique)]
        pub(super) title: String,
        pub(super) author: String,
        pub(super) year: i32,
    }
}

fn note(id: i64) -> Note {
    Note { id, title: format!("note {id}"), author: "kim".into(), year: 2020 }
}

async fn run(store: &Store, sql: &str) -> sqlx::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(store.pool()).await.map(drop)
}

/// A plan that does not believe what the last sync noted.
async fn plan(store: &Store) -> Result<SchemaPlan, Box<dyn std::error::Error>> {
    run(store, "TRUNCATE rillflow_syncs").await?;
    Ok(store.schema().plan(&CONFIG()).await?)
}

fn descriptions(plan: &SchemaPlan) -> Vec<&str> {
    plan.steps.iter().map(|step| step.description.as_str()).collect()
}

crate::layouts::declared!(Note);

#[tokio::test]
async fn after_a_sync_there_is_nothing_to_plan() -> TestResult {
    let everything =
        |it: StoreBuilder| it.document::<Customer>().document::<Note>().projection::<SalesProjection>(Lifecycle::Async);
    for schema in ["public", "app", "App"] {
        let (_db, store) = store_with(|it| everything(it.schema(schema))).await?;
        run(&store, &format!("TRUNCATE \"{schema}\".rillflow_syncs")).await?;
        let plan = store.schema().plan(&CONFIG()).await?;
        assert!(plan.is_empty() && plan.warnings.is_empty(), "{schema}: {plan}");
        store.schema().assert(&CONFIG()).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_sync_with_nothing_to_do_is_one_statement() -> TestResult {
    let (_db, store) = store_with(|it| it.document::<Customer>().document::<Note>()).await?;
    let fresh = Store::builder(store.pool()).document::<Customer>().document::<Note>().build().await?;
    statements_sent();
    assert_eq!(fresh.schema().sync(&CONFIG()).await?.steps, [] as [String; 0]);
    assert_eq!(statements_sent(), 1);
    fresh.schema().assert(&CONFIG()).await?;
    assert_eq!(statements_sent(), 1);
    Ok(())
}

#[tokio::test]
async fn whatever_is_changed_behind_its_back_is_a_step_and_a_sync_mends_it() -> TestResult {
    let (_db, store) = store_with(|it| it.document::<Customer>().document::<Note>()).await?;
    store.docs().put(&customer(1)).await?;
    let changes = [
        ("ALTER TABLE streams ALTER version DROP NOT NULL", "column streams.version: set NOT NULL"),
        ("ALTER TABLE streams RESET (fillfactor)", "table streams: restore its settings"),
        (
            "ALTER TABLE streams DROP CONSTRAINT streams_version_counts_events",
            "constraint streams_version_counts_events: add",
        ),
        ("ALTER TABLE events ALTER created_at DROP DEFAULT", "column events.created_at: restore its default"),
        (
            "ALTER TABLE events ALTER created_at SET DEFAULT '2000-01-01'",
            "column events.created_at: restore its default",
        ),
        ("ALTER TABLE docs_customers DROP COLUMN deleted_at", "column docs_customers.deleted_at: add"),
        ("DROP INDEX docs_customers_email_idx", "index docs_customers_email_idx: create"),
        ("DROP INDEX events_created_at_brin", "index events_created_at_brin: create"),
        (
            "DROP INDEX docs_customers_email_idx; CREATE INDEX docs_customers_email_idx ON docs_customers (version)",
            "index docs_customers_email_idx: replace by its new definition",
        ),
        (
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'docs_notes_author_trigram_idx'::regclass",
            "index docs_notes_author_trigram_idx: build again, as its build broke off",
        ),
        ("DROP TABLE docs_notes", "table docs_notes: create"),
        ("DROP TABLE stream_aliases", "table stream_aliases: create"),
        ("DROP TRIGGER events_append_only ON events", "trigger events_append_only: create"),
        ("ALTER TABLE events DISABLE TRIGGER events_append_only", "trigger events_append_only: enable"),
        (
            "CREATE OR REPLACE TRIGGER events_append_only BEFORE TRUNCATE ON events \
             FOR EACH STATEMENT EXECUTE FUNCTION rillflow_refuse_change()",
            "trigger events_append_only: restore its definition",
        ),
        (
            "CREATE OR REPLACE FUNCTION rillflow_refuse_change() RETURNS trigger LANGUAGE plpgsql AS \
             'BEGIN RETURN NEW; END'",
            "function rillflow_refuse_change(): restore its definition",
        ),
        ("ALTER FUNCTION rillflow_refuse() RESET search_path", "function rillflow_refuse(): restore its definition"),
        ("ALTER SEQUENCE events_global_seq MAXVALUE 1000000", "sequence events_global_seq: restore its settings"),
    ];
    for (change, step) in changes {
        run(&store, change).await?;
        let planned = store.schema().plan(&CONFIG()).await?;
        assert_eq!(descriptions(&planned), [step], "{change}");
        let Err(Error::SchemaDiffers { plan: found, .. }) = store.schema().assert(&CONFIG()).await else {
            panic!("{change}: nobody noticed")
        };
        assert_eq!(*found, planned);
        assert_eq!(store.schema().sync(&CONFIG()).await?.steps, [step], "{change}");
    }
    let after = plan(&store).await?;
    assert!(after.is_empty(), "{after}");
    assert_eq!(store.docs().count::<Customer>().await?, 1);
    Ok(())
}

#[tokio::test]
async fn what_a_declaration_dropped_is_taken_away_only_when_that_is_allowed() -> TestResult {
    let (db, store) = store_with(|it| it.document::<Note>()).await?;
    store.docs().put(&note(1)).await?;
    run(&store, "ALTER TABLE docs_notes ADD COLUMN old text").await?;
    let later = Store::builder(db.url()).document::<later::Note>().build().await?;
    let planned = later.schema().plan(&CONFIG()).await?;
    let steps = [
        "index docs_notes_author_year_idx: replace by its new definition",
        "index docs_notes_title_key: create",
        "column docs_notes.old: drop, with its data",
        "index docs_notes_author_trigram_idx: drop, nothing declares it any more",
        "index docs_notes_title_idx: drop, nothing declares it any more",
    ];
    assert_eq!(descriptions(&planned), steps);
    assert_eq!(planned.destructive().count(), 3);
    assert!(planned.to_string().contains("(DESTRUCTIVE); locks docs_notes: ACCESS EXCLUSIVE"), "{planned}");

    let changes = later.schema().sync(&CONFIG()).await?;
    assert_eq!((changes.steps, changes.left.len()), (steps[..2].iter().map(|&it| it.to_owned()).collect(), 3));
    statements_sent();
    assert_eq!(later.schema().sync(&CONFIG()).await?.steps, [] as [String; 0]);
    assert_eq!(statements_sent(), 1, "what is left does not slow the next start down");
    assert_eq!(descriptions(&later.schema().plan(&CONFIG()).await?), steps[2..], "and is not forgotten");

    assert_eq!(later.schema().sync(&CONFIG().allow_destructive(true)).await?.steps, steps[2..]);
    assert!(plan(&later).await?.is_empty());
    assert_eq!(later.docs().get::<later::Note>(&1).await?.map(|(note, _)| note.title), Some("note 1".into()));
    Ok(())
}

#[tokio::test]
async fn what_others_add_under_names_of_their_own_is_theirs() -> TestResult {
    let (_db, store) = store_with(|it| it.document::<Customer>()).await?;
    run(
        &store,
        "CREATE TABLE invoices (id int PRIMARY KEY); CREATE INDEX for_the_report ON docs_customers (created_at); \
         ALTER TABLE docs_customers SET (autovacuum_enabled = false); \
         CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; \
         CREATE TRIGGER audit BEFORE UPDATE ON docs_customers FOR EACH ROW EXECUTE FUNCTION audit()",
    )
    .await?;
    let planned = plan(&store).await?;
    assert!(planned.is_empty(), "{planned}");
    Ok(())
}

#[tokio::test]
async fn an_older_program_leaves_what_a_newer_one_made_alone() -> TestResult {
    let (_db, store) = store_with(|it| it.document::<Customer>()).await?;
    run(
        &store,
        "INSERT INTO rillflow_migrations (version, name) VALUES (9999, 'of_tomorrow'); \
         ALTER TABLE streams ADD COLUMN of_tomorrow text; DROP INDEX docs_customers_email_idx; \
         CREATE OR REPLACE FUNCTION rillflow_refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END'",
    )
    .await?;
    let planned = store.schema().plan(&CONFIG()).await?;
    assert_eq!(descriptions(&planned), ["index docs_customers_email_idx: create"]);
    assert!(planned.warnings[0].contains("9999"), "{:?}", planned.warnings);
    store.schema().sync(&CONFIG()).await?;
    assert_eq!(store.schema().sync(&CONFIG()).await?.steps, [] as [String; 0]);
    Ok(())
}

#[tokio::test]
async fn a_collection_that_is_somebody_elses_table_is_refused_by_name_and_nothing_is_made() -> TestResult {
    for theirs in ["CREATE TABLE docs_customers (mine int)", "CREATE VIEW snapshots AS SELECT 1 AS one"] {
        let db = Db::create().await?;
        let store = Store::builder(db.url()).document::<Customer>().build().await?;
        run(&store, theirs).await?;
        let name = theirs.split_whitespace().nth(2).unwrap_or_default();
        for refused in [store.schema().sync(&CONFIG()).await.map(drop), store.schema().plan(&CONFIG()).await.map(drop)]
        {
            let refused = refused.unwrap_err().to_string();
            assert!(refused.contains(&format!("`{name}`")) && refused.contains("--schema"), "{refused}");
        }
        let made: bool =
            sqlx::query_scalar("SELECT to_regclass('streams') IS NOT NULL").fetch_one(store.pool()).await?;
        assert!(!made);
    }
    let (_db, store) = store_with(|it| it).await?;
    run(&store, "CREATE TABLE docs_customers (mine int)").await?;
    let store = Store::builder(store.pool()).document::<Customer>().build().await?;
    let refused = store.schema().sync(&CONFIG()).await.unwrap_err().to_string();
    assert!(refused.contains("`docs_customers`"), "{refused}");
    Ok(())
}

#[tokio::test]
async fn schemas_that_want_the_same_extension_at_the_same_moment_do_not_collide() -> TestResult {
    let db = Db::create().await?;
    let mut syncs = Vec::new();
    for n in 0..6 {
        let builder = Store::builder(db.url()).max_connections(2).schema(&format!("app{n}"));
        let store = builder.document::<Note>().build().await?;
        syncs.push(tokio::spawn(async move { store.schema().sync(&CONFIG()).await }));
    }
    for sync in syncs {
        assert!(!sync.await??.steps.is_empty());
    }
    Ok(())
}

#[tokio::test]
async fn an_index_build_that_is_killed_is_done_again_by_the_next_sync() -> TestResult {
    let (db, store) = store_with(|it| it.document::<Note>()).await?;
    store.docs().put(&note(1)).await?;
    let later = Store::builder(db.url()).document::<later::Note>().build().await?;
    // somebody's open write keeps the build waiting
    let mut open = PgConnection::connect(db.url()).await?;
    sqlx::raw_sql("BEGIN; UPDATE docs_notes SET version = version").execute(&mut open).await?;
    let sync = tokio::spawn(async move { later.schema().sync(&CONFIG()).await });
    until_somebody_waits(store.pool()).await?;
    let killed = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                  WHERE datname = current_database() AND query LIKE '%INDEX CONCURRENTLY%' AND pid <> pg_backend_pid()";
    run(&store, killed).await?;
    let broken = sync.await?.unwrap_err();
    assert!(matches!(&broken, Error::SchemaStep { step, .. } if step.starts_with("index ")), "{broken:?}");
    sqlx::raw_sql("COMMIT").execute(&mut open).await?;

    let later = Store::builder(db.url()).document::<later::Note>().build().await?;
    let repaired = later.schema().sync(&CONFIG().allow_destructive(true)).await?;
    assert!(repaired.left.is_empty());
    assert!(plan(&later).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn an_index_that_stored_documents_do_not_allow_is_an_error_that_names_it() -> TestResult {
    let (db, store) = store_with(|it| it.document::<Note>()).await?;
    store.docs().put(&note(1)).await?;
    store.docs().put(&Note { id: 2, ..note(1) }).await?;
    let later = Store::builder(db.url()).document::<later::Note>().build().await?;
    for _ in 0..2 {
        let error = later.schema().sync(&CONFIG()).await.unwrap_err();
        assert!(matches!(&error, Error::SchemaStep { step, .. } if step.contains("docs_notes_title_key")), "{error:?}");
    }
    assert!(store.docs().delete::<Note>(&2).await?);
    later.schema().sync(&CONFIG()).await?;
    Ok(())
}

#[tokio::test]
async fn a_step_that_locks_a_table_lets_readers_pass_while_it_waits() -> TestResult {
    let (db, store) = store_with(|it| it.document::<Note>()).await?;
    run(&store, "ALTER TABLE docs_notes ALTER version DROP DEFAULT").await?;
    let mut reader = PgConnection::connect(db.url()).await?;
    sqlx::raw_sql("BEGIN; SELECT count(*) FROM docs_notes").execute(&mut reader).await?;

    let syncing = store.clone();
    let sync = tokio::spawn(async move { syncing.schema().sync(&CONFIG()).await });
    until_somebody_waits(store.pool()).await?;
    // behind a lock that waits for ever this would wait for ever
    assert_eq!(store.docs().count::<Note>().await?, 0);
    assert!(!sync.is_finished());
    sqlx::raw_sql("COMMIT").execute(&mut reader).await?;
    assert_eq!(sync.await??.steps, ["column docs_notes.version: restore its default"]);
    Ok(())
}

#[tokio::test]
async fn progress_tells_each_step_before_it_is_taken() -> TestResult {
    let (db, _store) = store_with(|it| it.document::<Note>()).await?;
    let later = Store::builder(db.url()).document::<later::Note>().build().await?;
    let mut told = Vec::new();
    let changes = later
        .schema()
        .sync_with_progress(&CONFIG(), |at| told.push((at.done, at.total, at.step.description.clone())))
        .await?;
    let expected: Vec<_> = changes.steps.iter().enumerate().map(|(n, step)| (n, 2, step.clone())).collect();
    assert_eq!(told, expected);
    Ok(())
}

#[tokio::test]
async fn a_dump_and_a_patch_make_what_a_sync_makes_without_asking_a_database() -> TestResult {
    for schema in ["public", "app"] {
        let builder = |url: &str| Store::builder(url).schema(schema).document::<Customer>().document::<Note>();
        let texts = builder("postgres://nobody.invalid/x").schema_texts()?;

        let db = Db::create().await?;
        let store = builder(db.url()).build().await?;
        run(&store, &texts.dump()).await?;
        let planned = store.schema().plan(&CONFIG()).await?;
        assert!(planned.is_empty(), "{planned}");
        run(&store, &texts.patch()).await?;
        assert_eq!(store.schema().sync(&CONFIG()).await?.steps, [] as [String; 0], "a patch may run again");

        let db = Db::create().await?;
        let bare = Store::builder(db.url()).schema(schema).build().await?;
        bare.schema().sync(&CONFIG()).await?;
        run(&bare, &texts.patch()).await?;
        let planned = builder(db.url()).build().await?.schema().plan(&CONFIG()).await?;
        assert!(planned.is_empty(), "{planned}");
    }
    Ok(())
}

#[tokio::test]
async fn a_plan_run_by_hand_does_what_a_sync_does() -> TestResult {
    let (db, store) = store_with(|it| it.document::<Note>()).await?;
    run(&store, "DROP TABLE snapshots; ALTER TABLE docs_notes DROP COLUMN updated_at").await?;
    let later = Store::builder(db.url()).document::<later::Note>().build().await?;
    let planned = later.schema().plan(&CONFIG()).await?;
    // as psql does it: one statement after another
    for statement in planned.sql().split(";\n") {
        run(&store, statement).await?;
    }
    let after = later.schema().plan(&CONFIG()).await?;
    assert!(after.is_empty(), "{after}");
    Ok(())
}

#[tokio::test]
async fn a_role_that_may_make_nothing_can_look_whether_all_is_there() -> TestResult {
    let (db, store) = store_with(|it| it.document::<Note>()).await?;
    run(
        &store,
        "REVOKE CREATE ON SCHEMA public FROM public; DROP ROLE IF EXISTS schema_looker; CREATE ROLE schema_looker LOGIN; \
         GRANT SELECT ON ALL TABLES IN SCHEMA public TO schema_looker; \
         GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO schema_looker",
    )
    .await?;
    let pool = sqlx::postgres::PgPoolOptions::new()
        .after_connect(|conn, _| {
            Box::pin(async move { sqlx::raw_sql("SET ROLE schema_looker").execute(conn).await.map(drop) })
        })
        .connect(db.url())
        .await?;
    let looker = Store::builder(&pool).document::<Note>().build().await?;
    looker.schema().assert(&CONFIG()).await?;
    assert_eq!(looker.schema().sync(&CONFIG()).await?.steps, [] as [String; 0]);

    let other = Store::builder(&pool).document::<later::Note>().build().await?;
    let refused = other.schema().assert(&CONFIG()).await.unwrap_err();
    assert!(matches!(&refused, Error::Schema { help, .. } if help.contains("may create schemas")), "{refused:?}");
    Ok(())
}

#[tokio::test]
async fn a_read_model_that_was_built_anew_and_swapped_in_is_as_declared() -> TestResult {
    let (_db, store) = store_with(|it| it.projection::<SalesProjection>(Lifecycle::Async)).await?;
    let kim = CustomerId::default();
    store.events().append_stream(uuid::Uuid::now_v7(), Expected::Any, [placed(kim, 1)]).await?;
    store.projections().run_until_idle("customer-sales").await?;
    store.projections().rebuild("customer-sales", |_| {}).await?;
    let planned = plan(&store).await?;
    assert!(planned.is_empty(), "{planned}");
    Ok(())
}
