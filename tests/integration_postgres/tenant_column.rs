use rillflow::{Error, Expected, Lifecycle, SchemaConfig, Store, TenancyMode, TenantedStore};
use uuid::Uuid;

use crate::orders::{Customer, SalesProjection, customer, placed};
use crate::support::{Db, TestResult, common_role, tick};

async fn shared(connections: u32) -> Result<(Db, TenantedStore), Box<dyn std::error::Error>> {
    let db = Db::create().await?;
    let builder = Store::builder(common_role(&db).await?).max_connections(connections).document::<Customer>();
    let builder = builder.projection::<SalesProjection>(Lifecycle::Async).tenants(TenancyMode::TenantColumn);
    Ok((db, builder.build().await?))
}

#[tokio::test]
async fn a_sync_leaves_nothing_to_plan() -> TestResult {
    let (_db, store) = shared(3).await?;
    let acme = store.ensure_tenant("acme").await?;
    let plan = acme.schema().plan(&SchemaConfig::single_tenant()).await?;
    assert!(plan.is_empty(), "{plan}");
    let pool = acme.pool();
    // the second comparison is a whole one
    sqlx::raw_sql("DELETE FROM rillflow_syncs").execute(pool).await?;
    let plan = acme.schema().plan(&SchemaConfig::single_tenant()).await?;
    assert!(plan.is_empty(), "{plan}");
    acme.events().append_stream(Uuid::now_v7(), Expected::NoStream, [tick(1)]).await?;
    assert_eq!(acme.events().read_all(0, 10).await?.len(), 1);
    Ok(())
}
