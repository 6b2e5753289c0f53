use rillflow::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Opened {}
#[derive(Serialize, Deserialize)]
struct Unlocked {}
#[derive(Serialize, Deserialize)]
struct Closed {}

#[derive(Event)]
enum DoorEvent {
    #[event(was = "door-opened")]
    Opened(Opened),
    #[event(was = "opened", was = "door-opened")]
    Unlocked(Unlocked),
    #[event(was = "shut", was = "shut", was = "closed", was = "")]
    Closed(Closed),
}

fn main() {}
