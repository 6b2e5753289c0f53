use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Utc};
use rillflow::model::query::Condition;
use rillflow::{Document, DocumentFields, DocumentValue, Store};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::support::{TestResult, store_with};

#[allow(dead_code, reason = "the torture needs more of it")]
#[path = "../../rillflow/src/testing/torture/dice.rs"]
mod dice;
use dice::Dice;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, DocumentFields)]
#[serde(rename_all = "SCREAMING-KEBAB-CASE")]
struct Place {
    street_name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    house: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, DocumentFields)]
struct Range<T> {
    from: T,
    to: Option<T>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, DocumentFields)]
struct Beside {
    #[serde(rename = "it's")]
    quoted: String,
    deep: Box<Place>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, DocumentFields)]
struct Card {
    number: String,
    limit: Option<u64>,
}

/// Tagged by the key, as serde does without being asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, DocumentValue)]
#[serde(rename_all = "kebab-case", rename_all_fields = "UPPERCASE")]
enum External {
    Cash,
    Card(Card),
    BankTransfer {
        iban: String,
        fee: i32,
    },
    #[serde(rename = "the move")]
    Move(i64),
    Pair(i32, i32),
    #[document(opaque)]
    Hidden(Unknown),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, DocumentValue)]
#[serde(tag = "type", rename_all = "camelCase")]
enum Internal {
    Nothing,
    BigCard(Card),
    #[serde(rename_all = "UPPERCASE")]
    Transfer {
        iban: String,
        place: Place,
        tags: Vec<String>,
    },
    #[serde(rename_all = "UPPERCASE")]
    Numbered {
        iban: i64,
        tags: Vec<String>,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, DocumentValue)]
#[serde(tag = "t", content = "c")]
enum Adjacent {
    Nothing,
    Card(Card),
    Number(i64),
    Transfer { iban: String },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, DocumentValue)]
#[serde(untagged)]
enum Untagged {
    Number(i64),
    Text(String),
}

/// A type that knows nothing of documents.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Unknown(Vec<BTreeMap<String, u8>>);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Document)]
#[document(
    gin,
    index(big),
    index(day desc),
    index(clock),
    index(local),
    index(price),
    index(internal.variant, internal.transfer.iban)
)]
#[serde(rename_all = "PascalCase")]
struct Thing {
    #[document(id)]
    id: i64,
    tiny: i8,
    byte: u8,
    word: u32,
    big: u64,
    single: f32,
    double: f64,
    flag: bool,
    letter: char,
    text: Cow<'static, str>,
    uuid: Option<Uuid>,
    at: DateTime<Utc>,
    elsewhere: DateTime<FixedOffset>,
    day: NaiveDate,
    clock: NaiveTime,
    local: NaiveDateTime,
    price: Decimal,
    boxed: Box<i32>,
    shared: Box<str>,
    range: Range<i64>,
    place: Option<Place>,
    #[serde(flatten)]
    beside: Beside,
    external: External,
    internal: Internal,
    adjacent: Option<Adjacent>,
    untagged: Untagged,
    pair: (i32, String),
    three: [u8; 3],
    gaps: Vec<Option<i32>>,
    names: BTreeSet<String>,
    numbers: HashSet<u64>,
    days: Vec<NaiveDate>,
    prices: Vec<Decimal>,
    payments: Vec<Internal>,
    by_name: HashMap<String, i64>,
    anything: serde_json::Value,
    #[document(opaque)]
    unknown: Unknown,
}

crate::layouts::declared!(Thing);

fn text(dice: &mut Dice) -> String {
    ["", "a", "it's", "ø", "100%", "\\u0041", "\"q\"", "null", "Card", "{}"][dice.below(10)].to_owned()
}

fn integer(dice: &mut Dice) -> i64 {
    [0, 1, -1, 127, 255, 65_535, i64::MAX, i64::MIN, 42, 1 << 53][dice.below(10)]
}

fn maybe<T>(dice: &mut Dice, make: impl FnOnce(&mut Dice) -> T) -> Option<T> {
    if dice.percent(30) { None } else { Some(make(dice)) }
}

fn some<T, C: FromIterator<T>>(dice: &mut Dice, mut make: impl FnMut(&mut Dice) -> T) -> C {
    (0..dice.below(4)).map(|_| make(dice)).collect()
}

fn day(dice: &mut Dice) -> NaiveDate {
    NaiveDate::from_ymd_opt([1, 1969, 2024, 2025, 9999][dice.below(5)], 2, 28).expect("a date")
}

fn clock(dice: &mut Dice) -> NaiveTime {
    NaiveTime::from_hms_micro_opt([0, 12, 23][dice.below(3)], 59, 0, [0, 1, 500_000, 999_999][dice.below(4)])
        .expect("a time")
}

fn price(dice: &mut Dice) -> Decimal {
    ["0", "0.10", "0.1", "-12.345", "79228162514264337593543950335", "0.0000000000000000000000000001"][dice.below(6)]
        .parse()
        .expect("a decimal")
}

fn card(dice: &mut Dice) -> Card {
    Card { number: text(dice), limit: maybe(dice, |it| [0, 7, u64::MAX][it.below(3)]) }
}

fn place(dice: &mut Dice) -> Place {
    Place { street_name: text(dice), house: maybe(dice, |it| it.below(3) as u16) }
}

fn internal(dice: &mut Dice) -> Internal {
    match dice.below(4) {
        0 => Internal::Nothing,
        1 => Internal::BigCard(card(dice)),
        2 => Internal::Transfer { iban: text(dice), place: place(dice), tags: some(dice, text) },
        _ => Internal::Numbered { iban: integer(dice), tags: some(dice, text) },
    }
}

fn thing(id: i64, dice: &mut Dice) -> Thing {
    let at = Utc.timestamp_micros(1_700_000_000_000_000 + dice.below(3) as i64).single().expect("a time");
    Thing {
        id,
        tiny: integer(dice) as i8,
        byte: integer(dice) as u8,
        word: integer(dice) as u32,
        big: [0, 1, i64::MAX as u64, i64::MAX as u64 + 1, u64::MAX][dice.below(5)],
        single: [0.0, 0.1, -1.5e30, f32::MAX][dice.below(4)],
        double: [0.0, 0.1, 1e300, -2.5, f64::MIN_POSITIVE][dice.below(5)],
        flag: dice.percent(50),
        letter: ['a', '\'', '😀'][dice.below(3)],
        text: text(dice).into(),
        uuid: maybe(dice, |it| Uuid::from_u128(it.below(3) as u128)),
        at,
        elsewhere: at.with_timezone(&FixedOffset::east_opt([0, 3600, -12600][dice.below(3)]).expect("an offset")),
        day: day(dice),
        clock: clock(dice),
        local: day(dice).and_time(clock(dice)),
        price: price(dice),
        boxed: Box::new(integer(dice) as i32),
        shared: text(dice).into(),
        range: Range { from: integer(dice), to: maybe(dice, integer) },
        place: maybe(dice, place),
        beside: Beside { quoted: text(dice), deep: Box::new(place(dice)) },
        external: match dice.below(6) {
            0 => External::Cash,
            1 => External::Card(card(dice)),
            2 => External::BankTransfer { iban: text(dice), fee: integer(dice) as i32 },
            3 => External::Move(integer(dice)),
            4 => External::Pair(1, 2),
            _ => External::Hidden(Unknown(vec![])),
        },
        internal: internal(dice),
        adjacent: maybe(dice, |it| match it.below(4) {
            0 => Adjacent::Nothing,
            1 => Adjacent::Card(card(it)),
            2 => Adjacent::Number(integer(it)),
            _ => Adjacent::Transfer { iban: text(it) },
        }),
        untagged: if dice.percent(50) { Untagged::Number(integer(dice)) } else { Untagged::Text(text(dice)) },
        pair: (integer(dice) as i32, text(dice)),
        three: [dice.below(3) as u8, 1, 2],
        gaps: some(dice, |it| maybe(it, |it| integer(it) as i32)),
        names: some(dice, text),
        numbers: some(dice, |it| [0, 7, u64::MAX][it.below(3)]),
        days: some(dice, day),
        prices: some(dice, price),
        payments: some(dice, internal),
        by_name: some(dice, |it| (text(it), integer(it))),
        anything: serde_json::json!({"n": [integer(dice), {}]}),
        unknown: Unknown(some(dice, |_| BTreeMap::new())),
    }
}

/// Documents in PostgreSQL, and what they are in Rust.
struct Samples {
    store: Store,
    things: Vec<Thing>,
}

impl Samples {
    /// A condition finds the documents that Rust picks.
    async fn agree<C: Condition<Root = Thing>>(
        &self,
        what: &str,
        condition: impl FnOnce(<Thing as Document>::Paths) -> C,
        pick: impl Fn(&Thing) -> bool,
    ) -> TestResult {
        let query = self.store.docs().query::<Thing>().filter(condition);
        let found: BTreeSet<i64> = query.fetch_all().await?.into_iter().map(|it| it.id).collect();
        let picked: BTreeSet<i64> = self.things.iter().filter(|it| pick(it)).map(|it| it.id).collect();
        assert_eq!(found, picked, "{what}");
        Ok(())
    }
}

#[tokio::test]
async fn every_path_finds_exactly_what_serde_wrote() -> TestResult {
    let (_db, store) = store_with(|it| it.document::<Thing>()).await?;
    let seed = u64::from(std::process::id());
    println!("seed {seed}");
    let mut dice = Dice::new(seed, 0);
    let things: Vec<Thing> = (1..=120).map(|id| thing(id, &mut dice)).collect();
    store.docs().bulk_insert(things.clone()).run().await?;
    for one in &things {
        assert_eq!(store.docs().get::<Thing>(&one.id).await?, Some((one.clone(), 1)), "what is stored comes back");
    }
    let samples = Samples { store, things };
    for sample in samples.things.iter().take(12) {
        samples.scalars(sample).await?;
        samples.optional_and_nested(sample).await?;
        samples.enums(sample).await?;
        samples.lists_and_maps(sample).await?;
    }
    Ok(())
}

/// One condition in the words of queries and in those of Rust.
macro_rules! agree {
    ($samples:ident: $(|$paths:ident| $condition:expr, |$thing:ident| $pick:expr;)*) => { $(
        $samples.agree(stringify!($condition), |$paths| $condition, |$thing| $pick).await?;
    )* };
}

impl Samples {
    async fn scalars(&self, it: &Thing) -> TestResult {
        agree! { self:
            |t| t.tiny.eq(it.tiny), |t| t.tiny == it.tiny;
            |t| t.byte.eq(it.byte), |t| t.byte == it.byte;
            |t| t.word.le(it.word), |t| t.word <= it.word;
            |t| t.big.eq(it.big), |t| t.big == it.big;
            |t| t.big.gt(it.big), |t| t.big > it.big;
            |t| t.big.one_of(vec![it.big, 1]), |t| t.big == it.big || t.big == 1;
            |t| t.single.eq(it.single), |t| t.single == it.single;
            |t| t.double.eq(it.double), |t| t.double == it.double;
            |t| t.flag.eq(it.flag), |t| t.flag == it.flag;
            |t| t.letter.eq(it.letter), |t| t.letter == it.letter;
            |t| t.text.eq(it.text.clone()), |t| t.text == it.text;
            |t| t.at.eq(it.at), |t| t.at == it.at;
            |t| t.elsewhere.eq(it.elsewhere), |t| t.elsewhere == it.elsewhere;
            |t| t.elsewhere.lt(it.at), |t| t.elsewhere < it.at;
            |t| t.day.eq(it.day), |t| t.day == it.day;
            |t| t.day.lt(it.day), |t| t.day < it.day;
            |t| t.clock.eq(it.clock), |t| t.clock == it.clock;
            |t| t.clock.ge(it.clock), |t| t.clock >= it.clock;
            |t| t.local.eq(it.local), |t| t.local == it.local;
            |t| t.local.between(it.local, it.local + TimeDelta::days(1)),
                |t| it.local <= t.local && t.local <= it.local + TimeDelta::days(1);
            |t| t.price.eq(it.price), |t| t.price == it.price;
            |t| t.price.lt(it.price), |t| t.price < it.price;
            |t| t.price.one_of([it.price]), |t| t.price == it.price;
            |t| t.shared.eq(&*it.shared), |t| t.shared == it.shared;
            |t| t.boxed.eq(*it.boxed), |t| t.boxed == it.boxed;
        }
        Ok(())
    }

    async fn optional_and_nested(&self, it: &Thing) -> TestResult {
        let house = it.beside.deep.house.unwrap_or(1);
        let street = it.place.as_ref().map_or("ø".to_owned(), |it| it.street_name.clone());
        agree! { self:
            |t| t.uuid.is_null(), |t| t.uuid.is_none();
            |t| t.uuid.eq(it.uuid.unwrap_or_default()), |t| t.uuid == Some(it.uuid.unwrap_or_default());
            |t| t.range.from.eq(it.range.from), |t| t.range.from == it.range.from;
            |t| t.range.to.eq(it.range.from), |t| t.range.to == Some(it.range.from);
            |t| t.range.to.ne(it.range.from), |t| t.range.to != Some(it.range.from);
            |t| t.place.street_name.eq(&street), |t| t.place.as_ref().is_some_and(|it| it.street_name == street);
            |t| t.place.house.is_some(), |t| t.place.as_ref().is_some_and(|it| it.house.is_some());
            |t| t.beside.quoted.eq(&it.beside.quoted), |t| t.beside.quoted == it.beside.quoted;
            |t| t.beside.deep.house.eq(house), |t| t.beside.deep.house == Some(house);
            |t| t.beside.deep.house.is_null(), |t| t.beside.deep.house.is_none();
        }
        Ok(())
    }

    async fn enums(&self, it: &Thing) -> TestResult {
        let name = text(&mut Dice::new(it.id as u64, 1));
        agree! { self:
            |t| t.external.is_cash(), |t| t.external == External::Cash;
            |t| t.external.is_card(), |t| matches!(t.external, External::Card(_));
            |t| t.external.is_pair(), |t| matches!(t.external, External::Pair(..));
            |t| t.external.is_hidden(), |t| matches!(t.external, External::Hidden(_));
            |t| !t.external.is_bank_transfer(), |t| !matches!(t.external, External::BankTransfer { .. });
            |t| t.external.card.number.eq(&name), |t| matches!(&t.external, External::Card(it) if it.number == name);
            |t| t.external.card.limit.eq(u64::MAX),
                |t| matches!(&t.external, External::Card(it) if it.limit == Some(u64::MAX));
            |t| t.external.bank_transfer.iban.eq(&name),
                |t| matches!(&t.external, External::BankTransfer { iban, .. } if *iban == name);
            |t| t.external.bank_transfer.fee.ge(0),
                |t| matches!(&t.external, External::BankTransfer { fee, .. } if *fee >= 0);
            |t| t.external.r#move.lt(0), |t| matches!(t.external, External::Move(it) if it < 0);
            |t| t.internal.is_nothing(), |t| t.internal == Internal::Nothing;
            |t| t.internal.is_big_card(), |t| matches!(t.internal, Internal::BigCard(_));
            |t| t.internal.variant.eq("transfer"), |t| matches!(t.internal, Internal::Transfer { .. });
            |t| t.internal.big_card.number.eq(&name),
                |t| matches!(&t.internal, Internal::BigCard(it) if it.number == name);
            |t| t.internal.transfer.iban.eq(&name),
                |t| matches!(&t.internal, Internal::Transfer { iban, .. } if *iban == name);
            |t| t.internal.transfer.place.street_name.eq(&name),
                |t| matches!(&t.internal, Internal::Transfer { place, .. } if place.street_name == name);
            |t| t.internal.numbered.iban.gt(0), |t| matches!(&t.internal, Internal::Numbered { iban, .. } if *iban > 0);
            |t| t.internal.transfer.tags.contains(&name),
                |t| matches!(&t.internal, Internal::Transfer { tags, .. } if tags.contains(&name));
            |t| t.internal.numbered.tags.len().gt(1),
                |t| matches!(&t.internal, Internal::Numbered { tags, .. } if tags.len() > 1);
            |t| t.adjacent.is_nothing(), |t| t.adjacent == Some(Adjacent::Nothing);
            |t| t.adjacent.card.number.eq(&name),
                |t| matches!(&t.adjacent, Some(Adjacent::Card(it)) if it.number == name);
            |t| t.adjacent.number.le(0), |t| matches!(t.adjacent, Some(Adjacent::Number(it)) if it <= 0);
            |t| t.adjacent.transfer.iban.eq(&name),
                |t| matches!(&t.adjacent, Some(Adjacent::Transfer { iban }) if *iban == name);
        }
        Ok(())
    }

    async fn lists_and_maps(&self, it: &Thing) -> TestResult {
        let name = text(&mut Dice::new(it.id as u64, 2));
        agree! { self:
            |t| t.three.contains(it.three[0]), |t| t.three.contains(&it.three[0]);
            |t| t.gaps.contains(*it.boxed), |t| t.gaps.contains(&Some(*it.boxed));
            |t| t.names.contains(&name), |t| t.names.contains(&name);
            |t| t.names.len().gt(1), |t| t.names.len() > 1;
            |t| t.numbers.contains(u64::MAX), |t| t.numbers.contains(&u64::MAX);
            |t| t.days.contains(it.day), |t| t.days.contains(&it.day);
            |t| t.prices.contains(it.price), |t| t.prices.contains(&it.price);
            |t| t.by_name.has_key(&name), |t| t.by_name.contains_key(&name);
            |t| t.by_name.has_entry(&name, 42), |t| t.by_name.get(&name) == Some(&42);
            |t| t.payments.any(|p| p.is_big_card()), |t| t.payments.iter().any(|p| matches!(p, Internal::BigCard(_)));
            |t| t.payments.any(|p| p.transfer.iban.eq(&name)),
                |t| t.payments.iter().any(|p| matches!(p, Internal::Transfer { iban, .. } if *iban == name));
        }
        Ok(())
    }
}
