//! Dropping what killed test processes left on a server that stays.

use sqlx::{AssertSqlSafe, PgConnection};

use super::template;

/// Begins the name of every test database; then `<stamp>_<seconds since 1970, hex>_<count>`.
pub(super) const PREFIX: &str = "rillflow_test_";

/// A database this young may belong to a process that is only about to say that it lives.
const YOUNG: u64 = 60;

/// A template that nobody used for this many seconds belongs to a schema of the past.
const FORGOTTEN: u64 = 60 * 60;

/// What the connection of a living process is called.
pub(super) fn application_name(stamp: &str) -> String {
    format!("rillflow tests {stamp}")
}

/// Drops the databases of dead processes and forgotten templates, as far as they are ours to drop.
pub(super) async fn sweep(conn: &mut PgConnection) {
    for name in left_over(conn).await.unwrap_or_default() {
        // Without FORCE: whoever is connected after all keeps it.
        let drop = format!("DROP DATABASE IF EXISTS {name}");
        if let Err(error) = sqlx::query(AssertSqlSafe(drop)).execute(&mut *conn).await {
            tracing::debug!(%error, name, "a left-over test database was not dropped");
        }
    }
}

async fn left_over(conn: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    let unused: Vec<(String, Option<String>)> = sqlx::query_as(
        "SELECT datname::text, shobj_description(d.oid, 'pg_database') FROM pg_database d \
         WHERE datname ~ '^rillflow_(test|template)_[0-9a-f_]+$' \
           AND datdba = (SELECT oid FROM pg_roles WHERE rolname = current_user) \
           AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.datname = d.datname)",
    )
    .fetch_all(&mut *conn)
    .await?;
    let alive: Vec<String> =
        sqlx::query_scalar("SELECT application_name FROM pg_stat_activity WHERE application_name <> ''")
            .fetch_all(conn)
            .await?;
    let now = template::now();
    let dead = |name: &str| match name.strip_prefix(PREFIX) {
        Some(rest) => is_dead(rest, &alive, now),
        None => false,
    };
    let forgotten = |name: &str, comment: Option<&str>| {
        let used = comment.and_then(|it| it.parse::<u64>().ok());
        name.starts_with(template::PREFIX) && used.is_some_and(|used| now.saturating_sub(used) > FORGOTTEN)
    };
    let left_over = unused.into_iter().filter(|(name, comment)| dead(name) || forgotten(name, comment.as_deref()));
    Ok(left_over.map(|(name, _)| name).collect())
}

fn is_dead(rest: &str, alive: &[String], now: u64) -> bool {
    let mut parts = rest.split('_');
    let (Some(stamp), Some(since)) = (parts.next(), parts.next()) else { return false };
    let Ok(since) = u64::from_str_radix(since, 16) else { return false };
    now.saturating_sub(since) > YOUNG && !alive.contains(&application_name(stamp))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_old_database_without_a_living_owner_is_swept() {
        let alive = [application_name("abc")];
        assert!(is_dead("def_10_0", &alive, 1000));
        assert!(!is_dead("abc_10_0", &alive, 1000));
        assert!(!is_dead("def_3e0_0", &alive, 1000));
        assert!(!is_dead("something else", &alive, 1000));
    }
}
