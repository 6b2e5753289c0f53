//! Connection URLs: made for a socket, and pointed at another database.

use std::path::Path;

/// The superuser of every server that we start.
pub(crate) const USER: &str = "postgres";

/// Names the socket file; nothing listens on TCP.
pub(crate) const PORT: u16 = 5432;

/// The URL of a database behind a Unix socket, as sqlx, libpq and psql read it.
pub(crate) fn of_socket(socket: &Path, database: &str) -> String {
    let (database, host) = (encode(database, ""), encode(&socket.to_string_lossy(), "/"));
    // `sslmode` and `port` are said because PGSSLMODE and PGPORT would fill them in otherwise.
    format!("postgres:///{database}?host={host}&port={PORT}&user={USER}&sslmode=disable")
}

/// The same server and login, another database.
pub(crate) fn with_database(url: &str, database: &str) -> String {
    let (rest, query) = url.split_once('?').unwrap_or((url, ""));
    let authority = rest.find("://").map_or(0, |at| at + 3);
    let server = rest[authority..].find('/').map_or(rest, |slash| &rest[..authority + slash]);
    let kept: Vec<_> = query.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("dbname=")).collect();
    let mark = if kept.is_empty() { "" } else { "?" };
    format!("{server}/{}{mark}{}", encode(database, ""), kept.join("&"))
}

/// Host, port and database of a URL in words, without its password.
pub(crate) fn without_login(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split_once('?').map_or(rest, |(rest, _)| rest);
    rest.rsplit_once('@').map_or(rest, |(_, place)| place).to_owned()
}

fn encode(text: &str, also: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        let char = char::from(byte);
        if char.is_ascii_alphanumeric() || "-._~".contains(char) || also.contains(char) {
            encoded.push(char);
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_url_names_the_folder_as_its_host() {
        assert_eq!(
            of_socket(Path::new("/tmp/a b/s"), "x"),
            "postgres:///x?host=/tmp/a%20b/s&port=5432&user=postgres&sslmode=disable"
        );
    }

    #[test]
    fn another_database_keeps_login_and_options() {
        let swap = |url| with_database(url, "new");
        assert_eq!(swap("postgres://u:p@h:1/old?sslmode=require"), "postgres://u:p@h:1/new?sslmode=require");
        assert_eq!(swap("postgres://h"), "postgres://h/new");
        assert_eq!(swap("postgres://h?user=a"), "postgres://h/new?user=a");
        assert_eq!(swap("postgres:///old?host=/run/pg&dbname=x"), "postgres:///new?host=/run/pg");
    }

    #[test]
    fn a_url_in_words_holds_no_password() {
        assert_eq!(without_login("postgres://u:p@ss@h:1/db?password=p"), "h:1/db");
    }
}
