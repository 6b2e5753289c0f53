use rillflow::{BulkMode, Document, DocumentValue, Error};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::support::{TestResult, statements_sent, store_with};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, DocumentValue)]
struct TicketId(i64);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Document)]
struct Ticket {
    #[document(id(sequence))]
    #[serde(rename = "number")]
    id: TicketId,
    #[document(unique)]
    title: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, DocumentValue)]
struct GuestId(Uuid);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Document)]
struct Guest {
    #[document(id(v7))]
    id: GuestId,
    name: String,
}

fn ticket(title: &str) -> Ticket {
    Ticket { id: TicketId(0), title: title.to_owned() }
}

fn guest(name: &str) -> Guest {
    Guest { id: GuestId(Uuid::nil()), name: name.to_owned() }
}

crate::layouts::declared!(Ticket, Guest);

#[tokio::test]
async fn a_created_document_gets_the_next_number_of_its_own_sequence_in_one_statement() -> TestResult {
    let (_db, store) = store_with(|it| it.schema("app").document::<Ticket>()).await?;
    let (mut one, mut two) = (ticket("one"), ticket("two"));
    store.docs().count::<Ticket>().await?;
    statements_sent();
    assert_eq!(store.docs().create(&mut one).await?, 1);
    assert_eq!(statements_sent(), 1);
    store.docs().create(&mut two).await?;
    assert_eq!((one.id, two.id), (TicketId(1), TicketId(2)));
    assert_eq!(store.docs().get(&TicketId(2)).await?, Some((two, 1)), "its JSON holds the id as well");
    Ok(())
}

#[tokio::test]
async fn a_document_that_was_not_created_has_no_id() -> TestResult {
    let (_db, store) = store_with(|it| it.document::<Ticket>().document::<Guest>()).await?;
    let (mut one, mut twin) = (ticket("one"), ticket("one"));
    store.docs().create(&mut one).await?;
    let refused = store.docs().create(&mut twin).await;
    assert!(matches!(refused, Err(Error::UniqueViolation { collection: "tickets", .. })), "{refused:?}");
    assert_eq!(twin.id, TicketId(0));
    let mut nul = guest("\0");
    assert!(matches!(store.docs().create(&mut nul).await, Err(Error::Payload { .. })));
    assert_eq!(nul.id, GuestId(Uuid::nil()));
    Ok(())
}

#[tokio::test]
async fn a_sequence_goes_past_numbers_that_were_given_by_hand() -> TestResult {
    let (_db, store) = store_with(|it| it.document::<Ticket>()).await?;
    for number in 1..=3 {
        let mut given = Ticket { id: TicketId(number), title: format!("given {number}") };
        store.docs().create(&mut given).await?;
        assert_eq!(given.id, TicketId(number));
    }
    let mut next = ticket("next");
    store.docs().create(&mut next).await?;
    assert!(next.id.0 > 3, "{next:?}");
    Ok(())
}

#[tokio::test]
async fn many_creators_at_once_get_numbers_of_their_own() -> TestResult {
    let (_db, store) = store_with(|it| it.document::<Ticket>()).await?;
    store.docs().insert(&Ticket { id: TicketId(5), title: "in the way".to_owned() }).await?;
    let creators: Vec<_> = (0..20)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut one = ticket(&n.to_string());
                store.docs().create(&mut one).await.map(|_| one.id.0)
            })
        })
        .collect();
    let mut numbers = vec![5];
    for creator in creators {
        numbers.push(creator.await??);
    }
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 21);
    Ok(())
}

#[tokio::test]
async fn a_created_uuid_is_of_version_7_and_comes_back_in_the_document() -> TestResult {
    let (_db, store) = store_with(|it| it.document::<Guest>()).await?;
    let (mut one, mut two) = (guest("one"), guest("two"));
    store.docs().count::<Guest>().await?;
    statements_sent();
    assert_eq!((store.docs().create(&mut one).await?, store.docs().create(&mut two).await?), (1, 1));
    assert_eq!(statements_sent(), 2);
    assert_eq!(one.id.0.get_version_num(), 7);
    assert!(one.id.0 < two.id.0);
    assert_eq!(store.docs().get(&one.id).await?, Some((one, 1)));
    Ok(())
}

#[tokio::test]
async fn an_id_that_is_still_to_be_made_is_never_stored() -> TestResult {
    let (_db, store) = store_with(|it| it.document::<Guest>().document::<Ticket>()).await?;
    let nobody = guest("nobody");
    statements_sent();
    let refused = [
        store.docs().put(&nobody).await,
        store.docs().insert(&nobody).await,
        store.docs().put(&ticket("none")).await,
        store.session().store(&nobody).map(|()| 0),
    ];
    for refused in refused {
        assert!(matches!(refused, Err(Error::IdNotSet { collection: "guests" | "tickets" })), "{refused:?}");
    }
    let bulk = store.docs().bulk_insert([nobody]).mode(BulkMode::Overwrite).run().await;
    assert!(matches!(bulk, Err(Error::IdNotSet { collection: "guests" })), "{bulk:?}");
    assert_eq!(store.docs().count::<Guest>().await?, 0);
    Ok(())
}

#[tokio::test]
async fn reserved_ids_serve_sessions_and_bulk_inserts() -> TestResult {
    let (_db, store) = store_with(|it| it.document::<Guest>().document::<Ticket>()).await?;
    let ids = store.docs().reserve_ids::<Ticket>(3).await?;
    assert_eq!(ids, [TicketId(1), TicketId(2), TicketId(3)]);
    let tickets = ids.into_iter().map(|id| Ticket { id, title: format!("no. {}", id.0) });
    assert_eq!(store.docs().bulk_insert(tickets).run().await?.written, 3);
    let mut next = ticket("next");
    store.docs().create(&mut next).await?;
    assert_eq!(next.id, TicketId(4));

    let id = store.docs().reserve_ids::<Guest>(1).await?[0];
    let mut session = store.session();
    session.insert(&Guest { id, ..guest("in a session") })?;
    session.commit().await?;
    assert!(store.docs().exists::<Guest>(&id).await?);
    Ok(())
}
