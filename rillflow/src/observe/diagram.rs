//! Mermaid sequence diagrams.

use std::collections::HashMap;
use std::fmt::Write;

/// A sequence diagram as it is put together. Names are shown as they are; ids that Mermaid can read stand for them.
#[derive(Debug, Default)]
pub(super) struct Diagram {
    participants: Vec<String>,
    ids: HashMap<String, usize>,
    lines: Vec<String>,
}

impl Diagram {
    /// Names somebody who takes part, in the order of the diagram.
    pub(super) fn participant(&mut self, name: &str) -> usize {
        if let Some(&id) = self.ids.get(name) {
            return id;
        }
        let id = self.participants.len();
        self.participants.push(name.to_owned());
        self.ids.insert(name.to_owned(), id);
        id
    }

    /// An arrow from one to another.
    pub(super) fn message(&mut self, from: usize, to: usize, text: &str) {
        self.lines.push(format!("p{from}->>p{to}: {}", escaped(text)));
    }

    /// An arrow of something that failed.
    pub(super) fn failure(&mut self, from: usize, to: usize, text: &str) {
        self.lines.push(format!("p{from}--xp{to}: {}", escaped(text)));
    }

    /// The text of the diagram.
    pub(super) fn render(&self) -> String {
        let mut text = "sequenceDiagram\n".to_owned();
        for (id, name) in self.participants.iter().enumerate() {
            // writing to a text cannot fail
            let _ = writeln!(text, "    participant p{id} as {}", escaped(name));
        }
        for line in &self.lines {
            let _ = writeln!(text, "    {line}");
        }
        text
    }
}

/// What means something to Mermaid becomes a character entity; an empty text becomes a space, as there must be one.
fn escaped(text: &str) -> String {
    if text.trim().is_empty() {
        return "#32;".to_owned();
    }
    let mut plain = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '\n' | '\r' | '\t' => plain.push(' '),
            '#' | ';' | '<' | '>' | '"' | '&' | '%' | ':' | '{' | '}' | '\\' | '`' => {
                let _ = write!(plain, "#{};", char as u32);
            }
            it if it.is_control() => {}
            it => plain.push(it),
        }
    }
    plain
}
