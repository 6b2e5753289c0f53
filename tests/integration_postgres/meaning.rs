use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use rillflow::query::{Predicate, SortDirection};
use rillflow::{Cursor, Document, DocumentFields, DocumentValue, Error, PayloadProblem, Store};
use serde::{Deserialize, Serialize};

use crate::support::{Db, TestResult, store_with};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, DocumentFields)]
struct Inner {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    list: Vec<String>,
    own: i64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, DocumentValue)]
enum Held {
    Nothing,
    List(Vec<i64>),
    Both { list: Vec<i64> },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Document)]
#[document(index(at), index(day))]
struct Moment {
    #[document(id)]
    id: i64,
    at: DateTime<Utc>,
    day: NaiveDate,
    local: NaiveDateTime,
    precise: f64,
    single: f32,
    text: String,
    maybe: Option<Vec<i64>>,
    inner: Option<Inner>,
    held: Held,
}

crate::layouts::declared!(Moment);

fn moment(id: i64) -> Moment {
    Moment {
        id,
        at: DateTime::UNIX_EPOCH,
        day: NaiveDate::default(),
        local: NaiveDateTime::default(),
        precise: 0.0,
        single: 0.0,
        text: String::new(),
        maybe: None,
        inner: None,
        held: Held::Nothing,
    }
}

fn at(id: i64, at: DateTime<Utc>) -> Moment {
    Moment { at, day: at.date_naive(), local: at.naive_utc(), ..moment(id) }
}

async fn filled(moments: &[Moment]) -> Result<(Db, Store), Box<dyn std::error::Error>> {
    let (db, store) = store_with(|it| it.document::<Moment>()).await?;
    store.docs().bulk_insert(moments.to_vec()).run().await?;
    Ok((db, store))
}

fn ids(moments: &[Moment]) -> BTreeSet<i64> {
    moments.iter().map(|it| it.id).collect()
}

/// Conditions in the words of queries and in those of Rust.
macro_rules! agree {
    ($store:ident, $moments:ident: $(|$paths:ident| $condition:expr, |$it:ident| $pick:expr;)*) => { $(
        let found = $store.docs().query::<Moment>().filter(|$paths| $condition).fetch_all().await?;
        let picked: BTreeSet<i64> = $moments.iter().filter(|$it| $pick).map(|it| it.id).collect();
        assert_eq!(ids(&found), picked, "{}", stringify!($condition));
    )* };
}

#[tokio::test]
async fn floats_come_back_to_the_last_bit_and_are_found_by_their_value() -> TestResult {
    let mut bits = 88_172_645_463_325_252_u64;
    let random = std::iter::repeat_with(|| {
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        f64::from_bits(bits)
    });
    let least = f64::from_bits(1);
    let edges = [f64::MAX, f64::MIN, f64::MIN_POSITIVE, least, 0.1 + 0.2, 1e23];
    let floats = edges.into_iter().chain(random.filter(|it| it.is_finite()).take(300));
    let moments: Vec<Moment> = (1..)
        .zip(floats)
        .map(|(id, precise)| {
            let single = Some(precise as f32).filter(|it| it.is_finite() && *it != 0.0).unwrap_or(f32::MAX);
            Moment { precise, single, ..moment(id) }
        })
        .collect();
    let (_db, store) = filled(&moments).await?;
    let mut found = store.docs().query::<Moment>().order_by(|m| m.precise.asc()).fetch_all().await?;
    assert!(found.is_sorted_by(|a, b| a.precise <= b.precise));
    found.sort_by_key(|it| it.id);
    assert_eq!(found, moments);
    for it in &moments[..30] {
        agree! { store, moments:
            |m| m.precise.eq(it.precise), |other| other.precise == it.precise;
            |m| m.single.eq(it.single), |other| other.single == it.single;
            |m| m.precise.ge(it.precise), |other| other.precise >= it.precise;
        }
    }
    Ok(())
}

#[tokio::test]
async fn times_are_found_whatever_is_beyond_their_microseconds() -> TestResult {
    let nanos = [0, 1, 499, 500, 501, 1_500, 2_500, 123_456_500, 123_457_500, 999_998_500, 999_999_500, 999_999_999];
    let seconds = [0, -1, -5_000_000_000, 1_700_000_000];
    let all = seconds.into_iter().flat_map(|second| nanos.map(|nano| DateTime::from_timestamp(second, nano)));
    let moments: Vec<Moment> = (1..).zip(all.flatten()).map(|(id, time)| at(id, time)).collect();
    let (_db, store) = filled(&moments).await?;
    for it in &moments {
        let found = store.docs().query::<Moment>().filter(|m| m.at.eq(it.at) & m.local.eq(it.local));
        assert!(ids(&found.fetch_all().await?).contains(&it.id), "{:?}", it.at);
        let text = serde_json::to_value(it.at)?;
        let found = store.docs().dynamic::<Moment>().filter(Predicate::eq("at", text)).fetch_all().await?;
        assert!(ids(&found).contains(&it.id), "{:?} as a predicate", it.at);
    }
    Ok(())
}

#[tokio::test]
async fn dates_of_any_year_are_kept_found_sorted_and_paged() -> TestResult {
    let texts = ["+10000-01-01", "9999-12-31", "0001-01-01", "0000-02-29", "-0044-03-15", "-4712-01-01", "1969-12-31"];
    let times = texts.iter().map(|day| format!("{day}T01:02:03.5Z").parse());
    let mut times = times.collect::<Result<Vec<DateTime<Utc>>, _>>()?;
    times.extend([DateTime::<Utc>::MAX_UTC, DateTime::<Utc>::MIN_UTC]);
    let mut moments: Vec<Moment> = (1..).zip(times).map(|(id, time)| at(id, time)).collect();
    let (_db, store) = filled(&moments).await?;
    for it in moments.clone() {
        agree! { store, moments:
            |m| m.at.eq(it.at), |other| other.at == it.at;
            |m| m.at.lt(it.at), |other| other.at < it.at;
            |m| m.day.eq(it.day), |other| other.day == it.day;
            |m| m.day.one_of([it.day]), |other| other.day == it.day;
            |m| m.day.gt(it.day), |other| other.day > it.day;
            |m| m.local.le(it.local), |other| other.local <= it.local;
        }
    }
    moments.sort_by_key(|it| it.at);
    let (mut seen, mut after) = (Vec::new(), None::<Cursor>);
    loop {
        let order = store.docs().query::<Moment>().order_by(|m| (m.at.asc(), m.day.asc(), m.local.asc()));
        let page = order.page(after, 2).await?;
        seen.extend(page.items);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, moments);
    let dynamic = store.docs().dynamic::<Moment>().order_by("at", SortDirection::Asc);
    assert_eq!(dynamic.filter(Predicate::lt("at", "+20000-01-01T00:00:00Z")).fetch_all().await?, moments[..8]);
    Ok(())
}

#[tokio::test]
async fn the_length_of_a_list_is_that_of_the_rust_value_wherever_the_list_lies() -> TestResult {
    let inner = |list: &[&str]| Some(Inner { list: list.iter().map(ToString::to_string).collect(), own: 1 });
    let moments = [
        moment(1),
        Moment { maybe: Some(vec![]), inner: inner(&[]), held: Held::List(vec![]), ..moment(2) },
        Moment { maybe: Some(vec![1]), inner: inner(&["a"]), held: Held::List(vec![1]), ..moment(3) },
        Moment { maybe: Some(vec![1, 2]), inner: inner(&["a", "b"]), held: Held::Both { list: vec![] }, ..moment(4) },
        Moment { held: Held::Both { list: vec![1] }, ..moment(5) },
    ];
    let (_db, store) = filled(&moments).await?;
    let inner = |it: &Moment| it.inner.as_ref().map(|it| it.list.len());
    let listed = |it: &Moment| if let Held::List(list) = &it.held { Some(list.len()) } else { None };
    let both = |it: &Moment| if let Held::Both { list } = &it.held { Some(list.len()) } else { None };
    agree! { store, moments:
        |m| m.maybe.is_empty(), |it| it.maybe.as_ref().is_some_and(Vec::is_empty);
        |m| m.maybe.len().ne(1), |it| it.maybe.as_ref().map(Vec::len) != Some(1);
        |m| !m.maybe.len().eq(1), |it| it.maybe.as_ref().map(Vec::len) != Some(1);
        |m| m.inner.list.is_empty(), |it| inner(it) == Some(0);
        |m| m.inner.list.len().ne(0), |it| inner(it) != Some(0);
        |m| m.inner.list.len().lt(2), |it| inner(it).is_some_and(|it| it < 2);
        |m| m.held.list.is_empty(), |it| listed(it) == Some(0);
        |m| m.held.list.len().ne(1), |it| listed(it) != Some(1);
        |m| m.held.both.list.is_empty(), |it| both(it) == Some(0);
        |m| m.held.both.list.len().ne(0), |it| both(it) != Some(0);
    }
    Ok(())
}

#[tokio::test]
async fn what_no_query_can_ask_is_an_error_of_its_own() -> TestResult {
    let (_db, store) = filled(&[moment(1)]).await?;
    let query = || store.docs().query::<Moment>();
    for nul in [
        query().filter(|m| m.text.eq("a\0")).fetch_all().await,
        query().filter(|m| m.text.one_of(["a\0"])).fetch_all().await,
    ] {
        assert!(matches!(nul, Err(Error::Payload { problem: PayloadProblem::Nul, .. })), "{nul:?}");
    }
    for wrong in [
        query().limit(-1).fetch_all().await,
        query().offset(-1).fetch_all().await,
        query().filter(|m| m.text.regex("(")).fetch_all().await,
    ] {
        assert!(matches!(wrong, Err(Error::InvalidQuery { .. })), "{wrong:?}");
    }
    Ok(())
}

#[tokio::test]
async fn pages_of_any_size_and_number_are_pages() -> TestResult {
    let moments: Vec<Moment> = (1..=3).map(moment).collect();
    let (_db, store) = filled(&moments).await?;
    let query = || store.docs().query::<Moment>().order_by(|m| m.id.asc());
    for (size, items) in [(i64::MIN, 1), (0, 1), (2, 2), (i64::MAX, 3)] {
        let page = query().page(None::<Cursor>, size).await?;
        assert_eq!((page.items.len(), page.next.is_some()), (items, items < 3), "{size}");
        for (number, passed) in [(i64::MIN, 0), (1, 0), (i64::MAX, 3)] {
            let page = query().numbered_page(number, size).await?;
            assert_eq!((page.items.len(), page.total), (items.min(3 - passed), 3), "{number} of {size}");
        }
    }
    let last = store.docs().dynamic::<Moment>().page(u32::MAX, u32::MAX).fetch_all().await?;
    assert_eq!(last.len(), 0);
    Ok(())
}

#[tokio::test]
async fn a_cursor_that_somebody_changed_is_refused_or_a_cursor() -> TestResult {
    let (_db, store) = filled(&[moment(1), moment(2)]).await?;
    let query = || store.docs().query::<Moment>().order_by(|m| (m.text.asc(), m.precise.asc()));
    let next = query().page(None::<Cursor>, 1).await?.next.ok_or("a cursor")?;
    for (from, to) in
        [("\"\"", "\"\\u0000\""), (", 0", ", 1e-400"), (", 0", ", \"0\""), ("\"\"", "null"), ("\"\"", "[]")]
    {
        let changed = encoded(&decoded(&next.to_string()).replacen(from, to, 1));
        let page = query().page(changed.parse::<Cursor>()?, 1).await;
        assert!(matches!(page, Err(Error::InvalidCursor { .. })), "{to}: {page:?}");
    }
    Ok(())
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn decoded(text: &str) -> String {
    let bits = text.bytes().flat_map(|byte| {
        let value = DIGITS.iter().position(|it| *it == byte).unwrap_or_default();
        (0..6).rev().map(move |bit| value >> bit & 1 == 1)
    });
    let bits: Vec<bool> = bits.collect();
    let bytes = bits.chunks_exact(8).map(|byte| byte.iter().fold(0, |all, bit| all << 1 | u8::from(*bit)));
    String::from_utf8_lossy(&bytes.collect::<Vec<u8>>()).into_owned()
}

fn encoded(text: &str) -> String {
    let bits: Vec<bool> = text.bytes().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1)).collect();
    let digit = |six: &[bool]| (0..6).fold(0, |all, at| all << 1 | usize::from(six.get(at).copied().unwrap_or(false)));
    bits.chunks(6).map(|six| char::from(DIGITS[digit(six)])).collect()
}
