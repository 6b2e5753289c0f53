//! Names that follow from other names.

/// `OrderPlaced` as `order-placed`: the stored name when none is given.
pub(crate) fn kebab(name: &str) -> String {
    let chars: Vec<char> = name.trim_start_matches("r#").chars().collect();
    let mut kebab = String::new();
    for (i, &c) in chars.iter().enumerate() {
        let starts_word = c.is_uppercase()
            && i > 0
            && (!chars[i - 1].is_uppercase() || chars.get(i + 1).is_some_and(|next| next.is_lowercase()));
        if starts_word && !kebab.ends_with('-') {
            kebab.push('-');
        }
        match c {
            '_' => kebab.push('-'),
            other => kebab.extend(other.to_lowercase()),
        }
    }
    kebab
}

/// The same as a function's name: `order_placed`.
pub(crate) fn snake(name: &str) -> String {
    kebab(name).replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_begin_at_capitals_and_a_row_of_capitals_is_one_word() {
        for (name, expected) in [
            ("Placed", "placed"),
            ("OrderPlaced", "order-placed"),
            ("HTTPCalled", "http-called"),
            ("MovedToEU", "moved-to-eu"),
            ("V2Placed", "v2-placed"),
            ("snake_Case", "snake-case"),
            ("r#Type", "type"),
        ] {
            assert_eq!(kebab(name), expected);
        }
        assert_eq!(snake("OrderPlaced"), "order_placed");
    }
}
