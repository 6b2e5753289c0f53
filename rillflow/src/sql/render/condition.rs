//! Conditions.

use super::writer::Writer;
use crate::model::SqlType;
use crate::model::query::is_entry_equality;
use crate::model::query::tree::{Node, Operand, Operator, PathInfo};

impl<const N: usize> Writer<N> {
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
}
