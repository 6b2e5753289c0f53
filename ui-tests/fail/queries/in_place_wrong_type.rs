use rillflow::Document;
use rillflow_ui_tests::Customer;

fn main() {
    let _ = Customer::query().filter(|c| c.email.eq(5) & c.score.gt(1.5));
}
