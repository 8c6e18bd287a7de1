//! The buffers of a call: read from npy files before it, written to npy files after it.

use crate::{
    args::BufferArgs,
    failure::bad_input,
    npy::{self, Array, Dtype},
};
use anyhow::{Context, Result};
use evener::{
    kernel::{
        layout::{Scalar, WgslType},
        reflect::Parameter,
    },
    prelude::{Kernel, ScalarKind},
};
use std::{
    collections::HashSet,
    fs::{self, File, OpenOptions},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

/// One storage binding of the call.
#[derive(Debug)]
pub struct Buffer {
    /// Name of the binding.
    pub name: String,
    /// Its data.
    pub array: Array,
    /// Where the data goes after the run; `None` for a buffer that is only read.
    pub to: Option<PathBuf>,
}

impl Buffer {
    /// How the library is told of the bytes: their kind and shape, which it checks against the binding of this
    /// name. Buffers of structs take any element type whose bytes fit.
    ///
    /// # Errors
    /// An element type that only a buffer of structs takes, for another buffer.
    pub fn elements(&self, kernel: &Kernel) -> Result<(ScalarKind, Vec<usize>)> {
        let parameter = kernel.reflection().parameters.iter().find(|p| p.binding.name == self.name);
        if let Some(parameter) = parameter.filter(|p| holds_structs(p)) {
            let bytes = self.array.bytes.len();
            let (kind, shape) = raw_elements(parameter, bytes);
            let size = leaf(parameter).scalar().map_or(4, Scalar::bytes) as usize;
            if !bytes.is_multiple_of(size) {
                let (name, ty) = (&self.name, &parameter.ty);
                return Err(bad_input(format!("`{name}` is {ty} in WGSL: {bytes} bytes are no whole number of it")));
            }
            return Ok((kind, shape));
        }
        let dtype = &self.array.dtype;
        let Some((kind, parts)) = kind_of(dtype) else {
            let ty = parameter.map_or(String::new(), |p| format!(" is {} in WGSL and", p.ty));
            let right = parameter.and_then(|p| leaf(p).scalar()).map_or("u32", Scalar::name);
            return Err(bad_input(format!("`{}`{ty} has {dtype} in the file: save it as {right}", self.name)));
        };
        let shape: Option<Vec<usize>> = self.array.shape.iter().map(|n| usize::try_from(*n).ok()).collect();
        let mut shape = shape.ok_or_else(|| bad_input(format!("`{}`: its shape is too large", self.name)))?;
        shape.extend(parts);
        Ok((kind, shape))
    }
}

/// The kind of a file's elements, and a last axis where each is several of that kind.
fn kind_of(dtype: &Dtype) -> Option<(ScalarKind, Option<usize>)> {
    let one = dtype.scalar()?;
    let kind = match one {
        _ if dtype.is_record() => return None,
        npy::Scalar::F16 => ScalarKind::F16,
        npy::Scalar::F32 if dtype.bytes() == 8 => return Some((ScalarKind::C64, None)),
        npy::Scalar::F32 => ScalarKind::F32,
        npy::Scalar::F64 => ScalarKind::F64,
        npy::Scalar::I16 => ScalarKind::I16,
        npy::Scalar::U16 => ScalarKind::U16,
        npy::Scalar::I32 => ScalarKind::I32,
        npy::Scalar::U32 => ScalarKind::U32,
        npy::Scalar::I64 => ScalarKind::I64,
        npy::Scalar::U64 => ScalarKind::U64,
        _ => return None,
    };
    let parts = dtype.bytes() / one.bytes();
    Some((kind, (parts > 1).then_some(parts as usize)))
}

/// What the binding's elements are, arrays taken off.
fn leaf(parameter: &Parameter) -> &WgslType {
    let mut ty = parameter.ty.runtime_array().map_or(&parameter.ty, |(_, element, _)| element);
    while let WgslType::Array { element, .. } = ty {
        ty = element;
    }
    ty
}

/// Whether the binding holds structs: those take any element type whose bytes fit.
fn holds_structs(parameter: &Parameter) -> bool {
    matches!(parameter.ty, WgslType::Struct { .. }) || matches!(leaf(parameter), WgslType::Struct { .. })
}

/// The kind and shape under which `bytes` bytes may be bound to a binding as they are.
pub fn raw_elements(parameter: &Parameter, bytes: usize) -> (ScalarKind, Vec<usize>) {
    let kind = match leaf(parameter).scalar() {
        Some(Scalar::F16) => ScalarKind::F16,
        Some(Scalar::F32) => ScalarKind::F32,
        Some(Scalar::F64) => ScalarKind::F64,
        Some(Scalar::I16) => ScalarKind::I16,
        Some(Scalar::U16) => ScalarKind::U16,
        Some(Scalar::I32) => ScalarKind::I32,
        Some(Scalar::I64) => ScalarKind::I64,
        Some(Scalar::U64) => ScalarKind::U64,
        Some(Scalar::U32) | None => ScalarKind::U32,
    };
    let size = leaf(parameter).scalar().map_or(4, Scalar::bytes) as usize;
    (kind, vec![bytes / size])
}

/// Reads or creates every buffer.
///
/// # Errors
/// Files that are no npy or cannot be read, a name or an output file given twice, an output folder that is
/// not there: before anything ran.
pub fn load(args: &BufferArgs) -> Result<Vec<Buffer>> {
    check_names(args)?;
    check_targets(args)?;
    let mut buffers = Vec::new();
    for (name, from) in &args.inputs {
        buffers.push(Buffer { name: name.clone(), array: read("--in", name, from)?, to: None });
    }
    for io in &args.inout {
        let array = read("--inout", &io.name, &io.from)?;
        buffers.push(Buffer { name: io.name.clone(), array, to: Some(io.to.clone()) });
    }
    for out in &args.out {
        let array = Array::zeros(out.dtype.clone(), out.shape.clone());
        let array = array.map_err(|e| bad_input(format!("--out {}: {e}", out.name)))?;
        buffers.push(Buffer { name: out.name.clone(), array, to: Some(out.to.clone()) });
    }
    Ok(buffers)
}

fn read(option: &str, name: &str, from: &Path) -> Result<Array> {
    npy::read(from).map_err(|e| bad_input(format!("{option} {name}: {}: {e}", from.display())))
}

fn check_names(args: &BufferArgs) -> Result<()> {
    let mut seen = HashSet::new();
    let names = args.inputs.iter().map(|(n, _)| n);
    let names = names.chain(args.inout.iter().map(|a| &a.name)).chain(args.out.iter().map(|a| &a.name));
    for name in names.chain(args.set.iter().map(|(n, _)| n)) {
        if !seen.insert(name) {
            return Err(bad_input(format!("the argument `{name}` is given twice")));
        }
    }
    Ok(())
}

fn check_targets(args: &BufferArgs) -> Result<()> {
    let mut seen = HashSet::new();
    for to in args.inout.iter().map(|a| &a.to).chain(args.out.iter().map(|a| &a.to)) {
        check_target(to)?;
        if !seen.insert(real_path(to)) && !is_device(to) {
            return Err(bad_input(format!("two arguments are written to {}", to.display())));
        }
    }
    Ok(())
}

/// Whether a file can be written at `to`, as far as that shows before the run.
///
/// # Errors
/// A folder in its place, or no folder to put it into.
pub fn check_target(to: &Path) -> Result<()> {
    if to.is_dir() {
        return Err(bad_input(format!("the output {} is a directory", to.display())));
    }
    let folder = folder_of(to);
    if !folder.is_dir() {
        return Err(bad_input(format!("the output {}: there is no directory {}", to.display(), folder.display())));
    }
    Ok(())
}

fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The file itself, links followed, also where it does not exist yet.
fn real_path(file: &Path) -> PathBuf {
    fs::canonicalize(file).unwrap_or_else(|_| {
        let folder = fs::canonicalize(folder_of(file)).unwrap_or_else(|_| folder_of(file).to_owned());
        folder.join(file.file_name().unwrap_or_default())
    })
}

/// Whether it is there and no plain file: `/dev/null`, a pipe. Those are written in place.
fn is_device(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|m| !m.is_file())
}

/// Files that appear all at once: each is written beside its target, then all are renamed onto them. Where
/// anything fails before that, the targets are as they were.
#[derive(Default)]
pub struct Outputs {
    written: Vec<(PathBuf, PathBuf)>,
}

impl Outputs {
    /// Writes one file beside its target.
    ///
    /// # Errors
    /// The file system's.
    pub fn add(&mut self, to: &Path, write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<()> {
        let context = || format!("cannot write {}", to.display());
        if is_device(to) {
            let mut file = OpenOptions::new().write(true).open(to).with_context(context)?;
            return write(&mut file).with_context(context);
        }
        let target = real_path(to);
        let mut name = std::ffi::OsString::from(".");
        name.push(target.file_name().unwrap_or_default());
        name.push(format!(".{}-{}.tmp", std::process::id(), self.written.len()));
        let temporary = target.with_file_name(name);
        let file = OpenOptions::new().write(true).create_new(true).open(&temporary).with_context(context)?;
        self.written.push((temporary, target.clone()));
        write_all(file, &target, write).with_context(context)
    }

    /// Renames all files onto their targets.
    ///
    /// # Errors
    /// The file system's.
    pub fn commit(mut self) -> Result<()> {
        while let Some((temporary, target)) = self.written.first() {
            fs::rename(temporary, target).with_context(|| format!("cannot write {}", target.display()))?;
            self.written.remove(0);
        }
        Ok(())
    }
}

fn write_all(
    file: File,
    target: &Path,
    write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
) -> std::io::Result<()> {
    if let Ok(old) = fs::metadata(target) {
        file.set_permissions(old.permissions())?;
    }
    let mut buffered = BufWriter::new(file);
    write(&mut buffered)?;
    buffered.flush()
}

impl Drop for Outputs {
    fn drop(&mut self) {
        for (temporary, _) in &self.written {
            let _ = fs::remove_file(temporary);
        }
    }
}
