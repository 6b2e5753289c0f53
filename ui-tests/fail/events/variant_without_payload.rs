use rillflow::{Aggregate, Event, handlers};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Opened {}

#[derive(Event)]
enum DoorEvent {
    Opened(Opened),
    Closed,
}

#[derive(Default, Aggregate)]
#[aggregate(events = DoorEvent)]
struct Door;

#[handlers]
impl Door {
    fn on_opened(&mut self, _: &Opened) {}
}

fn main() {}
