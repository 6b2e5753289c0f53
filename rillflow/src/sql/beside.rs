//! A table beside a collection's own: its name, and the text that makes it and its indexes.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::model::{Collection, Index};
use crate::{Error, Result};

/// What PostgreSQL cuts names off at.
const LONGEST_NAME: usize = 63;

/// Which of the two tables beside a collection's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beside {
    /// Being built.
    Rebuild,
    /// Replaced, and kept.
    Old,
}

impl Beside {
    /// The word in its names.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Rebuild => "rebuild",
            Self::Old => "old",
        }
    }
}

/// The name of a collection's table, without the schema.
pub(crate) fn table(collection: &Collection) -> &'static str {
    collection.table.trim_start_matches("public.")
}

/// The names of a collection's indexes, the primary key's first.
pub(crate) fn index_names(collection: &Collection) -> Vec<String> {
    let key = format!("{}_pkey", table(collection));
    std::iter::once(key).chain(collection.indexes.iter().map(|index| index.name.to_owned())).collect()
}

/// What an index is called while its table lies beside.
pub(crate) fn index_name(beside: Beside, name: &str) -> String {
    // FNV-1a: short, and the same in every process
    let hash = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    format!("rillflow_{}_{hash:016x}", beside.word())
}

/// The collection in the table beside. The same one each time, as texts are kept by its address.
pub(crate) fn collection(of: &'static Collection) -> Result<&'static Collection> {
    static MADE: OnceLock<Mutex<HashMap<usize, &'static Collection>>> = OnceLock::new();
    let name = format!("{}__rebuild", table(of));
    if name.len() > LONGEST_NAME {
        return Err(Error::Schema {
            problem: format!("the table `{}` has too long a name for one to be built beside it", table(of)),
            help: "give the collection a name of at most 49 characters".to_owned(),
        });
    }
    let mut made = MADE.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    // leaked once per collection of the program, which is itself a static
    Ok(made.entry(std::ptr::from_ref(of) as usize).or_insert_with(|| {
        let table: &'static str = String::leak(format!("public.{name}"));
        Box::leak(Box::new(Collection { table, indexes: &[], foreign_keys: &[], ..*of }))
    }))
}

/// The statement that makes an index on the table beside, out of the one for the collection's own.
pub(crate) fn index(statement: &str, index: &Index, of: &Collection) -> String {
    let name = index_name(Beside::Rebuild, index.name);
    let table = table(of);
    statement.replacen(&format!("{} ON ", index.name), &format!("IF NOT EXISTS {name} ON "), 1).replacen(
        &format!(".{table} "),
        &format!(".{table}__rebuild "),
        1,
    )
}
