use rillflow::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Opened {}

#[derive(Event)]
enum DoorEvent {
    Opened(Opened),
    Unlocked(Opened),
}

fn main() {}
