use rillflow::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct DoorOpened {
    by: String,
}

#[derive(Event)]
enum DoorEvent {
    #[event(version = 2)]
    DoorOpened(DoorOpened),
}

fn main() {}
