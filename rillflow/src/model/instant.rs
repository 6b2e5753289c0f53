//! Dates and times as PostgreSQL keeps them, where that is not what Rust does.
//!
//! `rillflow_ts` and its kind read what is stored; values beside it are brought to the same here.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, SubsecRound, TimeDelta, Utc};

/// The first day that PostgreSQL knows, 4714-11-24 BC: the first of its calendar of Julian days.
const FIRST_DAY: NaiveDate = NaiveDate::from_ymd_opt(-4713, 11, 24).expect("a date");

/// The time that PostgreSQL reads the text of this one as: to a microsecond, and a half to the even one.
///
/// It computes with a float, so this does.
pub(crate) fn as_stored(time: DateTime<Utc>) -> DateTime<Utc> {
    if time.year() < -4712 {
        return FIRST_DAY.and_time(NaiveTime::MIN).and_utc();
    }
    let nanos = time.timestamp_subsec_nanos();
    let micros = (f64::from(nanos) / 1e9 * 1e6).round_ties_even() as i64;
    let second = DateTime::from_timestamp(time.timestamp(), 0).unwrap_or(time);
    // the last instant is not rounded up to one that nobody knows
    second.checked_add_signed(TimeDelta::microseconds(micros)).unwrap_or_else(|| time.trunc_subsecs(6))
}

/// A date in PostgreSQL's notation.
pub(crate) fn date(date: NaiveDate) -> String {
    in_its_notation(date, "")
}

/// A date and a time in PostgreSQL's notation.
pub(crate) fn local_time(time: NaiveDateTime) -> String {
    let time = if time.date() == NaiveDate::MAX { time.trunc_subsecs(6) } else { time };
    in_its_notation(time.date(), &format!("T{:?}", time.time()))
}

fn in_its_notation(date: NaiveDate, time: &str) -> String {
    match date.year() {
        // there is no year 0: it is 1 BC
        year @ -4712..=0 => format!("{:04}-{:02}-{:02}{time} BC", 1 - year, date.month(), date.day()),
        ..-4712 => format!("{:04}-{:02}-{:02} BC", 1 - FIRST_DAY.year(), FIRST_DAY.month(), FIRST_DAY.day()),
        year => format!("{year:04}-{:02}-{:02}{time}", date.month(), date.day()),
    }
}

/// What PostgreSQL has written, as chrono reads it.
pub(crate) fn as_chrono_reads(text: &str) -> String {
    let Some((year, rest)) = text.split_once('-') else { return text.to_owned() };
    match (rest.strip_suffix(" BC"), year.parse::<i32>()) {
        (Some(rest), Ok(year)) => format!("{}{:04}-{rest}", if year > 1 { "-" } else { "" }, year.abs() - 1),
        (None, Ok(year @ 10_000..)) => format!("+{year}-{rest}"),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_postgres_writes_of_a_far_date_is_read_again() {
        for (theirs, ours) in [
            ("2024-02-29", "2024-02-29"),
            ("12345-01-02", "+12345-01-02"),
            ("0001-02-29 BC", "0000-02-29"),
            ("0045-03-15 BC", "-0044-03-15"),
            ("no date", "no date"),
        ] {
            assert_eq!(as_chrono_reads(theirs), ours);
            let Ok(day) = ours.parse::<NaiveDate>() else { continue };
            assert_eq!(date(day), theirs);
        }
        assert_eq!(date(NaiveDate::MIN), "4714-11-24 BC");
    }

    #[test]
    fn a_half_microsecond_goes_to_the_even_one() {
        let rounded = |nanos| as_stored(DateTime::from_timestamp(-1, nanos).expect("a time")).timestamp_subsec_micros();
        assert_eq!([500, 1_500, 2_500, 2_501].map(rounded), [0, 2, 2, 3]);
        assert_eq!(as_stored(DateTime::from_timestamp(7, 999_999_500).expect("a time")).timestamp(), 8);
    }
}
