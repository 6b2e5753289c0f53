//! Tenants: who they are, and the schema that each has to itself.

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::{BoxError, Error, Result};

/// How tenants are kept apart. Whatever the mode, a [`Tenant`](crate::Tenant) is used in the same way.
#[derive(Clone)]
#[non_exhaustive]
pub enum TenancyMode {
    /// A schema per tenant, in one database, on one pool of connections.
    SchemaPerTenant,
    /// A column for the tenant in each table, in one schema, on one pool of connections; row level security keeps each
    /// connection to the rows of the tenant that it is set to, and to none when it is set to none.
    ///
    /// For many small tenants: one more costs no table. What it asks for, and what it does not serve by an index, is in
    /// the book's chapter on tenancy. Roles that pass row level security are refused.
    TenantColumn,
    /// A database per tenant, and a pool for each that is in use. The resolver knows where.
    DatabasePerTenant(Arc<dyn TenantResolver>),
}

impl TenancyMode {
    /// A database per tenant, where `resolver` says.
    pub fn database_per_tenant(resolver: impl TenantResolver) -> Self {
        Self::DatabasePerTenant(Arc::new(resolver))
    }
}

impl fmt::Debug for TenancyMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SchemaPerTenant => "SchemaPerTenant",
            Self::TenantColumn => "TenantColumn",
            Self::DatabasePerTenant(_) => "DatabasePerTenant",
        })
    }
}

/// Says where the database of a tenant is.
///
/// ```
/// use futures_util::future::{BoxFuture, FutureExt};
/// use rillflow::{BoxError, TenantResolver};
///
/// struct Regions;
///
/// impl TenantResolver for Regions {
///     fn url<'a>(&'a self, tenant: &'a str) -> BoxFuture<'a, Result<Option<String>, BoxError>> {
///         async move { Ok((tenant == "acme").then(|| "postgres://eu.internal/acme".to_owned())) }.boxed()
///     }
///
///     fn tenants(&self) -> BoxFuture<'_, Result<Vec<String>, BoxError>> {
///         async { Ok(vec!["acme".to_owned()]) }.boxed()
///     }
/// }
/// ```
pub trait TenantResolver: Send + Sync + 'static {
    /// The URL of a tenant's database; `None` when there is no such tenant.
    fn url<'a>(&'a self, tenant: &'a str) -> BoxFuture<'a, Result<Option<String>, BoxError>>;

    /// All tenants: for what is done to each of them.
    fn tenants(&self) -> BoxFuture<'_, Result<Vec<String>, BoxError>>;
}

/// A tenant's name, exactly as the application has it: names that differ in anything are two tenants.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TenantName(Arc<str>);

/// The longest name that PostgreSQL does not cut.
const LONGEST: usize = 63;

/// The longest name that a row carries.
const LONGEST_IN_ROWS: usize = 128;

impl TenantName {
    /// Takes any text that is not empty.
    pub(crate) fn new(name: &str) -> Result<Self> {
        if name.is_empty() {
            return Err(Error::TenantName { tenant: String::new(), problem: "it is empty".to_owned() });
        }
        Ok(Self(name.into()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Checks that a row can carry it: every key begins with it, so it is not to be long.
    ///
    /// # Errors
    ///
    /// [`Error::TenantName`] for a name of more than 128 bytes, or with a NUL in it.
    pub(crate) fn in_rows(self) -> Result<Self> {
        let problem = match self.0.len() {
            _ if self.0.contains('\0') => "PostgreSQL's text cannot hold a NUL".to_owned(),
            long if long > LONGEST_IN_ROWS => format!("it has {long} bytes, and {LONGEST_IN_ROWS} are the most"),
            _ => return Ok(self),
        };
        Err(Error::TenantName { tenant: self.0.to_string(), problem })
    }

    /// The tenant's schema: letters and digits as they are, everything else by its bytes, so that two names never meet.
    ///
    /// # Errors
    ///
    /// [`Error::TenantName`] when that is longer than a name can be: it is refused, and never cut.
    pub(crate) fn schema(&self, base: &str) -> Result<String> {
        let mut schema = prefix(base);
        for byte in self.0.bytes() {
            match byte {
                b'_' => schema.push_str("__"),
                b if b.is_ascii_alphanumeric() => schema.push(b.into()),
                b => schema.push_str(&format!("_{b:02x}")),
            }
        }
        if schema.len() <= LONGEST {
            return Ok(schema);
        }
        let problem = format!("its schema would have a name of {} bytes, and {LONGEST} are the most", schema.len());
        Err(Error::TenantName { tenant: self.0.to_string(), problem })
    }

    /// The tenant that has this schema; `None` when no tenant has.
    pub(crate) fn of_schema(schema: &str, base: &str) -> Option<Self> {
        let mut rest = schema.strip_prefix(&prefix(base))?;
        let mut bytes = Vec::new();
        while let Some(first) = rest.bytes().next() {
            let (byte, used) = match (first, rest.get(1..2)) {
                (b'_', Some("_")) => (b'_', 2),
                (b'_', _) => (u8::from_str_radix(rest.get(1..3)?, 16).ok()?, 3),
                (byte, _) => (byte, 1),
            };
            bytes.push(byte);
            rest = rest.get(used..)?;
        }
        let name = Self::new(&String::from_utf8(bytes).ok()?).ok()?;
        // what decodes to a name that is written otherwise is nobody's
        (name.schema(base).ok()? == schema).then_some(name)
    }
}

/// Begins the schema of every tenant of the store whose own schema is `base`.
pub(crate) fn prefix(base: &str) -> String {
    match base {
        "public" => "tenant_".to_owned(),
        base => format!("{base}_tenant_"),
    }
}

impl fmt::Display for TenantName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn schema(name: &str) -> Result<String> {
        TenantName::new(name)?.schema("public")
    }

    #[test]
    fn plain_names_are_read_in_the_catalog_as_they_are() {
        assert_eq!(schema("acme").expect("a schema"), "tenant_acme");
        assert_eq!(schema("acme-corp_2").expect("a schema"), "tenant_acme_2dcorp__2");
        assert_eq!(schema("550e8400-e29b-41d4-a716-446655440000").expect("a schema").len(), 51);
    }

    #[test]
    fn no_two_names_have_one_schema_and_every_schema_leads_back() {
        // short names over an alphabet of everything that could be mistaken, from two stores in one database
        let alphabet = ["a", "A", "_", "-", "5", "f", "5f", "2d", "tenant", "é", "e\u{301}", "\"", ".", " "];
        let mut seen = HashMap::new();
        for base in ["public", "a", "a_tenant_a"] {
            for one in alphabet {
                for two in ["", "a", "_", "-", "__", "5f", "tenant_a"] {
                    for three in alphabet {
                        let name = TenantName::new(&format!("{one}{two}{three}")).expect("a name");
                        let schema = name.schema(base).expect("a schema");
                        let other = seen.insert(schema.clone(), (base, name.clone()));
                        assert!(other.is_none_or(|it| it == (base, name.clone())), "{schema}");
                        assert_eq!(TenantName::of_schema(&schema, base), Some(name), "{schema}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_name_that_would_be_cut_is_refused() {
        assert!(schema(&"x".repeat(56)).is_ok());
        for name in ["", &"x".repeat(57), &"é".repeat(20)] {
            assert!(matches!(schema(name), Err(Error::TenantName { .. })), "{name}");
        }
    }

    #[test]
    fn what_no_name_is_written_as_is_nobodys() {
        for schema in
            ["tenant_", "tenant_a_", "tenant__4", "tenant__61", "tenant__2D", "tenant__ff", "public", "Tenant_a"]
        {
            assert_eq!(TenantName::of_schema(schema, "public"), None, "{schema}");
        }
    }
}
