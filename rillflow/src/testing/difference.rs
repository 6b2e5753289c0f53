//! Two texts side by side, for people.

/// The lines of `expected` and `found` in one list: `-` for those that are missing, `+` for those that are too many.
pub(super) fn difference(expected: &[String], found: &[String]) -> String {
    let expected: Vec<&str> = expected.iter().flat_map(|text| text.lines()).collect();
    let found: Vec<&str> = found.iter().flat_map(|text| text.lines()).collect();
    let common = common(&expected, &found);
    let (mut lines, mut e, mut f) = (String::new(), 0, 0);
    while e < expected.len() || f < found.len() {
        let (sign, line) = if e < expected.len() && f < found.len() && expected[e] == found[f] {
            (e, f) = (e + 1, f + 1);
            (' ', found[f - 1])
        } else if f == found.len() || (e < expected.len() && common[e + 1][f] >= common[e][f + 1]) {
            e += 1;
            ('-', expected[e - 1])
        } else {
            f += 1;
            ('+', found[f - 1])
        };
        lines.push_str(&format!("  {sign} {line}\n"));
    }
    lines
}

/// `common[e][f]`: how many lines `expected[e..]` and `found[f..]` have in common, in order.
fn common(expected: &[&str], found: &[&str]) -> Vec<Vec<usize>> {
    let mut common = vec![vec![0; found.len() + 1]; expected.len() + 1];
    for e in (0..expected.len()).rev() {
        for f in (0..found.len()).rev() {
            common[e][f] = match expected[e] == found[f] {
                true => common[e + 1][f + 1] + 1,
                false => common[e + 1][f].max(common[e][f + 1]),
            };
        }
    }
    common
}

#[cfg(test)]
mod tests {
    use super::difference;

    #[test]
    fn what_both_have_stands_once() {
        let lines = |text: &str| vec![text.replace(' ', "\n")];
        assert_eq!(difference(&lines("a b c"), &lines("a x c d")), "    a\n  - b\n  + x\n    c\n  + d\n");
        assert_eq!(difference(&[], &lines("a")), "  + a\n");
        assert_eq!(difference(&lines("a"), &[]), "  - a\n");
    }
}
