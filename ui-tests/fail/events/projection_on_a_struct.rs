use rillflow::projection;

#[projection(name = "sales", events = OrderEvent, document = CustomerSales)]
struct Sales;

fn main() {}
