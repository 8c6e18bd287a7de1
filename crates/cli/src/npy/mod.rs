//! NumPy's npy files: the buffers of the command line.
//!
//! A file is untrusted input. Its header is read by a small parser of the one dictionary that
//! the format allows: it knows a cap on every length and never recurses past a fixed depth (general readers
//! of Python literals do not, and multiply shapes unchecked). Nothing is allocated before the size that the
//! header states was compared with the size of the file.

use std::{
    fs::File,
    io::{self, Read, Write},
    path::Path,
};

mod dtype;
mod header;

pub use dtype::{Dtype, Field, Scalar};
pub use header::Header;

/// Why a file cannot be used, for the user: says what is wrong and what would be right.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NpyError(String);

impl NpyError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        NpyError(message.into())
    }
}

impl From<io::Error> for NpyError {
    fn from(e: io::Error) -> Self {
        match e.kind() {
            io::ErrorKind::UnexpectedEof => NpyError::new("the file ends inside its npy header: it is truncated"),
            _ => NpyError::new(e.to_string()),
        }
    }
}

/// An array in C order, little-endian.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Element type, little-endian.
    pub dtype: Dtype,
    /// Lengths of the axes.
    pub shape: Vec<u64>,
    /// The elements' bytes.
    pub bytes: Vec<u8>,
}

impl Array {
    /// Elements.
    pub fn len(&self) -> u64 {
        self.shape.iter().product()
    }

    /// Whether it has no elements.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// An array of zeros.
    ///
    /// # Errors
    /// A shape whose bytes overflow, or exceed this machine's memory.
    pub fn zeros(dtype: Dtype, shape: Vec<u64>) -> Result<Self, NpyError> {
        let len = header::data_bytes(&dtype, &shape)?;
        let mut bytes = reserve(len)?;
        bytes.resize(len as usize, 0);
        Ok(Array { dtype, shape, bytes })
    }
}

/// Reads a file.
///
/// # Errors
/// Not an npy file, truncated or with trailing bytes, an element type that no kernel takes, Fortran order.
pub fn read(path: &Path) -> Result<Array, NpyError> {
    let mut file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(NpyError::new("it is a directory"));
    }
    let header = Header::read(&mut file)?;
    // A pipe has no size: it is read up to one byte past what the header promises.
    let known = metadata.is_file().then(|| metadata.len().saturating_sub(header.offset));
    finish(header, file, known)
}

/// Reads only the header of a file, after the same checks of size.
///
/// # Errors
/// As [`read`].
pub fn read_header(path: &Path) -> Result<Header, NpyError> {
    let mut file = File::open(path)?;
    let metadata = file.metadata()?;
    let header = Header::read(&mut file)?;
    if metadata.is_file() {
        check_size(&header, metadata.len().saturating_sub(header.offset))?;
    }
    Ok(header)
}

/// Reads an array from the bytes of a file.
///
/// # Errors
/// As [`read`].
pub fn decode(mut bytes: &[u8]) -> Result<Array, NpyError> {
    let header = Header::read(&mut bytes)?;
    let len = bytes.len() as u64;
    finish(header, bytes, Some(len))
}

fn finish(header: Header, reader: impl Read, known: Option<u64>) -> Result<Array, NpyError> {
    if let Some(have) = known {
        check_size(&header, have)?;
    }
    let want = header.data_bytes;
    let mut bytes = reserve(if known.is_some() { want } else { 0 })?;
    reader.take(want.saturating_add(1)).read_to_end(&mut bytes)?;
    check_size(&header, bytes.len() as u64)?;
    let Header { mut dtype, shape, .. } = header;
    dtype.make_little_endian(&mut bytes);
    Ok(Array { dtype, shape, bytes })
}

fn check_size(header: &Header, have: u64) -> Result<(), NpyError> {
    let want = header.data_bytes;
    let says = || format!("its header says {} of shape {:?}, {want} bytes", header.dtype, header.shape);
    match have.cmp(&want) {
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Less => {
            Err(NpyError::new(format!("the file is truncated: {}, but {have} bytes follow", says())))
        }
        std::cmp::Ordering::Greater => {
            Err(NpyError::new(format!("the file has bytes after the array: {}, but more follow", says())))
        }
    }
}

fn reserve(len: u64) -> Result<Vec<u8>, NpyError> {
    let mut bytes = Vec::new();
    usize::try_from(len)
        .ok()
        .and_then(|n| bytes.try_reserve_exact(n).ok())
        .ok_or_else(|| NpyError::new(format!("{len} bytes do not fit into this machine's memory")))?;
    Ok(bytes)
}

/// Writes an array: format 1.0 (2.0 for a very long element type), the data aligned to 64 bytes.
///
/// # Errors
/// The writer's.
pub fn write(w: &mut impl Write, array: &Array) -> io::Result<()> {
    let shape = match array.shape.as_slice() {
        [n] => format!("({n},)"),
        axes => format!("({})", axes.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")),
    };
    let mut text = format!("{{'descr': {}, 'fortran_order': False, 'shape': {shape}, }}", array.dtype.descr());
    let long = text.len() + 64 > usize::from(u16::MAX);
    let prefix = if long { 12 } else { 10 };
    let total = (prefix + text.len() + 1).next_multiple_of(64);
    text.extend(std::iter::repeat_n(' ', total - prefix - text.len() - 1));
    text.push('\n');
    w.write_all(b"\x93NUMPY")?;
    if long {
        w.write_all(&[2, 0])?;
        w.write_all(&(text.len() as u32).to_le_bytes())?;
    } else {
        w.write_all(&[1, 0])?;
        w.write_all(&(text.len() as u16).to_le_bytes())?;
    }
    w.write_all(text.as_bytes())?;
    w.write_all(&array.bytes)
}

#[cfg(test)]
mod tests;
