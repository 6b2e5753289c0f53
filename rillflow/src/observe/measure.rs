//! The metrics, named in one place. Without the feature, nothing.

#[cfg(feature = "metrics")]
mod on {
    use std::time::{Duration, Instant};

    use metrics::{counter, gauge, histogram};

    pub(crate) type Began = Instant;

    pub(crate) fn begin() -> Began {
        Instant::now()
    }

    pub(crate) fn operation(began: Began, operation: &'static str, collection: &str) {
        let collection = collection.to_owned();
        histogram!("rillflow_operation_duration_seconds", "operation" => operation, "collection" => collection)
            .record(began.elapsed());
    }

    pub(crate) fn failed(operation: &'static str, collection: &str, error: String) {
        let collection = collection.to_owned();
        counter!("rillflow_operation_errors_total", "operation" => operation, "collection" => collection, "error" => error)
            .increment(1);
    }

    pub(crate) fn appended(events: usize) {
        counter!("rillflow_appended_events_total").increment(events as u64);
    }

    pub(crate) fn append_batch(appends: usize) {
        histogram!("rillflow_append_batch_size").record(appends as f64);
    }

    pub(crate) fn projected(projection: &str, events: usize, position: i64, mark: i64) {
        let name = || projection.to_owned();
        histogram!("rillflow_projection_batch_events", "projection" => name()).record(events as f64);
        counter!("rillflow_projection_events_total", "projection" => name()).increment(events as u64);
        gauge!("rillflow_projection_position", "projection" => name()).set(position as f64);
        gauge!("rillflow_projection_lag", "projection" => name()).set((mark - position).max(0) as f64);
    }

    pub(crate) fn acknowledged(subscription: &str, group: &str, took: &[Duration]) {
        let labels = [("subscription", subscription.to_owned()), ("group", group.to_owned())];
        counter!("rillflow_subscription_events_total", &labels).increment(took.len() as u64);
        let histogram = histogram!("rillflow_subscription_handling_seconds", &labels);
        took.iter().for_each(|it| histogram.record(*it));
    }

    pub(crate) fn refused(subscription: &str, group: &str) {
        let labels = [("subscription", subscription.to_owned()), ("group", group.to_owned())];
        counter!("rillflow_subscription_failures_total", &labels).increment(1);
    }

    pub(crate) fn delivered(subscription: &str, group: &str, in_flight: usize, position: i64, mark: i64) {
        let labels = [("subscription", subscription.to_owned()), ("group", group.to_owned())];
        gauge!("rillflow_subscription_in_flight", &labels).set(in_flight as f64);
        gauge!("rillflow_subscription_position", &labels).set(position as f64);
        gauge!("rillflow_subscription_lag", &labels).set((mark - position).max(0) as f64);
    }

    pub(crate) fn mark(mark: i64, drawn: i64, open_since: Option<Instant>) {
        gauge!("rillflow_mark_position").set(mark as f64);
        gauge!("rillflow_mark_lag").set((drawn - mark).max(0) as f64);
        gauge!("rillflow_mark_age_seconds").set(open_since.map_or(0.0, |it| it.elapsed().as_secs_f64()));
    }
}

#[cfg(not(feature = "metrics"))]
mod on {
    pub(crate) struct Began;

    pub(crate) fn begin() -> Began {
        Began
    }
    pub(crate) fn operation(_: Began, _: &'static str, _: &str) {}
    pub(crate) fn failed(_: &'static str, _: &str, _: String) {}
    pub(crate) fn appended(_: usize) {}
    pub(crate) fn append_batch(_: usize) {}
    pub(crate) fn projected(_: &str, _: usize, _: i64, _: i64) {}
    pub(crate) fn acknowledged(_: &str, _: &str, _: &[std::time::Duration]) {}
    pub(crate) fn refused(_: &str, _: &str) {}
    pub(crate) fn delivered(_: &str, _: &str, _: usize, _: i64, _: i64) {}
    pub(crate) fn mark(_: i64, _: i64, _: Option<std::time::Instant>) {}
}

pub(crate) use on::*;
