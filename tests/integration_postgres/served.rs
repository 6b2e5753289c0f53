//! Every compiled query of these tests is explained among many documents, and an index must serve it.
//!
//! A module names its queries with arguments that find few, once: `served!(by_email("c7@example.com"), ..)`; and a
//! document that has no collection here yet: `many!(Book, 20_000, |n| book(n))`. A query that nobody named, and that does
//! not say `allow(scan)`, fails the test.

use std::collections::BTreeSet;
use std::pin::Pin;

use rillflow::testing::TestDatabase;
use rillflow::{Document, Query, Store, StoreBuilder};

use crate::support::TestResult;

type Working<'s, T> = Pin<Box<dyn Future<Output = rillflow::Result<T>> + 's>>;

type Explain = Box<dyn FnOnce(&Store) -> Working<'_, String>>;

/// A compiled query with its arguments.
pub(crate) struct Explained {
    name: &'static str,
    explain: Explain,
}

impl Explained {
    pub(crate) fn new<Out: 'static>(query: impl Query<Out> + 'static) -> Self {
        let name = query.name();
        Self { name, explain: Box::new(move |store| Box::pin(store.explain(query))) }
    }
}

/// The compiled queries of a module.
pub(crate) struct Served {
    pub(crate) module: &'static str,
    pub(crate) queries: fn() -> Vec<Explained>,
}

/// A collection, and how it is filled.
pub(crate) struct Many {
    pub(crate) register: fn(StoreBuilder) -> StoreBuilder,
    pub(crate) fill: fn(&Store) -> Working<'_, ()>,
}

/// Fills a collection by COPY.
pub(crate) async fn fill<D: Document + Sync>(store: &Store, number: i64, make: fn(i64) -> D) -> rillflow::Result<()> {
    store.docs().bulk_insert((0..number).map(make)).run().await.map(drop)
}

inventory::collect!(Served);
inventory::collect!(Many);

/// Names compiled queries, with arguments that find few documents of many.
macro_rules! served {
    ($($query:expr),* $(,)?) => {
        inventory::submit! {
            crate::served::Served {
                module: module_path!(),
                queries: || vec![$(crate::served::Explained::new($query)),*],
            }
        }
    };
}
pub(crate) use served;

/// Fills a collection with so many documents.
macro_rules! many {
    ($document:ident, $number:expr, $make:expr) => {
        crate::layouts::declared!($document);
        inventory::submit! {
            crate::served::Many {
                register: |it| it.document::<$document>(),
                fill: |store| Box::pin(crate::served::fill::<$document>(store, $number, $make)),
            }
        }
    };
}
pub(crate) use many;

/// `(module, function)` of each `#[compiled_query]` here that does not allow a scan, read from the sources.
fn written() -> std::io::Result<BTreeSet<(String, String)>> {
    let mut found = BTreeSet::new();
    for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/integration_postgres"))? {
        let file = file?.path();
        let module = file.file_stem().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default();
        if file.extension().is_none_or(|it| it != "rs") {
            continue;
        }
        let source = std::fs::read_to_string(&file)?;
        let mut lines = source.lines();
        while let Some(line) = lines.next() {
            if line.trim_start().starts_with("#[compiled_query") && !line.contains("scan") {
                let function = lines.find_map(|line| line.split_once("fn ")?.1.split_once(['(', '<']));
                found.extend(function.map(|(name, _)| (module.clone(), name.to_owned())));
            }
        }
    }
    Ok(found)
}

#[tokio::test]
async fn every_compiled_query_is_served_by_an_index_unless_it_says_otherwise() -> TestResult {
    let db = TestDatabase::create().await?;
    let many = || inventory::iter::<Many>.into_iter();
    let store = many().fold(Store::builder(db.url()), |builder, it| (it.register)(builder)).build().await?;
    store.schema().sync(&Default::default()).await?;
    for collection in many() {
        (collection.fill)(&store).await?;
    }
    // what waits to be put into a GIN index is searched as it lies, and the planner knows
    sqlx::raw_sql("VACUUM ANALYZE").execute(store.pool()).await?;

    let (mut missing, mut wrong) = (written()?, Vec::new());
    for served in inventory::iter::<Served> {
        let module = served.module.split("::").nth(1).unwrap_or_default();
        for query in (served.queries)() {
            let name = format!("{module}::{}", query.name);
            missing.remove(&(module.to_owned(), query.name.to_owned()));
            let plan = (query.explain)(&store).await?;
            if !plan.contains("Index") || plan.contains("Seq Scan") {
                wrong.push(format!("{name}:\n{plan}"));
            }
        }
    }
    assert!(missing.is_empty(), "name them in `served!(..)` of their module: {missing:?}");
    assert!(wrong.is_empty(), "no index serves\n{}", wrong.join("\n\n"));
    Ok(())
}
