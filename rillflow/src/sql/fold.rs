//! The name of a schema, taken out of definitions in PostgreSQL's words and put into them again.

use super::SchemaName;

/// Stands for the schema's name. No identifier and no text of ours holds it.
const PLACEHOLDER: &str = "\u{1}.";

/// How a definition is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Literals {
    /// Literals are the application's own: only `'name'::regclass` names the schema.
    Kept,
    /// A function of ours, which names the schema in its literals too.
    Folded,
}

/// The definition with each of `schemas` replaced by the placeholder.
pub(crate) fn fold(definition: &str, schemas: &[&SchemaName], literals: Literals) -> String {
    let parts: Vec<_> = definition.split('\'').collect();
    let folded = parts.iter().enumerate().map(|(at, part)| {
        let inside = at % 2 == 1;
        let names_a_relation = parts.get(at + 1).is_some_and(|next| next.starts_with("::regclass"));
        if inside && literals == Literals::Kept && !names_a_relation {
            return (*part).to_owned();
        }
        schemas.iter().fold((*part).to_owned(), |text, schema| fold_name(&text, schema.as_str()))
    });
    folded.collect::<Vec<_>>().join("'")
}

/// The definition for a schema.
pub(crate) fn unfold(definition: &str, schema: &SchemaName) -> String {
    definition.replace(PLACEHOLDER, &format!("{}.", schema.quoted()))
}

fn fold_name(text: &str, schema: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    let mut rest = text.replace(&format!("\"{schema}\"."), PLACEHOLDER);
    let bare = format!("{schema}.");
    while let Some(at) = rest.find(&bare) {
        let (before, after) = rest.split_at(at);
        let begins = !before.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '"' | '.'));
        folded.push_str(before);
        folded.push_str(if begins { PLACEHOLDER } else { &bare });
        rest = after[bare.len()..].to_owned();
    }
    folded + &rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(text: &str, schema: &str, literals: Literals) -> String {
        let name = SchemaName::new(schema).expect("a name");
        fold(text, &[&name], literals).replace('\u{1}', "@")
    }

    #[test]
    fn a_schema_is_taken_out_of_a_definition_quoted_or_not() {
        assert_eq!(folded("ON app.t USING btree (app.f(x))", "app", Literals::Kept), "ON @.t USING btree (@.f(x))");
        assert_eq!(folded("\"App\".t", "App", Literals::Kept), "@.t");
        assert_eq!(folded("nextval('app.s'::regclass)", "app", Literals::Kept), "nextval('@.s'::regclass)");
    }

    #[test]
    fn what_only_looks_like_the_schema_stays() {
        for text in ["myapp.t", "\"myapp.t\"", "x = 'app.t'", "other.app.t"] {
            assert_eq!(folded(text, "app", Literals::Kept), text);
        }
        assert_eq!(folded("'app.t'", "app", Literals::Folded), "'@.t'");
    }

    #[test]
    fn what_was_taken_out_can_be_put_in_again() {
        let (from, to) = (SchemaName::new("app").expect("a name"), SchemaName::new("App").expect("a name"));
        let folded = fold("CREATE INDEX i ON app.t (x)", &[&from], Literals::Kept);
        assert_eq!(unfold(&folded, &to), "CREATE INDEX i ON \"App\".t (x)");
    }
}
