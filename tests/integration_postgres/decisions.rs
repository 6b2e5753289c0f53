use rillflow::Lifecycle::Inline;
use rillflow::{Aggregate, DecideError, Error, Event, Expected, Store, handlers};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::orders::{Customer, CustomerSales, NotOpen, Order, OrderState, SalesProjection, customer, placed};
use crate::support::{TestResult, statements_sent, store, store_with, tick, until_somebody_waits};

#[derive(Debug, Serialize, Deserialize)]
struct Paid {
    cents: i64,
}

#[derive(Debug, Event)]
enum AccountEvent {
    Paid(Paid),
}

#[derive(Debug, Default, Aggregate)]
#[aggregate(events = AccountEvent, stream = "account", validate = Account::is_covered)]
struct Account {
    cents: i64,
}

#[handlers]
impl Account {
    fn on_paid(&mut self, e: &Paid) {
        self.cents += e.cents;
    }

    fn is_covered(&self) -> Result<(), String> {
        if self.cents < 0 { Err(format!("{} cents short", -self.cents)) } else { Ok(()) }
    }
}

fn paid(cents: i64) -> AccountEvent {
    AccountEvent::Paid(Paid { cents })
}

async fn cents(store: &Store, id: Uuid) -> rillflow::Result<i64> {
    Ok(store.aggregate::<Account>(id).load().await?.state.cents)
}

#[tokio::test]
async fn validators_look_at_what_a_session_appends() -> TestResult {
    let (_db, store) = store_with(|it| it.document::<Customer>()).await?;
    let id = Uuid::now_v7();
    let mut session = store.session();
    session.append_to::<Account>(id, Expected::NoStream, [paid(5)])?;
    session.append_to::<Account>(id, Expected::Any, [paid(-3)])?; // together they are covered
    session.commit().await?;
    session.store(&customer(1))?;
    session.append_to::<Account>(id, Expected::Any, [paid(-3)])?;
    let refused = session.commit().await;
    assert!(matches!(&refused, Err(Error::Invalid { stream_id, .. }) if stream_id.0 == id), "{refused:?}");
    assert_eq!(store.docs().get::<Customer>(&customer(1).id).await?, None);

    // everything is still staged, and goes through once it is covered
    store.aggregate::<Account>(id).append(Expected::Any, vec![paid(1)]).await?;
    session.commit().await?;
    assert_eq!(cents(&store, id).await?, 0);
    assert!(store.docs().get::<Customer>(&customer(1).id).await?.is_some());

    let mut tx = store.pool().begin().await?;
    let mut session = store.session();
    session.append_to::<Account>(id, Expected::Any, [paid(-1)])?;
    assert!(matches!(session.commit_in_tx(&mut tx).await, Err(Error::Invalid { .. })));
    let account = store.aggregate::<Account>(id);
    assert!(matches!(account.append_in_tx(&mut tx, Expected::Any, vec![paid(-1)]).await, Err(Error::Invalid { .. })));
    account.append_in_tx(&mut tx, Expected::Exact(4), vec![paid(1)]).await?; // seen by the next look in this transaction
    session.commit_in_tx(&mut tx).await?;
    tx.commit().await?;
    assert_eq!(store.events().read_stream(id).await?.len(), 6);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn validated_sessions_that_expect_any_version_never_lose_to_each_other() -> TestResult {
    let (_db, store) = store().await?;
    let id = Uuid::now_v7();
    store.aggregate::<Account>(id).append(Expected::Any, vec![paid(30)]).await?;
    let sessions: Vec<_> = (0..8)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut refused = 0;
                for _ in 0..5 {
                    let mut session = store.session();
                    session.append_to::<Account>(id, Expected::Any, [paid(-1)])?;
                    match session.commit().await {
                        Ok(_) => {}
                        Err(Error::Invalid { .. }) => refused += 1,
                        Err(other) => return Err(other),
                    }
                }
                Ok(refused)
            })
        })
        .collect();
    let mut refused = 0;
    for session in sessions {
        refused += session.await??;
    }
    assert_eq!((cents(&store, id).await?, refused), (0, 10));
    Ok(())
}

#[tokio::test]
async fn a_session_decides_on_what_is_stored_and_staged_and_expects_what_it_saw() -> TestResult {
    let (_db, store) = store().await?;
    let id = Uuid::now_v7();
    store.aggregate::<Order>(id).append(Expected::NoStream, vec![placed(customer(1).id, 5)]).await?;
    let mut session = store.session();
    let order = session.decide::<Order, _>(id, |it| it.ship("1Z")).await?;
    assert_eq!(order.state, OrderState::Shipped);
    let again = session.decide::<Order, _>(id, |it| it.ship("2Z")).await;
    assert!(matches!(again, Err(DecideError::Rejected(NotOpen(OrderState::Shipped)))));
    let seen = session.load_aggregate::<Order>(id).await?;
    assert_eq!((seen.state.state, seen.version), (OrderState::Shipped, 2));

    store.aggregate::<Order>(id).append(Expected::Any, vec![placed(customer(1).id, 6)]).await?;
    let conflict = session.commit().await;
    assert!(matches!(conflict, Err(Error::VersionConflict { expected: Expected::Exact(1), actual: 2, .. })));

    let mut session = store.session();
    session.append_to::<Order>(id, Expected::Any, [placed(customer(1).id, 7)])?;
    session.decide::<Order, _>(id, |it| it.ship("3Z")).await?;
    session.commit().await?;
    assert_eq!(store.events().read_stream(id).await?.len(), 4);
    Ok(())
}

#[tokio::test]
async fn what_a_session_decided_is_written_in_one_statement() -> TestResult {
    let (_db, store) = store().await?;
    let id = Uuid::now_v7();
    let mut session = store.session();
    session.append_to::<Order>(id, Expected::NoStream, [placed(customer(1).id, 7)])?;
    session.decide::<Order, _>(id, |it| it.ship("3Z")).await?;
    session.publish("orders", id, &())?;
    statements_sent();
    session.commit().await?;
    assert_eq!(statements_sent(), 1);
    assert_eq!(store.aggregate::<Order>(id).load().await?.state.state, OrderState::Shipped);
    Ok(())
}

#[tokio::test]
async fn a_decision_in_the_callers_transaction_is_there_when_that_commits() -> TestResult {
    let (_db, store) = store_with(|it| it.projection::<SalesProjection>(Inline)).await?;
    let id = Uuid::now_v7();
    let order = store.aggregate::<Order>(id);
    let kim = customer(1).id;
    let mut tx = store.pool().begin().await?;
    order.append_in_tx(&mut tx, Expected::NoStream, vec![placed(kim, 5)]).await?;
    let decided = order.decide_in_tx(&mut tx, |it| it.ship("1Z")).await?;
    assert_eq!((decided.version, decided.state.state), (2, OrderState::Shipped));
    assert!(matches!(order.decide_in_tx(&mut tx, |it| it.ship("2Z")).await, Err(DecideError::Rejected(_))));
    assert_eq!(order.load_in_tx(&mut tx).await?.version, 2);
    assert_eq!(order.load().await?.version, 0);
    tx.commit().await?;
    assert_eq!(order.load().await?.version, 2);
    let sales = store.docs().get::<CustomerSales>(&kim).await?;
    assert_eq!(sales.map(|(it, _)| it.total), Some(5));
    Ok(())
}

#[tokio::test]
async fn a_decision_in_a_transaction_is_made_anew_when_another_was_first() -> TestResult {
    let (_db, store) = store().await?;
    let id = Uuid::now_v7();
    let account = store.aggregate::<Account>(id);
    account.append(Expected::Any, vec![paid(5)]).await?;
    let mut first = store.pool().begin().await?;
    account.append_in_tx(&mut first, Expected::Any, vec![paid(1)]).await?;
    let second = tokio::spawn({
        let store = store.clone();
        async move {
            let mut asked = Vec::new();
            let mut tx = store.pool().begin().await.map_err(Error::from)?;
            let decision = |it: &Account| {
                asked.push(it.cents);
                Ok::<_, Error>(vec![paid(-it.cents)])
            };
            store.aggregate::<Account>(id).decide_in_tx(&mut tx, decision).await?;
            tx.commit().await.map_err(Error::from)?;
            Ok::<_, DecideError<Error>>(asked)
        }
    });
    until_somebody_waits(store.pool()).await?;
    first.commit().await?;
    assert_eq!(second.await??, [5, 6]);
    assert_eq!(cents(&store, id).await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_refused_session_leaves_the_callers_transaction_whole() -> TestResult {
    let (_db, store) = store_with(|it| it.document::<Customer>()).await?;
    let (taken, free) = (Uuid::now_v7(), Uuid::now_v7());
    store.events().append_stream(taken, Expected::NoStream, [tick(1)]).await?;
    let mut tx = store.pool().begin().await?;
    store.events().append_in_tx(&mut tx, free, Expected::NoStream, [tick(1)]).await?;
    let mut session = store.session();
    session.store(&customer(1))?;
    session.append(taken, Expected::NoStream, [tick(2)])?;
    session.publish("lost", 1, &())?;
    let refused = session.commit_in_tx(&mut tx).await;
    assert!(matches!(refused, Err(Error::VersionConflict { actual: 1, .. })), "{refused:?}");
    tx.commit().await?;
    assert_eq!(store.events().read_stream(free).await?.len(), 1);
    assert_eq!(store.docs().get::<Customer>(&customer(1).id).await?, None);
    assert!(store.outbox().read(0, 10).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_commit_that_is_given_up_leaves_everything_staged_and_writes_once() -> TestResult {
    let (_db, store) = store_with(|it| it.document::<Customer>()).await?;
    let id = Uuid::now_v7();
    store.events().append_stream(id, Expected::Any, [tick(1)]).await?;
    let mut held = store.pool().begin().await?;
    sqlx::query("SELECT FROM streams WHERE stream_id = $1 FOR UPDATE").bind(id).execute(&mut *held).await?;
    let mut session = store.session();
    session.store(&customer(1))?;
    session.append(id, Expected::Any, [tick(2)])?;
    session.publish("once", 1, &())?;
    {
        let mut commit = std::pin::pin!(session.commit());
        tokio::select! {
            result = &mut commit => panic!("the stream is held: {result:?}"),
            waiting = until_somebody_waits(store.pool()) => waiting?,
        }
    }
    held.rollback().await?;
    // the statement that was given up may have gone through: then its events and message are recognised
    let again = session.commit().await;
    assert!(matches!(again, Ok(_) | Err(Error::IdempotencyConflict { .. } | Error::AlreadyPublished { .. })));
    assert_eq!(store.events().read_stream(id).await?.len(), 2);
    assert_eq!(store.outbox().read(0, 10).await?.len(), 1);
    assert_eq!(store.docs().get::<Customer>(&customer(1).id).await?.map(|it| it.1), Some(1));
    Ok(())
}

#[tokio::test]
async fn what_a_session_says_once_goes_with_all_its_events_and_messages() -> TestResult {
    let (_db, store) = store().await?;
    let (cause, belongs, own) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
    let id = Uuid::now_v7();
    let mut session = store.session();
    session.append(id, Expected::Any, [tick(0)])?;
    session.headers(serde_json::json!({ "request": 7 }));
    session.causation_id(cause);
    session.correlation_id(belongs);
    session.append(id, Expected::Any, [tick(1), tick(2).with_causation_id(own).with_headers(&1)])?;
    session.publish("topic", 1, &())?;
    session.commit().await?;
    let events = store.events().read_stream(id).await?;
    let told: Vec<_> = events.iter().map(|it| (it.causation_id, it.correlation_id)).collect();
    assert_eq!(told, [(None, None), (Some(cause), Some(belongs)), (Some(own), Some(belongs))]);
    let headers: Vec<_> = events.iter().map(|it| it.headers.as_ref().map(|it| it.as_str().to_owned())).collect();
    assert_eq!(headers, [None, Some(r#"{"request": 7}"#.to_owned()), Some("1".to_owned())]);
    let message = store.outbox().read(0, 1).await?.pop().ok_or("no message")?;
    assert_eq!((message.causation_id, message.correlation_id), (Some(cause), Some(belongs)));
    Ok(())
}
