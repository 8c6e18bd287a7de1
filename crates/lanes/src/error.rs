//! The one error type of the crate: a kind, a message, and the place in the source.

use std::fmt;

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The source does not parse or validate.
    InvalidWgsl,
    /// Valid WGSL that the CPU compiler does not run.
    Unsupported,
    /// No entry point of that name.
    UnknownEntry,
    /// An override that the module does not have, or a value it refuses.
    InvalidOverride,
    /// The kernel exceeds a stated cap (nesting, size, work-group).
    TooLarge,
    /// A buffer does not fit its binding.
    InvalidBuffer,
    /// A barrier reached by a part of a work-group.
    NonUniformBarrier,
    /// A kernel did not end within its fuel.
    OutOfFuel,
}

/// A failure to parse, lower or run a kernel.
#[derive(Clone, Debug, thiserror::Error)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    location: Option<Location>,
}

/// A place in the WGSL source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// Line, from 1.
    pub line: u32,
    /// Column in UTF-8 bytes, from 1.
    pub column: u32,
    /// Byte offset in the source.
    pub offset: u32,
    /// Length in bytes.
    pub length: u32,
}

impl Error {
    /// A new error without a place.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error { kind, message: message.into(), location: None }
    }

    /// The same error at a place of the source.
    pub fn at(mut self, span: naga::Span, source: &str) -> Self {
        if span.is_defined() && span.to_range().is_some_and(|r| r.end <= source.len()) {
            let l = span.location(source);
            self.location =
                Some(Location { line: l.line_number, column: l.line_position, offset: l.offset, length: l.length });
        }
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The message without the place.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Where in the source, if known.
    pub fn location(&self) -> Option<&Location> {
        self.location.as_ref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.location {
            // A parse message already shows the source line with a caret.
            Some(l) if self.kind != ErrorKind::InvalidWgsl => write!(f, " (line {}, column {})", l.line, l.column),
            _ => Ok(()),
        }
    }
}

/// Insertions, deletions and replacements that turn `a` into `b` (Levenshtein), without regard to case: how near a misspelt
/// name is. Names are cut at 64 characters.
pub fn edit_distance(a: &str, b: &str) -> usize {
    let lower = |s: &str| s.chars().take(64).flat_map(char::to_lowercase).collect::<Vec<_>>();
    let (a, b) = (lower(a), lower(b));
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = (diagonal + usize::from(x != y)).min(above + 1).min(row[j] + 1);
            diagonal = above;
        }
    }
    row[b.len()]
}
