use rillflow::Document;
use rillflow_ui_tests::Customer;

fn main() {
    let _ = Customer::query().order_by(|c| c.created_at);
}
