use std::collections::HashMap;

use rillflow::{Aggregate, DocumentValue, Error, Event, EventTags, Expected, Observed, Store, TagQuery, handlers};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use uuid::Uuid;

use crate::support::{TestResult, statements_sent, store, store_with, tick, until_somebody_waits};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, DocumentValue)]
struct Course(i64);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, DocumentValue)]
struct Student(i64);

#[derive(Clone, Debug, Serialize, Deserialize, EventTags)]
struct Enrolled {
    #[event(tag)]
    course: Course,
    #[event(tag = "student")]
    who: Student,
    #[event(tag)]
    paid_by: Option<String>,
    #[event(tag)]
    friend: Vec<Student>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Reminded {
    text: String,
}

#[derive(Clone, Debug, Event)]
enum CourseEvent {
    Enrolled(Enrolled),
    Reminded(Reminded),
}

/// Who sits where, among the events that were looked at.
#[derive(Clone, Debug, Default, Aggregate)]
#[aggregate(events = CourseEvent)]
struct Seats {
    taken: HashMap<Course, usize>,
    courses_of: HashMap<Student, usize>,
}

#[handlers(ignore(Reminded))]
impl Seats {
    fn on_enrolled(&mut self, e: &Enrolled) {
        *self.taken.entry(e.course).or_default() += 1;
        *self.courses_of.entry(e.who).or_default() += 1;
    }

    fn enroll(&self, course: Course, who: Student, most: usize) -> Result<Vec<CourseEvent>, &'static str> {
        if self.taken.get(&course).is_some_and(|taken| *taken >= most) {
            return Err("the course is full");
        }
        if self.courses_of.get(&who).is_some_and(|taken| *taken >= most) {
            return Err("the student is busy");
        }
        Ok(vec![enrolled(course, who)])
    }
}

fn enrolled(course: Course, who: Student) -> CourseEvent {
    CourseEvent::Enrolled(Enrolled { course, who, paid_by: None, friend: Vec::new() })
}

fn about(course: i64) -> TagQuery {
    TagQuery::tag("course", &Course(course))
}

async fn observe(store: &Store, query: TagQuery) -> rillflow::Result<Observed<Seats>> {
    store.tagged::<Seats>(query).load().await
}

async fn append_plain(store: &Store, course: i64) -> rillflow::Result<i64> {
    let event = enrolled(Course(course), Student(1));
    Ok(store.events().append_stream(Uuid::now_v7(), Expected::Any, [event]).await?.position())
}

/// Appends on what was observed.
async fn act(store: &Store, observed: Observed<Seats>) -> rillflow::Result<i64> {
    let events = vec![enrolled(Course(99), Student(99))];
    Ok(store.tagged(about(1)).append(observed, Uuid::now_v7(), events).await?.position())
}

async fn deadlocks(pool: &PgPool) -> sqlx::Result<i64> {
    sqlx::query_scalar("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        .fetch_one(pool)
        .await
}

#[tokio::test]
async fn tags_are_stored_once_each_by_name_and_value() -> TestResult {
    let (_db, store) = store().await?;
    let event = CourseEvent::Enrolled(Enrolled {
        course: Course(42),
        who: Student(7),
        paid_by: Some(r#"a "b" \ {c},d"#.to_owned()),
        friend: vec![Student(2), Student(1), Student(2)],
    });
    let untagged = CourseEvent::Reminded(Reminded { text: "hello".to_owned() });
    let by_hand = tick(1).with_tag("course", &42).with_tag("course", "42");
    let id = Uuid::now_v7();
    store.events().append_stream(id, Expected::Any, [event.into(), untagged.into(), by_hand]).await?;
    let tags: Vec<Option<Vec<String>>> =
        sqlx::query_scalar("SELECT tags FROM events ORDER BY global_seq").fetch_all(store.pool()).await?;
    let first = ["course:42", "friend:1", "friend:2", r#"paid_by:a "b" \ {c},d"#, "student:7"];
    assert_eq!(tags, [Some(first.map(str::to_owned).to_vec()), None, Some(vec!["course:42".to_owned()])]);

    for bad in [tick(1).with_tag("a:b", &1), tick(1).with_tag("", &1), tick(1).with_tag("a", &"x".repeat(600))] {
        let refused = store.events().append_stream(id, Expected::Any, [bad]).await;
        assert!(matches!(refused, Err(Error::Encode { .. })), "{refused:?}");
    }
    Ok(())
}

#[tokio::test]
async fn tags_are_read_with_and_and_or_and_never_past_the_mark() -> TestResult {
    let (_db, store) = store().await?;
    for (course, who) in [(1, 1), (1, 2), (2, 1), (3, 3)] {
        let event = enrolled(Course(course), Student(who));
        store.events().append_stream(Uuid::now_v7(), Expected::Any, [event]).await?;
    }
    store.events().append_stream(Uuid::now_v7(), Expected::Any, [tick(1).with_tag("course", &1)]).await?;
    let found = async |query: TagQuery| -> rillflow::Result<Vec<i64>> {
        let all = store.events().all().tags(query).fetch_all().await?;
        Ok(all.iter().map(|it| it.global_seq).collect())
    };
    assert_eq!(found(about(1)).await?, [1, 2, 5]);
    assert_eq!(found(about(1).and("student", &1)).await?, [1]);
    assert_eq!(found(about(1).or(TagQuery::tag("student", &1))).await?, [1, 2, 3, 5], "each once");
    assert_eq!(found(about(1).or(about(2)).and("student", &1)).await?, [1, 3]);
    let types = store.events().all().tags(about(1)).events_of::<CourseEvent>();
    assert_eq!(types.fetch_all().await?.len(), 2);
    let page = store.events().all().tags(about(1)).after(1).limit(1).page().await?;
    assert_eq!((page.events[0].global_seq, page.reached_end), (2, false));

    let mut open = store.pool().begin().await?;
    store.events().append_in_tx(&mut open, Uuid::now_v7(), Expected::Any, [tick(1)]).await?;
    append_plain(&store, 1).await?;
    assert_eq!(found(about(1)).await?, [1, 2, 5], "7 is committed, but another may still come before it");
    assert_eq!(observe(&store, about(1)).await?.taken[&Course(1)], 3, "a decision looks at everything");
    Ok(())
}

#[tokio::test]
async fn a_decision_looks_in_two_statements_and_appends_in_one() -> TestResult {
    let (_db, store) = store().await?;
    let decide = || store.tagged::<Seats>(about(1)).decide(Uuid::now_v7(), |it| it.enroll(Course(1), Student(1), 2));
    statements_sent();
    decide().await?;
    assert_eq!(statements_sent(), 3);
    let decided = decide().await?;
    assert_eq!((decided.state.taken[&Course(1)], decided.position()), (2, 2));
    assert!(matches!(decide().await, Err(rillflow::DecideError::Rejected("the course is full"))));
    Ok(())
}

#[tokio::test]
async fn what_came_up_since_is_a_conflict_and_what_does_not_match_is_not() -> TestResult {
    let (_db, store) = store().await?;
    let observed = observe(&store, about(1)).await?;
    append_plain(&store, 2).await?;
    store.events().append_stream(Uuid::now_v7(), Expected::Any, [tick(1).with_tag("course", &1)]).await?;
    act(&store, observed).await?; // neither another course nor an event of another set

    let narrow = observe(&store, about(1).and("student", &2)).await?;
    let wide = observe(&store, about(7).or(about(1))).await?;
    let newer = append_plain(&store, 1).await?;
    act(&store, narrow).await?;
    let drawn = store.events().read_all(0, 100).await?.len();
    let refused = act(&store, wide).await;
    assert!(matches!(refused, Err(Error::TagConflict { position }) if position == newer), "{refused:?}");
    assert_eq!(store.events().read_all(0, 100).await?.len(), drawn);
    assert_eq!(append_plain(&store, 1).await?, drawn as i64 + 1, "a loser draws no position");

    // long ago: the other way to look
    let observed = observe(&store, about(1)).await?;
    sqlx::raw_sql("SELECT setval('events_global_seq', 30000)").execute(store.pool()).await?;
    let newer = append_plain(&store, 1).await?;
    assert!(matches!(act(&store, observed).await, Err(Error::TagConflict { position }) if position == newer));
    let observed = observe(&store, about(1)).await?;
    sqlx::raw_sql("SELECT setval('events_global_seq', 60000)").execute(store.pool()).await?;
    act(&store, observed).await?;
    Ok(())
}

#[tokio::test]
async fn what_was_seen_above_the_mark_is_no_conflict() -> TestResult {
    let (_db, store) = store().await?;
    let mut open = store.pool().begin().await?;
    store.events().append_in_tx(&mut open, Uuid::now_v7(), Expected::Any, [tick(1)]).await?;
    append_plain(&store, 1).await?;
    let observed = observe(&store, about(1)).await?;
    act(&store, observed.clone()).await?;
    append_plain(&store, 1).await?;
    assert!(matches!(act(&store, observed).await, Err(Error::TagConflict { position: 4 })));
    Ok(())
}

#[tokio::test]
async fn a_decision_waits_for_whoever_is_writing_what_it_rests_on() -> TestResult {
    for raw in [false, true] {
        let (_db, store) = store().await?;
        let observed = observe(&store, about(1)).await?;
        let mut open = store.pool().begin().await?;
        if raw {
            let insert = "INSERT INTO events (stream_id, stream_seq, event_id, type, data, tags) \
                          SELECT gen_random_uuid(), 1, gen_random_uuid(), 'enrolled', '{}', ARRAY['course:' || n] \
                          FROM generate_series(0, 2) AS n";
            sqlx::raw_sql(insert).execute(&mut *open).await?;
        } else {
            let events = [0, 1, 2].map(|n| enrolled(Course(n), Student(1)));
            store.events().append_in_tx(&mut open, Uuid::now_v7(), Expected::Any, events).await?;
        }
        let deciding = tokio::spawn({
            let store = store.clone();
            async move { act(&store, observed).await }
        });
        until_somebody_waits(store.pool()).await?;
        act(&store, observe(&store, about(5)).await?).await?; // nobody writes about 5
        append_plain(&store, 2).await?; // writers do not wait for each other
        open.commit().await?;
        let refused = deciding.await?;
        assert!(matches!(refused, Err(Error::TagConflict { .. })), "{refused:?}");
    }
    Ok(())
}

#[tokio::test]
async fn writers_wait_for_the_decision_that_rests_on_their_tag_and_no_other() -> TestResult {
    let (_db, store) = store().await?;
    let mut session = store.session();
    session.require(&observe(&store, about(1).and("student", &4)).await?);
    session.append(Uuid::now_v7(), Expected::Any, [tick(1)])?;
    let mut open = store.pool().begin().await?;
    session.commit_in_tx(&mut open).await?;

    append_plain(&store, 1).await?; // of an alternative, the last tag is locked
    let event = enrolled(Course(9), Student(4));
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { store.events().append_stream(Uuid::now_v7(), Expected::Any, [event]).await }
    });
    until_somebody_waits(store.pool()).await?;
    append_plain(&store, 2).await?; // neither this stream nor the mark is held by the one that waits
    store.events().append_stream(Uuid::now_v7(), Expected::Any, [tick(2)]).await?;
    open.commit().await?;
    waiting.await??;
    assert_eq!(store.events().read_all(0, 100).await?.len(), 5);
    Ok(())
}

#[tokio::test]
async fn a_session_commits_only_if_what_it_requires_still_holds() -> TestResult {
    let (_db, store) = store().await?;
    for with_events in [true, false] {
        let mut session = store.session();
        session.require(&observe(&store, about(1)).await?);
        if with_events {
            session.append(Uuid::now_v7(), Expected::Any, [enrolled(Course(1), Student(1))])?;
        }
        session.publish("enrolled", 1, &())?;
        append_plain(&store, 1).await?;
        assert!(matches!(session.commit().await, Err(Error::TagConflict { .. })));
        assert!(store.outbox().read(0, 10).await?.is_empty());
        session.require(&observe(&store, about(1)).await?);
        session.commit().await?;
        let messages = store.outbox().read(0, 10).await?;
        assert_eq!(store.outbox().delete_up_to(messages[0].position).await?, 1);
    }
    Ok(())
}

#[tokio::test]
async fn more_tags_than_are_locked_one_by_one_are_locked_together() -> TestResult {
    let (_db, store) = store().await?;
    let observed = observe(&store, about(1)).await?;
    let mut open = store.pool().begin().await?;
    let many = (0..100).map(|n| enrolled(Course(n), Student(n)));
    store.events().append_in_tx(&mut open, Uuid::now_v7(), Expected::Any, many).await?;
    let held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()";
    let held: i64 = sqlx::query_scalar(held).fetch_one(&mut *open).await?;
    assert!(held < 5, "{held} locks");
    let deciding = tokio::spawn({
        let store = store.clone();
        async move { act(&store, observed).await }
    });
    until_somebody_waits(store.pool()).await?;
    open.commit().await?;
    assert!(matches!(deciding.await?, Err(Error::TagConflict { .. })));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn seats_and_students_are_never_booked_twice_and_nobody_deadlocks() -> TestResult {
    const MOST: usize = 3;
    let (_db, store) = store_with(|it| it.max_connections(16)).await?;
    let writers: Vec<_> = (0..12)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut booked = 0;
                for round in 0..12 {
                    let (course, who) = (Course((n + round) % 5), Student((n * 7 + round) % 6));
                    // the two tags in either order: what is locked is sorted
                    let (course_tag, student_tag) = (TagQuery::tag("course", &course), TagQuery::tag("student", &who));
                    let query = if n % 2 == 0 { course_tag.or(student_tag) } else { student_tag.or(course_tag) };
                    // one stream for all: its row is locked as well
                    match store.tagged::<Seats>(query).decide(Uuid::nil(), |it| it.enroll(course, who, MOST)).await {
                        Ok(_) => booked += 1,
                        Err(rillflow::DecideError::Rejected(_)) => {}
                        Err(rillflow::DecideError::Store(error)) => return Err(error),
                    }
                    append_plain(&store, 100 + n).await?;
                }
                Ok(booked)
            })
        })
        .collect();
    let mut booked = 0;
    for writer in writers {
        booked += writer.await??;
    }
    let all = observe(&store, (1..5).fold(about(0), |all, n| all.or(about(n)))).await?;
    assert_eq!(all.taken.values().sum::<usize>(), booked);
    assert!(all.taken.values().chain(all.courses_of.values()).all(|taken| *taken <= MOST), "{all:?}");
    assert_eq!(all.taken.len(), 5);
    assert_eq!(deadlocks(store.pool()).await?, 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_decisions_that_rest_on_each_others_tags_never_both_hold() -> TestResult {
    let (_db, store) = store().await?;
    for round in 0..150 {
        let (a, b) = (Course(round), Student(round));
        let on_a = TagQuery::tag("course", &a);
        let on_b = TagQuery::tag("student", &b);
        // one writes a if there is no b, the other writes b if there is no a
        let (no_b, no_a) = (observe(&store, on_b.clone()).await?, observe(&store, on_a.clone()).await?);
        let write_a = store.tagged::<Seats>(on_b);
        let write_b = store.tagged::<Seats>(on_a);
        let (first, second) = tokio::join!(
            write_a.append(no_b, Uuid::now_v7(), vec![enrolled(a, Student(-1))]),
            write_b.append(no_a, Uuid::now_v7(), vec![enrolled(Course(-1), b)]),
        );
        assert!(first.is_ok() != second.is_ok(), "round {round}: {first:?}, {second:?}");
        let loser = if first.is_ok() { second } else { first };
        assert!(matches!(loser, Err(Error::TagConflict { .. })), "{loser:?}");
    }
    assert_eq!(deadlocks(store.pool()).await?, 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn tagged_appends_go_together_like_others() -> TestResult {
    let (_db, store) = store_with(|it| it.max_connections(6)).await?;
    let writers: Vec<_> = (0..64)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move { append_plain(&store, n % 3).await })
        })
        .collect();
    for writer in writers {
        writer.await??;
    }
    assert_eq!(observe(&store, about(0).or(about(1)).or(about(2))).await?.taken.values().sum::<usize>(), 64);
    Ok(())
}

#[tokio::test]
async fn decisions_on_tags_work_in_a_schema_of_their_own() -> TestResult {
    let (_db, store) = store_with(|it| it.schema("app")).await?;
    let enroll = || store.tagged::<Seats>(about(1)).decide(Uuid::now_v7(), |it| it.enroll(Course(1), Student(1), 2));
    enroll().await?;
    let observed = observe(&store, about(1)).await?;
    enroll().await?;
    assert!(matches!(act(&store, observed).await, Err(Error::TagConflict { .. })));
    Ok(())
}
