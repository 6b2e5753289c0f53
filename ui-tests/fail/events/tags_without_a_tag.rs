use rillflow::EventTags;

#[derive(EventTags)]
struct Enrolled {
    course: i64,
}

fn main() {}
