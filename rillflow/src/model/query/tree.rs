//! The const tree of a query: what it means, before it is text. Rendering and index coverage both read it.

use crate::model::SqlType;

/// Where a path begins, or what kind of place it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The document itself.
    Root,
    /// One element of the list that `any` looks at.
    Element,
    /// The document's id: the column `id`, and also a key of the JSON.
    Id,
    /// A key of the JSON.
    Key,
    /// A key of a map, which the query names.
    Entry,
    /// A key of the JSON whose value is in this column too.
    Generated(&'static str),
    /// How well a document fits the words that the filter searches for.
    Rank,
    /// The value before it, if it is this variant of an enum: its name is the text under this quoted key.
    Variant(&'static str),
    /// What is made of the values of the field before it, over a group of documents.
    Aggregate(Aggregation),
}

/// One step of a path, linked to the step before it.
#[derive(Debug)]
pub struct PathInfo {
    /// The step before, none for a document or an element.
    pub parent: Option<&'static PathInfo>,
    /// The JSON key.
    pub key: &'static str,
    /// The JSON key as an SQL literal: quoted by the derive, which spares const evaluation a loop over its bytes.
    pub quoted_key: &'static str,
    /// The JSON key, when it is a value of the query.
    pub computed_key: Option<Operand>,
    /// The Rust field's name, for messages.
    pub field: &'static str,
    /// What its scalar is cast to.
    pub sql_type: SqlType,
    /// True when the value may be missing or null.
    pub nullable: bool,
    /// True when serde may leave the key out for a value that is none of `Option`, such as an empty list.
    pub left_out: bool,
    /// True when it is there in one variant of an enum only.
    pub conditional: bool,
    /// What it names.
    pub place: Place,
}

/// The right side of a comparison, or any other value in the text.
#[derive(Clone, Copy, Debug)]
pub enum Operand {
    /// Parameter `$index`, counted from 1.
    Numbered(u16, SqlType, Arity),
    /// The next parameter that no other operand has.
    Next(SqlType, Arity),
    /// SQL as it stands: a literal that the derives have quoted.
    Inline(&'static str),
    /// Several of these.
    InlineList(&'static [&'static str]),
    /// Another field.
    Field(&'static PathInfo),
}

/// One value, or an array of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Arity {
    One,
    Array,
}

impl Operand {
    /// The same value as the parameter `$number`.
    #[must_use]
    pub const fn numbered(self, number: u16) -> Self {
        match self {
            Self::Next(sql_type, arity) => Self::Numbered(number, sql_type, arity),
            other => other,
        }
    }

    /// An array of such values.
    #[must_use]
    pub const fn array(self) -> Self {
        match self {
            Self::Next(sql_type, _) => Self::Next(sql_type, Arity::Array),
            other => other,
        }
    }

    /// The type of the parameter; inlined text has none that matters.
    #[must_use]
    pub const fn sql_type(self) -> SqlType {
        match self {
            Self::Next(sql_type, _) | Self::Numbered(_, sql_type, _) => sql_type,
            Self::Inline(_) | Self::InlineList(_) => SqlType::Text,
            Self::Field(path) => path.sql_type,
        }
    }
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    StartsWith,
    EndsWith,
    ContainsText,
    Like,
    ILike,
    Regex,
}

impl Operator {
    /// Its SQL, with spaces around it.
    #[must_use]
    pub const fn sql(self) -> &'static str {
        match self {
            Self::Equal => " = ",
            Self::NotEqual => " <> ",
            Self::Less => " < ",
            Self::LessOrEqual => " <= ",
            Self::Greater => " > ",
            Self::GreaterOrEqual => " >= ",
            Self::StartsWith => " ^@ ",
            Self::Like | Self::EndsWith | Self::ContainsText => " LIKE ",
            Self::ILike => " ILIKE ",
            Self::Regex => " ~ ",
        }
    }

    /// True when a plain btree index can find the rows: not for `<>`, nor for patterns, which need an operator class.
    #[must_use]
    pub const fn served_by_btree(self) -> bool {
        matches!(self, Self::Equal | Self::Less | Self::LessOrEqual | Self::Greater | Self::GreaterOrEqual)
    }
}

/// A condition.
#[derive(Debug)]
pub enum Node {
    /// No condition.
    Everything,
    /// Both.
    And(&'static Node, &'static Node),
    /// Either.
    Or(&'static Node, &'static Node),
    /// Not; a row where the inner condition is unknown (NULL) counts as not fulfilling it, as in Rust.
    Not(&'static Node),
    /// A field against a value.
    Compare(&'static PathInfo, Operator, Operand),
    /// A field against a list of values.
    OneOf(&'static PathInfo, Operand),
    /// A field without a value.
    IsNull(&'static PathInfo),
    /// A field with a value.
    IsSome(&'static PathInfo),
    /// A list that holds a value of this type.
    Contains(&'static PathInfo, Operand, SqlType),
    /// How many elements a list has, against a number.
    Length(&'static PathInfo, Operator, Operand),
    /// A map that has a key.
    HasKey(&'static PathInfo, Operand),
    /// A map that holds a value, of this type, under a key.
    HasEntry(&'static PathInfo, Operand, Operand, SqlType),
    /// A condition that holds by itself when the parameter is NULL.
    Optional(Operand, &'static Node),
    /// A document that holds words.
    Search(&'static IndexDefinition, Operand),
    /// A list with an element that fulfils a condition.
    Any(&'static PathInfo, &'static Node),
}

/// One key of an order.
#[derive(Clone, Copy, Debug)]
pub struct SortKey {
    /// The field.
    pub path: &'static PathInfo,
    /// Greatest first.
    pub descending: bool,
    /// Rows without a value before the others. Without a wish they are last, and first in a descending order.
    pub nulls_first: bool,
}

/// What a query gives back per row.
#[derive(Clone, Copy, Debug)]
pub enum Output {
    /// The document.
    Document,
    /// One field.
    Value(&'static PathInfo),
    /// An array of fields.
    Tuple(&'static [&'static PathInfo]),
    /// An object of fields, each under a quoted name.
    Object(&'static [(&'static str, &'static PathInfo)]),
    /// One row: how many documents there are.
    Count,
    /// One row: whether there is one.
    Exists,
    /// One row: the least, greatest, sum or mean of a field, NULL without any value.
    OfAll(Aggregation, &'static PathInfo),
}

impl Output {
    /// The selected field number `i`.
    pub(crate) const fn field(self, i: usize) -> Option<&'static PathInfo> {
        match self {
            Self::Value(path) if i == 0 => Some(path),
            Self::Tuple(paths) if i < paths.len() => Some(paths[i]),
            Self::Object(fields) if i < fields.len() => Some(fields[i].1),
            _ => None,
        }
    }
}

/// What is made of all values of a field, or of the documents themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Aggregation {
    Count,
    Min,
    Max,
    Sum,
    Avg,
}

impl Aggregation {
    /// Its SQL.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Min => "min",
            Self::Max => "max",
            Self::Sum => "sum",
            Self::Avg => "avg",
        }
    }
}

/// What becomes of soft-deleted documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// They are left out.
    Hidden,
    /// They are found like others.
    Included,
    /// Only they are found.
    Only,
}

/// Documents of another collection beside each one found.
#[derive(Clone, Copy, Debug)]
pub struct Related {
    /// Their table, in the default schema.
    pub table: &'static str,
    /// The field that holds an id: of the documents found, or of the other ones when they are many.
    pub key: &'static PathInfo,
    /// All that hold the id of the document found, instead of the one whose id it holds.
    pub many: bool,
}

/// What a row stands for.
#[derive(Clone, Copy, Debug)]
pub enum Rows {
    /// A document each.
    Each,
    /// All documents that give the same row.
    Distinct,
    /// All documents that have the same values for these keys, if the group fulfils the condition.
    Groups(&'static [&'static PathInfo], &'static Node),
}

/// How many rows a query may give.
#[derive(Clone, Copy, Debug)]
pub enum Take {
    /// As many as there are.
    All,
    /// One is expected: a second one is fetched only to notice it.
    One,
    /// The first one.
    First,
    /// A page after a cursor, or the first page.
    Page(Option<Operand>),
    /// The page of this number, from 1, together with the number of all rows.
    NumberedPage(Operand),
}

/// A whole query.
#[derive(Clone, Copy, Debug)]
pub struct Statement {
    /// The table, in the default schema.
    pub table: &'static str,
    /// The type of its id.
    pub id_type: SqlType,
    /// What each row holds.
    pub output: Output,
    /// What stands beside each document.
    pub related: &'static [Related],
    /// Which documents.
    pub filter: &'static Node,
    /// What a row stands for.
    pub rows: Rows,
    /// In which order.
    pub order: &'static [SortKey],
    /// How many at most; the size of a page.
    pub limit: Option<Operand>,
    /// How many to pass over.
    pub offset: Option<Operand>,
    /// How many rows it may give, and which.
    pub take: Take,
    /// What becomes of soft-deleted documents.
    pub deleted: Deleted,
}

/// How an index is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexMethod {
    /// Over the values of its keys, in order.
    BTree,
    /// Over text byte by byte, for what begins in a certain way.
    TextPattern,
    /// Over every three letters in a row, for what is somewhere inside.
    Trigram,
    /// Over everything inside the document, for containment.
    Gin,
    /// Over the words of its texts, for a search.
    FullText,
}

/// A declared index, as coverage and DDL see it.
#[derive(Clone, Copy, Debug)]
pub struct IndexDefinition {
    /// Its name.
    pub name: &'static str,
    /// True when two documents cannot share a value.
    pub unique: bool,
    /// How it is built.
    pub method: IndexMethod,
    /// Its keys, none for [`IndexMethod::Gin`].
    pub keys: &'static [SortKey],
    /// The language of its texts, for [`IndexMethod::FullText`].
    pub language: &'static str,
    /// Which documents it holds; its values are literals.
    pub condition: &'static Node,
    /// True when it holds no soft-deleted documents.
    pub not_deleted: bool,
}
