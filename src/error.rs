//! The one error type of the crate: a kind to match on, a message for people, and its cause.
//!
//! Messages name the argument, the limit and what would be right. WGSL errors show the source
//! line with a caret.

use evener_lanes::error::edit_distance;
use std::{error::Error as StdError, fmt};

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The WGSL does not parse, validate, or join.
    InvalidKernel,
    /// Valid WGSL that evener does not run (textures, samplers, ...).
    Unsupported,
    /// No compute entry point of that name.
    UnknownEntry,
    /// An argument, uniform member or override that the kernel does not have.
    UnknownArgument,
    /// A binding of the kernel that the call does not set.
    MissingArgument,
    /// An argument of the wrong element type or layout.
    ArgumentType,
    /// An argument of the wrong size.
    ArgumentSize,
    /// A shared slice for a binding that the kernel writes.
    NotWritable,
    /// Two arguments overlap in memory and one of them is written.
    Aliasing,
    /// No items, or more than the kernel's index type can count.
    ItemCount,
    /// A limit of the device or of evener is exceeded.
    Limit,
    /// A placement names a device that is not there or cannot run the kernel.
    NoSuchDevice,
    /// A strict split of a kernel that must run whole.
    NotSplittable,
    /// A machine profile that cannot be read or written.
    Profile,
    /// A device was lost and the call could not be finished elsewhere.
    DeviceLost,
    /// A device or the host ran out of memory.
    OutOfMemory,
    /// A driver or device refused what should have been valid.
    Device,
    /// The kernel itself failed: endless loop, barrier reached by a part of a work-group.
    KernelFault,
}

/// A failed call.
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// `Result` with evener's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A new error. The message names the argument, the limit and what would be right.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error { kind, message: message.into(), source: None }
    }

    /// The same error with its cause.
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Whether the caller's input is at fault (the command line exits 2), not the run (1).
    pub fn is_invalid_input(&self) -> bool {
        use ErrorKind::*;
        !matches!(self.kind, DeviceLost | OutOfMemory | Device | KernelFault)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `unwrap` and `main -> Result` print this: keep the message readable.
        write!(f, "{:?}: {}", self.kind, self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|s| &**s as _)
    }
}

impl From<evener_lanes::Error> for Error {
    fn from(e: evener_lanes::Error) -> Self {
        use evener_lanes::ErrorKind as L;
        let kind = match e.kind() {
            L::InvalidWgsl => ErrorKind::InvalidKernel,
            L::Unsupported => ErrorKind::Unsupported,
            L::UnknownEntry => ErrorKind::UnknownEntry,
            L::InvalidOverride => ErrorKind::UnknownArgument,
            L::TooLarge => ErrorKind::Limit,
            L::InvalidBuffer => ErrorKind::ArgumentSize,
            L::NonUniformBarrier | L::OutOfFuel => ErrorKind::KernelFault,
            _ => ErrorKind::Device,
        };
        Error::new(kind, e.to_string())
    }
}

/// The nearest of `known` to a misspelt `name`, as a suffix for a message: `; did you mean "x"?`, or
/// the list of what there is.
pub(crate) fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    // A name of one letter is near to every other: the length bounds the distance.
    let is_near = |d: usize, length: usize| d <= 1 + length / 3 && d < length;
    let near = known.iter().map(|k| (edit_distance(name, k), *k));
    let near = near.filter(|(d, k)| is_near(*d, k.len().max(name.len()))).min();
    match near {
        Some((_, k)) => format!("; did you mean `{k}`?"),
        None if known.is_empty() => String::new(),
        None => format!("; there is {}", known.iter().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_name_is_suggested_and_a_far_one_lists_what_there_is() {
        assert_eq!(did_you_mean("lenght", ["length", "x"]), "; did you mean `length`?");
        assert_eq!(did_you_mean("zzzzzz", ["x", "y"]), "; there is `x`, `y`");
        assert_eq!(did_you_mean("m", ["a"]), "; there is `a`");
        assert_eq!(did_you_mean("a", []), "");
    }
}
