#!/usr/bin/env bash
# What a compiled query costs the compiler: `cargo check` of a crate with 200 of them, beside the same functions with SQL
# written by hand. Prints milliseconds of CPU per query, which other load does not change much: `benches/compile_time.sh`.
# With a number, fails when it is more than that: `benches/compile_time.sh 10`.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
most=${1:-}
count=200
export CARGO_TERM_COLOR=never

document='use rillflow::{Document, DocumentFields, Query, compiled_query};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, DocumentFields)]
pub struct Address { pub city: String, pub zip: Option<String> }

#[derive(Serialize, Deserialize, DocumentFields)]
pub struct Line { pub sku: String, pub quantity: i32 }

#[derive(Serialize, Deserialize, Document)]
#[document(gin, index(status, created_at desc), index(address.city))]
#[serde(rename_all = "camelCase")]
pub struct Customer {
    #[document(id)]
    pub id: i64,
    #[document(index)]
    pub email: String,
    pub status: String,
    pub tags: Vec<String>,
    pub created_at: i64,
    pub score: Option<f64>,
    pub address: Address,
    pub lines: Vec<Line>,
}
'

compiled() {
    case $(($1 % 5)) in
    0) echo "#[compiled_query] pub fn q$1(email: &str) -> impl Query<Option<Customer>> {
    Customer::query().filter(|c| c.email == email).one() }" ;;
    1) echo "#[compiled_query] pub fn q$1(status: &str, limit: i64) -> impl Query<Vec<Customer>> {
    Customer::query().filter(|c| c.status == status && c.tags.contains(\"vip\") && (c.score > $1 || c.score.is_null()))
        .order_by(|c| c.created_at.desc()).limit(limit) }" ;;
    2) echo "#[compiled_query] pub fn q$1(sku: &str) -> impl Query<Vec<i64>> {
    Customer::query().filter(|c| c.lines.any(|l| l.sku == sku)).select(|c| c.id) }" ;;
    3) echo "#[compiled_query] pub fn q$1(city: &str) -> impl Query<i64> {
    Customer::query().filter(|c| c.address.city == city && c.score != $1).count() }" ;;
    4) echo "#[compiled_query] pub fn q$1(city: &str, least: f64) -> impl Query<Vec<(String, Option<f64>)>> {
    Customer::query().filter(|c| c.address.city == city && !(c.score < least)).select(|c| (c.email, c.score)) }" ;;
    esac
}

by_hand() {
    case $(($1 % 5)) in
    0) echo "pub fn q$1(email: &str) -> (&'static str, String) {
    (\"SELECT doc FROM docs_customers WHERE doc->>'email' = \$1 LIMIT 2\", email.to_owned()) }" ;;
    1) echo "pub fn q$1(status: &str, limit: i64) -> (&'static str, String, i64) {
    (\"SELECT doc FROM docs_customers WHERE doc->>'status' = \$1 ORDER BY doc->>'createdAt' DESC LIMIT \$2\", status.to_owned(), limit) }" ;;
    2) echo "pub fn q$1(sku: &str) -> (&'static str, String) {
    (\"SELECT doc->'id' FROM docs_customers WHERE doc @> jsonb_build_object('sku', \$1)\", sku.to_owned()) }" ;;
    3) echo "pub fn q$1(city: &str) -> (&'static str, String) {
    (\"SELECT count(*) FROM docs_customers WHERE doc->'address'->>'city' = \$1\", city.to_owned()) }" ;;
    4) echo "pub fn q$1(city: &str, least: f64) -> (&'static str, String, f64) {
    (\"SELECT doc->'email' FROM docs_customers WHERE doc->'address'->>'city' = \$1\", city.to_owned(), least) }" ;;
    esac
}

crate() {
    local folder="$root/target/compile_time/$1"
    mkdir -p "$folder/src"
    cp "$root/Cargo.lock" "$folder/"
    cat >"$folder/Cargo.toml" <<END
[package]
name = "compile-time-$1"
version = "0.0.0"
edition = "2024"
[dependencies]
rillflow = { path = "$root/rillflow" }
serde = { version = "1", features = ["derive"] }
[workspace]
END
    {
        echo '#![allow(unused_imports)]'
        echo "$document"
        for ((n = 0; n < count; n++)); do "$2" "$n"; done
    } >"$folder/src/lib.rs"
}

# the least of five checks, in milliseconds of CPU
check() {
    local folder="$root/target/compile_time/$1" least=999999 took
    local cargo=(cargo check --quiet --manifest-path "$folder/Cargo.toml" --target-dir "$root/target")
    "${cargo[@]}"
    for _ in 1 2 3 4 5; do
        touch "$folder/src/lib.rs"
        took=$({ TIMEFORMAT='%U %S'; time CARGO_INCREMENTAL=0 "${cargo[@]}"; } 2>&1 | awk '{ printf "%d", ($1 + $2) * 1000 }')
        least=$((took < least ? took : least))
    done
    echo "$least"
}

crate compiled compiled
crate by_hand by_hand
with=$(check compiled)
without=$(check by_hand)
awk -v count="$count" -v with="$with" -v without="$without" -v most="${most:-1e9}" 'BEGIN {
    each = (with - without) / count
    printf "%d compiled queries %d ms, %d literals %d ms: %.2f ms per query\n", count, with, count, without, each
    if (each > most) { printf "that is more than %s ms\n", most; exit 1 }
}'
