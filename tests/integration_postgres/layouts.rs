//! Every way to make a schema makes the same one, and the suite runs on each: `RILLFLOW_TEST_LAYOUT=sync`, `cli` or `sqlx`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
#[cfg(feature = "cli")]
use std::process::Command;

use rillflow::{SchemaConfig, Store, StoreBuilder};
use sqlx::{AssertSqlSafe, PgPool};

use crate::orders::Customer;
use crate::support::{Db, TestResult};

/// Who makes the tables.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Layout {
    /// `store.schema().sync(..)`.
    Sync,
    /// The stock binary's `schema sync`, and the patch of the documents, which it does not know.
    #[cfg(feature = "cli")]
    Cli,
    /// What `sqlx migrate run` does with `migrations/`, and the patch. The files are written for `public`.
    Sqlx,
}

impl Layout {
    /// The one that this run was asked for.
    pub(crate) fn of_this_run() -> Self {
        match std::env::var("RILLFLOW_TEST_LAYOUT").as_deref() {
            Err(_) | Ok("sync") => Self::Sync,
            #[cfg(feature = "cli")]
            Ok("cli") => Self::Cli,
            Ok("sqlx") => Self::Sqlx,
            Ok(other) => panic!("RILLFLOW_TEST_LAYOUT={other} is unknown: sync, sqlx or, with the feature `cli`, cli"),
        }
    }

    /// Makes the schema of a store on a database.
    #[cfg_attr(not(feature = "cli"), allow(unused_variables, reason = "the command line alone is told where it is"))]
    pub(crate) async fn make(self, store: &Store, url: &str) -> TestResult {
        match self {
            Self::Sync => return Ok(store.schema().sync(&SchemaConfig::single_tenant()).await.map(drop)?),
            #[cfg(feature = "cli")]
            Self::Cli => {
                let mut stock = Command::new(env!("CARGO_BIN_EXE_rillflow-stock"));
                let synced = stock.args(["schema", "sync", "--database-url", url, "--schema", store.schema_name()]);
                let synced = synced.output()?;
                assert!(synced.status.success(), "{synced:?}");
            }
            Self::Sqlx if store.schema_name() == "public" => {
                let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../migrations"));
                sqlx::migrate::Migrator::new(folder).await?.run(store.pool()).await?;
            }
            Self::Sqlx => return Ok(store.schema().sync(&SchemaConfig::single_tenant()).await.map(drop)?),
        }
        sqlx::raw_sql(AssertSqlSafe(store.schema().texts_alone().patch())).execute(store.pool()).await?;
        Ok(())
    }
}

/// A document of these tests.
pub(crate) struct Declared {
    /// Its path.
    pub(crate) document: fn() -> &'static str,
    pub(crate) table: &'static str,
    /// The tables that it references.
    pub(crate) references: fn() -> Vec<&'static str>,
    pub(crate) register: Register,
}

type Register = fn(StoreBuilder) -> StoreBuilder;

inventory::collect!(Declared);

/// Names documents of a module, each once; `many!` does it too.
macro_rules! declared {
    ($($document:ident),+) => {$(
        inventory::submit! {
            crate::layouts::Declared {
                document: std::any::type_name::<$document>,
                table: <$document as rillflow::Document>::COLLECTION.table,
                references: || {
                    let keys = <$document as rillflow::Document>::COLLECTION.foreign_keys;
                    keys.iter().map(|it| it.references).collect()
                },
                register: |it| it.document::<$document>(),
            }
        }
    )+};
}
pub(crate) use declared;

/// `(module, type)` of everything here that derives `Document`, read from the sources.
fn derived() -> Result<BTreeSet<(String, String)>, Box<dyn std::error::Error>> {
    let mut found = BTreeSet::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("integration_postgres")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let file = entry?.path();
            if file.is_dir() {
                folders.push(file);
                continue;
            }
            let module = file.file_stem().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default();
            let source = std::fs::read_to_string(&file)?;
            let mut lines = source.lines();
            while let Some(line) = lines.next() {
                let derives = line.trim_start().strip_prefix("#[derive(").and_then(|it| it.strip_suffix(")]"));
                if derives.is_some_and(|it| it.split(", ").any(|derive| derive == "Document")) {
                    let name = lines.find_map(|line| line.split_once("struct ")?.1.split([' ', '<', ';', '(']).next());
                    // what a macro of theirs names is named where it is called
                    let name = name.filter(|name| !name.starts_with('$'));
                    found.extend(name.map(|name| (module.clone(), name.to_owned())));
                }
            }
        }
    }
    Ok(found)
}

#[tokio::test]
async fn every_document_of_the_suite_is_synced_in_one_store_and_then_nothing_is_to_be_done() -> TestResult {
    let mut missing = derived()?;
    // one store has a name once: what is declared a second time under it goes into a second schema
    let mut stores: Vec<BTreeMap<&str, &Declared>> = Vec::new();
    for declared in inventory::iter::<Declared> {
        let path: Vec<_> = (declared.document)().split("::").collect();
        let is_it = |(module, name): &(String, String)| path.contains(&&**module) && path.last() == Some(&&**name);
        missing.retain(|it| !is_it(it));
        let at = stores.iter().position(|it| !it.contains_key(declared.table)).unwrap_or(stores.len());
        if at == stores.len() {
            stores.push(BTreeMap::new());
        }
        stores[at].insert(declared.table, declared);
    }
    assert!(missing.is_empty(), "name them in `declared!(..)` of their module: {missing:?}");
    assert!(stores[0].len() > 20, "{:?}", stores[0].keys());
    let (first, later) = stores.split_at_mut(1);
    for documents in later {
        let referenced: Vec<_> = documents.values().flat_map(|it| (it.references)()).collect();
        for table in referenced {
            if let Some(&declared) = first[0].get(table) {
                documents.entry(table).or_insert(declared);
            }
        }
    }

    let db = Db::create().await?;
    for (number, documents) in stores.iter().enumerate() {
        let builder = Store::builder(db.url()).schema(&format!("part_{number}"));
        let store = documents.values().fold(builder, |builder, it| (it.register)(builder)).build().await?;
        store.schema().sync(&SchemaConfig::single_tenant()).await?;
        // so that it is compared, not remembered
        sqlx::raw_sql(AssertSqlSafe(format!("TRUNCATE part_{number}.rillflow_syncs"))).execute(store.pool()).await?;
        let planned = store.schema().plan(&SchemaConfig::single_tenant()).await?;
        assert!(planned.is_empty(), "{planned}");
    }
    Ok(())
}

/// Everything in the schema `public`, in PostgreSQL's own words.
async fn catalog(pool: &PgPool) -> sqlx::Result<Vec<String>> {
    let everything = "\
        SELECT format('%s.%s %s %s %s', table_name, column_name, data_type, is_nullable, column_default) \
        FROM information_schema.columns WHERE table_schema = 'public' \
        UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' \
        UNION ALL SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) \
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace \
        UNION ALL SELECT pg_get_triggerdef(oid) || tgenabled::text FROM pg_trigger WHERE NOT tgisinternal \
        UNION ALL SELECT pg_get_functiondef(it.oid) FROM pg_proc it WHERE it.pronamespace = 'public'::regnamespace \
        AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = it.oid AND deptype = 'e') \
        UNION ALL SELECT sequence::text FROM pg_sequences sequence WHERE schemaname = 'public' \
        UNION ALL SELECT relname || reloptions::text FROM pg_class WHERE relnamespace = 'public'::regnamespace \
        UNION ALL SELECT policy::text FROM pg_policies policy WHERE schemaname = 'public' \
        ORDER BY 1";
    let found: Vec<Option<String>> = sqlx::query_scalar(everything).fetch_all(pool).await?;
    Ok(found.into_iter().flatten().filter(|it| !it.contains("_sqlx_migrations")).collect())
}

#[tokio::test]
async fn the_command_line_and_plain_migrations_make_what_a_sync_makes() -> TestResult {
    let mut catalogs = Vec::new();
    let layouts = [
        Layout::Sync,
        #[cfg(feature = "cli")]
        Layout::Cli,
        Layout::Sqlx,
    ];
    for layout in layouts {
        let db = Db::create().await?;
        let store = Store::builder(db.url()).document::<Customer>().build().await?;
        layout.make(&store, db.url()).await?;
        let made = catalog(store.pool()).await?;
        assert_eq!(store.schema().sync(&SchemaConfig::single_tenant()).await?.steps, [] as [String; 0], "{layout:?}");
        catalogs.push((layout, made));
    }
    for (layout, made) in &catalogs[1..] {
        assert_eq!(*made, catalogs[0].1, "{layout:?}");
    }
    Ok(())
}
