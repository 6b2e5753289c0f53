use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use futures_util::{StreamExt, TryStreamExt};
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use rillflow::observe::{TraceContext, TraceSink};
use rillflow::{AppendOptions, Document, Event, Expected, Lifecycle, Store};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use uuid::Uuid;

use crate::orders::{self, CustomerId, Order, SalesProjection, customer, placed};
use crate::support::{SOON, TestResult, store, store_with};

/// One span: its name and fields.
pub(crate) type Seen = (&'static str, HashMap<String, String>);

/// Keeps the spans of rillflow that begin on this thread.
#[derive(Clone, Default)]
pub(crate) struct Spans(pub(crate) Arc<Mutex<Vec<Seen>>>);

impl Spans {
    pub(crate) fn listen(&self) -> tracing::subscriber::DefaultGuard {
        tracing::subscriber::set_default(self.clone())
    }

    /// The fields of the only span of this name, which are removed.
    fn take(&self, name: &str) -> HashMap<String, String> {
        let mut found = self.take_all(name);
        assert_eq!(found.len(), 1, "spans called {name}; the others: {:#?}", self.0);
        found.remove(0)
    }

    /// The fields of the spans of this name, which are removed.
    fn take_all(&self, name: &str) -> Vec<HashMap<String, String>> {
        let mut all = self.0.lock().expect("nobody panicked");
        all.extract_if(.., |(it, _)| *it == name).map(|(_, fields)| fields).collect()
    }
}

struct Fields<'f>(&'f mut HashMap<String, String>);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}").trim_matches('"').to_owned());
    }
}

impl tracing::Subscriber for Spans {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "rillflow"
    }
    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut all = self.0.lock().expect("nobody panicked");
        let mut fields = HashMap::new();
        span.record(&mut Fields(&mut fields));
        all.push((span.metadata().name(), fields));
        Id::from_u64(all.len() as u64)
    }
    fn record(&self, id: &Id, values: &Record<'_>) {
        let mut all = self.0.lock().expect("nobody panicked");
        // taken ones are gone: ids count as long as nothing is taken in between
        if let Some((_, fields)) = all.get_mut(id.into_u64() as usize - 1) {
            values.record(&mut Fields(fields));
        }
    }
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &tracing::Event<'_>) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn an_operation_is_a_span_as_the_database_conventions_name_it() -> TestResult {
    let (_db, store) = store_with(|it| it.document::<orders::Customer>()).await?;
    let spans = Spans::default();
    let listening = spans.listen();
    let id = Uuid::now_v7();
    store.events().append_stream(id, Expected::NoStream, [placed(CustomerId::default(), 5)]).await?;
    store.aggregate::<Order>(id).load().await?;
    store.docs().put(&customer(1)).await?;
    store.docs().query::<orders::Customer>().fetch_all().await?;
    store.events().all().page().await?;
    drop(listening);

    let append = spans.take("append");
    for (field, value) in [
        ("otel.name", "append events"),
        ("otel.kind", "client"),
        ("db.system.name", "postgresql"),
        ("db.namespace", "public"),
        ("db.operation.name", "append"),
        ("db.collection.name", "events"),
        ("rillflow.stream_id", &id.to_string()),
        ("rillflow.events", "1"),
    ] {
        assert_eq!(append.get(field).map(String::as_str), Some(value), "{field}");
    }
    assert_eq!(append.get("error.type"), None);
    for (name, collection) in [("load", "Order"), ("put", "customers"), ("query", "customers"), ("read", "events")] {
        assert_eq!(spans.take(name)["db.collection.name"], collection);
    }
    Ok(())
}

#[tokio::test]
async fn a_failure_is_named_in_its_span_as_the_variant_of_the_error() -> TestResult {
    let (_db, store) = store().await?;
    let spans = Spans::default();
    let listening = spans.listen();
    let lost = store.events().append_stream(Uuid::now_v7(), Expected::Exact(7), [Event::new("tick", &1)]).await;
    drop(listening);
    assert!(lost.is_err());
    let append = spans.take("append");
    assert_eq!((append["error.type"].as_str(), append["otel.status_code"].as_str()), ("VersionConflict", "ERROR"));
    Ok(())
}

/// A trace context as a tracing library would have it.
#[derive(Clone, Default)]
pub(crate) struct Context {
    pub(crate) linked: Arc<Mutex<Vec<String>>>,
}

pub(crate) const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

impl TraceContext for Context {
    fn current(&self) -> Option<String> {
        Some(TRACEPARENT.to_owned())
    }
    fn link(&self, span: &tracing::Span, traceparent: &str) {
        assert!(!span.is_disabled());
        self.linked.lock().expect("nobody panicked").push(traceparent.to_owned());
    }
}

async fn with_context(context: &Context) -> Result<(crate::support::Db, Store), Box<dyn std::error::Error>> {
    let context = context.clone();
    store_with(|it| it.projection::<SalesProjection>(Lifecycle::Async).trace_context(context)).await
}

#[tokio::test]
async fn the_callers_trace_context_goes_with_its_events() -> TestResult {
    let (_db, store) = with_context(&Context::default()).await?;
    let id = Uuid::now_v7();
    let options = AppendOptions::default().headers(serde_json::json!({ "request": "r-1" }));
    store.events().append_with(id, Expected::Any, [Event::new("first", &1)], &options).await?;
    let own = AppendOptions::default().headers(serde_json::json!({ "traceparent": "mine" }));
    store.events().append_with(id, Expected::Any, [Event::new("second", &2)], &own).await?;
    let mut tx = store.pool().begin().await?;
    store.events().append_in_tx(&mut tx, id, Expected::Any, [Event::new("third", &3)]).await?;
    tx.commit().await?;
    let mut session = store.session();
    session.append(id, Expected::Any, [Event::new("fourth", &4)])?;
    session.commit().await?;

    let mut headers = Vec::new();
    for event in store.events().read_stream(id).await? {
        headers.push(event.headers.ok_or("headers")?.parse::<serde_json::Value>()?);
    }
    assert_eq!(headers[0], serde_json::json!({ "request": "r-1", "traceparent": TRACEPARENT }));
    assert_eq!(headers[1], serde_json::json!({ "traceparent": "mine" }));
    for carried in &headers[2..] {
        assert_eq!(*carried, serde_json::json!({ "traceparent": TRACEPARENT }));
    }
    Ok(())
}

#[tokio::test]
async fn the_span_of_a_projections_batch_is_linked_to_the_appends() -> TestResult {
    let context = Context::default();
    let (_db, store) = with_context(&context).await?;
    let mut last = 0;
    for _ in 0..3 {
        let events = [placed(CustomerId::default(), 5)];
        last = store.events().append_stream(Uuid::now_v7(), Expected::NoStream, events).await?.position();
    }
    let spans = Spans::default();
    let listening = spans.listen();
    let daemon = store.start_daemon().await?;
    store.wait_for("customer-sales", last, SOON).await?;
    drop(listening);
    daemon.shutdown().await;
    let seen = spans.0.lock().expect("nobody panicked").iter().any(|(name, fields)| {
        *name == "project" && fields["db.collection.name"] == "customer-sales" && fields["rillflow.events"] != "0"
    });
    assert!(seen, "a span of the batch");
    let linked = context.linked.lock().expect("nobody panicked").clone();
    // one per append context and batch, not one per event
    assert!(!linked.is_empty() && linked.len() <= 3 && linked.iter().all(|it| it == TRACEPARENT), "{linked:?}");
    Ok(())
}

#[tokio::test]
async fn a_sink_draws_what_ran_under_a_correlation_id() -> TestResult {
    let sink = TraceSink::new(100);
    let recorder = sink.clone();
    let (_db, store) = store_with(|it| it.projection::<SalesProjection>(Lifecycle::Async).trace_sink(recorder)).await?;
    let (id, trace) = (Uuid::now_v7(), Uuid::now_v7());
    sink.record(trace, "request", "web", "POST /orders");
    let options = AppendOptions::default().correlation_id(trace);
    let order = [placed(CustomerId::default(), 5)];
    let appended = store.events().append_with(id, Expected::NoStream, order, &options).await?;
    let lost = store.events().append_with(id, Expected::NoStream, [Event::new("tick", &1)], &options).await;
    assert!(lost.is_err());
    let daemon = store.start_daemon().await?;
    store.wait_for("customer-sales", appended.position(), SOON).await?;
    daemon.shutdown().await;
    let expected = format!(
        "sequenceDiagram\n    participant p0 as caller\n    participant p1 as web\n    participant p2 as stream {id}\n    \
         participant p3 as customer-sales\n    p0->>p1: request POST /orders\n    p1->>p2: append order-placed\n    \
         p2--xp2: failed tick#58; VersionConflict\n    p2->>p3: project order-placed\n"
    );
    assert_eq!(sink.mermaid(trace), expected);
    keep_diagram("live", &sink.mermaid(trace))?;
    assert_eq!(sink.mermaid(Uuid::nil()), "sequenceDiagram\n    participant p0 as caller\n");
    Ok(())
}

#[tokio::test]
async fn stored_ids_tell_what_caused_what() -> TestResult {
    let (_db, store) = store().await?;
    let (order, invoice, trace) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
    let options = || AppendOptions::default().correlation_id(trace);
    store.events().append_with(order, Expected::Any, [Event::new("order-placed", &1)], &options()).await?;
    let cause = store.events().read_stream(order).await?[0].event_id;
    store
        .events()
        .append_with(invoice, Expected::Any, [Event::new("invoice; sent", &2)], &options().causation_id(cause))
        .await?;
    store.events().append_stream(order, Expected::Any, [Event::new("of another trace", &3)]).await?;

    let causality = store.events().causality(trace, None).await?;
    assert_eq!(causality.events.len(), 2);
    let end = |id: Uuid| id.to_string()[24..].to_owned();
    let expected = format!(
        "sequenceDiagram\n    participant p0 as caller\n    participant p1 as {}\n    participant p2 as {}\n    \
         p0->>p1: order-placed (version 1)\n    p1->>p2: invoice#59; sent (version 1)\n",
        end(order),
        end(invoice)
    );
    assert_eq!(causality.to_mermaid(), expected);
    keep_diagram("stored", &causality.to_mermaid())?;
    let later = chrono::Utc::now() + chrono::TimeDelta::hours(1);
    assert!(store.events().causality(trace, Some(later)).await?.events.is_empty());
    Ok(())
}

#[test]
fn whatever_names_and_texts_hold_the_diagram_is_one() -> TestResult {
    let (sink, trace) = (TraceSink::new(100), Uuid::now_v7());
    let hostile = [
        "",
        " ",
        "end",
        "a;b",
        "a:b",
        "#35;",
        "%% comment",
        "a\nb",
        "<b>",
        "\"q\"",
        "->>",
        "p0->>p1: x",
        "`x`",
        "{a}",
        "é",
        "\u{0}\u{1b}",
        "note over p0: x",
        "loop",
        "alt",
        "&amp;",
        "\\",
        "activate p0",
        "as",
        "+",
        "-",
    ];
    for text in hostile {
        sink.record(trace, "kind", text, text);
        sink.record(trace, "failed", text, text);
        sink.record(trace, text, text, text);
    }
    keep_diagram("hostile", &sink.mermaid(trace))
}

/// Keeps a diagram for a check by Mermaid itself, where `.ci/run` wants it.
fn keep_diagram(name: &str, diagram: &str) -> TestResult {
    match std::env::var_os("RILLFLOW_DIAGRAMS") {
        Some(folder) => Ok(std::fs::write(std::path::Path::new(&folder).join(format!("{name}.mmd")), diagram)?),
        None => Ok(()),
    }
}

/// What the metrics were told: `name{labels} value`, without gauges.
fn told(snapshotter: &Snapshotter) -> Vec<String> {
    let mut seen: Vec<String> = Vec::new();
    for (key, _, _, value) in snapshotter.snapshot().into_vec() {
        let labels: Vec<_> = key.key().labels().map(|it| format!("{}={}", it.key(), it.value())).collect();
        let value = match value {
            DebugValue::Counter(n) => n.to_string(),
            DebugValue::Histogram(all) => format!("{} values", all.len()),
            DebugValue::Gauge(_) => continue,
        };
        seen.push(format!("{}{{{}}} {value}", key.key().name(), labels.join(",")));
    }
    seen
}

#[tokio::test]
async fn operations_are_measured_under_documented_names() -> TestResult {
    let (_db, store) = store_with(|it| it.document::<orders::Customer>()).await?;
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let listening = metrics::set_default_local_recorder(&recorder);
    store.docs().put(&customer(1)).await?;
    let id = Uuid::now_v7();
    store.events().append_stream(id, Expected::NoStream, [Event::new("tick", &1), Event::new("tick", &2)]).await?;
    let lost = store.events().append_stream(id, Expected::NoStream, [Event::new("tick", &3)]).await;
    assert!(lost.is_err());
    drop(listening);
    let seen = told(&snapshotter);
    for expected in [
        "rillflow_appended_events_total{} 2",
        "rillflow_operation_duration_seconds{operation=append,collection=events} 2 values",
        "rillflow_operation_duration_seconds{operation=put,collection=customers} 1 values",
        "rillflow_operation_errors_total{operation=append,collection=events,error=VersionConflict} 1",
        "rillflow_append_batch_size{} 2 values",
    ] {
        assert!(seen.iter().any(|it| it == expected), "{expected} among {seen:#?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_result_read_as_a_stream_is_one_query_that_ends_with_a_row_an_error_or_the_drop() -> TestResult {
    let (_db, store) = store_with(|it| it.document::<orders::Customer>()).await?;
    for n in 1..=3 {
        store.docs().put(&customer(n)).await?;
    }
    let (spans, recorder) = (Spans::default(), DebuggingRecorder::new());
    let snapshotter = recorder.snapshotter();
    let (spans_heard, metrics_heard) = (spans.listen(), metrics::set_default_local_recorder(&recorder));
    // read to the end, by each of the ways; one that nobody polls is none
    assert_eq!(store.docs().query::<orders::Customer>().fetch().count().await, 3);
    assert_eq!(store.query_stream(orders::Customer::query()).count().await, 3);
    assert_eq!(store.docs().collection("customers")?.fetch().count().await, 3);
    drop(store.query_stream(orders::Customer::query()));
    let mut enough = store.query_stream(orders::Customer::query());
    assert!(enough.try_next().await?.is_some());
    let durations = "rillflow_operation_duration_seconds{operation=query,collection=customers}";
    assert!(told(&snapshotter).contains(&format!("{durations} 3 values")), "the fourth is under way");
    drop(enough);
    sqlx::raw_sql("ALTER TABLE docs_customers RENAME TO elsewhere").execute(store.pool()).await?;
    let failed = store.query_stream(orders::Customer::query()).try_next().await;
    assert!(matches!(failed, Err(rillflow::Error::Database(_) | rillflow::Error::Schema { .. })), "{failed:?}");
    drop((spans_heard, metrics_heard));

    let queries = spans.take_all("query");
    let outcomes: Vec<_> = queries.iter().map(|it| it.get("error.type").is_some()).collect();
    assert_eq!(outcomes, [false, false, false, false, true], "{queries:#?}");
    assert!(queries.iter().all(|it| it["otel.name"] == "query customers" && it["db.operation.name"] == "query"));
    assert_eq!(queries[4]["otel.status_code"], "ERROR");
    // what was told before is taken from the histogram
    let seen = told(&snapshotter);
    assert!(seen.contains(&format!("{durations} 2 values")), "{seen:#?}");
    let errors = "rillflow_operation_errors_total{operation=query,collection=customers,error=";
    let errors: Vec<_> = seen.iter().filter(|it| it.starts_with(errors)).collect();
    assert!(errors.len() == 1 && errors[0].ends_with(" 1"), "{seen:#?}");
    Ok(())
}

#[tokio::test]
async fn events_read_as_a_stream_are_a_read_for_each_page() -> TestResult {
    let (_db, store) = store().await?;
    let id = Uuid::now_v7();
    let events = (0..600).map(|n| Event::new("tick", &n));
    store.events().append_stream(id, Expected::NoStream, events).await?;
    for of_one in [true, false] {
        let spans = Spans::default();
        let heard = spans.listen();
        let events = if of_one { store.events().stream(id).fetch() } else { store.events().all().fetch() };
        assert_eq!(events.count().await, 600);
        drop(heard);
        let reads = spans.take_all("read");
        assert_eq!(reads.len(), 2, "{reads:#?}");
        assert!(reads.iter().all(|it| it["db.collection.name"] == "events"), "{reads:#?}");
    }
    Ok(())
}
