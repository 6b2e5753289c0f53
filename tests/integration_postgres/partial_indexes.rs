use rillflow::{
    Document, DocumentValue, Error, Query, SchemaConfig, Store, compiled_query, compiled_query as compiled,
};
use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, Row};

use crate::served::{many, served};
use crate::support::{Db, TestResult, store_with};

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, DocumentValue)]
#[serde(rename_all = "snake_case")]
enum Phase {
    Open,
    OnHold,
    Closed,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, DocumentValue)]
#[serde(rename_all = "snake_case")]
enum Source {
    Mail { from: String },
    Form(String),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Document)]
#[document(
    soft_delete,
    gin(where(|t| t.listed)),
    fulltext(language = "english", title, where(not_deleted, |t| t.listed)),
    trigram(title, where(|t| t.listed)),
    text_pattern(title, where(|t| t.listed)),
    index(opened_at desc, where(|t| t.priority >= 90)),
    unique(region, number, where(|t| t.region != "it's gone" && t.number.is_some())),
    index(hours, where(|t| t.source.is_form() || t.tags.len() > 3)),
    index(number, where(|t| !t.listed))
)]
#[serde(rename_all = "camelCase")]
struct Ticket {
    #[document(id)]
    id: i64,
    #[document(unique(where(not_deleted)))]
    email: String,
    #[document(index(where(|t| t.phase == Phase::Open || t.phase == Phase::OnHold)))]
    owner: String,
    phase: Phase,
    #[document(index(where(|t| t.phase != Phase::Closed), name = "docs_tickets_unclosed_codes"))]
    code: String,
    #[document(index(where(|t| t.score.is_some())))]
    score: Option<i64>,
    priority: i32,
    opened_at: i64,
    title: String,
    listed: bool,
    tags: Vec<String>,
    region: String,
    number: Option<i64>,
    hours: i64,
    source: Source,
}

fn ticket(n: i64) -> Ticket {
    Ticket {
        id: n,
        email: format!("t{n}@example.com"),
        owner: format!("o{}", n % 500),
        phase: [Phase::Closed, Phase::Open, Phase::OnHold][(n % 3) as usize],
        code: format!("c{}", n % 1000),
        score: (n % 4 == 0).then_some(n),
        priority: (n % 100) as i32,
        opened_at: n,
        title: format!("word{n} of all"),
        listed: n % 2 == 0,
        tags: vec![format!("tag{n}")],
        region: format!("r{}", n % 10),
        number: (n % 5 != 0).then_some(n),
        hours: n % 700,
        source: if n % 20 == 0 { Source::Form("f".into()) } else { Source::Mail { from: "m".into() } },
    }
}

#[compiled_query]
fn by_email(email: &str) -> impl Query<Option<i64>> {
    Ticket::query().filter(|t| t.email == email).select(|t| t.id).one()
}

#[compiled_query]
fn open_of(owner: &str) -> impl Query<Vec<i64>> {
    Ticket::query().filter(|t| t.owner == owner && t.phase == Phase::Open).select(|t| t.id)
}

#[compiled_query]
fn unfinished_of(owner: &str) -> impl Query<Vec<i64>> {
    Ticket::query()
        .filter(|t| t.phase == Phase::OnHold || t.phase == Phase::Open)
        .filter(|t| t.owner == owner)
        .select(|t| t.id)
}

#[compiled_query]
fn unclosed_coded(code: &str) -> impl Query<Vec<i64>> {
    Ticket::query().filter(|t| t.code == code && t.phase != Phase::Closed).select(|t| t.id)
}

#[compiled_query]
fn held_coded(code: &str) -> impl Query<Vec<i64>> {
    Ticket::query().filter(|t| t.phase == Phase::OnHold && t.code == code).select(|t| t.id)
}

#[compiled_query]
fn scored(score: i64) -> impl Query<Option<i64>> {
    Ticket::query().filter(|t| t.score == score).select(|t| t.id).one()
}

#[compiled_query]
fn scored_as(scores: Vec<i64>) -> impl Query<Vec<i64>> {
    Ticket::query().filter(|t| t.score.one_of(scores)).select(|t| t.id)
}

#[compiled_query]
fn most_urgent(limit: i64) -> impl Query<Vec<i64>> {
    Ticket::query().filter(|t| t.priority >= 90).order_by(|t| t.opened_at.desc()).limit(limit).select(|t| t.id)
}

#[compiled_query]
fn urgent_since(opened_at: i64) -> impl Query<Vec<i64>> {
    Ticket::query().filter(|t| t.priority == 95 && t.opened_at > opened_at).select(|t| t.id)
}

#[compiled_query]
fn numbered(region: &str, number: i64) -> impl Query<Option<i64>> {
    Ticket::query()
        .filter(|t| t.region == region && t.number == number && t.region != "it's gone")
        .select(|t| t.id)
        .one()
}

#[compiled_query]
fn forms_of(hours: i64) -> impl Query<Vec<i64>> {
    Ticket::query().filter(|t| t.source.is_form() && t.hours == hours).select(|t| t.id)
}

#[compiled_query]
fn unlisted(number: i64) -> impl Query<Vec<i64>> {
    Ticket::query().filter(|t| !t.listed && t.number == number).select(|t| t.id)
}

#[compiled_query]
fn listed_tagged(tag: &str) -> impl Query<Vec<i64>> {
    Ticket::query().filter(|t| t.listed && t.tags.contains(tag)).select(|t| t.id)
}

#[compiled_query]
fn listed_about(words: &str) -> impl Query<Vec<i64>> {
    Ticket::query().filter(|t| t.search(words) && t.listed).select(|t| t.id)
}

#[compiled_query]
fn listed_with(text: &str) -> impl Query<Vec<i64>> {
    Ticket::query().filter(|t| t.listed && t.title.contains_text(text)).select(|t| t.id)
}

#[compiled_query]
fn listed_from(text: &str) -> impl Query<Vec<i64>> {
    Ticket::query().filter(|t| t.listed && t.title.starts_with(text)).select(|t| t.id)
}

#[compiled_query]
fn mine_or_coded(owner: &str, code: &str) -> impl Query<Vec<i64>> {
    Ticket::query().filter(|t| t.phase == Phase::Open && (t.owner == owner || t.code == code)).select(|t| t.id)
}

#[compiled_query]
fn open_or_held(owner: &str, code: &str) -> impl Query<Vec<i64>> {
    Ticket::query()
        .filter(|t| (t.owner == owner && t.phase == Phase::Open) || (t.code == code && t.phase == Phase::OnHold))
        .select(|t| t.id)
}

many!(Ticket, 20_000, ticket);
served!(
    by_email("t7@example.com"),
    open_of("o7"),
    unfinished_of("o7"),
    unclosed_coded("c7"),
    held_coded("c8"),
    scored(8),
    scored_as(vec![8, 12]),
    most_urgent(5),
    urgent_since(19_000),
    numbered("r7", 7),
    forms_of(40),
    unlisted(7),
    listed_tagged("tag8"),
    listed_about("word8"),
    listed_with("word18"),
    listed_from("word188"),
    mine_or_coded("o7", "c7"),
    open_or_held("o7", "c8"),
);

async fn tickets(number: i64) -> Result<(Db, Store), Box<dyn std::error::Error>> {
    let (db, store) = store_with(|it| it.document::<Ticket>()).await?;
    store.docs().bulk_insert((0..number).map(ticket)).run().await?;
    Ok((db, store))
}

/// A plan that holds for all values of the parameters.
async fn generic_plan(store: &Store, sql: &str, values: &str) -> Result<String, Box<dyn std::error::Error>> {
    let mut conn = store.pool().acquire().await?;
    let values = if values.is_empty() { String::new() } else { format!("({values})") };
    let explain = format!(
        "SET plan_cache_mode = force_generic_plan; PREPARE q AS {sql}; EXPLAIN (COSTS OFF) EXECUTE q{values}; DEALLOCATE q; RESET plan_cache_mode"
    );
    let rows = sqlx::raw_sql(AssertSqlSafe(explain)).fetch_all(&mut *conn).await?;
    let lines: Vec<String> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    Ok(lines.join("\n"))
}

#[tokio::test]
async fn postgres_takes_the_partial_index_whatever_the_parameters_are() -> TestResult {
    let (_db, store) = tickets(20_000).await?;
    sqlx::raw_sql("VACUUM ANALYZE docs_tickets").execute(store.pool()).await?;
    let queries = [
        (by_email("").sql(), "'t7@example.com'", "docs_tickets_email_key"),
        (open_of("").sql(), "'o7'", "docs_tickets_owner_idx"),
        (unfinished_of("").sql(), "'o7'", "docs_tickets_owner_idx"),
        (unclosed_coded("").sql(), "'c7'", "docs_tickets_unclosed_codes"),
        (held_coded("").sql(), "'c8'", "docs_tickets_unclosed_codes"),
        (scored(0).sql(), "8", "docs_tickets_score_idx"),
        (scored_as(vec![]).sql(), "'{8,12}'", "docs_tickets_score_idx"),
        (most_urgent(0).sql(), "5", "docs_tickets_opened_at_idx"),
        (urgent_since(0).sql(), "19900", "docs_tickets_opened_at_idx"),
        (numbered("", 0).sql(), "'r7', 7", "docs_tickets_region_number_key"),
        (forms_of(0).sql(), "40", "docs_tickets_hours_idx"),
        (unlisted(0).sql(), "7", "docs_tickets_number_idx"),
        (listed_tagged("").sql(), "'tag8'", "docs_tickets_gin"),
        (listed_about("").sql(), "'word8'", "docs_tickets_title_fulltext_idx"),
        (listed_with("").sql(), "'word18'", "docs_tickets_title_trigram_idx"),
        (listed_from("").sql(), "'word188'", "docs_tickets_title_pattern_idx"),
        (mine_or_coded("", "").sql(), "'o7', 'c7'", "docs_tickets_unclosed_codes"),
        (mine_or_coded("", "").sql(), "'o7', 'c7'", "docs_tickets_owner_idx"),
        (open_or_held("", "").sql(), "'o7', 'c8'", "docs_tickets_unclosed_codes"),
        (open_or_held("", "").sql(), "'o7', 'c8'", "docs_tickets_owner_idx"),
    ];
    let mut wrong = Vec::new();
    for (sql, values, index) in queries {
        let plan = generic_plan(&store, sql, values).await?;
        if !plan.contains(index) || plan.contains("Seq Scan") {
            wrong.push(format!("{sql}\n{plan}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    Ok(())
}

#[tokio::test]
async fn a_value_is_unique_among_the_documents_of_its_index_alone() -> TestResult {
    let (_db, store) = tickets(0).await?;
    let docs = store.docs();
    let with_email = |id, email: &str| Ticket { email: email.to_owned(), ..ticket(id) };
    docs.insert(&with_email(1, "a@example.com")).await?;
    let second = docs.insert(&with_email(2, "a@example.com")).await;
    assert!(
        matches!(&second, Err(Error::UniqueViolation { index, .. }) if index == "docs_tickets_email_key"),
        "{second:?}"
    );
    docs.delete::<Ticket>(&1).await?;
    docs.insert(&with_email(2, "a@example.com")).await?;
    let back = docs.restore::<Ticket>(&1).await;
    assert!(
        matches!(&back, Err(Error::UniqueViolation { index, .. }) if index == "docs_tickets_email_key"),
        "{back:?}"
    );
    assert_eq!(store.query(by_email("a@example.com")).await?, Some(2));

    let numbered = |id, region: &str, number| Ticket { region: region.to_owned(), number, ..ticket(id) };
    docs.insert(&numbered(10, "north", Some(1))).await?;
    docs.insert(&numbered(11, "north", None)).await?;
    docs.insert(&numbered(12, "north", None)).await?;
    docs.insert(&numbered(13, "it's gone", Some(1))).await?;
    docs.insert(&numbered(14, "it's gone", Some(1))).await?;
    let second = docs.insert(&numbered(15, "north", Some(1))).await;
    assert!(
        matches!(&second, Err(Error::UniqueViolation { index, .. }) if index == "docs_tickets_region_number_key"),
        "{second:?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_partial_index_is_planned_made_and_then_left_alone() -> TestResult {
    for schema in ["public", "app"] {
        let (_db, store) = store_with(|it| it.schema(schema).document::<Ticket>()).await?;
        sqlx::raw_sql(AssertSqlSafe(format!("TRUNCATE {schema}.rillflow_syncs"))).execute(store.pool()).await?;
        let plan = store.schema().plan(&SchemaConfig::single_tenant()).await?;
        assert!(plan.is_empty(), "{schema}: {plan}");
    }
    let texts = Store::builder("postgres://nobody").document::<Ticket>().schema_texts()?;
    for text in [texts.dump(), texts.patch()] {
        assert!(text.contains("((doc->>'email')) WHERE deleted_at IS NULL;"), "{text}");
        assert!(
            text.contains(
                "USING gin (to_tsvector('english', coalesce((doc->>'title'), ''))) \
                 WHERE ((doc->>'listed')::boolean) = true AND deleted_at IS NULL;"
            ),
            "{text}"
        );
        assert!(
            text.contains("USING gin ((doc->>'title') public.gin_trgm_ops) WHERE ((doc->>'listed')::boolean) = true;"),
            "{text}"
        );
    }
    Ok(())
}

/// The same collection with another condition, and with none.
mod changed {
    use super::*;

    #[derive(Clone, Debug, Serialize, Deserialize, Document)]
    #[document(collection = "tickets")]
    pub(super) struct Narrow {
        #[document(id)]
        id: i64,
        #[document(index(where(|t| t.hours > 10)))]
        hours: i64,
    }

    crate::layouts::declared!(Narrow);

    #[derive(Clone, Debug, Serialize, Deserialize, Document)]
    #[document(collection = "tickets")]
    pub(super) struct Wide {
        #[document(id)]
        id: i64,
        #[document(index)]
        hours: i64,
    }

    crate::layouts::declared!(Wide);

    crate::layouts::declared!(Narrow, Wide);
}

#[tokio::test]
async fn another_condition_is_a_step_that_replaces_the_index() -> TestResult {
    let (db, _store) = store_with(|it| it.document::<changed::Wide>()).await?;
    let store = Store::builder(db.url()).document::<changed::Narrow>().build().await?;
    let plan = store.schema().plan(&SchemaConfig::single_tenant()).await?;
    let steps: Vec<_> = plan.steps.iter().map(|step| step.description.as_str()).collect();
    assert_eq!(steps, ["index docs_tickets_hours_idx: replace by its new definition"]);
    assert!(plan.sql().contains("WHERE (((doc ->> 'hours'::text))::bigint > 10)"), "{}", plan.sql());
    store.schema().sync(&SchemaConfig::single_tenant()).await?;
    let plan = store.schema().plan(&SchemaConfig::single_tenant()).await?;
    assert!(plan.is_empty(), "{plan}");
    Ok(())
}

/// A document with a partial index, and queries within it by their own literals. That they compile is the claim of the
/// check; that PostgreSQL takes the index is the proof.
macro_rules! within {
    ($document:ident, |$d:ident| $limit:expr; $($query:ident: $condition:expr;)*) => {
        #[derive(Clone, Debug, Serialize, Deserialize, Document)]
        struct $document {
            #[document(id)]
            id: i64,
            #[document(index(where(|$d| $limit)))]
            key: i64,
            n: i64,
            word: String,
            kind: Option<String>,
        }
        $(
            #[compiled]
            fn $query(key: i64) -> impl Query<Vec<i64>> {
                $document::query().filter(|$d| $d.key == key && $condition).select(|$d| $d.id)
            }
        )*
        impl $document {
            async fn not_taken(store: &Store) -> Result<Vec<String>, Box<dyn std::error::Error>> {
                let make = |n: i64| Self { id: n, key: n, n: n % 10, word: format!("w{}", n % 3), kind: None };
                store.docs().bulk_insert((0..3000).map(make)).run().await?;
                let table = Self::COLLECTION.table;
                sqlx::raw_sql(AssertSqlSafe(format!("ANALYZE {table}"))).execute(store.pool()).await?;
                let mut not_taken = Vec::new();
                for sql in [$($query(0).sql()),*] {
                    let plan = generic_plan(store, sql, "7").await?;
                    if !plan.contains("_key_idx") {
                        not_taken.push(format!("{sql}\n{plan}"));
                    }
                }
                Ok(not_taken)
            }
        }
    };
}

within!(Below, |d| d.n < 5;
    less_is_below: d.n < 5;
    lesser_is_below: d.n < -4;
    least_is_below: d.n <= 4;
    four_is_below: d.n == 4;
    a_range_is_below: d.n.between(2, 3);
);
within!(AtMost, |d| d.n <= 5;
    less_is_at_most: d.n < 5;
    least_is_at_most: d.n <= 5;
    five_is_at_most: d.n == 5;
    either_is_at_most: d.n == 1 || d.n == 2;
);
within!(Above, |d| d.n > 5;
    more_is_above: d.n > 5;
    most_is_above: d.n >= 6;
    six_is_above: d.n == 6;
);
within!(AtLeast, |d| d.n >= 5;
    more_is_at_least: d.n > 5;
    most_is_at_least: d.n >= 5;
    five_is_at_least: d.n == 5;
);
within!(Other, |d| d.n != 5;
    less_is_another: d.n < 5;
    least_is_another: d.n <= 4;
    more_is_another: d.n > 5;
    most_is_another: d.n >= 6;
    four_is_another: d.n == 4;
);
within!(OtherWord, |d| d.word != "w1";
    w2_is_another: d.word == "w2";
    either_is_another: d.word == "w2" || d.word == "w0";
);
within!(OtherKind, |d| d.kind != "k1";
    another_kind_in_these_words: d.kind != "k1";
);
within!(WithKind, |d| d.kind.is_some();
    one_kind: d.kind == "k";
    kinds_like: d.kind.like("k%");
    kinds_ending: d.kind.ends_with("k");
    kinds_beginning: d.kind.starts_with("k");
    kinds_fitting: d.kind.regex("k");
    kinds_in_order: d.kind < "k" && d.n == 1;
);
within!(OneOf, |d| d.word.one_of(["w0", "w2"]);
    w2_is_one: d.word == "w2";
    both_are: d.word.one_of(["w2", "w0"]);
    either_is: d.word == "w2" || d.word == "w0";
);
within!(EitherOf, |d| d.n == 1 || d.n == 2 || d.n > 7;
    one_or_two: d.n.one_of([2, 1]);
    one_or_nine: d.n.one_of([1, 9]);
);
within!(NotIn, |d| !(d.n == 1 || d.word.starts_with("x") || d.word == d.kind);
    neither: !(d.n == 1 || d.word.starts_with("x") || d.word == d.kind);
);

#[tokio::test]
async fn the_check_proves_nothing_that_postgres_does_not() -> TestResult {
    let (_db, store) = store_with(|it| {
        it.document::<Below>()
            .document::<AtMost>()
            .document::<Above>()
            .document::<AtLeast>()
            .document::<Other>()
            .document::<OtherWord>()
            .document::<OtherKind>()
            .document::<WithKind>()
            .document::<OneOf>()
            .document::<EitherOf>()
            .document::<NotIn>()
    })
    .await?;
    let not_taken = [
        Below::not_taken(&store).await?,
        AtMost::not_taken(&store).await?,
        Above::not_taken(&store).await?,
        AtLeast::not_taken(&store).await?,
        Other::not_taken(&store).await?,
        OtherWord::not_taken(&store).await?,
        OtherKind::not_taken(&store).await?,
        WithKind::not_taken(&store).await?,
        OneOf::not_taken(&store).await?,
        EitherOf::not_taken(&store).await?,
        NotIn::not_taken(&store).await?,
    ]
    .concat();
    assert!(not_taken.is_empty(), "{}", not_taken.join("\n\n"));
    Ok(())
}
