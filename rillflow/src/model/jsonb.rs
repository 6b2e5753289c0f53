//! Values as JSON that PostgreSQL's `jsonb` takes and that reads back as it was: checked while it is written.
//!
//! What cannot be stored is met by the serializer itself, so there is no pass over the bytes. Only JSON that somebody
//! else wrote (`RawValue`) is read through once.

use std::cell::Cell;
use std::io;

use serde::Serialize;
use serde_json::ser::{CharEscape, CompactFormatter, Formatter};

use super::finite::Finite;
use crate::{Error, PayloadProblem, Result};

/// How deep lists and objects may lie inside each other. serde_json reads back 127 levels; queries add some of theirs.
pub const MAX_DEPTH: usize = 100;
/// How long the JSON of a document may be. PostgreSQL's own limit for one object is four times that.
pub const MAX_BYTES: usize = 64 * 1024 * 1024;
/// How large or small a number's exponent may be: beyond, it reads back as no `f64`, and PostgreSQL writes it out in full.
pub const MAX_EXPONENT: u32 = 308;
/// How many characters a number may have.
pub const MAX_NUMBER_LENGTH: usize = 400;

/// The first thing found that cannot be stored.
pub(super) type Found = Cell<Option<PayloadProblem>>;

/// Writes a value; `what` names it in the error.
///
/// # Errors
///
/// [`Error::Payload`] for what `jsonb` refuses or would change, [`Error::Encode`] for what serde refuses.
pub(crate) fn encode(value: &(impl Serialize + ?Sized), what: impl FnOnce() -> String) -> Result<String> {
    let mut bytes = Vec::with_capacity(256);
    let found = Found::default();
    let written = write(value, &mut bytes, &found);
    if bytes.len() > MAX_BYTES {
        found.set(Some(PayloadProblem::TooLarge { bytes: bytes.len() }));
    }
    match (found.take(), written) {
        (Some(problem), _) => Err(Error::Payload { what: what(), problem }),
        (None, Err(e)) => Err(Error::Encode { what: what(), reason: e.to_string() }),
        (None, Ok(())) => String::from_utf8(bytes).map_err(|e| Error::Encode { what: what(), reason: e.to_string() }),
    }
}

fn write(value: &(impl Serialize + ?Sized), bytes: &mut Vec<u8>, found: &Found) -> serde_json::Result<()> {
    let mut serializer = serde_json::Serializer::with_formatter(bytes, Checked { depth: 0, found });
    value.serialize(Finite::new(&mut serializer, found))
}

/// Writes compact JSON, and stops at the first thing that cannot be stored.
struct Checked<'f> {
    depth: usize,
    found: &'f Found,
}

impl Checked<'_> {
    fn refuse(&self, problem: PayloadProblem) -> io::Error {
        self.found.set(Some(problem));
        io::ErrorKind::InvalidData.into()
    }

    fn enter(&mut self) -> io::Result<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(self.refuse(PayloadProblem::TooDeep)) } else { Ok(()) }
    }
}

impl Formatter for Checked<'_> {
    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.enter()?;
        writer.write_all(b"[")
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth -= 1;
        writer.write_all(b"]")
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.enter()?;
        writer.write_all(b"{")
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth -= 1;
        writer.write_all(b"}")
    }

    fn write_char_escape<W: ?Sized + io::Write>(&mut self, writer: &mut W, escape: CharEscape) -> io::Result<()> {
        if let CharEscape::AsciiControl(0) = escape {
            return Err(self.refuse(PayloadProblem::Nul));
        }
        CompactFormatter.write_char_escape(writer, escape)
    }

    fn write_number_str<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: &str) -> io::Result<()> {
        number(value.as_bytes()).map_err(|problem| self.refuse(problem))?;
        writer.write_all(value.as_bytes())
    }

    fn write_raw_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        foreign(fragment.as_bytes(), self.depth).map_err(|problem| self.refuse(problem))?;
        writer.write_all(fragment.as_bytes())
    }
}

/// Reads through JSON that somebody else wrote, `depth` levels down.
fn foreign(json: &[u8], mut depth: usize) -> Result<(), PayloadProblem> {
    let mut at = 0;
    while let Some(&byte) = json.get(at) {
        match byte {
            b'[' | b'{' if depth == MAX_DEPTH => return Err(PayloadProblem::TooDeep),
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => at += string(&json[at + 1..])?,
            b'-' | b'0'..=b'9' => {
                let length =
                    json[at..].iter().take_while(|it| matches!(it, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9'));
                let length = length.count();
                number(&json[at..at + length])?;
                at += length - 1;
            }
            _ => {}
        }
        at += 1;
    }
    Ok(())
}

/// How long the rest of a string is, its closing quote included.
fn string(rest: &[u8]) -> Result<usize, PayloadProblem> {
    let mut at = 0;
    let mut high = false; // the first half of a pair was read, its second half must follow
    loop {
        let unit = match rest.get(at..) {
            Some([b'\\', b'u', digits @ ..]) => Some(hex(digits)),
            _ => None,
        };
        let low = matches!(unit, Some(0xDC00..=0xDFFF));
        if low != high {
            return Err(PayloadProblem::NotUnicode);
        }
        high = matches!(unit, Some(0xD800..=0xDBFF));
        at += match (unit, rest.get(at)) {
            (Some(0), _) => return Err(PayloadProblem::Nul),
            (Some(_), _) => 6,
            (None, Some(b'\\')) => 2,
            (None, Some(b'"') | None) => return Ok(at + 1),
            (None, Some(_)) => 1,
        };
    }
}

fn hex(digits: &[u8]) -> u32 {
    digits.iter().take(4).fold(0, |sum, digit| sum * 16 + char::from(*digit).to_digit(16).unwrap_or(0))
}

fn number(text: &[u8]) -> Result<(), PayloadProblem> {
    let exponent = text.iter().position(|it| matches!(it, b'e' | b'E')).map_or(&[][..], |at| &text[at + 1..]);
    let digits = exponent.iter().filter(|it| it.is_ascii_digit());
    let exponent = digits.fold(0_u32, |sum, digit| sum.saturating_mul(10).saturating_add(u32::from(digit - b'0')));
    if exponent > MAX_EXPONENT || text.len() > MAX_NUMBER_LENGTH {
        return Err(PayloadProblem::NumberOutOfRange);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    fn problem(value: impl Serialize) -> Option<PayloadProblem> {
        match encode(&value, || "it".to_owned()) {
            Ok(_) => None,
            Err(Error::Payload { problem, .. }) => Some(problem),
            Err(other) => panic!("{other:?}"),
        }
    }

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.to_owned()).expect("JSON")
    }

    fn nested(levels: usize) -> serde_json::Value {
        (0..levels).fold(serde_json::Value::Null, |inner, _| serde_json::json!([inner]))
    }

    #[test]
    fn what_can_be_stored_is_written_as_serde_json_writes_it() {
        let value = (
            1,
            -2.5e300,
            "a\"\\\n\u{1}é😀",
            [Some(1), None],
            nested(MAX_DEPTH - 1),
            u64::MAX,
            raw(" [1e5, \"\\\\u0000\"]"),
        );
        assert_eq!(encode(&value, String::new).expect("storable"), serde_json::to_string(&value).expect("JSON"));
    }

    #[test]
    fn what_jsonb_refuses_is_refused_before() {
        assert_eq!(problem(["a\0b"]), Some(PayloadProblem::Nul));
        assert_eq!(problem(std::collections::HashMap::from([("\0", 1)])), Some(PayloadProblem::Nul));
        assert_eq!(problem(nested(MAX_DEPTH + 1)), Some(PayloadProblem::TooDeep));
        for (json, found) in [
            (r#"{"a":"\u0000"}"#, Some(PayloadProblem::Nul)),
            (r#""\\\u0000""#, Some(PayloadProblem::Nul)),
            (r#""\\u0000\"""#, None),
            (r#""\ud83d\ude00""#, None),
            (r#""\ud83d""#, Some(PayloadProblem::NotUnicode)),
            (r#""\ude00""#, Some(PayloadProblem::NotUnicode)),
            (r#""\ud83dx""#, Some(PayloadProblem::NotUnicode)),
            ("1e309", Some(PayloadProblem::NumberOutOfRange)),
            ("[-1.5E-99999999999]", Some(PayloadProblem::NumberOutOfRange)),
            ("[1e308,1E-308,12]", None),
            (&"9".repeat(401), Some(PayloadProblem::NumberOutOfRange)),
        ] {
            assert_eq!(problem(raw(json)), found, "{json}");
        }
        assert_eq!(problem([raw(&("[".repeat(MAX_DEPTH) + &"]".repeat(MAX_DEPTH)))]), Some(PayloadProblem::TooDeep));
    }

    #[test]
    fn no_number_becomes_null_wherever_it_is() {
        #[derive(Serialize)]
        enum Shape {
            Newtype(f64),
            Tuple(i32, f32),
            Struct { inner: Option<f64> },
        }
        for shape in [Shape::Newtype(f64::NAN), Shape::Tuple(1, f32::INFINITY), Shape::Struct { inner: Some(f64::NAN) }]
        {
            assert_eq!(problem(vec![shape]), Some(PayloadProblem::NotFinite));
        }
        assert_eq!(
            problem(std::collections::HashMap::from([(1, (f64::NEG_INFINITY,))])),
            Some(PayloadProblem::NotFinite)
        );
        assert_eq!(problem(None::<f64>), None);
    }
}
