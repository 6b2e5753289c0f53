use rillflow::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Opened {}

#[derive(Event)]
enum DoorEvent {
    #[event(name = "opened\0")]
    Opened(Opened),
}

fn main() {}
