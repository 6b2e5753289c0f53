use std::time::Duration;

use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use uuid::Uuid;

use super::{manual, positions, subscribe, take, ticks, until};
use crate::observe::{Context, Spans, TRACEPARENT};
use crate::support::{TestResult, store, store_with};

#[tokio::test]
async fn what_a_subscription_reads_is_a_span_that_is_linked_to_the_appends() -> TestResult {
    let context = Context::default();
    let with = context.clone();
    let (_db, store) = store_with(|it| it.trace_context(with)).await?;
    let appended = ticks(&store, Uuid::now_v7(), 0..3).await?;
    let spans = Spans::default();
    let listening = spans.listen();
    let (handle, mut rx) = subscribe(&store, "watched", manual()).await?;
    let taken = take(&mut rx, 3).await;
    handle.ack_up_to(appended[2]).await?;
    handle.shutdown().await?;
    drop(listening);
    assert_eq!(positions(&taken), appended);
    let headers = taken[0].headers.as_ref().ok_or("headers")?.parse::<serde_json::Value>()?;
    assert_eq!(headers["traceparent"], TRACEPARENT, "what handles an event finds its context");

    let seen = spans.0.lock().expect("nobody panicked").clone();
    let of = |name: &str| {
        let named = seen.iter().filter(|(it, fields)| *it == name && fields["db.collection.name"] == "watched");
        named.map(|(_, fields)| fields.clone()).collect::<Vec<_>>()
    };
    let delivered: i64 = of("deliver").iter().map(|it| it["rillflow.events"].parse::<i64>().unwrap_or(0)).sum();
    assert_eq!(delivered, 3);
    assert_eq!(of("deliver")[0]["otel.name"], "deliver watched");
    assert!(of("ack").iter().any(|it| it["rillflow.events"] == "3"), "{:?}", of("ack"));
    let linked = context.linked.lock().expect("nobody panicked").clone();
    assert!(!linked.is_empty() && linked.iter().all(|it| it == TRACEPARENT), "{linked:?}");
    Ok(())
}

#[tokio::test]
async fn a_subscription_is_measured_under_documented_names() -> TestResult {
    let (_db, store) = store().await?;
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let listening = metrics::set_default_local_recorder(&recorder);
    let appended = ticks(&store, Uuid::now_v7(), 0..3).await?;
    let (handle, mut rx) = subscribe(&store, "measured", manual()).await?;
    take(&mut rx, 2).await;
    handle.nack(appended[0], Duration::ZERO, "once more").await?;
    handle.ack(appended[1]).await?;
    take(&mut rx, 1).await;
    let mut tx = store.pool().begin().await?;
    handle.ack_in_tx(&mut tx, appended[0]).await?;
    tx.commit().await?;
    take(&mut rx, 1).await;
    until("read", || async { Ok(handle.health().ready == 0) }).await?;
    handle.ack(appended[2]).await?;
    handle.shutdown().await?;
    drop(listening);
    let mut seen = Vec::new();
    for (key, _, _, value) in snapshotter.snapshot().into_vec() {
        let labels: Vec<_> = key.key().labels().map(|it| format!("{}={}", it.key(), it.value())).collect();
        let value = match value {
            DebugValue::Counter(n) => n.to_string(),
            DebugValue::Histogram(all) => format!("{} values", all.len()),
            DebugValue::Gauge(_) => "a gauge".to_owned(),
        };
        seen.push(format!("{}{{{}}} {value}", key.key().name(), labels.join(",")));
    }
    for expected in [
        "events_total{subscription=measured,group=} 3",
        "handling_seconds{subscription=measured,group=} 3 values",
        "failures_total{subscription=measured,group=} 1",
        "in_flight{subscription=measured,group=} a gauge",
        "position{subscription=measured,group=} a gauge",
        "lag{subscription=measured,group=} a gauge",
    ] {
        let expected = format!("rillflow_subscription_{expected}");
        assert!(seen.contains(&expected), "{expected} among {seen:#?}");
    }
    Ok(())
}
