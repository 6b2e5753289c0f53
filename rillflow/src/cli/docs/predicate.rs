//! Conditions as they are typed: `path=value`.

use serde_json::Value;

use super::Direction;
use crate::query::Predicate;

/// Longest first, as `>=` begins with `>`.
const OPERATORS: [&str; 7] = ["!=", ">=", "<=", "=", ">", "<", "~"];

/// Reads one condition.
pub(super) fn parse(text: &str) -> Result<Predicate, String> {
    let found = OPERATORS.iter().filter_map(|it| Some((text.find(it)?, *it)));
    // the leftmost one counts, and of two at one place the longer
    let Some((at, operator)) = found.min_by_key(|(at, it)| (*at, usize::MAX - it.len())) else {
        return match text.strip_suffix('?') {
            Some(path) if !path.is_empty() => Ok(Predicate::exists(path)),
            _ => Err("a condition is `path=value`, with one of = != > >= < <= ~ between, or `path?`".to_owned()),
        };
    };
    let (path, value) = (text[..at].trim(), text[at + operator.len()..].trim());
    if path.is_empty() {
        return Err(format!("there is no path before `{operator}`"));
    }
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
    Ok(match operator {
        "=" => Predicate::eq(path, value),
        "!=" => Predicate::ne(path, value),
        ">" => Predicate::gt(path, value),
        ">=" => Predicate::ge(path, value),
        "<" => Predicate::lt(path, value),
        "<=" => Predicate::le(path, value),
        _ => Predicate::contains(path, value),
    })
}

/// Reads one order.
pub(super) fn parse_order(text: &str) -> Result<(String, Direction), String> {
    let (path, direction) = match text.rsplit_once(':') {
        Some((path, "desc")) => (path, Direction::Down),
        Some((path, "asc")) => (path, Direction::Up),
        Some((_, other)) => return Err(format!("`{other}` is neither `asc` nor `desc`")),
        None => (text, Direction::Up),
    };
    if path.is_empty() { Err("there is no path".to_owned()) } else { Ok((path.to_owned(), direction)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_is_a_path_an_operator_and_json_or_text() {
        for (text, predicate) in [
            ("status=active", Predicate::eq("status", "active")),
            ("score>=5", Predicate::ge("score", 5)),
            ("score>5", Predicate::gt("score", 5)),
            ("address.city != Oslo", Predicate::ne("address.city", "Oslo")),
            ("tags~vip", Predicate::contains("tags", "vip")),
            ("a=b=c", Predicate::eq("a", "b=c")),
            ("n=null", Predicate::eq("n", Value::Null)),
            ("n=\"5\"", Predicate::eq("n", "5")),
            ("email?", Predicate::exists("email")),
        ] {
            assert_eq!(parse(text), Ok(predicate), "{text}");
        }
        for wrong in ["", "status", "=5", "?"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
