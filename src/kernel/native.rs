//! Native bodies: Rust code that does a kernel's work on the CPU where a tuned library beats its WGSL.
//!
//! The WGSL stays the reference: it says what is bound, which bytes a range of work-groups touches, and is what GPUs run.
//! A body asks for parts of the bindings by name and gets slices of them. What lies outside the footprint of its
//! work-groups may belong to another device at that moment, so it is refused.

use super::{Compiled, layout::Element};
use crate::{
    backend::{Argument, Chunk},
    error::{Error, ErrorKind, Result},
    memory::intervals::Intervals,
};
use evener_lanes::{
    GroupRange,
    analysis::{CallShape, Footprint, Strided},
    ir::Space,
};
use std::{
    cell::OnceCell,
    fmt,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

/// What runs instead of the WGSL on the CPU.
type Function = dyn Fn(&mut NativeChunk<'_>) -> Result<()> + Send + Sync;

/// A body as a kernel holds it.
#[derive(Clone)]
pub(crate) struct Native {
    body: Arc<Function>,
}

impl fmt::Debug for Native {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Native")
    }
}

impl Native {
    pub(crate) fn new(body: impl Fn(&mut NativeChunk<'_>) -> Result<()> + Send + Sync + 'static) -> Self {
        Native { body: Arc::new(body) }
    }

    /// Runs the body on a chunk. A panic of it is a fault of the kernel, like an endless loop in WGSL.
    pub(crate) fn run(&self, chunk: &Chunk<'_>) -> Result<()> {
        let mut native = NativeChunk::new(chunk);
        catch_unwind(AssertUnwindSafe(|| (self.body)(&mut native))).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
            let entry = &chunk.kernel.reflection.entry;
            let text = text.unwrap_or("a panic");
            Err(Error::new(ErrorKind::KernelFault, format!("the native body of `{entry}` failed: {text}")))
        })
    }
}

/// The work-groups that a native body is to do, and their parts of the bindings.
pub struct NativeChunk<'a> {
    kernel: &'a Compiled,
    range: GroupRange,
    arguments: &'a [Argument],
    footprint: Arc<Footprint>,
    /// What each binding may be asked for, to be read and to be written: found when the first part is not plain, since a
    /// body may ask for as many parts as a footprint has runs.
    allowed: Vec<[OnceCell<Intervals>; 2]>,
    /// Addresses handed out to be read,
    read: Intervals,
    /// and to be written.
    written: Intervals,
}

impl fmt::Debug for NativeChunk<'_> {
    // Argument data never reaches logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NativeChunk({:?})", self.range)
    }
}

impl<'a> NativeChunk<'a> {
    fn new(chunk: &Chunk<'a>) -> Self {
        let sizes: Vec<u64> = chunk.arguments.iter().map(|a| a.len).collect();
        let uniform = |(k, a): (usize, &'a Argument)| match chunk.kernel.bindings()[k].space {
            // SAFETY: uniforms are the call's own bytes, which nothing writes while it runs.
            Space::Uniform => unsafe { std::slice::from_raw_parts(a.ptr.cast_const(), a.len as usize) },
            _ => &[],
        };
        let uniforms: Vec<&[u8]> = chunk.arguments.iter().enumerate().map(uniform).collect();
        let shape = CallShape { grid: chunk.grid, sizes: &sizes, uniforms: &uniforms };
        let footprint = chunk.kernel.analysis.footprint(&shape, &chunk.range);
        let (kernel, range, arguments) = (chunk.kernel, chunk.range, chunk.arguments);
        let allowed = arguments.iter().map(|_| Default::default()).collect();
        let (read, written) = (Intervals::default(), Intervals::default());
        NativeChunk { kernel, range, arguments, footprint, allowed, read, written }
    }

    /// The work-groups to do.
    pub fn groups(&self) -> GroupRange {
        self.range
    }

    /// The invocations to do on each axis. Those past the sizes of the bindings are for the body to leave out, as WGSL
    /// does with a guard.
    pub fn items(&self) -> [Range<usize>; 3] {
        let size = self.kernel.reflection.workgroup_size;
        [0, 1, 2].map(|a| {
            let at = |group: u32| group as usize * size[a] as usize;
            at(self.range.start[a])..at(self.range.end[a])
        })
    }

    /// Elements of a storage binding.
    ///
    /// # Errors
    /// `KernelFault`: the kernel binds no such name.
    pub fn len<T: Element>(&self, name: &str) -> Result<usize> {
        Ok(self.arguments[self.binding(name)?].len as usize / size_of::<T>().max(1))
    }

    /// The value of a uniform, or of the first bytes of a uniform struct.
    ///
    /// # Errors
    /// `KernelFault`: no uniform of that name, or a smaller one.
    pub fn uniform<T: Element>(&self, name: &str) -> Result<T> {
        let binding = self.binding(name)?;
        let argument = &self.arguments[binding];
        if self.kernel.bindings()[binding].space != Space::Uniform || argument.len < size_of::<T>() as u64 {
            let (bytes, wanted) = (argument.len, size_of::<T>());
            return Err(self.fault(format!("wants {wanted} bytes of a uniform `{name}`, which has {bytes}")));
        }
        // SAFETY: so many bytes are there, and any bytes are a value of an element.
        Ok(unsafe { argument.ptr.cast::<T>().read_unaligned() })
    }

    /// Elements of a binding, to be read.
    ///
    /// # Errors
    /// `KernelFault`: no such binding, elements outside the footprint of the work-groups, or handed out to be written.
    pub fn read<T: Element>(&mut self, name: &str, elements: Range<usize>) -> Result<&'a [T]> {
        let (start, len) = self.take::<T>(name, elements, false)?;
        // SAFETY: `take` checked alignment and that the elements are in the binding and in this chunk's footprint, so that
        // nothing else writes them meanwhile, and that no mutable slice of them was handed out.
        Ok(unsafe { std::slice::from_raw_parts(start, len) })
    }

    /// Elements of a binding, to be read and written.
    ///
    /// # Errors
    /// As [`NativeChunk::read`]; elements that the work-groups do not write, or that were handed out already.
    pub fn write<T: Element>(&mut self, name: &str, elements: Range<usize>) -> Result<&'a mut [T]> {
        let (start, len) = self.take::<T>(name, elements, true)?;
        // SAFETY: as in `read`; the elements are in what only this chunk writes, and no slice of them was handed out.
        Ok(unsafe { std::slice::from_raw_parts_mut(start, len) })
    }

    /// Checks a request and notes it. The pointer is aligned and valid for so many elements.
    fn take<T: Element>(&mut self, name: &str, elements: Range<usize>, write: bool) -> Result<(*mut T, usize)> {
        let binding = self.binding(name)?;
        let argument = &self.arguments[binding];
        let count = elements.end.saturating_sub(elements.start);
        if count == 0 || size_of::<T>() == 0 {
            return Ok((std::ptr::NonNull::dangling().as_ptr(), 0));
        }
        let past = |end: usize| end.checked_mul(size_of::<T>()).is_none_or(|end| end as u64 > argument.len);
        if past(elements.end) {
            let have = argument.len as usize / size_of::<T>();
            return Err(self.fault(format!("wants elements {elements:?} of `{name}`, which has {have}")));
        }
        let bytes = (elements.start * size_of::<T>()) as u64..(elements.end * size_of::<T>()) as u64;
        let address = argument.ptr as usize + bytes.start as usize;
        if !address.is_multiple_of(align_of::<T>()) {
            return Err(self.fault(format!("wants `{name}` as elements aligned to {} bytes", align_of::<T>())));
        }
        if !self.may_touch(binding, &bytes, write) || write && !argument.writable {
            let what = if write { "write" } else { "read" };
            let range = self.range;
            return Err(self.fault(format!(
                "wants to {what} elements {elements:?} of `{name}`, more than work-groups {:?}..{:?} touch",
                range.start, range.end
            )));
        }
        let addresses = address as u64..address as u64 + (bytes.end - bytes.start);
        let overlaps = |taken: &Intervals| taken.within(&addresses).next().is_some();
        if overlaps(&self.written) || write && overlaps(&self.read) {
            return Err(self.fault(format!("was given elements {elements:?} of `{name}` already")));
        }
        let taken = if write { &mut self.written } else { &mut self.read };
        taken.insert(addresses);
        Ok((address as *mut T, count))
    }

    /// Whether bytes of a binding are in the footprint. One set that is a plain range usually is enough.
    fn may_touch(&self, binding: usize, bytes: &Range<u64>, write: bool) -> bool {
        let touched = &self.footprint.bindings[binding];
        let reads = if write { &[][..] } else { &touched.reads[..] };
        let sets = || reads.iter().chain(&touched.writes);
        let is_around = |s: &Strided| s.levels.is_empty() && s.start <= bytes.start && bytes.end <= s.start + s.run;
        let all = || {
            let mut all = Intervals::default();
            sets().for_each(|s| s.for_each_run(|run| all.insert(run)));
            all
        };
        sets().any(is_around) || self.allowed[binding][usize::from(write)].get_or_init(all).contains(bytes)
    }

    fn binding(&self, name: &str) -> Result<usize> {
        let found = self.kernel.reflection.parameter(name).map(|(k, _)| k);
        found.ok_or_else(|| self.fault(format!("wants a binding `{name}`, which the WGSL does not use")))
    }

    fn fault(&self, what: String) -> Error {
        Error::new(ErrorKind::KernelFault, format!("the native body of `{}` {what}", self.kernel.reflection.entry))
    }
}
