//! The header of an npy file: magic, version, length, and one Python dictionary.

use super::{Dtype, Field, NpyError, dtype::parse_type_string};
use std::io::Read;

/// Longest header taken. NumPy itself refuses more than 10,000 characters by default.
const MAX_HEADER: u32 = 1 << 16;
/// Most axes taken (NumPy's own limit is 64).
const MAX_AXES: usize = 64;
/// Most fields of a record, nested ones included.
const MAX_FIELDS: usize = 4096;
/// Deepest nesting of records.
const MAX_DEPTH: u32 = 8;

/// What the header of a file says.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    /// Element type, in the file's byte order.
    pub dtype: Dtype,
    /// Lengths of the axes.
    pub shape: Vec<u64>,
    /// Bytes of the data.
    pub data_bytes: u64,
    /// Where in the file the data starts.
    pub offset: u64,
}

impl Header {
    /// Reads a header and leaves the reader at the data.
    ///
    /// # Errors
    /// Not an npy header, an element type that no kernel takes, Fortran order.
    pub fn read(r: &mut impl Read) -> Result<Self, NpyError> {
        let mut magic = [0; 8];
        let mut got = 0;
        while got < magic.len() {
            match r.read(&mut magic[got..])? {
                0 => break,
                n => got += n,
            }
        }
        if !magic.starts_with(b"\x93NUMPY") || got < 8 {
            return Err(NpyError::new("it is not an npy file (write one with `np.save`)"));
        }
        let (length, prefix) = match magic[6] {
            1 => {
                let mut n = [0; 2];
                r.read_exact(&mut n)?;
                (u32::from(u16::from_le_bytes(n)), 10)
            }
            2 | 3 => {
                let mut n = [0; 4];
                r.read_exact(&mut n)?;
                (u32::from_le_bytes(n), 12)
            }
            v => return Err(NpyError::new(format!("npy format version {v} is not known (1, 2 and 3 are)"))),
        };
        if length > MAX_HEADER {
            return Err(NpyError::new(format!("its header of {length} bytes is longer than {MAX_HEADER}")));
        }
        let mut text = vec![0; length as usize];
        r.read_exact(&mut text)?;
        let mut parser = Parser { text: &text, at: 0, fields: 0 };
        let (dtype, fortran, shape) = parser.dictionary()?;
        // The order of a single long axis is the same either way.
        if fortran && shape.iter().filter(|n| **n != 1).count() > 1 && !shape.contains(&0) {
            return Err(NpyError::new(
                "it is in Fortran order: save it in C order with `np.save(file, np.ascontiguousarray(x))`",
            ));
        }
        let data_bytes = data_bytes(&dtype, &shape)?;
        Ok(Header { dtype, shape, data_bytes, offset: prefix + u64::from(length) })
    }
}

/// Bytes of an array.
pub(super) fn data_bytes(dtype: &Dtype, shape: &[u64]) -> Result<u64, NpyError> {
    // A zero anywhere makes the whole zero, but the other axes must still be countable.
    shape
        .iter()
        .try_fold(dtype.bytes(), |n, axis| n.checked_mul(*axis))
        .filter(|n| i64::try_from(*n).is_ok())
        .ok_or_else(|| NpyError::new(format!("the shape {shape:?} has more bytes than can be counted")))
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
    fields: usize,
}

impl Parser<'_> {
    fn dictionary(&mut self) -> Result<(Dtype, bool, Vec<u64>), NpyError> {
        let (mut dtype, mut fortran, mut shape) = (None, None, None);
        self.expect(b'{')?;
        while !self.accept(b'}') {
            let key = self.string()?;
            self.expect(b':')?;
            match key.as_str() {
                "descr" => dtype = Some(self.descr()?),
                "fortran_order" => fortran = Some(self.boolean()?),
                "shape" => shape = Some(self.tuple()?),
                _ => return Err(self.malformed("an unknown key")),
            }
            if !self.accept(b',') {
                self.expect(b'}')?;
                break;
            }
        }
        self.skip_space();
        match (dtype, fortran, shape) {
            _ if self.at != self.text.len() => Err(self.malformed("text after the dictionary")),
            (Some(dtype), Some(fortran), Some(shape)) => Ok((dtype, fortran, shape)),
            _ => Err(self.malformed("no `descr`, `fortran_order` or `shape`")),
        }
    }

    fn descr(&mut self) -> Result<Dtype, NpyError> {
        if self.peek() != Some(b'[') {
            return Dtype::plain(&self.string()?);
        }
        let (mut text, mut fields) = (String::new(), Vec::new());
        self.record(&mut text, &mut fields, 0)?;
        Dtype::record(text, fields)
    }

    /// `[('name', '<f4'), ('name', '<f4', (3,)), ('name', [...])]`, appended flat to `fields` and rewritten
    /// for a little-endian file to `text`.
    fn record(&mut self, text: &mut String, fields: &mut Vec<Field>, depth: u32) -> Result<(), NpyError> {
        if depth == MAX_DEPTH {
            return Err(self.malformed("records nested too deeply"));
        }
        self.expect(b'[')?;
        text.push('[');
        while !self.accept(b']') {
            self.expect(b'(')?;
            let name = self.string()?;
            self.expect(b',')?;
            text.push_str(&format!("('{}', ", name.replace('\'', "\\'")));
            let first = fields.len();
            if self.peek() == Some(b'[') {
                self.record(text, fields, depth + 1)?;
            } else {
                let (field, little) = parse_type_string(&self.string()?)?;
                fields.push(field);
                text.push_str(&format!("'{little}'"));
            }
            if self.accept(b',') && self.peek() != Some(b')') {
                let shape = self.tuple()?;
                self.repeat(fields, first, &shape)?;
                let axes: Vec<String> = shape.iter().map(|n| format!("{n},")).collect();
                text.push_str(&format!(", ({})", axes.concat()));
                self.accept(b',');
            }
            self.expect(b')')?;
            text.push_str("), ");
            self.fields += 1;
            if self.fields > MAX_FIELDS || fields.len() > MAX_FIELDS {
                return Err(self.malformed("too many fields"));
            }
            if !self.accept(b',') {
                self.expect(b']')?;
                break;
            }
        }
        text.push(']');
        Ok(())
    }

    /// Repeats the fields from `first` on by the product of `shape`.
    fn repeat(&self, fields: &mut Vec<Field>, first: usize, shape: &[u64]) -> Result<(), NpyError> {
        let times = shape.iter().try_fold(1u64, |n, axis| n.checked_mul(*axis));
        let times = times.filter(|n| *n <= u64::from(u32::MAX)).ok_or_else(|| self.malformed("a huge field"))?;
        if let [field] = &mut fields[first..] {
            field.count = field.count.checked_mul(times).ok_or_else(|| self.malformed("a huge field"))?;
            return Ok(());
        }
        let block = fields.split_off(first);
        if block.len() as u64 * times > MAX_FIELDS as u64 {
            return Err(self.malformed("too many fields"));
        }
        (0..times).for_each(|_| fields.extend_from_slice(&block));
        Ok(())
    }

    fn tuple(&mut self) -> Result<Vec<u64>, NpyError> {
        let mut axes = Vec::new();
        self.expect(b'(')?;
        while !self.accept(b')') {
            if axes.len() == MAX_AXES {
                return Err(self.malformed("more than 64 axes"));
            }
            axes.push(self.integer()?);
            if !self.accept(b',') {
                self.expect(b')')?;
                break;
            }
        }
        Ok(axes)
    }

    fn integer(&mut self) -> Result<u64, NpyError> {
        self.skip_space();
        let start = self.at;
        while self.text.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        let digits = std::str::from_utf8(&self.text[start..self.at]).unwrap_or_default();
        let value = digits.parse().map_err(|_| self.malformed("an axis that is no number of elements"))?;
        // Python 2 wrote its long integers with an L.
        self.accept(b'L');
        Ok(value)
    }

    fn boolean(&mut self) -> Result<bool, NpyError> {
        self.skip_space();
        let rest = &self.text[self.at..];
        let (value, len) = match rest {
            [b'T', b'r', b'u', b'e', ..] => (true, 4),
            [b'F', b'a', b'l', b's', b'e', ..] => (false, 5),
            _ => return Err(self.malformed("`fortran_order` is neither True nor False")),
        };
        self.at += len;
        Ok(value)
    }

    fn string(&mut self) -> Result<String, NpyError> {
        let quote = self.peek().filter(|c| matches!(c, b'\'' | b'"')).ok_or_else(|| self.malformed("no string"))?;
        self.at += 1;
        let start = self.at;
        while let Some(&c) = self.text.get(self.at) {
            if c == quote {
                let inside = &self.text[start..self.at];
                self.at += 1;
                // Latin-1 up to version 2, UTF-8 from 3 on: only a name can differ.
                return Ok(String::from_utf8_lossy(inside).into_owned());
            }
            self.at += if c == b'\\' { 2 } else { 1 };
        }
        Err(self.malformed("a string without an end"))
    }

    fn skip_space(&mut self) {
        while self.text.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
    }

    fn peek(&mut self) -> Option<u8> {
        self.skip_space();
        self.text.get(self.at).copied()
    }

    fn accept(&mut self, c: u8) -> bool {
        let found = self.peek() == Some(c);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, c: u8) -> Result<(), NpyError> {
        if self.accept(c) { Ok(()) } else { Err(self.malformed(&format!("no `{}`", c as char))) }
    }

    fn malformed(&self, what: &str) -> NpyError {
        NpyError::new(format!("its npy header is malformed: {what} at character {}", self.at))
    }
}
