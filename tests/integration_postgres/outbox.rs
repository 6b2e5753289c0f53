use rillflow::{Error, Event, Expected, Lifecycle, Message, SchemaConfig, Store};
use serde_json::json;
use uuid::Uuid;

use crate::orders::{Customer, CustomerSales, Order, SalesProjection, customer, placed};
use crate::support::{Db, TestResult, statements_sent, store, store_with, tick};

async fn topics(store: &Store) -> rillflow::Result<Vec<String>> {
    Ok(store.outbox().read(0, 100).await?.into_iter().map(|it| it.topic).collect())
}

fn message(topic: &str) -> Message {
    Message::new(topic, 7, &json!({ "about": topic }))
}

#[tokio::test]
async fn a_session_writes_documents_events_and_messages_in_one_statement() -> TestResult {
    let (_db, store) = store_with(|it| it.document::<Customer>()).await?;
    let (cause, belongs) = (Uuid::now_v7(), Uuid::now_v7());
    let mut session = store.session();
    session.store(&customer(1))?;
    session.append(Uuid::now_v7(), Expected::NoStream, [tick(1), tick(2)])?;
    session.publish("orders", customer(1).id.0, &json!({ "n": 1.10 }))?;
    let second = message("mails").with_headers(&json!({ "to": "kim" })).with_id(cause);
    session.publish_message(second.with_causation_id(cause).with_correlation_id(belongs))?;
    statements_sent();
    let committed = session.commit().await?;
    assert_eq!(statements_sent(), 1);

    let messages = store.outbox().read(0, 100).await?;
    assert_eq!(messages.iter().map(|it| it.topic.as_str()).collect::<Vec<_>>(), ["orders", "mails"]);
    assert!(messages.is_sorted_by_key(|it| it.position) && messages[0].position > committed.position());
    assert_eq!(messages[0].key, customer(1).id.0.to_string());
    assert_eq!(messages[0].payload.as_str(), r#"{"n":1.1}"#);
    assert_eq!(messages[1].headers.as_ref().map(|it| it.as_str()), Some(r#"{"to": "kim"}"#));
    assert_eq!((messages[1].message_id, messages[1].causation_id), (cause, Some(cause)));
    assert_eq!(messages[1].correlation_id, Some(belongs));

    session.commit().await?;
    assert_eq!(topics(&store).await?.len(), 2, "nothing is staged any more");
    session.publish("alone", "", &())?;
    session.commit().await?;
    assert_eq!(topics(&store).await?, ["orders", "mails", "alone"]);
    assert_eq!(store.outbox().delete_up_to(messages[1].position).await?, 2);
    assert_eq!(topics(&store).await?, ["alone"]);
    Ok(())
}

#[tokio::test]
async fn what_does_not_commit_publishes_nothing() -> TestResult {
    let (_db, store) = store_with(|it| it.document::<Customer>()).await?;
    let id = Uuid::now_v7();
    store.events().append_stream(id, Expected::NoStream, [tick(1)]).await?;
    let mut session = store.session();
    session.append(id, Expected::NoStream, [tick(2)])?;
    session.publish("lost", "", &())?;
    assert!(matches!(session.commit().await, Err(Error::VersionConflict { .. })));
    let mut session = store.session();
    session.update(&customer(1), 3)?;
    session.publish("lost", "", &())?;
    assert!(matches!(session.commit().await, Err(Error::DocVersionConflict { .. })));
    let lost = store.events().builder(id).expected(Expected::Exact(7)).push(tick(2)).publish(message("lost"));
    assert!(matches!(lost.send().await, Err(Error::VersionConflict { actual: 1, .. })));
    let mut tx = store.pool().begin().await?;
    store.outbox().publish_in_tx(&mut tx, message("lost")).await?;
    tx.rollback().await?;
    assert_eq!(topics(&store).await?, [""; 0]);
    Ok(())
}

#[tokio::test]
async fn a_repeated_append_publishes_once() -> TestResult {
    let (_db, store) = store().await?;
    let (id, correlation) = (Uuid::now_v7(), Uuid::now_v7());
    let send = || {
        let append = store.events().builder(id).publish(message("once")).idempotency_key("request 1");
        append.push(Event::new("tick", &1)).correlation_id(correlation).send()
    };
    assert!(!send().await?.repeated);
    assert!(send().await?.repeated);
    let messages = store.outbox().read(0, 10).await?;
    assert_eq!(messages.iter().map(|it| it.correlation_id).collect::<Vec<_>>(), [Some(correlation)]);

    // by the ids of its events
    let event = Uuid::now_v7();
    let send = || {
        let append = store.events().builder(id).publish(message("by id"));
        append.push(tick(2).with_id(event)).send()
    };
    assert!(!send().await?.repeated);
    assert!(send().await?.repeated);
    assert_eq!(topics(&store).await?, ["once", "by id"]);
    Ok(())
}

#[tokio::test]
async fn a_message_that_waits_is_not_published_again() -> TestResult {
    let (_db, store) = store().await?;
    let id = Uuid::now_v7();
    store.outbox().publish(message("first").with_id(id)).await?;
    let mut session = store.session();
    session.publish_message(message("again").with_id(id))?;
    session.append(id, Expected::Any, [tick(1)])?;
    let again = session.commit().await;
    assert!(
        matches!(&again, Err(Error::AlreadyPublished { message_id }) if *message_id == id.to_string()),
        "{again:?}"
    );
    assert_eq!(topics(&store).await?, ["first"]);
    assert!(store.events().read_stream(id).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_relay_never_passes_a_message_that_is_still_to_come() -> TestResult {
    let (_db, store) = store().await?;
    let mut raw = store.pool().begin().await?;
    let by_other_software = "INSERT INTO outbox_messages (message_id, topic, key, payload) \
                             VALUES (gen_random_uuid(), 'raw', '', '1')";
    sqlx::raw_sql(by_other_software).execute(&mut *raw).await?;
    let mut ours = store.pool().begin().await?;
    store.outbox().publish_in_tx(&mut ours, message("ours")).await?;
    let mut session = store.session();
    session.publish("of a session", "", &())?;
    let mut tx = store.pool().begin().await?;
    session.commit_in_tx(&mut tx).await?;
    store.outbox().publish(message("last")).await?;

    assert_eq!(topics(&store).await?, [""; 0], "three that come before it are open");
    tx.commit().await?;
    ours.commit().await?;
    assert_eq!(topics(&store).await?, [""; 0], "the first one is open");
    raw.commit().await?;
    assert_eq!(topics(&store).await?, ["raw", "ours", "of a session", "last"]);
    Ok(())
}

#[tokio::test]
async fn inline_projections_and_messages_share_the_transaction_of_the_append() -> TestResult {
    let (_db, store) = store_with(|it| it.projection::<SalesProjection>(Lifecycle::Inline)).await?;
    let kim = customer(1).id;
    let send =
        |total| store.events().builder(Uuid::now_v7()).push(placed(kim, total)).publish(message("placed")).send();
    send(5).await?;
    assert!(matches!(send(i64::MAX).await, Err(Error::Projection { .. })));
    assert_eq!(topics(&store).await?, ["placed"]);
    assert_eq!(store.docs().get::<CustomerSales>(&kim).await?.map(|it| it.0.total), Some(5));
    Ok(())
}

#[tokio::test]
async fn an_outbox_that_could_lose_messages_is_refused() -> TestResult {
    let (_db, store) = store().await?;
    sqlx::raw_sql("ALTER TABLE outbox_messages DISABLE TRIGGER outbox_messages_announce").execute(store.pool()).await?;
    let refused = store.schema().sync(&SchemaConfig::single_tenant()).await;
    assert!(
        matches!(&refused, Err(Error::Schema { help, .. }) if help.contains("outbox_messages_announce")),
        "{refused:?}"
    );
    sqlx::raw_sql("ALTER TABLE outbox_messages ENABLE TRIGGER outbox_messages_announce").execute(store.pool()).await?;

    store.outbox().publish(message("a")).await?;
    store.outbox().publish(message("b")).await?;
    sqlx::raw_sql("SELECT setval('events_global_seq', 1)").execute(store.pool()).await?;
    assert!(
        matches!(store.schema().sync(&SchemaConfig::single_tenant()).await, Err(Error::Schema { .. })),
        "2 would be drawn twice"
    );
    Ok(())
}

#[tokio::test]
async fn the_outbox_works_in_a_schema_of_its_own() -> TestResult {
    let (_db, store): (Db, Store) = store_with(|it| it.schema("app").document::<Customer>()).await?;
    let mut session = store.session();
    session.store(&customer(1))?;
    session.append_to::<Order>(Uuid::now_v7(), Expected::Any, [placed(customer(1).id, 1)])?;
    session.publish("a", "", &())?;
    session.commit().await?;
    store.events().builder(Uuid::now_v7()).push(tick(1)).publish(message("b")).send().await?;
    store.outbox().publish(message("c")).await?;
    assert_eq!(topics(&store).await?, ["a", "b", "c"]);
    Ok(())
}
