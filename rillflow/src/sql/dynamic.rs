//! Dynamic queries: the only SQL that is put together while the program runs.
//!
//! The text holds nothing of the caller's: values and paths are parameters, tables and declared indexes are const.
//! Nothing in it can fail on a document of another shape: `jsonb` compares with `jsonb`. Where a declared index proves
//! that every document holds its type, the condition is written in the index's own words, so that the index serves it;
//! equality elsewhere is containment, which GIN serves.

use chrono::{DateTime, FixedOffset};
use serde_json::Value;

use crate::model::query::tree::{Deleted, IndexMethod, Node, PathInfo, Place};
use crate::model::{
    Comparison, DocumentQueryContext, Fields, JsonPath, Predicate, SortDirection, SqlType, SqlValue, Test, instant,
    jsonb,
};
use crate::{Error, Result};

/// How deep predicates may lie inside each other.
const MAX_DEPTH: usize = 64;
/// A function of PostgreSQL takes a hundred arguments.
const FIELDS_PER_OBJECT: usize = 50;

/// The query's text, for the default schema, and its parameters.
pub(crate) fn render(query: &DocumentQueryContext) -> Result<(String, Vec<SqlValue>)> {
    if let Some(mistake) = &query.mistake {
        return Err(Error::InvalidQuery { problem: mistake.clone() });
    }
    let mut writer = Writer { query, text: String::with_capacity(256), values: Vec::new() };
    writer.statement()?;
    Ok((writer.text, writer.values))
}

struct Writer<'q> {
    query: &'q DocumentQueryContext,
    text: String,
    values: Vec<SqlValue>,
}

impl Writer<'_> {
    fn statement(&mut self) -> Result<()> {
        self.put("SELECT ");
        self.output()?;
        self.put(" FROM ");
        self.put(&self.query.table);
        self.put(match self.query.deleted {
            Deleted::Hidden => " WHERE deleted_at IS NULL",
            Deleted::Included => " WHERE true",
            Deleted::Only => " WHERE deleted_at IS NOT NULL",
        });
        for filter in &self.query.filters {
            self.put(" AND ");
            self.test(filter, 0)?;
        }
        if self.query.output == Fields::Count {
            return Ok(());
        }
        self.order()?;
        for (word, rows) in [(" LIMIT ", self.query.limit), (" OFFSET ", self.query.offset)] {
            if let Some(rows) = rows {
                self.put(word);
                self.value(SqlValue::Int(rows), "bigint");
            }
        }
        Ok(())
    }

    fn output(&mut self) -> Result<()> {
        match &self.query.output {
            Fields::Document => self.put("doc"),
            Fields::Count => self.put("count(*)"),
            Fields::One(path) => {
                self.put("coalesce(");
                self.json(&JsonPath::parse(path)?);
                self.put(", 'null')");
            }
            Fields::Named(fields) => {
                self.put("'{}'::jsonb");
                for fields in fields.chunks(FIELDS_PER_OBJECT) {
                    self.put(" || jsonb_build_object(");
                    self.list(fields, ", ", |writer, (name, path)| {
                        writer.value(SqlValue::Text(without_nul(name)?), "text");
                        writer.put(", ");
                        writer.json(&JsonPath::parse(path)?);
                        Ok(())
                    })?;
                    self.put(")");
                }
            }
        }
        Ok(())
    }

    fn order(&mut self) -> Result<()> {
        for (at, (path, direction)) in self.query.order.iter().enumerate() {
            self.put(if at == 0 { " ORDER BY " } else { ", " });
            let path = JsonPath::parse(path)?;
            match self.declared(&path, true) {
                Some(info) => self.put(&expression(info)),
                None => {
                    self.put("nullif(");
                    self.json(&path);
                    self.put(", 'null')");
                }
            }
            if *direction == SortDirection::Desc {
                self.put(" DESC");
            }
        }
        Ok(())
    }

    fn test(&mut self, predicate: &Predicate, depth: usize) -> Result<()> {
        if depth > MAX_DEPTH {
            return Err(Error::InvalidQuery { problem: format!("predicates lie more than {MAX_DEPTH} levels deep") });
        }
        match &predicate.0 {
            Test::Compare(path, comparison, value) => self.compare(&JsonPath::parse(path)?, *comparison, value),
            Test::Contains(path, value) => self.contains(&JsonPath::parse(path)?, value),
            Test::In(path, values) => self.one_of(&JsonPath::parse(path)?, values),
            Test::Exists(path) => {
                self.json(&JsonPath::parse(path)?);
                self.put(" IS NOT NULL");
                Ok(())
            }
            Test::Not(inner) => {
                self.put("(");
                self.test(inner, depth + 1)?;
                self.put(") IS NOT TRUE");
                Ok(())
            }
            Test::And(all) => self.joined(all, " AND ", "true", depth),
            Test::Or(any) => self.joined(any, " OR ", "false", depth),
        }
    }

    fn joined(&mut self, predicates: &[Predicate], between: &str, of_none: &str, depth: usize) -> Result<()> {
        if predicates.is_empty() {
            self.put(of_none);
            return Ok(());
        }
        self.put("(");
        self.list(predicates, between, |writer, predicate| writer.test(predicate, depth + 1))?;
        self.put(")");
        Ok(())
    }

    fn compare(&mut self, path: &JsonPath, comparison: Comparison, value: &Value) -> Result<()> {
        if let Some(info) = self.declared(path, false)
            && let Some(bound) = as_sql(info.sql_type, value)
        {
            encode(value)?; // refuses what no document can hold
            self.put(&format!("{} {} ", expression(info), comparison.sql()));
            self.value(bound, info.sql_type.name());
            return Ok(());
        }
        match comparison {
            Comparison::Eq => self.equal(path, value),
            Comparison::Ne => {
                self.put("(");
                self.equal(path, value)?;
                self.put(") IS NOT TRUE");
                Ok(())
            }
            _ => self.ordered(path, comparison, value),
        }
    }

    fn equal(&mut self, path: &JsonPath, value: &Value) -> Result<()> {
        if value.is_null() {
            self.put("nullif(");
            self.json(path);
            self.put(", 'null') IS NULL");
            return Ok(());
        }
        let whole = value.is_array() || value.is_object(); // of which containment finds more than equals
        if path.objects_only {
            self.put("doc @> ");
            self.jsonb(&nested(path, value.clone()))?;
            self.put(if whole { " AND " } else { "" });
        }
        if whole || !path.objects_only {
            self.json(path);
            self.put(" = ");
            self.jsonb(value)?;
        }
        Ok(())
    }

    fn ordered(&mut self, path: &JsonPath, comparison: Comparison, value: &Value) -> Result<()> {
        let kind = match value {
            Value::Number(_) => "number",
            Value::String(_) => "string",
            other => {
                return Err(Error::InvalidQuery {
                    problem: format!("`{}` compares with a number or a text, not with {other}", comparison.sql()),
                });
            }
        };
        self.put("(jsonb_typeof(");
        self.json(path);
        self.put(&format!(") = '{kind}' AND "));
        self.json(path);
        self.put(&format!(" {} ", comparison.sql()));
        self.jsonb(value)?;
        self.put(")");
        Ok(())
    }

    fn contains(&mut self, path: &JsonPath, value: &Value) -> Result<()> {
        let wanted = match value {
            Value::Array(_) | Value::Object(_) => value.clone(),
            scalar => Value::Array(vec![scalar.clone()]),
        };
        if path.objects_only {
            self.put("doc @> ");
            return self.jsonb(&nested(path, wanted));
        }
        self.json(path);
        self.put(" @> ");
        self.jsonb(&wanted)
    }

    fn one_of(&mut self, path: &JsonPath, values: &[Value]) -> Result<()> {
        // null stands for what is missing too, as in an equality
        if values.contains(&Value::Null) {
            let others: Vec<_> = values.iter().filter(|value| !value.is_null()).cloned().collect();
            self.put("(");
            self.one_of(path, &others)?;
            self.put(" OR ");
            self.equal(path, &Value::Null)?;
            self.put(")");
            return Ok(());
        }
        if let Some(info) = self.declared(path, false)
            && let Some(bound) = values.iter().map(|value| as_sql(info.sql_type, value)).collect::<Option<Vec<_>>>()
        {
            encode(values)?;
            self.put(&format!("{} = ANY (", expression(info)));
            self.value(SqlValue::array(info.sql_type, bound), &format!("{}[]", info.sql_type.name()));
            self.put(")");
            return Ok(());
        }
        let scalars = !values.iter().any(|value| value.is_array() || value.is_object());
        let texts = if path.objects_only && scalars {
            self.put("doc @> ANY (");
            values.iter().map(|value| encode(&nested(path, value.clone()))).collect::<Result<_>>()?
        } else {
            self.json(path);
            self.put(" = ANY (");
            values.iter().map(encode).collect::<Result<_>>()?
        };
        self.value(SqlValue::Texts(texts), "text[]::jsonb[]");
        self.put(")");
        Ok(())
    }

    /// The key of a declared index at this path. In a filter it must begin its index, unless nothing else can serve.
    fn declared(&self, path: &JsonPath, order: bool) -> Option<&'static PathInfo> {
        // a partial index serves no query whose values are parameters
        let indexes = self.query.indexes.iter().filter(|index| matches!(index.condition, Node::Everything));
        let contained = indexes.clone().any(|index| index.method == IndexMethod::Gin);
        let keys = indexes.filter(|index| index.method == IndexMethod::BTree).flat_map(|index| {
            let usable = if order || !contained { index.keys.len() } else { 1 };
            index.keys.iter().take(usable)
        });
        keys.map(|key| key.path).find(|info| path.objects_only && !info.conditional && is_at(info, &path.keys))
    }

    /// The value at a path.
    fn json(&mut self, path: &JsonPath) {
        self.put("(doc #> ");
        self.value(SqlValue::Texts(path.keys.clone()), "text[]");
        self.put(")");
    }

    fn jsonb(&mut self, value: &Value) -> Result<()> {
        let json = encode(value)?;
        self.value(SqlValue::Json(json), "text::jsonb");
        Ok(())
    }

    /// A parameter: one that is there already keeps its number.
    fn value(&mut self, value: SqlValue, sql_type: &str) {
        let known = self.values.iter().position(|it| *it == value);
        let number = known.unwrap_or_else(|| {
            self.values.push(value);
            self.values.len() - 1
        });
        self.put(&format!("${}::{sql_type}", number + 1));
    }

    fn list<T>(&mut self, items: &[T], between: &str, write: impl Fn(&mut Self, &T) -> Result<()>) -> Result<()> {
        for (at, item) in items.iter().enumerate() {
            self.put(if at == 0 { "" } else { between });
            write(self, item)?;
        }
        Ok(())
    }

    fn put(&mut self, text: &str) {
        self.text.push_str(text);
    }
}

/// Whether a declared path has these keys.
fn is_at(info: &PathInfo, keys: &[String]) -> bool {
    match (info.parent, keys.split_last()) {
        (Some(parent), Some((last, before))) => info.key == last && is_at(parent, before),
        (None, None) => true,
        _ => false,
    }
}

/// The declared key in the words of its index: what the const renderer writes.
fn expression(info: &PathInfo) -> String {
    if let Place::Generated(column) = info.place {
        return column.to_owned();
    }
    let mut text = format!("doc->>{}", info.quoted_key);
    let mut parent = info.parent;
    while let Some(at) = parent.filter(|it| it.parent.is_some()) {
        text.insert_str(3, &format!("->{}", at.quoted_key));
        parent = at.parent;
    }
    match info.sql_type {
        SqlType::Text | SqlType::Json => format!("({text})"),
        SqlType::Time => format!("public.rillflow_ts({text})"),
        SqlType::Date => format!("public.rillflow_date({text})"),
        SqlType::TimeOfDay => format!("public.rillflow_time({text})"),
        SqlType::LocalTime => format!("public.rillflow_timestamp({text})"),
        other => format!("(({text})::{})", other.name()),
    }
}

/// A value as the type of a declared key, if it is one.
fn as_sql(sql_type: SqlType, value: &Value) -> Option<SqlValue> {
    Some(match (sql_type, value) {
        (SqlType::Text, Value::String(text)) => SqlValue::Text(text.clone()),
        (SqlType::Int, Value::Number(number)) => SqlValue::Int(number.as_i64()?),
        (SqlType::Numeric, Value::Number(number)) => SqlValue::Text(number.to_string()),
        (SqlType::Date, Value::String(text)) => SqlValue::Text(instant::date(text.parse().ok()?)),
        (SqlType::Float, Value::Number(number)) => SqlValue::Float(number.as_f64()?),
        (SqlType::Bool, Value::Bool(flag)) => SqlValue::Bool(*flag),
        (SqlType::Uuid, Value::String(text)) => SqlValue::Uuid(text.parse().ok()?),
        (SqlType::Time, Value::String(text)) => {
            SqlValue::Time(instant::as_stored(text.parse::<DateTime<FixedOffset>>().ok()?.to_utc()))
        }
        _ => return None,
    })
}

/// `{"address": {"city": value}}`
fn nested(path: &JsonPath, value: Value) -> Value {
    path.keys.iter().rev().fold(value, |inner, key| Value::Object([(key.clone(), inner)].into_iter().collect()))
}

fn encode(value: &(impl serde::Serialize + ?Sized)) -> Result<String> {
    jsonb::encode(value, || "a value of a query".to_owned())
}

fn without_nul(name: &str) -> Result<String> {
    encode(name)?;
    Ok(name.to_owned())
}
