use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::{StreamExt, stream};
use rillflow::{BulkMode, Document, Error, PayloadProblem};
use serde::{Deserialize, Serialize};

use crate::orders::{Customer, customer};
use crate::support::{TestResult, store_with, until_somebody_waits};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Document)]
#[document(soft_delete)]
struct Page {
    #[document(id)]
    id: String,
    text: String,
    #[document(unique)]
    number: i64,
}

fn page(number: i64) -> Page {
    Page { id: format!("p\t{number}\n\\.\n"), text: format!("\u{1}\\N \"{number}\"\té😀"), number }
}

crate::layouts::declared!(Page);

#[tokio::test]
async fn ten_thousand_documents_are_stored_in_one_call() -> TestResult {
    let (_db, store) = store_with(|it| it.document::<Customer>()).await?;
    let calls = AtomicU64::new(0);
    let done = store
        .docs()
        .bulk_insert((0..10_000).map(customer))
        .on_progress(|sent| {
            assert!(sent > 0 && sent <= 10_000);
            calls.fetch_add(1, Ordering::SeqCst);
        })
        .run()
        .await?;
    assert_eq!((done.sent, done.written), (10_000, 10_000));
    assert!(calls.load(Ordering::SeqCst) > 3, "it told how it got on");
    assert_eq!(store.docs().count::<Customer>().await?, 10_000);
    assert_eq!(store.docs().get(&customer(9_999).id).await?, Some((customer(9_999), 1)));
    Ok(())
}

#[tokio::test]
async fn odd_characters_and_documents_of_a_stream_arrive_as_they_are() -> TestResult {
    let (_db, store) = store_with(|it| it.schema("app").document::<Page>()).await?;
    for (mode, from) in [(BulkMode::InsertOnly, 0), (BulkMode::IgnoreDuplicates, 10), (BulkMode::Overwrite, 20)] {
        let slowly = stream::iter(from..from + 10).then(|n| async move {
            tokio::task::yield_now().await;
            page(n)
        });
        assert_eq!(store.docs().bulk_insert_stream(slowly).mode(mode).run().await?.written, 10);
    }
    for n in 0..30 {
        assert_eq!(store.docs().get(&page(n).id).await?, Some((page(n), 1)));
    }
    assert_eq!(store.docs().bulk_insert(Vec::<Page>::new()).run().await?.sent, 0);
    Ok(())
}

#[tokio::test]
async fn each_mode_treats_documents_that_are_there_as_it_says() -> TestResult {
    let (_db, store) = store_with(|it| it.document::<Page>()).await?;
    let docs = store.docs();
    docs.put(&page(3)).await?;
    let new = |n: i64| Page { text: "new".into(), ..page(n) };
    let newer = |n: i64| Page { text: "newer".into(), ..page(n) };

    let refused = docs.bulk_insert((0..5).map(new)).run().await;
    assert!(
        matches!(&refused, Err(Error::AlreadyExists { collection: "pages", id }) if *id == page(3).id),
        "{refused:?}"
    );
    assert_eq!(docs.count::<Page>().await?, 1, "nothing of it is there");

    let done =
        docs.bulk_insert((0..5).map(new).chain((0..5).map(newer))).mode(BulkMode::IgnoreDuplicates).run().await?;
    assert_eq!((done.sent, done.written), (10, 4));
    assert_eq!(docs.get(&page(3).id).await?, Some((page(3), 1)));
    assert_eq!(docs.get(&page(4).id).await?, Some((new(4), 1)), "the first of two");

    let done = docs.bulk_insert((3..6).map(new).chain((3..6).map(newer))).mode(BulkMode::Overwrite).run().await?;
    assert_eq!((done.sent, done.written), (6, 3));
    assert_eq!(docs.get(&page(3).id).await?, Some((newer(3), 2)), "the last of two");
    assert_eq!(docs.get(&page(5).id).await?, Some((newer(5), 1)));

    docs.delete::<Page>(&page(4).id).await?;
    assert_eq!(docs.bulk_insert([new(4)]).mode(BulkMode::IgnoreDuplicates).run().await?.written, 0);
    let refused = docs.bulk_insert([new(8), new(4)]).mode(BulkMode::Overwrite).run().await;
    assert!(matches!(&refused, Err(Error::DocDeleted { id, .. }) if *id == page(4).id), "{refused:?}");
    assert!(!docs.exists::<Page>(&page(8).id).await?);
    Ok(())
}

#[tokio::test]
async fn a_document_that_cannot_be_stored_leaves_nothing_behind() -> TestResult {
    let (_db, store) = store_with(|it| it.max_connections(1).document::<Page>()).await?;
    let docs = store.docs();
    for mode in [BulkMode::InsertOnly, BulkMode::IgnoreDuplicates, BulkMode::Overwrite] {
        let nul = (0..5_000).map(|n| if n == 4_999 { Page { text: "\0".into(), ..page(n) } } else { page(n) });
        let refused = docs.bulk_insert(nul).mode(mode).run().await;
        assert!(matches!(&refused, Err(Error::Payload { problem: PayloadProblem::Nul, .. })), "{refused:?}");
        let twins = [page(1), Page { number: 1, ..page(2) }];
        let refused = docs.bulk_insert(twins).mode(mode).run().await;
        assert!(
            matches!(&refused, Err(Error::UniqueViolation { index, .. }) if index.contains("number")),
            "{refused:?}"
        );
        assert_eq!(docs.count::<Page>().await?, 0, "{mode:?}: the one connection works on, and nothing is there");
    }
    Ok(())
}

#[tokio::test]
async fn a_bulk_insert_that_is_dropped_stores_nothing_and_harms_no_connection() -> TestResult {
    let (_db, store) = store_with(|it| it.max_connections(2).document::<Page>()).await?;
    for mode in [BulkMode::InsertOnly, BulkMode::Overwrite] {
        let endless = stream::iter(0..).map(page).chain(stream::pending());
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let mut stop = Some(stop);
        let run = store.docs().bulk_insert_stream(endless.take(20_000).chain(stream::pending())).mode(mode);
        let run = run.on_progress(move |_| {
            stop.take().map(|it| it.send(()));
        });
        tokio::select! {
            done = run.run() => panic!("it cannot end: {done:?}"),
            told = stopped => told?,
        }
        for _ in 0..4 {
            assert_eq!(store.docs().count::<Page>().await?, 0);
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_bulk_insert_waits_for_another_writer_of_the_same_document() -> TestResult {
    let (_db, store) = store_with(|it| it.document::<Page>()).await?;
    store.docs().put(&page(1)).await?;
    let mut tx = store.pool().begin().await?;
    sqlx::raw_sql("UPDATE docs_pages SET version = version + 1").execute(&mut *tx).await?;
    let writing = tokio::spawn({
        let store = store.clone();
        async move { store.docs().bulk_insert([page(1), page(2)]).mode(BulkMode::Overwrite).run().await }
    });
    until_somebody_waits(store.pool()).await?;
    tx.commit().await?;
    assert_eq!(writing.await??.written, 2);
    assert_eq!(store.docs().get(&page(1).id).await?, Some((page(1), 3)));
    Ok(())
}
