//! Paths, values and conditions.

use super::writer::Writer;
use crate::model::SqlType;
use crate::model::query::tree::{Aggregation, Arity, IndexDefinition, Node, Operand, Operator, PathInfo, Place};
use crate::model::query::{is_containment, is_entry_equality, keeps_its_json_form};

/// What surrounds the text of a field, so that it compares as its type. Indexes use the same words.
const fn cast(sql_type: SqlType) -> (&'static str, &'static str) {
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
    const fn plain_text(&mut self, path: &PathInfo) {
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
    const fn json_key(&mut self, path: &PathInfo) {
        match path.computed_key {
            Some(key) => self.operand(key),
            None => self.put(path.quoted_key),
        }
    }

    const fn origin(&mut self, path: &PathInfo) {
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

    /// A condition that stands alone or beside `AND`.
    pub(super) const fn condition(&mut self, node: &Node) {
        match node {
            Node::Everything => self.put("true"),
            Node::And(a, b) => {
                self.condition(a);
                self.put(" AND ");
                self.condition(b);
            }
            Node::Or(a, b) => {
                self.put("(");
                self.alternative(a);
                self.put(" OR ");
                self.alternative(b);
                self.put(")");
            }
            // not `NOT`: where the inner condition is NULL, its opposite holds
            Node::Not(inner) => {
                self.put("(");
                self.condition(inner);
                self.put(") IS NOT TRUE");
            }
            Node::Compare(path, operator, operand) => self.compare(path, *operator, *operand),
            Node::OneOf(path, operand) => {
                self.scalar(path);
                self.put(" = ANY(");
                match operand {
                    Operand::InlineList(items) => self.array(items, path.sql_type),
                    _ => self.operand(*operand),
                }
                self.put(")");
            }
            Node::IsNull(path) => self.null_test(path, " IS NULL"),
            Node::IsSome(path) => self.null_test(path, " IS NOT NULL"),
            Node::Contains(path, operand, item) => self.contains(path, *operand, *item),
            Node::Length(path, operator, operand) => self.compare_length(path, *operator, *operand),
            Node::HasKey(path, key) => self.has_key(path, *key),
            Node::HasEntry(path, key, value, item) => self.has_entry(path, *key, *value, *item),
            Node::Optional(operand, inner) => self.optional(*operand, inner),
            Node::Search(index, words) => self.search(index, *words),
            Node::Any(path, inner) => self.any(path, inner),
        }
    }

    /// `ARRAY['a', 'b']::text[]`
    const fn array(&mut self, items: &[&str], sql_type: SqlType) {
        self.put("ARRAY[");
        let mut i = 0;
        while i < items.len() {
            self.separator(i);
            self.put(items[i]);
            i += 1;
        }
        self.put("]::");
        self.put(sql_type.name());
        self.put("[]");
    }

    /// A condition beside `OR`: alternatives of alternatives need no parentheses of their own.
    const fn alternative(&mut self, node: &Node) {
        match node {
            Node::Or(a, b) => {
                self.alternative(a);
                self.put(" OR ");
                self.alternative(b);
            }
            Node::And(..) => {
                self.put("(");
                self.condition(node);
                self.put(")");
            }
            _ => self.condition(node),
        }
    }

    const fn compare(&mut self, path: &PathInfo, operator: Operator, operand: Operand) {
        if let Operator::StartsWith = operator {
            return self.starts_with(path, operand);
        }
        if is_entry_equality(path, operator, operand) {
            self.open_containment(path);
            self.operand(operand);
            return self.close_containment(path);
        }
        let nullable = match operand {
            // two fields without a value are equal, as in Rust
            Operand::Field(other) => path.nullable || other.nullable,
            _ => false,
        };
        self.scalar(path);
        match operator {
            Operator::NotEqual if path.nullable || nullable => self.put(" IS DISTINCT FROM "),
            Operator::Equal if nullable => self.put(" IS NOT DISTINCT FROM "),
            _ => self.put(operator.sql()),
        }
        match operator {
            Operator::EndsWith => self.pattern("'%' || ", operand, ""),
            Operator::ContainsText => self.pattern("'%' || ", operand, " || '%'"),
            _ => self.operand(operand),
        }
    }

    /// The second half says less than the first, in a form that an index serves before PostgreSQL 15 too, and with a
    /// plan that does not know the value.
    const fn starts_with(&mut self, path: &PathInfo, operand: Operand) {
        let operand = self.claim(operand);
        self.put("(");
        self.scalar(path);
        self.put(" ^@ ");
        self.operand(operand);
        self.put(" AND ");
        self.scalar(path);
        self.put(" ~>=~ ");
        self.operand(operand);
        self.put(")");
    }

    /// A pattern in which the value's own `%` and `_` mean themselves.
    const fn pattern(&mut self, before: &str, operand: Operand, after: &str) {
        self.put("(");
        self.put(before);
        self.put("replace(replace(replace(");
        self.operand(operand);
        self.put(r", '\', '\\'), '%', '\%'), '_', '\_')");
        self.put(after);
        self.put(")");
    }

    const fn compare_length(&mut self, path: &PathInfo, operator: Operator, operand: Operand) {
        let nullable = self.list_length(path);
        // what has no length has another one, as in Rust
        self.put(if nullable && matches!(operator, Operator::NotEqual) {
            " IS DISTINCT FROM "
        } else {
            operator.sql()
        });
        self.operand(operand);
    }

    /// How many elements a list has, and whether there may be no list. One that serde left out is an empty one, if what
    /// it lies in is there.
    const fn list_length(&mut self, path: &PathInfo) -> bool {
        let within = match path.parent {
            Some(parent) if path.left_out => parent,
            _ => {
                self.put("jsonb_array_length(");
                self.json_or_null(path);
                self.put(")");
                return path.nullable;
            }
        };
        self.put("coalesce(jsonb_array_length(");
        self.json_or_null(path);
        self.put(if within.nullable { "), CASE WHEN " } else { "), 0)" });
        if within.nullable {
            self.json_or_null(within);
            self.put(" IS NOT NULL THEN 0 END)");
        }
        within.nullable
    }

    const fn has_key(&mut self, path: &PathInfo, key: Operand) {
        self.put("(");
        self.json(path);
        self.put(") ? ");
        self.operand(key);
    }

    /// One entry of a map: containment in the whole document when the value keeps its JSON form.
    const fn has_entry(&mut self, path: &PathInfo, key: Operand, value: Operand, item: SqlType) {
        if keeps_its_json_form(item) {
            self.open_containment(path);
            self.put("jsonb_build_object(");
            self.operand(key);
            self.put(", ");
            self.operand(value);
            self.put(")");
            return self.close_containment(path);
        }
        let (before, after) = cast(item);
        self.put(before);
        self.json(path);
        self.put("->>");
        self.operand(key);
        self.put(after);
        self.put(" = ");
        self.operand(value);
    }

    /// `to_tsvector('english', ..)`, in an index and in a search alike.
    pub(super) const fn words(&mut self, index: &IndexDefinition) {
        self.put("to_tsvector('");
        self.put(index.language);
        self.put("', ");
        let mut i = 0;
        while i < index.keys.len() {
            self.put(if i > 0 { " || ' ' || coalesce(" } else { "coalesce(" });
            self.scalar(index.keys[i].path);
            self.put(", '')");
            i += 1;
        }
        self.put(")");
    }

    const fn wanted_words(&mut self, index: &IndexDefinition, words: Operand) {
        self.put("websearch_to_tsquery('");
        self.put(index.language);
        self.put("', ");
        self.operand(words);
        self.put(")");
    }

    const fn search(&mut self, index: &'static IndexDefinition, words: Operand) {
        let words = self.claim(words);
        self.search_for(index, words);
        self.put("(");
        self.words(index);
        self.put(" @@ ");
        self.wanted_words(index, words);
        self.put(")");
    }

    const fn rank(&mut self) {
        // without a search it was refused, at the order
        let Some((index, words)) = self.searched() else { return };
        self.put("ts_rank(");
        self.words(index);
        self.put(", ");
        self.wanted_words(index, words);
        // as wide as its value in a cursor
        self.put(")::float8");
    }

    const fn optional(&mut self, operand: Operand, inner: &Node) {
        self.put("(");
        self.operand(operand);
        self.put(" IS NULL OR ");
        self.alternative(inner);
        self.put(")");
    }

    const fn null_test(&mut self, path: &PathInfo, test: &str) {
        match path.sql_type {
            // a JSON null is not NULL, but its text is
            SqlType::Json => {
                self.put("(");
                self.plain_text(path);
                self.put(")");
            }
            _ => self.scalar(path),
        }
        self.put(test);
    }

    /// Membership in a list: containment in the whole document, so that one GIN index serves every list.
    const fn contains(&mut self, path: &PathInfo, operand: Operand, item: SqlType) {
        if !keeps_its_json_form(item) {
            return self.contains_by_search(path, operand, item);
        }
        self.open_containment(path);
        self.put("jsonb_build_array(");
        self.operand(operand);
        self.put(")");
        self.close_containment(path);
    }

    /// Membership of a value whose JSON SQL would write differently from serde: element by element.
    const fn contains_by_search(&mut self, path: &PathInfo, operand: Operand, item: SqlType) {
        self.open_search(path);
        let (before, after) = cast(item);
        self.put(before);
        self.element();
        self.put("#>>'{}'");
        self.put(after);
        self.put(" = ");
        self.operand(operand);
        self.close_search();
    }

    const fn any(&mut self, path: &PathInfo, inner: &Node) {
        if is_containment(inner) {
            self.open_containment(path);
            self.put("jsonb_build_array(jsonb_build_object(");
            self.pairs(inner);
            self.put("))");
            self.close_containment(path);
        } else {
            self.open_search(path);
            self.condition(inner);
            self.close_search();
        }
    }

    /// `'key', value, ..` of a condition that is made of equalities.
    const fn pairs(&mut self, node: &Node) {
        match node {
            Node::And(a, b) => {
                self.pairs(a);
                self.put(", ");
                self.pairs(b);
            }
            Node::Compare(path, _, operand) => {
                self.json_key(path);
                self.put(", ");
                self.operand(*operand);
            }
            _ => panic!("only equalities are containment"),
        }
    }

    /// `doc @> jsonb_build_object('a', `
    const fn open_containment(&mut self, path: &PathInfo) {
        match (path.parent, path.place) {
            (Some(parent), Place::Variant(_)) => self.open_containment(parent),
            (Some(parent), _) => {
                self.open_containment(parent);
                self.put("jsonb_build_object(");
                if let Place::Variant(tag) = parent.place {
                    self.put(tag);
                    self.put(", ");
                    self.put(parent.quoted_key);
                    self.put(", ");
                }
                self.json_key(path);
                self.put(", ");
            }
            (None, _) => {
                self.origin(path);
                self.put(" @> ");
            }
        }
    }

    const fn close_containment(&mut self, path: &PathInfo) {
        if let Some(parent) = path.parent {
            if !matches!(path.place, Place::Variant(_)) {
                self.put(")");
            }
            self.close_containment(parent);
        }
    }

    /// `EXISTS (SELECT 1 FROM jsonb_array_elements(..) e1 WHERE `
    const fn open_search(&mut self, path: &PathInfo) {
        self.put("EXISTS (SELECT 1 FROM jsonb_array_elements(");
        self.json_or_null(path);
        self.put(") ");
        self.enter();
        self.put(" WHERE ");
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

    const fn close_search(&mut self) {
        self.put(")");
        self.leave();
    }
}
