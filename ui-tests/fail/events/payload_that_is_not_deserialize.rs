use rillflow::Event;
use serde::Serialize;

#[derive(Serialize)]
struct Opened {}

#[derive(Event)]
enum DoorEvent {
    Opened(Opened),
}

fn main() {}
