//! `rillflow docs`.

mod advice;
mod predicate;

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::connect::Session;
use super::failure::Failure;
use super::out::{maybe, moment};
use super::{Done, Ran};
use crate::Store;
use crate::query::{DynamicQuery, Predicate, SortDirection};
use crate::storage::named::{self, Named, Stored};

/// What to do with documents. `COLLECTION` is a name such as `customers`; `docs` holds the documents of no declared type.
#[derive(Debug, Subcommand)]
pub(super) enum Docs {
    /// The collections: ids, size, how they are read.
    Collections,
    /// A document by id, deleted or not.
    Get(One),
    /// Documents by what they hold.
    Query(Query),
    /// Store a document of no declared type, in the collection `docs`.
    Put {
        /// Its id.
        id: Uuid,
        /// The document, as JSON.
        document: String,
    },
    /// Mark a document as deleted.
    SoftDelete(One),
    /// Bring a deleted document back.
    Restore(One),
    /// Say which indexes a collection lacks, and which it does not use.
    #[command(alias = "index-advisor")]
    IndexAdvice(advice::Advice),
}

/// One document.
#[derive(Debug, Args)]
pub(super) struct One {
    /// The collection.
    collection: String,
    /// The document's id.
    id: String,
}

/// Which documents.
#[derive(Debug, Args)]
pub(super) struct Query {
    /// The collection.
    pub(super) collection: String,
    /// A condition such as `status=active`, `score>=5`, `address.city!=Oslo`, `tags~vip` (contains), `email?` (is
    /// there). The value is JSON, or else a text. Several must all hold.
    #[arg(long = "filter", short, value_name = "CONDITION", value_parser = predicate::parse)]
    pub(super) filters: Vec<Predicate>,
    /// An order such as `score` or `score:desc`; may be given several times.
    #[arg(long, value_name = "PATH[:desc]", value_parser = predicate::parse_order)]
    pub(super) order: Vec<(String, Direction)>,
    /// How many at most.
    #[arg(long, default_value_t = 25, value_parser = clap::value_parser!(i64).range(0..))]
    limit: i64,
    /// Pass over so many first.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(i64).range(0..))]
    offset: i64,
    /// Only these fields, by path; may be given several times.
    #[arg(long, value_name = "PATH")]
    select: Vec<String>,
    /// Soft-deleted documents too.
    #[arg(long)]
    include_deleted: bool,
    /// Only say how many there are.
    #[arg(long, conflicts_with_all = ["select", "explain"])]
    count: bool,
    /// Only say how PostgreSQL would find them.
    #[arg(long)]
    explain: bool,
}

/// Which way an order runs.
#[derive(Clone, Copy, Debug)]
pub(super) enum Direction {
    Up,
    Down,
}

impl From<Direction> for SortDirection {
    fn from(direction: Direction) -> Self {
        match direction {
            Direction::Up => Self::Asc,
            Direction::Down => Self::Desc,
        }
    }
}

impl Docs {
    pub(super) async fn run(self, session: &mut Session) -> Ran {
        let store = session.store().await?;
        match self {
            Self::Collections => collections(session, &store).await?,
            Self::Get(one) => one.show(session, &store).await?,
            Self::Query(query) => query.run(session, &store).await?,
            Self::Put { id, document } => put(session, &store, id, &document).await?,
            Self::SoftDelete(one) => one.soft_delete(session, &store).await?,
            Self::Restore(one) => one.restore(session, &store).await?,
            Self::IndexAdvice(advice) => return advice.run(session, &store).await,
        }
        Ok(Done::Well)
    }
}

/// The collections of a store.
async fn all(store: &Store) -> Result<Vec<Named>, Failure> {
    let mut conn = store.pool().acquire().await?;
    Ok(named::collections(&mut conn, &store.core().texts).await?)
}

/// Whether there is any document, deleted ones included.
pub(super) async fn holds_any(store: &Store) -> Result<bool, Failure> {
    for it in all(store).await? {
        let query = match called(&it.table) {
            "docs" => store.docs().schemaless().query::<Value>(),
            name => store.docs().collection(name)?,
        };
        if query.include_deleted().count().await? > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The collection that people call `name`.
async fn find(store: &Store, name: &str) -> Result<Named, Failure> {
    let mut all = all(store).await?;
    let names: Vec<_> = all.iter().map(|it| called(&it.table).to_owned()).collect();
    match all.iter().position(|it| called(&it.table) == name) {
        Some(at) => Ok(all.swap_remove(at)),
        None => Err(Failure::failed(
            format!("there is no collection `{name}` in schema {}", store.core().texts.schema()),
            if names.is_empty() {
                "there is none at all: `rillflow schema sync` makes the tables".to_owned()
            } else {
                format!("there are: {}", names.join(", "))
            },
        )),
    }
}

/// `docs_customers` is called `customers`.
fn called(table: &str) -> &str {
    table.strip_prefix("docs_").unwrap_or(table)
}

async fn collections(session: &mut Session, store: &Store) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Shown<'c> {
        collection: &'c str,
        id_type: &'c str,
        estimated_documents: i64,
        bytes: i64,
        whole_scans: i64,
        index_scans: i64,
    }
    let all = all(store).await?;
    let shown: Vec<_> = all
        .iter()
        .map(|it| Shown {
            collection: called(&it.table),
            id_type: &it.id_type,
            estimated_documents: it.documents,
            bytes: it.bytes,
            whole_scans: it.whole_scans,
            index_scans: it.index_scans,
        })
        .collect();
    session.out.show(&shown, |out| {
        let rows = all.iter().map(|it| {
            let numbers = [it.documents, it.bytes / 1024, it.whole_scans, it.index_scans];
            let [documents, kib, whole, index] = numbers.map(|n| n.to_string());
            [called(&it.table).to_owned(), it.id_type.clone(), documents, kib, whole, index]
        });
        let headings = ["collection", "ids", "documents (estimated)", "KiB", "read whole", "by index"];
        out.table(headings, rows, "No collections: `rillflow schema sync` makes the tables.")
    })
}

impl One {
    fn missing(&self) -> Failure {
        Failure::failed(format!("{} {} does not exist", self.collection, self.id), "")
    }

    async fn show(&self, session: &mut Session, store: &Store) -> Result<(), Failure> {
        #[derive(Serialize)]
        struct Shown<'d> {
            collection: &'d str,
            id: &'d str,
            version: i64,
            created_at: chrono::DateTime<chrono::Utc>,
            updated_at: chrono::DateTime<chrono::Utc>,
            deleted_at: Option<chrono::DateTime<chrono::Utc>>,
            document: Box<RawValue>,
        }
        let at = find(store, &self.collection).await?;
        let mut conn = store.pool().acquire().await?;
        let found = named::show(&mut conn, &store.core().texts, &at, &self.id).await?;
        let Stored { document, version, created_at, updated_at, deleted_at } = found.ok_or_else(|| self.missing())?;
        let (collection, id, document) = (self.collection.as_str(), self.id.as_str(), document.parse()?);
        let shown = Shown { collection, id, version, created_at, updated_at, deleted_at, document };
        session.out.show(&shown, |out| {
            out.facts([
                ("version", version.to_string()),
                ("created", moment(created_at)),
                ("updated", moment(updated_at)),
                ("deleted", maybe(deleted_at.map(moment))),
            ])?;
            let parsed: Value = serde_json::from_str(shown.document.get()).map_err(std::io::Error::from)?;
            out.line(&format!("{parsed:#}"))
        })
    }

    async fn soft_delete(&self, session: &mut Session, store: &Store) -> Result<(), Failure> {
        let at = find(store, &self.collection).await?;
        let mut conn = store.pool().acquire().await?;
        let texts = &store.core().texts;
        match named::soft_delete(&mut conn, texts, &at, &self.id).await? {
            Some(version) => self.changed(session, "deleted", version),
            None => match named::show(&mut conn, texts, &at, &self.id).await? {
                Some(stored) => self.changed(session, "deleted already", stored.version),
                None => Err(self.missing()),
            },
        }
    }

    async fn restore(&self, session: &mut Session, store: &Store) -> Result<(), Failure> {
        let at = find(store, &self.collection).await?;
        let mut conn = store.pool().acquire().await?;
        let texts = &store.core().texts;
        match named::restore(&mut conn, texts, &at, &self.id).await? {
            Some(version) => self.changed(session, "restored", version),
            None => match named::show(&mut conn, texts, &at, &self.id).await? {
                Some(stored) => self.changed(session, "not deleted", stored.version),
                None => Err(self.missing()),
            },
        }
    }

    fn changed(&self, session: &mut Session, outcome: &str, version: i64) -> Result<(), Failure> {
        let Self { collection, id } = self;
        let shown = serde_json::json!({ "collection": collection, "id": id, "outcome": outcome, "version": version });
        session.out.show(&shown, |out| out.line(&format!("{collection} {id}: {outcome}, version {version}")))
    }
}

async fn put(session: &mut Session, store: &Store, id: Uuid, json: &str) -> Result<(), Failure> {
    let document: Value = serde_json::from_str(json).map_err(|error| {
        Failure::usage(format!("the document is no JSON: {error}"), "quote it for the shell: '{..}'")
    })?;
    let version = store.docs().schemaless().put(&id, &document).await?;
    let shown = serde_json::json!({ "collection": "docs", "id": id, "outcome": "stored", "version": version });
    session.out.show(&shown, |out| out.line(&format!("docs {id}: stored, version {version}")))
}

impl Query {
    /// All documents of a collection that fulfil a predicate.
    fn of(collection: &str, predicate: Predicate) -> Self {
        Self {
            collection: collection.to_owned(),
            filters: vec![predicate],
            order: Vec::new(),
            limit: 0,
            offset: 0,
            select: Vec::new(),
            include_deleted: false,
            count: false,
            explain: true,
        }
    }

    /// The query without its limits.
    pub(super) async fn begin<'s>(&self, store: &'s Store) -> Result<DynamicQuery<'s, Value>, Failure> {
        find(store, &self.collection).await?;
        let mut query = match self.collection.as_str() {
            "docs" => store.docs().schemaless().query::<Value>(),
            name => store.docs().collection(name)?,
        };
        for filter in &self.filters {
            query = query.filter(filter.clone());
        }
        for (path, direction) in &self.order {
            query = query.order_by(path, (*direction).into());
        }
        Ok(if self.include_deleted { query.include_deleted() } else { query })
    }

    async fn run(&self, session: &mut Session, store: &Store) -> Result<(), Failure> {
        let query = self.begin(store).await?;
        if self.count {
            let count = query.count().await?;
            return session.out.show(&serde_json::json!({ "count": count }), |out| out.line(&count.to_string()));
        }
        let query = query.limit(self.limit).offset(self.offset);
        if self.explain {
            let plan = query.explain().await?;
            let lines: Vec<_> = plan.lines().collect();
            return session.out.show(&serde_json::json!({ "plan": lines }), |out| out.line(&plan));
        }
        let found: Vec<Value> = if self.select.is_empty() {
            query.fetch_all().await?
        } else {
            let fields: Vec<_> = self.select.iter().map(|path| (path.as_str(), path.as_str())).collect();
            query.select_fields(&fields).fetch_all().await?
        };
        session.out.show(&found, |out| found.iter().try_for_each(|it| out.line(&it.to_string())))
    }
}
