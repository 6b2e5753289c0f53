use rillflow::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Opened {}

#[derive(Event)]
enum DoorEvent {
    Opened(Opened),
}

#[derive(Event)]
enum WindowEvent {
    Opened(Opened),
}

fn main() {}
