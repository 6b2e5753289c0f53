//! The W3C trace context in the headers of events.

use super::EventEnvelope;

/// How many links OpenTelemetry keeps of a span, unless told otherwise.
const MOST_LINKS: usize = 128;

/// JSON headers with a `traceparent`. Headers that have one of their own, or are no object, stay as they are.
pub(crate) fn with_traceparent(headers: Option<&str>, traceparent: &str) -> Option<String> {
    let own = serde_json::Value::from(traceparent);
    let Some(text) = headers else { return Some(format!("{{\"traceparent\":{own}}}")) };
    let inside = text.trim_start().strip_prefix('{')?;
    if traceparent_in(text).is_some() {
        return None;
    }
    let comma = if inside.trim_start().starts_with('}') { "" } else { "," };
    Some(format!("{{\"traceparent\":{own}{comma}{inside}"))
}

/// The trace contexts of a batch of events: each once, in the order they come.
pub(crate) fn carried<'e>(events: impl IntoIterator<Item = &'e EventEnvelope>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for event in events {
        let traceparent = event.headers.as_ref().and_then(|headers| traceparent_in(headers.as_str()));
        if let Some(traceparent) = traceparent.filter(|it| !found.contains(it)) {
            found.push(traceparent);
        }
        if found.len() == MOST_LINKS {
            break;
        }
    }
    found
}

fn traceparent_in(headers: &str) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Headers {
        traceparent: Option<String>,
    }
    // headers of another form carry no context
    headers.contains("\"traceparent\"").then(|| serde_json::from_str::<Headers>(headers).ok()?.traceparent)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_keep_what_they_have() {
        let all = [
            (None, Some(r#"{"traceparent":"00-a-b-01"}"#)),
            (Some("{}"), Some(r#"{"traceparent":"00-a-b-01"}"#)),
            (Some(r#" { "a": 1 }"#), Some(r#"{"traceparent":"00-a-b-01", "a": 1 }"#)),
            (Some(r#"{"traceparent":"mine"}"#), None),
            (Some("[1]"), None),
            (Some("5"), None),
        ];
        for (headers, expected) in all {
            assert_eq!(with_traceparent(headers, "00-a-b-01").as_deref(), expected, "{headers:?}");
        }
    }
}
