//! The one statement of a session: `append_many`, with messages, and the documents of each collection in between.

use crate::model::Collection;

use super::appends::{Tags, With, head_and_outcome, renumber};
use super::{SESSION_DOCUMENTS, Texts};

/// The parameters of each collection, after those of the appends and of what is with them.
fn parameters(collection: &Collection) -> usize {
    if collection.metadata { 11 } else { 7 }
}

/// The statement for a session that writes to `collections`, in this order, as text for the default schema.
///
/// Rows come back as: part (0 for streams, n for the n-th collection), version, positions, created_at, repeated, the
/// number of the stream, the id of the document.
pub(crate) fn session(texts: &Texts, with: With, collections: &[&'static Collection]) -> String {
    let mut documents = String::new();
    let mut as_expected = String::from(" AND streams + (SELECT count(*) FROM known) = (SELECT count(*) FROM item)");
    let mut rows = String::from(
        "SELECT 0 AS part, version, positions, created_at, repeated, number, NULL::text AS id FROM outcome",
    );
    let mut complete = String::from(
        "(SELECT count(*) FROM stream) + (SELECT count(*) FROM known WHERE same) = (SELECT count(*) FROM item)",
    );
    if with.tags == Tags::Required {
        complete.push_str(" AND (SELECT count(*) FROM tagged) >= 0"); // also when nothing is appended
    }
    let mut before = "stream".to_owned();
    let mut first = with.parameters();
    for (number, collection) in (1..).zip(collections) {
        documents.push_str(", ");
        documents.push_str(&collection_part(texts, collection, number, first, &before));
        let all_written = [("put", 1), ("changed", 3)]
            .map(|(part, ids)| format!(" AND (SELECT count(*) FROM {part}{number}) = cardinality(${})", first + ids));
        as_expected.push_str(&all_written.concat());
        as_expected.push_str(&format!(" AND (SELECT count(*) FROM marked{number}) >= 0"));
        complete.push_str(&all_written.concat());
        for part in ["put", "changed"] {
            rows.push_str(&format!(
                " UNION ALL SELECT {number}, version, NULL, NULL, NULL, NULL, id::text FROM {part}{number}"
            ));
        }
        before = format!("marked{number}");
        first += parameters(collection);
    }
    let [head, outcome] =
        head_and_outcome(with, " OR (SELECT count(*) FROM known) = 0").map(|text| texts.qualify(&text));
    let head = head.replace("/* documents */", &documents).replace("/* and all is as expected */", &as_expected);
    let refuse = texts.qualify("public.rillflow_refuse()");
    format!(
        "{head}, outcome AS MATERIALIZED ({outcome}), answer AS ({rows})\n\
         SELECT answer.* FROM (SELECT CASE WHEN {complete} THEN true ELSE {refuse} END AS whole) AS session\n\
         LEFT JOIN answer ON session.whole ORDER BY answer.part, answer.number"
    )
}

/// One collection's part: its names numbered, its parameters after `first` others.
fn collection_part(
    texts: &Texts,
    collection: &'static Collection,
    number: usize,
    first: usize,
    before: &str,
) -> String {
    let part = renumber(texts.of(SESSION_DOCUMENTS, collection).as_str(), parameters(collection), first);
    let mut part = part.replace("FROM before)", &format!("FROM {before})"));
    for name in ["put", "changed", "removed", "marked"] {
        part = part.replace(&format!("{name} AS ("), &format!("{name}{number} AS ("));
        part = part.replace(&format!("FROM {name})"), &format!("FROM {name}{number})"));
    }
    part
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SqlType;
    use crate::sql::SchemaName;

    const NOTES: &Collection = &Collection {
        type_name: "Note",
        name: "notes",
        table: "public.docs_notes",
        id_type: SqlType::Int,
        ..Collection::NOTHING
    };

    fn count(text: &str) -> usize {
        (1..).take_while(|n| text.contains(&format!("${n}"))).count()
    }

    #[test]
    fn every_mark_in_the_append_is_filled_and_every_parameter_is_used_once_per_collection() {
        let text =
            session(&Texts::new(SchemaName::default()), With { messages: true, tags: Tags::Required }, &[NOTES, NOTES]);
        assert!(!text.contains("/*") && !text.contains("FROM before)"), "{text}");
        assert_eq!(count(&text), 44, "{text}");
        for part in ["put1 AS", "marked2 AS", "FROM marked1)", "$24::uuid[]", "$37::bigint[]", "rillflow_refuse()"] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
