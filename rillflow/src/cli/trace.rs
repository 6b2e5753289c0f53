//! `rillflow trace`.

use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;
use serde::Serialize;
use uuid::Uuid;

use super::connect::Session;
use super::events::Shown;
use super::out::maybe;
use super::{Done, Ran};

/// What belongs together.
#[derive(Debug, Args)]
pub(super) struct Trace {
    /// What the events have in common.
    correlation_id: Uuid,
    /// Draw it as a Mermaid sequence diagram.
    #[arg(long)]
    mermaid: bool,
    /// Only what was recorded since: `90m`, `24h`, `7d`, or a time such as `2026-01-31T12:00:00Z`. Makes it faster: no
    /// index leads to a correlation id.
    #[arg(long, value_name = "AGE|TIME", value_parser = parse_since)]
    since: Option<DateTime<Utc>>,
}

#[derive(Debug, Serialize)]
struct Found<'t> {
    correlation_id: Uuid,
    events: &'t [Shown],
    mermaid: String,
}

impl Trace {
    pub(super) async fn run(self, session: &mut Session) -> Ran {
        let store = session.store().await?;
        let causality = store.events().causality(self.correlation_id, self.since).await?;
        let events: Vec<_> = causality.events.iter().map(Shown::new).collect();
        let mermaid = causality.to_mermaid();
        let found = Found { correlation_id: self.correlation_id, events: &events, mermaid };
        session.out.show(&found, |out| {
            if self.mermaid {
                return out.write_all(found.mermaid.as_bytes());
            }
            let rows = causality.events.iter().map(|it| {
                let position = it.global_seq.to_string();
                [
                    position,
                    it.stream_id.to_string(),
                    it.typ.to_string(),
                    it.event_id.to_string(),
                    maybe(it.causation_id),
                ]
            });
            out.table(["position", "stream", "type", "event", "caused by"], rows, "No events have this correlation id.")
        })?;
        Ok(Done::Well)
    }
}

/// Reads an age, which ends now, or a time.
fn parse_since(text: &str) -> Result<DateTime<Utc>, String> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.to_utc());
    }
    let unit = text.chars().last().unwrap_or_default();
    let number = text.strip_suffix(unit).and_then(|number| number.parse().ok());
    let age = number.and_then(|number| match unit {
        's' => TimeDelta::try_seconds(number),
        'm' => TimeDelta::try_minutes(number),
        'h' => TimeDelta::try_hours(number),
        'd' => TimeDelta::try_days(number),
        _ => None,
    });
    let since = age.and_then(|age| Utc::now().checked_sub_signed(age));
    since.ok_or_else(|| "it is an age such as `24h`, or a time such as `2026-01-31T12:00:00Z`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_is_an_age_or_a_time() {
        assert_eq!(parse_since("2026-01-31T12:00:00Z").map(|it| it.timestamp()), Ok(1_769_860_800));
        let day = parse_since("24h").expect("an age");
        assert!((Utc::now() - day - TimeDelta::hours(24)).num_seconds().abs() < 5);
        for wrong in ["", "h", "5", "5y", "-", "9223372036854775807d", "tomorrow", "5ä"] {
            assert!(parse_since(wrong).is_err(), "{wrong}");
        }
    }
}
