use rillflow::EventTags;

#[derive(EventTags)]
struct Enrolled {
    #[event(tag = "course:id")]
    course: i64,
}

fn main() {}
