//! Two shapes of one thing: can what was written in the old one be read in the new one?

use std::collections::BTreeMap;

/// One line, taken apart.
#[derive(Debug, PartialEq)]
struct Place<'l> {
    kind: &'l str,
    optional: bool,
    nullable: bool,
}

fn places(lines: &[String]) -> BTreeMap<&str, Place<'_>> {
    lines.iter().filter_map(|line| parse(line)).collect()
}

fn parse(line: &str) -> Option<(&str, Place<'_>)> {
    let (path, kind) = line.split_once(": ")?;
    let (path, optional) = path.strip_suffix('?').map_or((path, false), |path| (path, true));
    let (kind, nullable) = kind.strip_suffix(" or null").map_or((kind, false), |kind| (kind, true));
    Some((path, Place { kind, optional, nullable }))
}

/// True when everything that was written as `old` can be read as `new`.
pub(super) fn reads_all(old: &[String], new: &[String]) -> bool {
    let (old, new) = (places(old), places(new));
    let kept = old.iter().all(|(path, old)| {
        new.get(path).is_some_and(|new| {
            (new.optional || !old.optional) && (new.nullable || !old.nullable) && reads_kind(old.kind, new.kind)
        })
    });
    let added = new.iter().filter(|(path, _)| !old.contains_key(*path));
    kept && added.into_iter().all(|(path, place)| {
        place.optional || in_new_variant(path, &old) || parents(path).any(|above| is_new(above, &old, &new))
    })
}

/// The paths above `path`.
fn parents(path: &str) -> impl Iterator<Item = &str> {
    path.char_indices().filter(|(_, c)| matches!(c, '.' | '[' | '{' | '(')).map(|(at, _)| &path[..at])
}

/// A place that may be missing, and was not there before: whatever is below it is of no old value.
fn is_new(path: &str, old: &BTreeMap<&str, Place<'_>>, new: &BTreeMap<&str, Place<'_>>) -> bool {
    !old.contains_key(path) && new.get(path).is_some_and(|place| place.optional)
}

/// Below a variant that the enum did not have: `state(moved)[0]`.
fn in_new_variant(path: &str, old: &BTreeMap<&str, Place<'_>>) -> bool {
    path.match_indices('(').any(|(at, _)| {
        let above = if at == 0 { "(itself)" } else { &path[..at] };
        let variant = path[at + 1..].split(')').next().unwrap_or_default();
        old.get(above).is_some_and(|place| !variants(place.kind).any(|known| known == format!("{variant:?}")))
    })
}

fn variants(kind: &str) -> impl Iterator<Item = &str> {
    kind.split(" | ")
}

/// True when a value of kind `old` is one of kind `new`.
fn reads_kind(old: &str, new: &str) -> bool {
    const TEXTS: [&str; 9] = [
        "text",
        "uuid",
        "timestamp",
        "date",
        "time of day",
        "date and time",
        "number as text",
        "character",
        "text of its own form",
    ];
    const WIDER: [(&str, &[&str]); 8] = [
        ("u8", &["u16", "u32", "u64", "u128", "i16", "i32", "i64", "i128", "f32", "f64"]),
        ("u16", &["u32", "u64", "u128", "i32", "i64", "i128", "f32", "f64"]),
        ("u32", &["u64", "u128", "i64", "i128", "f64"]),
        ("u64", &["u128", "i128"]),
        ("i8", &["i16", "i32", "i64", "i128", "f32", "f64"]),
        ("i16", &["i32", "i64", "i128", "f32", "f64"]),
        ("i32", &["i64", "i128", "f64"]),
        ("i64", &["i128"]),
    ];
    let wider = || WIDER.iter().any(|(narrow, wide)| *narrow == old && wide.contains(&new));
    old == new
        || new == "any"
        || (old, new) == ("f32", "f64")
        || (new == "text" && TEXTS.contains(&old))
        || wider()
        || (!old.is_empty() && variants(old).all(|variant| variants(new).any(|known| known == variant)))
}

/// The lines that went and came, in their order.
pub(super) fn diff(old: &[String], new: &[String]) -> String {
    let mut lines: Vec<(&str, char)> =
        old.iter().filter(|line| !new.contains(line)).map(|line| (&**line, '-')).collect();
    lines.extend(new.iter().filter(|line| !old.contains(line)).map(|line| (&**line, '+')));
    lines.sort_by_key(|(line, sign)| (parse(line).map(|(path, _)| path), *sign == '+'));
    lines.iter().map(|(line, sign)| format!("    {sign} {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::reads_all;

    #[test]
    fn old_values_are_read_when_nothing_of_them_is_lost_or_missing() {
        for (old, new, reads) in [
            (&["a: i32"][..], &["a: i64"][..], true),
            (&["a: i64"], &["a: i32"], false),
            (&["a: uuid"], &["a: text"], true),
            (&["a: text"], &["a: uuid"], false),
            (&["a: text"], &["a?: text or null"], true),
            (&["a?: text or null"], &["a: text"], false),
            (&["a: text"], &["a: text", "b: text"], false),
            (&["a: text"], &["a: text", "b?: text"], true),
            (&["a: text"], &["a: text", "b?: object or null", "b.c: text"], true),
            (
                &["a: text", "b?: object or null", "b.c: text"],
                &["a: text", "b?: object or null", "b.c: text", "b.d: text"],
                false,
            ),
            (&["a: text", "b: text"], &["a: text"], false),
            (&["s: \"New\""], &["s: \"New\" | \"Old\"", "s(Old).since: i64"], true),
            (&["s: \"New\" | \"Old\""], &["s: \"New\""], false),
            (&["(itself): \"New\""], &["(itself): \"New\" | \"Old\"", "(Old): i64"], true),
            (&["s: \"Old\"", "s(Old).a: i64"], &["s: \"Old\"", "s(Old).a: i64", "s(Old).b: i64"], false),
        ] {
            let lines = |lines: &[&str]| lines.iter().map(|&line| line.to_owned()).collect::<Vec<_>>();
            assert_eq!(reads_all(&lines(old), &lines(new)), reads, "{old:?} as {new:?}");
        }
    }
}
