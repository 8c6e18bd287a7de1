//! Arguments of a call: host slices, raw bytes and uniforms, matched to bindings by name and checked.

use crate::{
    backend::Argument,
    error::{Error, ErrorKind, Result, did_you_mean},
    kernel::{
        Compiled,
        layout::{Element, FileScalar, HostShape, HostType, Scalar, check_bytes, check_elements},
        reflect::Parameter,
        uniform::{UniformBuffer, UniformValue},
    },
    memory::{array::ArrayMemory, places::Places},
};
use evener_lanes::{Grid, ir::Space};
use std::{fmt, marker::PhantomData, ops::Range, sync::Arc};

/// How a call names a binding: by its variable's name, or by (group, binding).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name<'a> {
    /// The variable's name; for a member of a uniform struct a path, `params.n`.
    Path(&'a str),
    /// `@group`, `@binding`.
    Slot(u32, u32),
}

impl<'a> From<&'a str> for Name<'a> {
    fn from(path: &'a str) -> Self {
        Name::Path(path)
    }
}

impl<'a> From<&'a String> for Name<'a> {
    fn from(path: &'a String) -> Self {
        Name::Path(path)
    }
}

impl From<(u32, u32)> for Name<'_> {
    fn from((group, binding): (u32, u32)) -> Self {
        Name::Slot(group, binding)
    }
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Name::Path(path) => f.write_str(path),
            Name::Slot(group, binding) => write!(f, "@group({group}) @binding({binding})"),
        }
    }
}

/// The kind of the elements of raw bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum ScalarKind {
    F16,
    F32,
    F64,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
    /// Two f32: real and imaginary part.
    C64,
}

impl From<ScalarKind> for FileScalar {
    fn from(kind: ScalarKind) -> Self {
        FileScalar::Scalar(match kind {
            ScalarKind::F16 => Scalar::F16,
            ScalarKind::F32 => Scalar::F32,
            ScalarKind::F64 => Scalar::F64,
            ScalarKind::I16 => Scalar::I16,
            ScalarKind::U16 => Scalar::U16,
            ScalarKind::I32 => Scalar::I32,
            ScalarKind::U32 => Scalar::U32,
            ScalarKind::I64 => Scalar::I64,
            ScalarKind::U64 => Scalar::U64,
            ScalarKind::C64 => return FileScalar::C64,
        })
    }
}

#[derive(Clone, Debug)]
enum Elements {
    Typed(HostType),
    File(FileScalar, Vec<usize>),
}

/// A borrowed slice on its way to a binding. It stands for an exclusive borrow where it is writable, so it is not `Clone`.
#[derive(Debug)]
pub struct HostArg<'a> {
    argument: Argument,
    elements: Elements,
    /// Elements in the slice.
    pub(crate) count: u64,
    /// Whether it was given as `&mut`.
    pub(crate) writable: bool,
    /// Why it cannot be bound.
    refused: Option<String>,
    /// The array that it is a part of.
    array: Option<Arc<ArrayMemory>>,
    /// The user's handle of a whole array given as `&mut`: what [`Call::iterate`](super::Call::iterate) swaps.
    handle: Option<&'a mut Arc<ArrayMemory>>,
    _life: PhantomData<&'a mut [u8]>,
}

impl<'a> HostArg<'a> {
    fn typed<T: Element>(ptr: *mut T, count: usize, writable: bool) -> Self {
        let argument = Argument { ptr: ptr.cast(), len: (count * size_of::<T>()) as u64, writable, array: None };
        HostArg::new(argument, Elements::Typed(T::TYPE), count as u64)
    }

    fn new(argument: Argument, elements: Elements, count: u64) -> Self {
        let writable = argument.writable;
        HostArg { argument, elements, count, writable, refused: None, array: None, handle: None, _life: PhantomData }
    }

    /// The bytes `range` of an array.
    pub(crate) fn resident<T: Element>(
        array: Arc<ArrayMemory>,
        range: &Range<u64>,
        count: usize,
        writable: bool,
    ) -> Self {
        let argument = array.argument(range, writable);
        HostArg { array: Some(array), ..HostArg::new(argument, Elements::Typed(T::TYPE), count as u64) }
    }

    /// How many bytes it has.
    #[doc(hidden)]
    pub fn bytes(&self) -> u64 {
        self.argument.len
    }

    /// Where its data is: a bit for each place that has any of it in an array; none for what is no array, or is on the
    /// host alone.
    #[doc(hidden)]
    pub fn home(&self) -> u64 {
        self.array.as_ref().map_or(0, |array| array.homes())
    }

    /// No slice at all, and why: an error of the call.
    #[cfg(feature = "ndarray")]
    pub(crate) fn refused<T: Element>(count: usize, writable: bool, why: String) -> Self {
        let nothing = HostArg::typed::<T>(std::ptr::NonNull::dangling().as_ptr(), 0, writable);
        HostArg { refused: Some(why), count: count as u64, ..nothing }
    }

    pub(crate) fn with_handle(self, handle: &'a mut Arc<ArrayMemory>) -> Self {
        HostArg { handle: Some(handle), ..self }
    }

    fn file(ptr: *mut u8, len: usize, kind: ScalarKind, shape: &[usize], writable: bool) -> Self {
        let argument = Argument { ptr, len: len as u64, writable, array: None };
        let kind = FileScalar::from(kind);
        let count = len as u64 / u64::from(kind.bytes());
        HostArg::new(argument, Elements::File(kind, shape.to_vec()), count)
    }

    /// Bytes of C-order elements of a shape, to be read.
    pub fn from_bytes(kind: ScalarKind, shape: &[usize], bytes: &'a [u8]) -> Self {
        HostArg::file(bytes.as_ptr().cast_mut(), bytes.len(), kind, shape, false)
    }

    /// Bytes of C-order elements of a shape, to be written.
    pub fn from_bytes_mut(kind: ScalarKind, shape: &[usize], bytes: &'a mut [u8]) -> Self {
        HostArg::file(bytes.as_mut_ptr(), bytes.len(), kind, shape, true)
    }

    /// The element's type as WGSL spells it, for scalars and vectors.
    pub(crate) fn wgsl(&self) -> String {
        match &self.elements {
            Elements::Typed(host) => wgsl_name(host),
            Elements::File(kind, _) => kind.to_string(),
        }
    }

    fn check(&self, parameter: &Parameter) -> Result<()> {
        if let Some(why) = &self.refused {
            return Err(Error::new(ErrorKind::ArgumentType, format!("`{}`: {why}", parameter.binding.name)));
        }
        match &self.elements {
            Elements::Typed(host) => check_elements(parameter, host, self.count as usize),
            Elements::File(kind, shape) => {
                check_bytes(parameter, *kind, shape)?;
                let bytes = shape.iter().product::<usize>() as u64 * u64::from(kind.bytes());
                if bytes == self.argument.len {
                    return Ok(());
                }
                let (name, len) = (&parameter.binding.name, self.argument.len);
                let why = format!("`{name}`: the shape {shape:?} of {kind} is {bytes} bytes and {len} are given");
                Err(Error::new(ErrorKind::ArgumentSize, why))
            }
        }
    }
}

pub(super) fn wgsl_name(host: &HostType) -> String {
    match host.shape {
        HostShape::Array { element, length } => match element.shape {
            HostShape::Array { length: rows, .. } => format!("mat{length}x{rows}<{}>", wgsl_name(element_of(element))),
            _ => format!("vec{length}<{}>", wgsl_name(element)),
        },
        _ => host.to_string(),
    }
}

fn element_of(host: &HostType) -> &HostType {
    match host.shape {
        HostShape::Array { element, .. } => element,
        _ => host,
    }
}

/// What can be bound to a storage binding: `&[T]`, `&Vec<T>`, `&[T; N]`, [`&Array<T>`](crate::Array), views of arrays, with the
/// feature `ndarray` arrays and views of that crate in C order, and the same as `&mut`.
pub trait IntoArg<'a> {
    /// The argument.
    fn into_arg(self) -> HostArg<'a>;
}

impl<'a> IntoArg<'a> for HostArg<'a> {
    fn into_arg(self) -> HostArg<'a> {
        self
    }
}

impl<'a, T: Element> IntoArg<'a> for &'a [T] {
    fn into_arg(self) -> HostArg<'a> {
        HostArg::typed(self.as_ptr().cast_mut(), self.len(), false)
    }
}

impl<'a, T: Element> IntoArg<'a> for &'a mut [T] {
    fn into_arg(self) -> HostArg<'a> {
        HostArg::typed(self.as_mut_ptr(), self.len(), true)
    }
}

impl<'a, T: Element> IntoArg<'a> for &'a Vec<T> {
    fn into_arg(self) -> HostArg<'a> {
        self.as_slice().into_arg()
    }
}

impl<'a, T: Element> IntoArg<'a> for &'a mut Vec<T> {
    fn into_arg(self) -> HostArg<'a> {
        self.as_mut_slice().into_arg()
    }
}

impl<'a, T: Element, const N: usize> IntoArg<'a> for &'a [T; N] {
    fn into_arg(self) -> HostArg<'a> {
        self.as_slice().into_arg()
    }
}

impl<'a, T: Element, const N: usize> IntoArg<'a> for &'a mut [T; N] {
    fn into_arg(self) -> HostArg<'a> {
        self.as_mut_slice().into_arg()
    }
}

#[derive(Debug)]
enum Bound<'a> {
    Nothing,
    Slice(HostArg<'a>),
    Uniform(UniformBuffer<'a>),
}

/// Arguments in the order of the bindings.
#[derive(Debug)]
pub(super) struct Resolved {
    /// One per binding.
    pub(super) arguments: Vec<Argument>,
    /// Bytes of uniforms that the arguments point into; empty for storage.
    pub(super) uniforms: Vec<Vec<u8>>,
    /// The arrays that arguments are parts of, pinned.
    pub(super) arrays: Vec<Option<Pinned>>,
}

/// An array in use by a call: no other call evicts it.
#[derive(Debug)]
pub(crate) struct Pinned(Arc<ArrayMemory>);

impl Pinned {
    pub(super) fn new(array: &Arc<ArrayMemory>) -> Self {
        array.pin();
        Pinned(array.clone())
    }
}

impl std::ops::Deref for Pinned {
    type Target = Arc<ArrayMemory>;

    fn deref(&self) -> &Arc<ArrayMemory> {
        &self.0
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        self.0.unpin();
    }
}

/// What is bound so far, one per binding of the kernel.
#[derive(Debug)]
pub(super) struct Arguments<'a> {
    kernel: &'a Compiled,
    places: &'a Arc<Places>,
    bound: Vec<Bound<'a>>,
}

impl<'a> Arguments<'a> {
    pub(super) fn new(kernel: &'a Compiled, places: &'a Arc<Places>) -> Self {
        let bound = kernel.reflection.parameters.iter().map(|_| Bound::Nothing).collect();
        Arguments { kernel, places, bound }
    }

    fn parameters(&self) -> &'a [Parameter] {
        &self.kernel.reflection.parameters
    }

    /// The binding's number and the rest of the path, or `None` for a variable that the module has and the entry point
    /// does not use.
    fn find<'n>(&self, name: Name<'n>) -> Result<Option<(usize, &'n str)>> {
        let parameters = self.parameters();
        let (found, rest) = match name {
            Name::Slot(group, binding) => {
                let at = |p: &Parameter| p.binding.group == group && p.binding.binding == binding;
                (parameters.iter().position(at), "")
            }
            Name::Path(path) => {
                let (root, rest) = path.split_at(path.find(['.', '[']).unwrap_or(path.len()));
                (parameters.iter().position(|p| p.binding.name == root), rest)
            }
        };
        if let Some(found) = found {
            return Ok(Some((found, rest)));
        }
        let unused = |v: &naga::GlobalVariable| match (name, &v.binding) {
            (Name::Path(path), Some(_)) => v.name.as_deref() == path.split(['.', '[']).next(),
            (Name::Slot(g, b), Some(at)) => at.group == g && at.binding == b,
            _ => false,
        };
        if self.kernel.module.naga().global_variables.iter().any(|(_, v)| unused(v)) {
            return Ok(None);
        }
        let known = did_you_mean(&name.to_string(), parameters.iter().map(|p| p.binding.name.as_str()));
        let entry = &self.kernel.reflection.entry;
        Err(Error::new(ErrorKind::UnknownArgument, format!("`{entry}` has no argument `{name}`{known}")))
    }

    pub(super) fn bind(&mut self, name: Name<'_>, arg: HostArg<'a>) -> Result<()> {
        let Some((k, rest)) = self.find(name)? else { return Ok(()) };
        let parameter = &self.parameters()[k];
        let own = &parameter.binding.name;
        if !rest.is_empty() {
            let why = format!("`{name}`: a slice is bound to the whole of `{own}`, not to a part of it");
            return Err(Error::new(ErrorKind::UnknownArgument, why));
        }
        if let Bound::Slice(_) | Bound::Uniform(_) = self.bound[k] {
            return Err(Error::new(ErrorKind::Aliasing, format!("the argument `{own}` is given twice")));
        }
        arg.check(parameter)?;
        let access = parameter.binding.access;
        if (access.write || access.atomic) && !arg.writable {
            let why = format!("`{own}` is written by the kernel: pass `&mut {own}`, not `&{own}`");
            return Err(Error::new(ErrorKind::NotWritable, why));
        }
        if arg.array.as_ref().is_some_and(|array| !array.is_of(self.places)) {
            let why = format!("the array given as `{own}` is of another runtime: make it with this one");
            return Err(Error::new(ErrorKind::ArgumentType, why));
        }
        self.bound[k] = Bound::Slice(arg);
        Ok(())
    }

    pub(super) fn set(&mut self, name: Name<'_>, value: &UniformValue) -> Result<()> {
        self.uniform(name, |buffer, rest| buffer.set(rest, value))
    }

    pub(super) fn set_text(&mut self, name: Name<'_>, text: &str) -> Result<()> {
        self.uniform(name, |buffer, rest| buffer.set_text(rest, text))
    }

    fn uniform(&mut self, name: Name<'_>, set: impl FnOnce(&mut UniformBuffer<'_>, &str) -> Result<()>) -> Result<()> {
        let Some((k, rest)) = self.find(name)? else { return Ok(()) };
        let parameter = &self.parameters()[k];
        if parameter.binding.space != Space::Uniform {
            let own = &parameter.binding.name;
            let why =
                format!("`{own}` is a storage buffer ({}): bind a slice with .arg, it cannot be set", parameter.ty);
            return Err(Error::new(ErrorKind::ArgumentType, why));
        }
        if let Bound::Nothing = self.bound[k] {
            self.bound[k] = Bound::Uniform(UniformBuffer::new(parameter));
        }
        match &mut self.bound[k] {
            Bound::Uniform(buffer) => set(buffer, rest),
            _ => Err(Error::new(ErrorKind::Aliasing, format!("the argument `{name}` is given twice"))),
        }
    }

    /// The arguments in the order of the bindings, and the bytes of the uniforms, which the arguments point into.
    pub(super) fn resolve(&self) -> Result<Resolved> {
        let missing =
            |name: &str, what: String| Error::new(ErrorKind::MissingArgument, format!("`{name}` is missing: {what}"));
        let mut uniforms = Vec::with_capacity(self.bound.len());
        let mut arguments = Vec::with_capacity(self.bound.len());
        let mut arrays = Vec::with_capacity(self.bound.len());
        for (bound, parameter) in self.bound.iter().zip(self.parameters()) {
            let name = &parameter.binding.name;
            arrays.push(match bound {
                Bound::Slice(HostArg { array: Some(array), .. }) => Some(Pinned::new(array)),
                _ => None,
            });
            match (bound, parameter.binding.space) {
                (Bound::Uniform(buffer), _) => {
                    if let [first, ..] = &buffer.missing()[..] {
                        return Err(missing(first, format!("set(\"{first}\", ..)")));
                    }
                    arguments.push(uniform(buffer.bytes(), &mut uniforms));
                }
                (Bound::Slice(arg), Space::Uniform) => {
                    if let (Some(array), Some(part)) = (&arg.array, arg.argument.array) {
                        array.bring(part.offset..part.offset + arg.argument.len)?;
                    }
                    // SAFETY: the slice is borrowed for the call, and nothing runs yet.
                    let bytes = unsafe { std::slice::from_raw_parts(arg.argument.ptr, arg.argument.len as usize) };
                    arguments.push(uniform(bytes, &mut uniforms));
                }
                (Bound::Slice(arg), Space::Storage) => {
                    uniforms.push(Vec::new());
                    arguments.push(arg.argument);
                }
                (Bound::Nothing, Space::Uniform) => {
                    return Err(missing(name, format!("{}, give .set(\"{name}\", ..)", parameter.ty)));
                }
                (Bound::Nothing, Space::Storage) => {
                    let how = if parameter.binding.access.write { "&mut .." } else { "&.." };
                    return Err(missing(name, format!("{}, give .arg(\"{name}\", {how})", parameter.ty)));
                }
            }
        }
        self.check_overlap(&arguments)?;
        Ok(Resolved { arguments, uniforms, arrays })
    }

    /// The bindings of two arguments that may change places.
    pub(super) fn check_swap(&self, a: Name<'_>, b: Name<'_>) -> Result<(usize, usize)> {
        let no =
            |why: String| Err(Error::new(ErrorKind::ArgumentType, format!("iterate swaps `{a}` and `{b}`: {why}")));
        let mut found = [0; 2];
        for (k, name) in [a, b].into_iter().enumerate() {
            match self.find(name)? {
                Some((binding, "")) => found[k] = binding,
                _ => return no(format!("`{name}` is not an argument that the kernel uses")),
            }
        }
        let [Some(one), Some(two)] = found.map(|k| self.whole_array(k)) else {
            return no("both must be whole arrays, given as `&mut`".into());
        };
        if found[0] == found[1] || one != two {
            let ((kind, count, _), (other, others, _)) = (one, two);
            return no(format!("{count} elements of {kind} and {others} of {other} are not two arrays of one kind"));
        }
        Ok((found[0], found[1]))
    }

    /// Elements of the longest storage argument.
    pub(super) fn longest(&self) -> u64 {
        let storage = self.bound.iter().zip(self.parameters()).filter(|(_, p)| p.binding.space == Space::Storage);
        let count = |bound: &Bound<'_>| if let Bound::Slice(arg) = bound { arg.count } else { 0 };
        storage.map(|(bound, _)| count(bound)).max().unwrap_or(0)
    }

    /// Type, length and bytes of a whole array given as `&mut`.
    fn whole_array(&self, k: usize) -> Option<(String, u64, u64)> {
        match &self.bound[k] {
            Bound::Slice(arg) if arg.handle.is_some() => Some((arg.wgsl(), arg.count, arg.argument.len)),
            _ => None,
        }
    }

    /// The user's handles of two arrays change places.
    pub(super) fn swap_handles(&mut self, (a, b): (usize, usize)) {
        let (a, b) = (a.min(b), a.max(b));
        let (front, back) = self.bound.split_at_mut(b);
        if let (Some(Bound::Slice(one)), Some(Bound::Slice(two))) = (front.get_mut(a), back.first_mut())
            && let (Some(one), Some(two)) = (&mut one.handle, &mut two.handle)
        {
            std::mem::swap(&mut **one, &mut **two);
        }
    }

    /// A written slice that shares bytes with another argument would make the result depend on the device.
    fn check_overlap(&self, arguments: &[Argument]) -> Result<()> {
        for (i, a) in arguments.iter().enumerate() {
            for (j, b) in arguments.iter().enumerate().skip(i + 1) {
                let (a_start, b_start) = (a.ptr as u64, b.ptr as u64);
                let apart = a_start + a.len <= b_start || b_start + b.len <= a_start;
                let written = |k: usize| {
                    let access = self.parameters()[k].binding.access;
                    access.write || access.atomic
                };
                if !apart && (written(i) || written(j)) {
                    let names = [i, j].map(|k| self.parameters()[k].binding.name.as_str());
                    let why = format!(
                        "`{}` and `{}` overlap in memory and one is written: pass slices apart",
                        names[0], names[1]
                    );
                    return Err(Error::new(ErrorKind::Aliasing, why));
                }
            }
        }
        Ok(())
    }

    /// As [`Arguments::resolve`] with what is missing made up, for explanations: nothing must run on the result.
    pub(super) fn assume(&self, grid: Grid, notes: &mut Vec<String>) -> Resolved {
        let size = self.kernel.reflection.workgroup_size;
        let items: [u64; 3] = std::array::from_fn(|a| u64::from(grid.groups[a]) * u64::from(size[a]));
        let total = items.iter().fold(1u64, |a, b| a.saturating_mul(*b));
        let mut axes = items.iter().cycle();
        let mut uniforms = Vec::new();
        let mut arguments = Vec::new();
        for (bound, parameter) in self.bound.iter().zip(self.parameters()) {
            let binding = &parameter.binding;
            match (bound, binding.space) {
                (Bound::Slice(arg), Space::Storage) => {
                    uniforms.push(Vec::new());
                    arguments.push(Argument { array: None, ..arg.argument });
                }
                (Bound::Slice(_), Space::Uniform) | (_, Space::Uniform) => {
                    let mut buffer = match bound {
                        Bound::Uniform(buffer) => buffer.clone(),
                        _ => UniformBuffer::new(parameter),
                    };
                    for path in buffer.missing() {
                        // Integers are most often extents, in the order of the axes.
                        let extent = if items[1] == 1 { items[0] } else { *axes.next().unwrap_or(&1) };
                        let [x, y, z] = items;
                        let texts =
                            [format!("{extent}"), format!("{x},{y}"), format!("{x},{y},{z}"), format!("{x},{y},{z},1")];
                        let rest = path.strip_prefix(binding.name.as_str()).unwrap_or_default();
                        if let Some(text) = texts.iter().find(|t| buffer.set_text(rest, t).is_ok()) {
                            notes.push(format!("{path} = {text}"));
                        }
                    }
                    arguments.push(uniform(buffer.bytes(), &mut uniforms));
                }
                (_, Space::Storage) => {
                    let stride = u64::from(binding.runtime_stride.unwrap_or(0));
                    let len = u64::from(binding.fixed_bytes).saturating_add(stride.saturating_mul(total));
                    if stride > 0 {
                        notes.push(format!("{} has one element for each item", binding.name));
                    }
                    uniforms.push(Vec::new());
                    let access = binding.access;
                    let ptr = std::ptr::NonNull::dangling().as_ptr();
                    arguments.push(Argument { ptr, len, writable: access.write || access.atomic, array: None });
                }
            }
        }
        Resolved { arrays: arguments.iter().map(|_| None).collect(), arguments, uniforms }
    }
}

/// Keeps the bytes of a uniform, and points at them: a vector's heap block does not move when the vector does.
fn uniform(bytes: &[u8], kept: &mut Vec<Vec<u8>>) -> Argument {
    let mut own = bytes.to_vec();
    let argument = Argument { ptr: own.as_mut_ptr(), len: own.len() as u64, writable: false, array: None };
    kept.push(own);
    argument
}
