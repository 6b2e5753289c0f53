//! An application whose tenants have a database each: where they are, `TENANT_DATABASES` says, as `name=url` per line.

#[path = "../domain.rs"]
mod domain;

use std::process::ExitCode;

use rillflow::cli::{App, run};
use rillflow::{BoxError, TenancyMode, TenantResolver};

struct Databases(Vec<(String, String)>);

type Answer<'a, T> = std::pin::Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send + 'a>>;

impl TenantResolver for Databases {
    fn url<'a>(&'a self, tenant: &'a str) -> Answer<'a, Option<String>> {
        Box::pin(async move { Ok(self.0.iter().find(|(name, _)| name == tenant).map(|(_, url)| url.clone())) })
    }

    fn tenants(&self) -> Answer<'_, Vec<String>> {
        Box::pin(async { Ok(self.0.iter().map(|(name, _)| name.clone()).collect()) })
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let places = std::env::var("TENANT_DATABASES").unwrap_or_default();
    let each = places.lines().filter_map(|line| line.split_once('='));
    let databases = Databases(each.map(|(name, url)| (name.to_owned(), url.to_owned())).collect());
    let app = App::new(domain::configure).aggregate::<domain::Counter>();
    run(app.tenants(TenancyMode::database_per_tenant(databases)), std::env::args_os()).await
}
