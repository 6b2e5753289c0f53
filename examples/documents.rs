//! A tour of the documents, in a bookshop: `cargo run --example documents`.
//!
//! Uses `DATABASE_URL` when it is set; otherwise a development PostgreSQL that starts by itself. Each run begins with an
//! empty shop.

use chrono::{DateTime, Duration, TimeZone, Utc};
use futures_util::TryStreamExt;
use rillflow::query::{Predicate, SortDirection};
use rillflow::{
    BulkMode, Cursor, Document, DocumentFields, DocumentValue, Error, JsonFormat, Page, Query, SchemaConfig, Store,
    compiled_query, dev,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

// ---- chapter 1: what a book is ----------------------------------------------------------------------------------------

/// An id is any of Uuid, i64 and String, or a type of your own around one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, DocumentValue)]
struct BookId(Uuid);

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, DocumentValue)]
#[serde(rename_all = "kebab-case")]
enum Genre {
    Novel,
    Poetry,
    Science,
}

/// Paths go into nested structs and lists.
#[derive(Clone, Debug, Serialize, Deserialize, DocumentFields)]
struct Author {
    name: String,
    country: Option<String>,
}

/// The attributes are the schema: `sync` makes the table and these indexes.
#[derive(Clone, Debug, Serialize, Deserialize, Document)]
#[document(collection = "books", soft_delete, gin, index(genre, published desc), index(author.name))]
#[serde(rename_all = "camelCase")]
struct Book {
    #[document(id)]
    id: BookId,
    #[document(unique)]
    isbn: String,
    title: String,
    author: Author,
    genre: Genre,
    published: DateTime<Utc>,
    tags: Vec<String>,
    stock: i64,
}

// ---- chapter 2: what is asked of books --------------------------------------------------------------------------------
// rustc checks fields, types, and that an index serves each of these, and writes their SQL into the binary.

#[compiled_query]
fn by_isbn(isbn: &str) -> impl Query<Option<Book>> {
    Book::query().filter(|b| b.isbn == isbn).one()
}

#[compiled_query]
fn newest(genre: Genre, after: Option<Cursor>, size: i64) -> impl Query<Page<(String, i64)>> {
    Book::query()
        .filter(|b| b.genre == genre && b.tags.contains("shelf"))
        .order_by(|b| b.published.desc())
        .select(|b| (b.title, b.stock))
        .page(after, size)
}

#[compiled_query]
fn written_by(author: &str) -> impl Query<i64> {
    Book::query().filter(|b| b.author.name == author).count()
}

#[compiled_query(allow(scan))] // without it: "no index serves this filter", and what to add
fn sold_out() -> impl Query<Vec<String>> {
    Book::query().filter(|b| b.stock <= 0).select(|b| b.title)
}

// ---- the story --------------------------------------------------------------------------------------------------------

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let database = dev::database_named("documents").await?;
    println!("Look inside    {}\n", database.psql());
    let store = Store::builder(database.url()).document::<Book>().build().await?;
    store.schema().sync(&SchemaConfig::single_tenant()).await?;
    sqlx::raw_sql("TRUNCATE docs_books").execute(store.pool()).await?;

    let kettle = one_book(&store).await?;
    many_books(&store).await?;
    questions(&store).await?;
    pages(&store).await?;
    at_run_time(&store).await?;
    handing_on(&store).await?;
    goodbye(&store, kettle).await?;
    Ok(())
}

/// Stored, read, changed in place, and never overwritten by somebody who did not see the last change.
async fn one_book(store: &Store) -> rillflow::Result<BookId> {
    let docs = store.docs();
    let book = book(0);
    let version = docs.insert(&book).await?;
    println!("One book       `{}` is stored at version {version}", book.title);
    let taken = docs.insert(&book).await;
    assert!(matches!(taken, Err(Error::AlreadyExists { .. })));

    let version = docs.update::<Book>(&book.id, version, |b| b.author.country = Some("Norway".into())).await?;
    let late = docs.update::<Book>(&book.id, 1, |b| b.stock = 0).await;
    if let Err(Error::DocVersionConflict { expected, actual, .. }) = late {
        println!("Conflict       a second writer expected version {expected}, found {actual}: nothing was written");
    }
    // parts are changed where they lie: two sales at once count twice, and nobody's field is lost
    let (sale, refund) = (
        docs.patch::<Book>(&book.id, |b, p| p.increment(b.stock, -1).append(b.tags, "sold")),
        docs.patch::<Book>(&book.id, |b, p| p.increment(b.stock, -1).set(b.author.country, None::<String>)),
    );
    tokio::try_join!(sale, refund)?;
    let (book, now) = docs.get::<Book>(&book.id).await?.ok_or(Error::NotFound { query: "books" })?;
    println!("Patched        from version {version} to {now}: stock {}, tags {:?}", book.stock, book.tags);
    Ok(book.id)
}

/// Ten thousand in one transaction, by COPY.
async fn many_books(store: &Store) -> rillflow::Result<()> {
    let done = store.docs().bulk_insert((0..10_000).map(book)).mode(BulkMode::IgnoreDuplicates).run().await?;
    println!("Bulk           {} sent, {} of them new", done.sent, done.written);
    sqlx::raw_sql("VACUUM ANALYZE docs_books").execute(store.pool()).await?;
    Ok(())
}

/// Compiled queries, alone and together; queries written where they are used; their plans.
async fn questions(store: &Store) -> rillflow::Result<()> {
    println!("Query          {}", by_isbn("").sql());
    let found = store.query(by_isbn("978-42")).await?;
    println!("               -> {:?}", found.map(|it| it.title));
    let (number, gone, all) = store.query_all((written_by("Author 7"), sold_out(), Book::query().count())).await?;
    println!("Together       {number} of {all} books are by Author 7, {} are sold out: one statement", gone.len());
    let in_place = store.docs().query::<Book>().filter(|b| b.genre.eq(Genre::Poetry) & b.stock.gt(97)).count().await?;
    println!("In place       {in_place} volumes of poetry are well stocked");
    for plan in [store.explain(by_isbn("978-42")).await?, store.explain(written_by("Author 7")).await?] {
        let index = plan.lines().find(|it| it.contains("Index")).unwrap_or(&plan);
        println!("Plans          {}", index.trim().trim_start_matches("->  "));
    }
    Ok(())
}

/// Page by page, each as cheap as the first; the cursor is text that may travel.
async fn pages(store: &Store) -> rillflow::Result<()> {
    let mut after = None;
    for number in 1..=2 {
        let page = store.query(newest(Genre::Science, after, 3)).await?;
        println!("Page {number}         {:?}", page.items);
        after = page.next.map(|cursor| cursor.to_string().parse()).transpose()?;
    }
    Ok(())
}

/// What is only known while the program runs: paths and values, still bound, still served by the indexes.
async fn at_run_time(store: &Store) -> rillflow::Result<()> {
    let cheap =
        Predicate::and([Predicate::eq("genre", "novel"), Predicate::r#in("author.name", ["Author 3", "Author 9"])]);
    let titles: Vec<String> = store
        .docs()
        .dynamic::<Book>()
        .filter(cheap)
        .order_by("published", SortDirection::Desc)
        .page(1, 3)
        .select_field("title")
        .fetch_all()
        .await?;
    println!("Dynamic        {titles:?}");
    Ok(())
}

/// Rows as they arrive, and JSON that nobody parses: for exports and HTTP bodies.
async fn handing_on(store: &Store) -> rillflow::Result<()> {
    let mut stock = 0;
    let mut books = store.docs().query::<Book>().fetch();
    while let Some(book) = books.try_next().await? {
        stock += book.stock; // one book is in memory
    }
    println!("Stream         {stock} copies in the shop, counted one book at a time");
    let body = store.query_json_stream(Book::query(), JsonFormat::Lines);
    let (chunks, bytes) = body.try_fold((0, 0), async |sum, chunk| Ok((sum.0 + 1, sum.1 + chunk.len()))).await?;
    println!("JSON out       {bytes} bytes of NDJSON in {chunks} chunks");
    Ok(())
}

/// Deleted and brought back; then all that a condition finds.
async fn goodbye(store: &Store, id: BookId) -> rillflow::Result<()> {
    let docs = store.docs();
    docs.delete::<Book>(&id).await?;
    let hidden = docs.get::<Book>(&id).await?.is_none();
    let deleted = docs.query::<Book>().only_deleted().fetch_one().await?;
    println!(
        "Deleted        `{}` is hidden: {hidden}; restored at version {}",
        deleted.title,
        docs.restore::<Book>(&id).await?
    );
    let gone = docs.delete_where::<Book, _>(|b| b.stock.le(0)).await?;
    println!("               {gone} that were sold out went at once");
    Ok(())
}

fn book(n: i64) -> Book {
    let genre = [Genre::Novel, Genre::Poetry, Genre::Science][(n % 3) as usize];
    Book {
        id: BookId(Uuid::from_u128(n as u128 + 1)),
        isbn: format!("978-{n}"),
        title: if n == 0 { "The Kettle".into() } else { format!("Volume {n}") },
        author: Author { name: format!("Author {}", n % 400), country: None },
        genre,
        published: Utc.timestamp_opt(0, 0).single().unwrap_or_default() + Duration::days(n),
        tags: if n % 2 == 0 { vec!["shelf".into()] } else { vec![] },
        stock: if n == 0 { 12 } else { n % 100 },
    }
}
