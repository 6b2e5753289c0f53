//! A tenant in a schema that Citus keeps on one node: runs where `RILLFLOW_CITUS_URL` names a coordinator.

use rillflow::{Expected, Lifecycle, SchemaConfig, Store, TenancyMode};
use uuid::Uuid;

use crate::orders::{Customer, CustomerId, CustomerSales, SalesProjection, customer, placed};
use crate::support::{SOON, TestResult};

#[tokio::test]
async fn tenants_in_distributed_schemas_are_whole_stores() -> TestResult {
    let Ok(url) = std::env::var("RILLFLOW_CITUS_URL") else {
        println!("skipped: RILLFLOW_CITUS_URL names no Citus coordinator");
        return Ok(());
    };
    let builder = Store::builder(&url).document::<Customer>().projection::<SalesProjection>(Lifecycle::Async);
    let store = builder.tenants(TenancyMode::SchemaPerTenant).build().await?;
    // names that no earlier run left behind
    let names = ["one", "two"].map(|name| format!("{name}-{}", Uuid::now_v7()));
    let daemon = store.start_daemon(Default::default(), 2);
    for name in &names {
        let tenant = store.ensure_tenant(name).await?;
        let distributed: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_dist_partition WHERE logicalrelid::regclass::text LIKE '%' || $1 || '%'",
        )
        .bind(tenant.schema_name())
        .fetch_one(tenant.pool())
        .await?;
        assert!(distributed > 0, "citus.enable_schema_based_sharding is off on the coordinator");
        tenant.docs().put(&customer(1)).await?;
        let kim = CustomerId::default();
        for n in 0..10 {
            let stream = Uuid::now_v7();
            let appended = tenant.events().append_stream(stream, Expected::NoStream, [placed(kim, n)]).await?;
            assert!(tenant.events().append_stream(stream, Expected::NoStream, [placed(kim, n)]).await.is_err());
            tenant.wait_for("customer-sales", appended.position(), SOON).await?;
        }
        let sales = tenant.docs().get::<CustomerSales>(&kim).await?.ok_or("the read model")?.0;
        assert_eq!((sales.orders, sales.positions.is_sorted()), (10, true));
        assert_eq!(tenant.events().read_all(0, 100).await?.len(), 10, "and of no other tenant");
        assert!(tenant.schema().plan(&SchemaConfig::single_tenant()).await?.is_empty());
    }
    daemon.shutdown().await;
    for name in &names {
        store.drop_tenant(name, true).await?;
    }
    Ok(())
}
