//! Documents and queries that macros write, from the types, names and expressions that they were given.
#![deny(missing_docs, warnings, clippy::all)]

use rillflow::{Document, DocumentValue, Query, compiled_query};
use serde::{Deserialize, Serialize};

/// Variants of one letter are variants, not constants.
#[derive(Clone, Copy, Serialize, Deserialize, DocumentValue)]
enum Grade {
    A,
    B,
}

macro_rules! graded {
    ($document:ident, $collection:literal, $field:ident, $id:ty) => {
        #[derive(Serialize, Deserialize, Document)]
        #[document(collection = $collection, index($field desc, grade, where(|d| d.grade == Grade::A)))]
        struct $document {
            #[document(id)]
            id: $id,
            $field: String,
            grade: Grade,
        }
    };
}
graded!(Exam, "exams", subject, i64);

macro_rules! of_type {
    ($name:ident, $document:ty, $result:ty, $value:expr) => {
        #[compiled_query]
        fn $name(subject: &str) -> $result {
            <$document>::query().filter(|d| d.grade == Grade::A && d.subject == subject && d.id != $value)
        }
    };
}
of_type!(best_of, Exam, impl Query<Vec<Exam>>, 3 + 4);

macro_rules! whole {
    ($name:ident, $query:expr) => {
        #[compiled_query(allow(scan))]
        fn $name() -> impl Query<i64> {
            ($query).count()
        }
    };
}
whole!(all, Exam::query());

// an order by what the filter fixes needs no index, and a query outlives what it was given
#[compiled_query]
fn sorted<'s>(subject: &'s str) -> impl Query<Vec<Exam>> + 's {
    (Exam::query().filter(|d| d.grade == Grade::A && d.subject == subject))
        .order_by(|d| (d.subject.asc(), d.id.asc()))
}

fn main() {
    assert!(best_of("x").sql().contains("(doc->>'grade') = 'A'"));
    assert_eq!((best_of("x").binds().len(), all().binds().len(), sorted("x").binds().len()), (2, 0, 1));
    let Exam { id: _, subject: _, grade } = Exam { id: 1, subject: String::new(), grade: Grade::B };
    assert!(matches!(grade, Grade::B));
}
