use rillflow::{Cursor, Document, DocumentFields, DocumentValue, NumberedPage, Page, Query, Store, compiled_query};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::served::{many, served};
use crate::support::{Db, TestResult, store_with};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, DocumentValue)]
struct AuthorId(Uuid);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Document)]
#[document(soft_delete, index(name))]
struct Author {
    #[document(id)]
    id: AuthorId,
    name: String,
    #[document(index)]
    teacher: Option<AuthorId>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, DocumentFields)]
struct Review {
    by: Option<AuthorId>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Document)]
#[document(collection = "written_books", soft_delete, index(author, year desc))]
struct Book {
    #[document(id)]
    id: i64,
    author: AuthorId,
    year: i32,
    review: Option<Review>,
}

fn author(n: i64) -> Author {
    let id = |n: i64| AuthorId(Uuid::from_u128(n as u128 + 1));
    Author { id: id(n), name: format!("a{n}"), teacher: if n == 0 { None } else { Some(id(n - 1)) } }
}

fn book(n: i64) -> Book {
    let by = if n % 2 == 0 { None } else { Some(author(0).id) };
    Book {
        id: n,
        author: author(n % 4).id,
        year: 2000 + n as i32,
        review: if n % 3 == 0 { None } else { Some(Review { by }) },
    }
}

/// Four authors, of which the last has no row, and eight books.
async fn library(schema: &str) -> Result<(Db, Store), Box<dyn std::error::Error>> {
    let (db, store) = store_with(|it| it.schema(schema).document::<Author>().document::<Book>()).await?;
    for n in 0..3 {
        store.docs().put(&author(n)).await?;
    }
    for n in 0..8 {
        store.docs().put(&book(n)).await?;
    }
    Ok((db, store))
}

fn written_by(n: i64) -> Option<Author> {
    (n % 4 < 3).then(|| author(n % 4))
}

fn books_of(n: i64) -> Vec<Book> {
    (0..8).map(book).filter(|it| it.author == author(n).id).collect()
}

#[compiled_query]
fn with_author(id: i64) -> impl Query<Option<(Book, Option<Author>)>> {
    Book::query().filter(|b| b.id == id).include::<Author>(|b| b.author).one()
}

#[compiled_query]
fn with_books(name: &str) -> impl Query<Vec<(Author, Vec<Book>)>> {
    Author::query().filter(|a| a.name == name).include_many::<Book>(|b| b.author)
}

#[tokio::test]
async fn one_related_document_stands_beside_each_and_soft_deleted_ones_do_not() -> TestResult {
    let (_db, store) = library("public").await?;
    for n in 0..8 {
        assert_eq!(store.query(with_author(n)).await?, Some((book(n), written_by(n))));
    }
    assert_eq!(store.query(with_author(99)).await?, None);
    store.docs().delete::<Author>(&author(1).id).await?;
    assert_eq!(store.query(with_author(1)).await?, Some((book(1), None)));
    Ok(())
}

#[tokio::test]
async fn many_related_documents_stand_beside_each_in_the_order_of_their_ids() -> TestResult {
    let (_db, store) = library("app").await?;
    assert_eq!(store.query(with_books("a2")).await?, [(author(2), books_of(2))]);
    store.docs().delete::<Book>(&2).await?;
    assert_eq!(store.query(with_books("a2")).await?, [(author(2), vec![book(6)])]);
    store.docs().delete::<Book>(&6).await?;
    assert_eq!(store.query(with_books("a2")).await?, [(author(2), vec![])]);
    assert_eq!(store.query(with_books("nobody")).await?, []);
    Ok(())
}

#[compiled_query]
fn school(after: Option<Cursor>) -> impl Query<Page<(Author, Option<Author>, Vec<Author>, Vec<Book>)>> {
    Author::query()
        .include::<Author>(|a| a.teacher)
        .include_many::<Author>(|pupil| pupil.teacher)
        .include_many::<Book>(|b| b.author)
        .order_by(|a| a.id.asc())
        .page(after, 2)
}

#[compiled_query(allow(scan))]
fn reviewed(number: i64) -> impl Query<NumberedPage<(Book, Option<Author>)>> {
    Book::query()
        .filter(|b| b.year > 2001)
        .include::<Author>(|b| b.review.by)
        .order_by(|b| b.year.desc())
        .numbered_page(number, 4)
}

many!(Author, 20_000, author);
many!(Book, 20_000, |n| Book { author: author(n / 3).id, ..book(n) });
served!(with_author(7), with_books("a7"), school(None));

#[tokio::test]
async fn several_collections_and_the_same_one_are_included_in_pages_too() -> TestResult {
    let (_db, store) = library("public").await?;
    let row = |n: i64| {
        let teacher = (n > 0).then(|| author(n - 1));
        let pupils = if n < 2 { vec![author(n + 1)] } else { vec![] };
        (author(n), teacher, pupils, books_of(n))
    };
    let first = store.query(school(None)).await?;
    assert_eq!(first.items, [row(0), row(1)]);
    let second = store.query(school(first.next)).await?;
    assert_eq!((second.items, second.next), (vec![row(2)], None));

    let page = store.query(reviewed(1)).await?;
    let reviewer = |n: i64| (n % 3 != 0 && n % 2 != 0).then(|| author(0));
    assert_eq!(page.items, [7, 6, 5, 4].map(|n| (book(n), reviewer(n))));
    assert_eq!(page.total, 6);
    Ok(())
}

#[tokio::test]
async fn queries_written_in_place_include_too() -> TestResult {
    let (_db, store) = library("public").await?;
    let found = store
        .docs()
        .query::<Book>()
        .filter(|b| b.year.lt(2002))
        .order_by(|b| b.id.desc())
        .include::<Author, _>(|b| b.author)
        .fetch_all()
        .await?;
    assert_eq!(found, [(book(1), written_by(1)), (book(0), written_by(0))]);
    let found =
        store.docs().query::<Author>().filter(|a| a.name.eq("a1")).include_many::<Book, _>(|b| b.author).fetch_all();
    let found: Vec<(Author, Vec<Book>)> = found.await?;
    assert_eq!(found, [(author(1), books_of(1))]);
    let deleted = store.docs().query::<Author>().only_deleted().include_many::<Book, _>(|b| b.author).fetch_all();
    assert_eq!(deleted.await?, []);
    Ok(())
}

#[tokio::test]
async fn queries_written_in_place_include_several_collections_in_one_statement() -> TestResult {
    let (_db, store) = library("public").await?;
    let school = || {
        let all = store.docs().query::<Author>().order_by(|a| a.id.asc()).include::<Author, _>(|a| a.teacher);
        all.include_many::<Author, _>(|pupil| pupil.teacher).include_many::<Book, _>(|b| b.author)
    };
    type Row = (Author, Option<Author>, Vec<Author>, Vec<Book>);
    let row = |n: i64| {
        let teacher = (n > 0).then(|| author(n - 1));
        let pupils = if n < 2 { vec![author(n + 1)] } else { vec![] };
        (author(n), teacher, pupils, books_of(n))
    };
    crate::support::statements_sent();
    let all: Vec<Row> = school().fetch_all().await?;
    assert_eq!(crate::support::statements_sent(), 1);
    assert_eq!(all, [row(0), row(1), row(2)]);

    let first: Page<Row> = school().page(None::<Cursor>, 2).await?;
    assert_eq!(first.items, [row(0), row(1)]);
    assert_eq!(school().page(first.next, 2).await?.items, [row(2)]);
    assert_eq!(school().numbered_page(2, 2).await?.items, [row(2)]);
    assert_eq!(school().fetch_first().await?, Some(row(0)));
    let streamed: Vec<Row> = futures_util::TryStreamExt::try_collect(school().fetch()).await?;
    assert_eq!(streamed, all);
    let one = store.docs().query::<Author>().filter(|a| a.name.eq("a1")).include::<Author, _>(|a| a.teacher);
    let one = one.include_many::<Book, _>(|b| b.author).fetch_one().await?;
    assert_eq!(one, (author(1), Some(author(0)), books_of(1)));
    Ok(())
}

#[tokio::test]
async fn related_documents_are_found_by_their_indexes_in_one_statement() -> TestResult {
    let (_db, store) = library("public").await?;
    sqlx::raw_sql(
        "INSERT INTO docs_authors (id, doc) SELECT id, jsonb_build_object('id', id, 'name', 'n' || n, 'teacher', NULL) \
         FROM (SELECT n, gen_random_uuid() AS id FROM generate_series(1, 5000) n) made; \
         INSERT INTO docs_written_books (id, doc) SELECT 100 + row_number() OVER (), jsonb_build_object('id', 100 + row_number() OVER (), \
         'author', id, 'year', 2000, 'review', NULL) FROM docs_authors, generate_series(1, 3); \
         ANALYZE docs_authors; ANALYZE docs_written_books",
    )
    .execute(store.pool())
    .await?;
    for plan in [store.explain(with_books("n7")).await?, store.explain(with_author(7)).await?] {
        assert!(plan.contains("SubPlan") && !plan.contains("Seq Scan"), "{plan}");
    }
    crate::support::statements_sent();
    let found = store.query(with_books("n7")).await?;
    assert_eq!(found[0].1.len(), 3);
    assert_eq!(crate::support::statements_sent(), 1);
    Ok(())
}
