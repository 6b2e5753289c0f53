use rillflow::handlers;
use rillflow_ui_tests::events::{Cancelled, Placed};

#[derive(Default)]
struct Order;

#[handlers]
impl Order {
    fn on_placed(&mut self, _: &Placed) {}
    fn on_cancelled(&mut self, _: &Cancelled) {}
}

fn main() {}
