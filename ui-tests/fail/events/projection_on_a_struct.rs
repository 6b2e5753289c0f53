use rillflow::projection;
use rillflow_ui_tests::events::*;

#[projection(name = "sales", events = OrderEvent, document = CustomerSales)]
struct Sales;

fn main() {}
