//! Several typed queries as one statement.

use std::fmt::Write as _;

/// The queries' texts, each with the number of its parameters, as one: `(which query, its row)` for each row found.
///
/// Rows of any columns go into one column of type `record`; those of one query keep their order.
pub(super) fn combine(queries: &[(&str, usize)]) -> String {
    let (mut text, mut before) = (String::new(), 0);
    for (at, (query, parameters)) in queries.iter().enumerate() {
        text.push_str(if at > 0 { " UNION ALL " } else { "" });
        let _infallible = write!(text, "SELECT {at}::int4, found FROM (");
        renumber(&mut text, query, before);
        text.push_str(") AS found");
        before += parameters;
    }
    text
}

/// Writes a text whose parameters come after others.
fn renumber(text: &mut String, query: &str, before: usize) {
    // a doubled quote inside a literal ends it and begins another: the count stays right
    for (i, part) in query.split('\'').enumerate() {
        text.push_str(if i > 0 { "'" } else { "" });
        if i % 2 == 1 || before == 0 {
            text.push_str(part);
            continue;
        }
        let mut pieces = part.split('$');
        text.push_str(pieces.next().unwrap_or_default());
        for piece in pieces {
            let digits = piece.len() - piece.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let (number, rest) = piece.split_at(digits);
            text.push('$');
            match number.parse::<usize>() {
                Ok(number) => text.push_str(&(number + before).to_string()),
                Err(_) => text.push_str(number),
            }
            text.push_str(rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::combine;

    #[test]
    fn parameters_are_numbered_on_and_literals_stay() {
        let first = ("SELECT a FROM t WHERE b = $1::text AND c = '$1''$2' LIMIT $2", 2);
        let second = ("SELECT count(*) FROM t WHERE b = $12::text OR b = $1 OR c = '$1'", 12);
        assert_eq!(
            combine(&[first, second]),
            "SELECT 0::int4, found FROM (SELECT a FROM t WHERE b = $1::text AND c = '$1''$2' LIMIT $2) AS found \
             UNION ALL SELECT 1::int4, found FROM (SELECT count(*) FROM t WHERE b = $14::text OR b = $3 OR c = '$1') \
             AS found"
        );
    }
}
