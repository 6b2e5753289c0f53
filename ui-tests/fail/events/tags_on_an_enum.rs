use rillflow::EventTags;

#[derive(EventTags)]
enum CourseEvent {
    Enrolled,
}

fn main() {}
