//! Which indexes a collection lacks, and which it does not use.

use clap::Args;
use serde::Serialize;

use super::{Query, all, called, find};
use crate::Store;
use crate::cli::connect::Session;
use crate::cli::failure::Failure;
use crate::cli::{Done, Ran};
use crate::storage::named::{self, Named};

/// A collection with fewer documents is read whole as fast.
const SMALL: i64 = 1000;

/// What to look at.
#[derive(Debug, Args)]
pub(crate) struct Advice {
    /// One collection, or all of them.
    collection: Option<String>,
    /// A condition as in `docs query`: says whether an index would serve it.
    #[arg(long = "filter", short, value_name = "CONDITION", requires = "collection")]
    filters: Vec<String>,
}

/// A piece of advice.
#[derive(Debug, Serialize)]
struct Hint {
    collection: String,
    index: Option<String>,
    problem: String,
    fix: String,
}

impl Advice {
    pub(super) async fn run(self, session: &mut Session, store: &Store) -> Ran {
        let mut hints = Vec::new();
        let looked_at = match &self.collection {
            Some(name) => vec![find(store, name).await?],
            None => all(store).await?,
        };
        for collection in &looked_at {
            look_at(store, collection, &mut hints).await?;
        }
        if let Some(name) = &self.collection {
            for filter in &self.filters {
                hints.extend(unserved(store, name, filter).await?);
            }
        }
        session.out.show(&hints, |out| {
            if hints.is_empty() {
                return out.line("Nothing to say: every index is used, and no collection is read whole too often.");
            }
            for hint in &hints {
                out.line(&format!("{}: {}\n  {}", hint.collection, hint.problem, hint.fix))?;
            }
            Ok(())
        })?;
        Ok(if hints.is_empty() { Done::Well } else { Done::Found })
    }
}

/// What the statistics say of a collection and its indexes.
async fn look_at(store: &Store, at: &Named, hints: &mut Vec<Hint>) -> Result<(), Failure> {
    let name = called(&at.table);
    let mut conn = store.pool().acquire().await?;
    let hint = |index: Option<&str>, problem: String, fix: String| Hint {
        collection: name.to_owned(),
        index: index.map(str::to_owned),
        problem,
        fix,
    };
    if at.documents >= SMALL && at.whole_scans > at.index_scans {
        hints.push(hint(
            None,
            format!("read whole {} times, by an index {} times", at.whole_scans, at.index_scans),
            format!("see which query does so: `rillflow docs index-advice {name} --filter ..`"),
        ));
    }
    for index in named::indexes(&mut conn, &store.core().texts, &at.table).await? {
        let it = Some(index.name.as_str());
        if !index.valid {
            let fix = "`rillflow schema sync` by the program that declares it builds it anew".to_owned();
            hints.push(hint(it, format!("index {} is invalid: its build broke off", index.name), fix));
        } else if index.scans == 0 && !index.unique && at.documents >= SMALL {
            let problem = format!("index {} was never used, and every write keeps it up to date", index.name);
            let fix = format!("if no query is to come, remove its declaration ({} KiB)", index.bytes / 1024);
            hints.push(hint(it, problem, fix));
        }
    }
    Ok(())
}

/// Whether a condition reads the collection whole.
async fn unserved(store: &Store, name: &str, filter: &str) -> Result<Option<Hint>, Failure> {
    let predicate = super::predicate::parse(filter)
        .map_err(|problem| Failure::usage(format!("`{filter}`: {problem}"), "status=active"))?;
    let query = Query::of(name, predicate);
    let plan = query.begin(store).await?.explain().await?;
    if !plan.contains("Seq Scan") {
        return Ok(None);
    }
    let path = filter.split(['=', '!', '<', '>', '~', '?']).next().unwrap_or(filter).trim();
    let fix = if filter.contains('~') {
        "declare `#[document(gin)]`, which serves `contains`".to_owned()
    } else {
        format!("declare an index on `{path}`: `#[document(index)]` at its field, or `#[document(index({path}))]`")
    };
    Ok(Some(Hint {
        collection: name.to_owned(),
        index: None,
        problem: format!("no index serves `{filter}`, or the collection is too small for one to pay"),
        fix,
    }))
}
