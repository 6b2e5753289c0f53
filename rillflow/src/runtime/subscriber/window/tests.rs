use std::collections::HashSet;
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::{Limits, Take, Window};
use crate::model::{Checkpoint, EventEnvelope, RawJson};
use crate::storage::subscriptions::{Ahead, Due, Holding, Partition};

fn event(position: i64, stream: u128) -> EventEnvelope {
    EventEnvelope {
        global_seq: position,
        stream_id: Uuid::from_u128(stream).into(),
        stream_seq: position,
        event_id: Uuid::from_u128(position as u128),
        typ: "tick".into(),
        type_version: 1,
        body: RawJson::from_text("1"),
        headers: None,
        causation_id: None,
        correlation_id: None,
        created_at: Default::default(),
    }
}

fn partition(number: i32, crashes: i32) -> Partition {
    Partition { number, token: 1, acked: Vec::new(), checkpoint: Checkpoint::default(), crashes, doubtful_until: 9 }
}

/// A member that holds two partitions, and may begin.
fn window(crashes: i32) -> Window {
    let limits = Limits { in_flight: 10, batch: 10, attempts: 5 };
    let mut window = Window::new("test".to_owned(), limits);
    let partitions = vec![partition(0, crashes), partition(1, 0)];
    window.hold(Holding { share: 2, partitions }, Instant::now() + Duration::from_secs(60));
    window.begin(window.fresh());
    window
}

fn takes(window: &mut Window) -> Vec<i64> {
    std::iter::from_fn(|| match window.take(Instant::now()) {
        Take::Event(event) => Some(event.global_seq),
        Take::Nothing | Take::Ended => None,
    })
    .collect()
}

#[test]
fn a_partition_that_is_given_back_while_it_is_read_passes_nothing() {
    let mut window = window(0);
    let plan = window.plan(9).expect("something to read");
    let partitions = vec![partition(0, 0), partition(1, 0)];
    window.hold(Holding { share: 1, partitions }, Instant::now());
    let events = vec![(0, event(1, 1)), (1, event(2, 2))];
    window.fill(&plan, events, 9, &HashSet::new());
    assert_eq!(window.behind().len(), 1, "one of the two took nothing: it has not come further");
}

#[test]
fn what_was_read_of_a_stream_waits_behind_one_that_failed_and_takes_no_room() {
    let mut window = window(0);
    let plan = window.plan(9).expect("something to read");
    let of_one: Vec<_> = (1..=8).map(|it| (0, event(it, 1))).chain([(0, event(9, 2))]).collect();
    window.fill(&plan, of_one, 9, &HashSet::new());
    let Take::Event(first) = window.take(Instant::now()) else { panic!("the first") };
    let one = window.one(first.global_seq).expect("it is in hand");
    window.nacked(&one.ack, 1, Some(Duration::from_secs(60)));
    assert_eq!(takes(&mut window), [9]);
    let aside = window.set_aside();
    assert_eq!(aside[0].ack.acked, [2, 3, 4, 5, 6, 7, 8]);
    window.waits_aside(&aside[0]);
    assert_eq!(window.set_aside().len(), 0);
    assert!(window.one(1).is_err() && window.ack(1).is_err(), "it is to come again");
}

#[test]
fn what_fails_while_is_asked_what_waits_is_not_forgotten_over_the_answer() {
    let mut window = window(0);
    let plan = window.plan(9).expect("something to read");
    window.fill(&plan, vec![(0, event(1, 1))], 9, &HashSet::new());
    assert_eq!(takes(&mut window), [1]);
    let held = window.all();
    window.looks_ahead(&held);
    let one = window.one(1).expect("it is in hand");
    window.nacked(&one.ack, 1, Some(Duration::ZERO));
    let ahead = |any, next| [Ahead { partition: 0, any, next }];
    window.ahead(&held, &ahead(false, None), false);
    assert_eq!(window.due(Instant::now()).first(), Some(&held[0]), "the answer did not know of it");
    window.looks_ahead(&held);
    window.ahead(&held, &ahead(true, Some(Duration::from_secs(60))), false);
    assert!(!window.due(Instant::now()).contains(&held[0]), "the next one does");
}

#[test]
fn what_owners_ended_over_is_handed_out_alone() {
    let mut window = window(3);
    let plan = window.plan(9).expect("something to read");
    window.fill(&plan, vec![(0, event(1, 1)), (1, event(2, 2)), (0, event(3, 3))], 9, &HashSet::new());
    assert_eq!(takes(&mut window), [2], "the other partition goes on");
    let aside = window.set_aside().remove(0);
    let tried: Vec<_> = aside.events.iter().map(|it| (it.position, it.tries, it.suspect)).collect();
    assert_eq!(tried, [(1, 3, true), (3, 3, true)]);
    window.waits_aside(&aside);
    assert!(window.due(Instant::now()).contains(&(0, 1)));
    assert!(window.room_aside().1);
    let due = Due { partition: 0, position: 1, attempts: 3, suspect: true };
    window.again(&[due], vec![event(1, 1)]);
    assert!(!window.room_aside().1, "one at a time");
    assert_eq!(takes(&mut window), [1]);
    assert_eq!(window.attempts(1), 3);
}
