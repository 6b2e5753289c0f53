//! Fields and values.

use super::writer::Writer;
use crate::model::SqlType;
use crate::model::query::tree::{Aggregation, Arity, Operand, PathInfo, Place};

/// What surrounds the text of a field, so that it compares as its type. Indexes use the same words.
pub(super) const fn cast(sql_type: SqlType) -> (&'static str, &'static str) {
    match sql_type {
        SqlType::Text | SqlType::Json => ("(", ")"),
        SqlType::Int => ("((", ")::bigint)"),
        SqlType::Float => ("((", ")::float8)"),
        SqlType::Bool => ("((", ")::boolean)"),
        SqlType::Uuid => ("((", ")::uuid)"),
        // text to timestamptz, and to its kind, is not immutable, so an index cannot hold the plain cast
        SqlType::Time => ("public.rillflow_ts(", ")"),
        SqlType::Numeric | SqlType::Decimal => ("((", ")::numeric)"),
        SqlType::Date => ("public.rillflow_date(", ")"),
        SqlType::TimeOfDay => ("public.rillflow_time(", ")"),
        SqlType::LocalTime => ("public.rillflow_timestamp(", ")"),
    }
}

impl<const N: usize> Writer<N> {
    /// `doc->'a'->'b'`: the field as jsonb.
    pub(super) const fn json(&mut self, path: &PathInfo) {
        match (path.parent, path.place) {
            (Some(parent), Place::Variant(tag)) => self.variant(parent, tag, path.quoted_key),
            (Some(parent), _) => {
                self.json(parent);
                self.put("->");
                self.json_key(path);
            }
            (None, _) => self.origin(path),
        }
    }

    /// An enum if it is this variant. Another one may hold something else under the same keys, which no cast would take.
    const fn variant(&mut self, path: &PathInfo, tag: &str, name: &str) {
        self.put("(CASE WHEN (");
        self.json(path);
        self.put("->>");
        self.put(tag);
        self.put(") = ");
        self.put(name);
        self.put(" THEN ");
        self.json(path);
        self.put(" END)");
    }

    /// `doc->'a'->>'b'`: the field as text, NULL when it is null or missing.
    pub(super) const fn plain_text(&mut self, path: &PathInfo) {
        match (path.parent, path.place) {
            (None, _) | (_, Place::Variant(_)) => {
                self.json(path);
                self.put("#>>'{}'");
            }
            (Some(parent), _) => {
                self.json(parent);
                self.put("->>");
                self.json_key(path);
            }
        }
    }

    /// The last key of a path: a literal, or a parameter.
    pub(super) const fn json_key(&mut self, path: &PathInfo) {
        match path.computed_key {
            Some(key) => self.operand(key),
            None => self.put(path.quoted_key),
        }
    }

    pub(super) const fn origin(&mut self, path: &PathInfo) {
        match path.place {
            Place::Element => self.element(),
            _ => self.column("doc"),
        }
    }

    /// The field as a value of its type, in filters, orders and indexes alike.
    pub(super) const fn scalar(&mut self, path: &PathInfo) {
        match path.place {
            Place::Id => self.column("id"),
            Place::Aggregate(aggregation) => self.aggregate(aggregation, path.parent),
            Place::Generated(column) => self.column(column),
            Place::Rank => self.rank(),
            _ => self.extracted(path),
        }
    }

    /// The field as a value of its type, out of the document.
    pub(super) const fn extracted(&mut self, path: &PathInfo) {
        let (before, after) = cast(path.sql_type);
        self.put(before);
        match path.sql_type {
            SqlType::Json => self.json(path),
            _ => self.plain_text(path),
        }
        self.put(after);
    }

    /// What is made of the values of a field over a group, or over all documents.
    pub(super) const fn aggregate(&mut self, aggregation: Aggregation, of: Option<&PathInfo>) {
        let (Some(path), false) = (of, matches!(aggregation, Aggregation::Count)) else {
            return self.put("count(*)");
        };
        // PostgreSQL has no least and greatest uuid before version 18; their text has the same order
        let by_text = matches!((aggregation, path.sql_type), (Aggregation::Min | Aggregation::Max, SqlType::Uuid));
        self.put(match aggregation {
            Aggregation::Count => "",
            Aggregation::Min => "min(",
            Aggregation::Max => "max(",
            Aggregation::Sum => "sum(",
            Aggregation::Avg => "avg(",
        });
        self.scalar(path);
        self.put(match aggregation {
            Aggregation::Avg => ")::float8",
            _ if by_text => "::text COLLATE \"C\")::uuid",
            _ => ")",
        });
    }

    /// A value: `$n::type`, or a literal.
    pub(super) const fn operand(&mut self, operand: Operand) {
        let (number, sql_type, arity) = match operand {
            Operand::Inline(sql) => return self.put(sql),
            Operand::InlineList(_) => panic!("a list of values stands in `one_of` only"),
            Operand::Field(path) => return self.scalar(path),
            Operand::Numbered(number, sql_type, arity) => (number as u64, sql_type, arity),
            Operand::Next(sql_type, arity) => (self.next_parameter(), sql_type, arity),
        };
        self.put("$");
        self.number(number);
        self.put("::");
        self.put(sql_type.name());
        if let Arity::Array = arity {
            self.put("[]");
        }
    }

    /// The field as jsonb, NULL when it is null or missing: PostgreSQL refuses to look for elements in a JSON null.
    pub(super) const fn json_or_null(&mut self, path: &PathInfo) {
        if path.nullable {
            self.put("NULLIF(");
            self.json(path);
            self.put(", 'null')");
        } else {
            self.json(path);
        }
    }
}
