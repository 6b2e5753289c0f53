use rillflow::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Opened {}
#[derive(Serialize, Deserialize)]
struct Unlocked {}

#[derive(Event)]
enum DoorEvent {
    Opened(Opened),
    #[event(name = "opened")]
    Unlocked(Unlocked),
}

fn main() {}
