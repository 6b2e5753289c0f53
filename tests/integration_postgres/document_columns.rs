use rillflow::{BulkMode, Cursor, DocMetadata, Document, Error, Page, Query, Store, compiled_query};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::served::{many, served};
use crate::support::{Db, TestResult, statements_sent, store_with};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Document)]
#[document(collection = "library_authors")]
struct Author {
    #[document(id)]
    id: String,
    #[document(references = Author)]
    mentor: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Document)]
#[document(metadata, soft_delete, fulltext(language = "english", title, body))]
#[serde(rename_all = "camelCase")]
struct Article {
    #[document(id)]
    id: i64,
    #[document(references = Author)]
    written_by: Option<String>,
    #[document(column)]
    pages: i64,
    title: String,
    body: Option<String>,
}

fn article(id: i64, title: &str, body: &str) -> Article {
    Article { id, written_by: None, pages: id * 10, title: title.to_owned(), body: Some(body.to_owned()) }
}

fn author(id: &str, mentor: Option<&str>) -> Author {
    Author { id: id.to_owned(), mentor: mentor.map(str::to_owned) }
}

async fn library() -> Result<(Db, Store), Box<dyn std::error::Error>> {
    // the one that is referred to comes last: the order of registration does not matter
    store_with(|it| it.schema("app").document::<Article>().document::<Author>()).await
}

#[compiled_query]
fn longer_than(pages: i64) -> impl Query<Vec<i64>> {
    Article::query().filter(|a| a.pages > pages).order_by(|a| a.pages.desc()).select(|a| a.id)
}

#[compiled_query]
fn about(words: &str, limit: i64) -> impl Query<Vec<i64>> {
    Article::query().filter(|a| a.search(words)).order_by(|a| a.rank().desc()).limit(limit).select(|a| a.id)
}

#[compiled_query]
fn pages_about(words: &str, after: Option<Cursor>) -> impl Query<Page<i64>> {
    Article::query()
        .filter(|a| a.pages > 0 && a.search(words))
        .order_by(|a| a.rank().desc())
        .select(|a| a.id)
        .page(after, 3)
}

many!(Author, 100, |n| author(&n.to_string(), None));
many!(Article, 20_000, |n| article(n, &format!("word{n}"), "the same for all"));
served!(longer_than(199_900), about("word777", 5), pages_about("word777", None));

#[tokio::test]
async fn pages_of_what_was_searched_for_go_on_by_rank() -> TestResult {
    let (_db, store) = library().await?;
    for n in 1..=11 {
        let body = "the tide ".repeat(n % 4 + 1) + &"and the wind ".repeat(n % 3);
        store.docs().put(&article(n as i64, "t", &body)).await?;
    }
    let all = store.query(about("tide", 100)).await?;
    let (mut found, mut after) = (Vec::new(), None);
    let (mut in_place, mut in_place_after) = (Vec::new(), None::<Cursor>);
    loop {
        let page = store.query(pages_about("tide", after)).await?;
        found.extend(page.items);
        after = page.next;
        let same = store.docs().query::<Article>().filter(|a| a.pages.gt(0_i64) & a.search("tide"));
        let page = same.order_by(|a| a.rank().desc()).select(|a| a.id).page(in_place_after, 3).await?;
        in_place.extend(page.items);
        in_place_after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!((found.len(), all.len()), (11, 11));
    assert_eq!(found, in_place);
    let sorted = |mut ids: Vec<i64>| {
        ids.sort_unstable();
        ids
    };
    assert_eq!(sorted(found), sorted(all), "each once");
    Ok(())
}

#[tokio::test]
async fn a_field_with_a_column_is_queried_there() -> TestResult {
    let (_db, store) = library().await?;
    for n in 1..=5 {
        store.docs().put(&article(n, "t", "b")).await?;
    }
    assert!(longer_than(0).sql().contains("WHERE doc_pages > $1::bigint"), "{}", longer_than(0).sql());
    assert_eq!(store.query(longer_than(20)).await?, [5, 4, 3]);
    store.docs().patch::<Article>(&1, |a, p| p.set(a.pages, 100)).await?;
    assert_eq!(store.query(longer_than(40)).await?, [1, 5], "the column follows the document");
    let kind: String = sqlx::query_scalar(
        "SELECT is_generated FROM information_schema.columns WHERE table_name = 'docs_articles' AND column_name = 'doc_pages'",
    )
    .fetch_one(store.pool())
    .await?;
    assert_eq!(kind, "ALWAYS");
    Ok(())
}

#[tokio::test]
async fn a_search_finds_words_in_any_form_and_the_best_come_first() -> TestResult {
    let (_db, store) = library().await?;
    let docs = store.docs();
    docs.put(&article(1, "Gardens", "A garden of roses; gardens everywhere, gardening all day")).await?;
    docs.put(&article(2, "Cooking", "What grows in a garden")).await?;
    docs.put(&article(3, "Machines", "Nothing green")).await?;
    docs.put(&Article { body: None, ..article(4, "A gardener's life", "") }).await?;
    let found = store.query(about("gardens", 10)).await?;
    assert_eq!(found.first(), Some(&1), "{found:?}");
    assert!(found.contains(&2) && !found.contains(&3), "{found:?}");
    let without_roses = store.query(about("garden -roses", 10)).await?;
    assert!(without_roses.contains(&2) && !without_roses.contains(&1), "{without_roses:?}");
    assert_eq!(store.query(about("it's \"broken ' quotes", 10)).await?, [] as [i64; 0]);
    let in_place = docs.query::<Article>().filter(|a| a.search("garden") & a.pages.lt(20)).fetch_all().await?;
    assert_eq!(in_place.len(), 1);
    let mut tx = store.pool().begin().await?;
    sqlx::raw_sql("SET LOCAL enable_seqscan = off; SET LOCAL search_path = app").execute(&mut *tx).await?;
    let sql = about("", 1).sql().replace("public.", "app.");
    let explain = format!("PREPARE s AS {sql}; EXPLAIN (COSTS OFF) EXECUTE s ('garden', 1)");
    let rows = sqlx::raw_sql(sqlx::AssertSqlSafe(explain)).fetch_all(&mut *tx).await?;
    let plan: Vec<String> = rows.iter().map(|row| sqlx::Row::try_get(row, 0)).collect::<Result<_, _>>()?;
    assert!(plan.join("\n").contains("docs_articles_title_body_fulltext_idx"), "{plan:#?}");
    Ok(())
}

#[tokio::test]
async fn a_reference_points_to_a_document_that_is_there() -> TestResult {
    let (_db, store) = library().await?;
    let docs = store.docs();
    let nowhere = Article { written_by: Some("ada".to_owned()), ..article(1, "t", "b") };
    let refused = docs.put(&nowhere).await;
    assert!(
        matches!(&refused, Err(Error::ForeignKeyViolation { collection: "articles", constraint }) if constraint == "docs_articles_written_by_fkey"),
        "{refused:?}"
    );
    docs.put(&author("ada", None)).await?;
    docs.put(&nowhere).await?;
    let pointed_at = docs.delete::<Author>(&"ada".to_owned()).await;
    assert!(matches!(pointed_at, Err(Error::ForeignKeyViolation { .. })), "{pointed_at:?}");
    Ok(())
}

#[tokio::test]
async fn a_session_may_write_documents_that_refer_to_each_other_in_any_order() -> TestResult {
    let (_db, store) = library().await?;
    let mut session = store.session();
    session.insert(&Article { written_by: Some("ada".to_owned()), ..article(1, "t", "b") })?;
    session.insert(&author("ada", Some("charles")))?;
    session.insert(&author("charles", Some("ada")))?;
    session.commit().await?;
    assert_eq!(store.docs().count::<Author>().await?, 2);
    Ok(())
}

#[tokio::test]
async fn metadata_is_what_the_last_write_said() -> TestResult {
    let (_db, store) = library().await?;
    let id = Uuid::from_u128(7);
    let by_ada = DocMetadata::default().correlation_id(id).last_modified_by("ada").headers(&["x"])?;
    let docs = store.docs().with_metadata(&by_ada);
    let one = article(1, "t", "b");
    let of_one = async || store.docs().get_with_metadata::<Article>(&1).await.map(|it| it.map(|it| it.metadata));

    docs.insert(&one).await?;
    statements_sent();
    let stored = store.docs().get_with_metadata::<Article>(&1).await?.ok_or("it is there")?;
    assert_eq!(statements_sent(), 1);
    assert_eq!((&stored.document, stored.version, stored.deleted_at), (&one, 1, None));
    assert_eq!(stored.metadata.last_modified_by.as_deref(), Some("ada"));
    assert_eq!(stored.metadata.headers.ok_or("headers")?.parse::<[String; 1]>()?, ["x"]);
    assert_eq!((stored.metadata.correlation_id, stored.metadata.causation_id), (Some(id), None));
    assert_eq!(stored.created_at, stored.updated_at);

    store.docs().put(&one).await?;
    assert_eq!(of_one().await?, Some(DocMetadata::default()), "nobody said who");
    for (n, write) in [
        docs.put(&one).await.map(|_| ()),
        docs.replace(&one, 3).await.map(|_| ()),
        docs.update::<Article>(&1, 4, |it| it.pages = 2).await.map(|_| ()),
        docs.patch::<Article>(&1, |a, p| p.set(a.pages, 3)).await.map(|_| ()),
        docs.patch_where::<Article, _>(|a| a.pages.eq(3), |a, p| p.set(a.pages, 4)).await.map(|_| ()),
        docs.delete::<Article>(&1).await.map(|_| ()),
        docs.restore::<Article>(&1).await.map(|_| ()),
        docs.delete_where::<Article, _>(|a| a.pages.eq(4)).await.map(|_| ()),
    ]
    .into_iter()
    .enumerate()
    {
        write.map_err(|e| format!("{n}: {e}"))?;
    }
    let deleted = store.docs().get_with_metadata::<Article>(&1).await?.ok_or("its row is there")?;
    assert!(deleted.deleted_at.is_some());
    assert_eq!(deleted.metadata.last_modified_by.as_deref(), Some("ada"));
    Ok(())
}

#[tokio::test]
async fn sessions_write_metadata_and_bulk_inserts_clear_it() -> TestResult {
    let (_db, store) = library().await?;
    let mut session = store.session();
    session.set_metadata(DocMetadata::default().last_modified_by("grace"));
    session.store(&article(1, "t", "b"))?;
    session.insert(&article(2, "t", "b"))?;
    session.insert(&author("ada", None))?;
    session.commit().await?;
    session.delete::<Article>(&2);
    session.commit().await?;
    for id in [1, 2] {
        let stored = store.docs().get_with_metadata::<Article>(&id).await?.ok_or("it is there")?;
        assert_eq!(stored.metadata.last_modified_by.as_deref(), Some("grace"));
    }
    let plain = store.docs().get_with_metadata::<Author>(&"ada".to_owned()).await?.ok_or("it is there")?;
    assert_eq!(plain.metadata, DocMetadata::default(), "its collection has no columns for it");
    store.docs().bulk_insert([article(1, "t", "b")]).mode(BulkMode::Overwrite).run().await?;
    let stored = store.docs().get_with_metadata::<Article>(&1).await?.ok_or("it is there")?;
    assert_eq!(stored.metadata, DocMetadata::default());
    Ok(())
}
