//! What runs chunks of work-groups: the CPU, a GPU, or a scripted device in tests.
//!
//! A [`Backend`] is told everything it needs in a [`Chunk`] and returns what it measured. It knows
//! nothing of plans, policies or other devices.

pub use crate::memory::window::{MAX_PIECES, Piece, Window};

use crate::{
    error::{Error, ErrorKind, Result},
    kernel::Compiled,
};
use evener_lanes::{Grid, GroupRange, analysis::Strided, run::Watch};
use serde::{Deserialize, Serialize};
use std::{
    any::Any,
    collections::HashMap,
    fmt,
    ops::Range,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Instant,
};

pub mod cpu;
#[doc(hidden)]
pub mod fake;
#[cfg(feature = "gpu")]
pub mod gpu;
#[doc(hidden)]
pub mod throttled;

/// Kind of a device, as its driver says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceKind {
    /// The host's cores.
    Cpu,
    /// A card with its own memory.
    Discrete,
    /// A GPU that shares the host's memory.
    Integrated,
    /// A GPU of a virtual machine.
    Virtual,
    /// A software rasteriser: never chosen unless software devices were asked for.
    Software,
    /// The driver does not say.
    Other,
}

/// Features of a device that a kernel may need.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Capabilities {
    /// 64-bit floats.
    pub f64: bool,
    /// 64-bit integers.
    pub i64: bool,
    /// 64-bit integer atomics.
    pub i64_atomics: bool,
    /// 16-bit floats.
    pub f16: bool,
    /// 16-bit integers.
    #[serde(default)]
    pub i16: bool,
    /// Atomics on 32-bit floats.
    #[serde(default)]
    pub f32_atomics: bool,
    /// Subgroup operations. How many lanes a subgroup has is the device's choice, and so is what depends on it.
    pub subgroups: bool,
    /// Barriers of subgroups.
    #[serde(default)]
    pub subgroup_barriers: bool,
}

impl Capabilities {
    /// All there are.
    pub const ALL: Self = Capabilities {
        f64: true,
        i64: true,
        i64_atomics: true,
        f16: true,
        i16: true,
        f32_atomics: true,
        subgroups: true,
        subgroup_barriers: true,
    };

    /// Each with its name for people.
    pub fn named(&self) -> [(&'static str, bool); 8] {
        [
            ("f16", self.f16),
            ("f64", self.f64),
            ("16-bit integers", self.i16),
            ("64-bit integers", self.i64),
            ("64-bit atomics", self.i64_atomics),
            ("f32 atomics", self.f32_atomics),
            ("subgroup operations", self.subgroups),
            ("subgroup barriers", self.subgroup_barriers),
        ]
    }
}

/// Sizes a device accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of one storage binding.
    pub storage_binding_bytes: u64,
    /// Bytes of one uniform binding.
    pub uniform_binding_bytes: u64,
    /// Bytes of one buffer.
    pub buffer_bytes: u64,
    /// Storage bindings of one kernel.
    pub storage_bindings: u32,
    /// Uniform bindings of one kernel (one is evener's own).
    pub uniform_bindings: u32,
    /// Invocations of a work-group in all and on each axis.
    pub group_invocations: u32,
    /// Work-group size on each axis.
    pub group_size: [u32; 3],
    /// Work-group memory in bytes.
    pub group_bytes: u32,
    /// Work-groups of one dispatch on each axis.
    pub groups_per_axis: u32,
}

impl Limits {
    /// Those of a device that memory alone bounds: work-groups are as large as WebGPU devices take them at most.
    pub const MEMORY: Self = Limits {
        storage_binding_bytes: u64::MAX,
        uniform_binding_bytes: u64::MAX,
        buffer_bytes: u64::MAX,
        storage_bindings: u32::MAX,
        uniform_bindings: u32::MAX,
        group_invocations: 1024,
        group_size: [1024, 1024, 64],
        group_bytes: u32::MAX,
        groups_per_axis: u32::MAX,
    };
}

/// A device as it is listed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeviceInfo {
    /// `cpu`, `gpu:0`, `gpu:1`, ...: what `--on` and reports say.
    pub id: String,
    /// Name given by the driver or the processor.
    pub name: String,
    /// Kind.
    pub kind: DeviceKind,
    /// `vulkan`, `metal`, `dx12`, or `lanes` for the CPU; other APIs that list the same card follow in `merged`.
    pub api: String,
    /// APIs of the same physical card that were merged into this device.
    pub merged: Vec<String>,
    /// Driver name and version.
    pub driver: String,
    /// What kernels may use.
    pub capabilities: Capabilities,
    /// Sizes.
    pub limits: Limits,
}

/// One argument: the bytes of a host slice (or of a uniform value), bound for the call.
///
/// A pointer and not a slice, because several devices write disjoint parts of one slice at once.
#[derive(Clone, Copy)]
pub struct Argument {
    /// First byte. Valid for the call.
    pub(crate) ptr: *mut u8,
    /// Length in bytes: the *logical* length, which bounds tests use.
    pub(crate) len: u64,
    /// Whether the slice was given as `&mut`.
    pub(crate) writable: bool,
    /// The array that it is a part of. A device with its own memory uses the array's memory there and moves nothing.
    pub(crate) array: Option<ArrayRef>,
}

/// Which part of which array an argument is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArrayRef {
    /// The array's number in this process.
    pub(crate) id: u64,
    /// First byte of the argument in the array.
    pub(crate) offset: u64,
    /// Bytes of the whole array.
    pub(crate) bytes: u64,
}

impl Argument {
    /// An argument over raw memory.
    ///
    /// # Safety
    /// `ptr` is valid for reads (and for writes if `writable`) of `len` bytes until every chunk started with it is finished or
    /// dropped, and no Rust reference to the bytes is used meanwhile.
    pub unsafe fn new(ptr: *mut u8, len: u64, writable: bool) -> Self {
        Argument { ptr, len, writable, array: None }
    }

    /// First byte.
    pub fn as_ptr(&self) -> *mut u8 {
        self.ptr
    }

    /// Length in bytes.
    pub fn byte_len(&self) -> u64 {
        self.len
    }

    /// Whether it may be written.
    pub fn is_writable(&self) -> bool {
        self.writable
    }
}

// SAFETY: the call that owns the borrowed slices blocks until no backend uses the pointers.
unsafe impl Send for Argument {}
// SAFETY: as above; concurrent writers touch disjoint bytes by the splittable rule.
unsafe impl Sync for Argument {}

impl fmt::Debug for Argument {
    // Argument data never reaches logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Argument({} bytes{})", self.len, if self.writable { ", mut" } else { "" })
    }
}

/// What storage a device has for the chunks of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bytes of one binding.
    pub binding_bytes: u64,
    /// Bytes of all buffers that one call may have at once, staging included.
    pub memory_bytes: u64,
}

/// What a device with its own memory moves for one binding of a chunk, in bytes of the binding.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transfer {
    /// Host to device before the run: sorted, disjoint, 4-byte aligned (but for the end of the buffer).
    pub upload: Vec<Range<u64>>,
    /// Device to host after it: exactly these bytes are written to the host.
    pub download: Vec<Strided>,
    /// Where another device runs already: of the upload, only these bytes may be read. The others, which may be that
    /// device's to write, arrive as zeros. `None`: all may be read.
    pub exact: Option<Vec<Strided>>,
    /// What of the binding is on the device; `None`: all of it.
    pub window: Option<Window>,
    /// The device's buffer is that of the chunk before in [`Chunk::carry`], and is kept for the next.
    pub carried: bool,
    /// Where the argument is a part of an array of which the device has pages: what its buffer gets of them, and they of it.
    /// `None`: such an argument is bound where it is.
    pub pages: Option<PageCopies>,
}

/// What a chunk copies on the device between an array's pages there and its own buffer, in bytes of the binding: sorted,
/// disjoint, 4-byte aligned (but for the end of the buffer), all of it in pages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageCopies {
    /// From the pages, before the run and after the upload.
    pub load: Vec<Range<u64>>,
    /// To the pages, after the run.
    pub store: Vec<Range<u64>>,
}

impl Transfer {
    /// Bytes up and down, as the device copies them.
    pub fn bytes(&self) -> (u64, u64) {
        let within = |r: &Range<u64>| match &self.window {
            None => r.end - r.start,
            Some(window) => window.map(r.clone()).map(|(part, _)| part.end - part.start).sum(),
        };
        (self.upload.iter().map(within).sum(), self.download.iter().map(Strided::bytes).sum())
    }
}

/// A device's buffers that stay from chunk to chunk of one call.
#[derive(Debug, Default)]
pub struct Carry {
    /// By binding.
    kept: Mutex<HashMap<usize, Arc<dyn Any + Send + Sync>>>,
}

impl Carry {
    /// What an earlier chunk kept for a binding.
    pub(crate) fn get<T: Any + Send + Sync>(&self, binding: usize) -> Option<Arc<T>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(&binding).cloned();
        kept.and_then(|any| any.downcast().ok())
    }

    /// Gives up what was kept.
    #[cfg(feature = "gpu")]
    pub(crate) fn into_kept<T: Any + Send + Sync>(self) -> impl Iterator<Item = Arc<T>> {
        let kept = self.kept.into_inner().unwrap_or_else(PoisonError::into_inner);
        kept.into_values().filter_map(|any| any.downcast().ok())
    }

    /// Keeps a binding's buffer for the chunks to come.
    pub(crate) fn keep<T: Any + Send + Sync>(&self, binding: usize, buffer: Arc<T>) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).insert(binding, buffer);
    }
}

/// Items on the x axis that a device takes from an array in its memory.
#[derive(Debug)]
#[cfg_attr(not(feature = "gpu"), allow(dead_code, reason = "only GPUs count"))]
pub struct Counted {
    /// The element, a u32.
    pub(crate) element: ArrayRef,
    /// Items of a work-group.
    pub(crate) group_items: u32,
    /// Work-groups, once the device has found them.
    found: OnceLock<u32>,
}

impl Counted {
    /// The count is this element's.
    pub(crate) fn new(element: ArrayRef, group_items: u32) -> Self {
        Counted { element, group_items, found: OnceLock::new() }
    }

    /// Notes the work-groups that the device found.
    #[cfg(feature = "gpu")]
    pub(crate) fn note(&self, groups: u32) {
        // Of several runs the first is as good as any: they see one count.
        let _ = self.found.set(groups);
    }

    /// The work-groups, after the chunk ended.
    pub(crate) fn found(&self) -> Option<u32> {
        self.found.get().copied()
    }
}

/// A box of work-groups of one call, for one device.
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'a> {
    /// The kernel, overrides resolved.
    pub kernel: &'a Compiled,
    /// The whole call's grid.
    pub grid: Grid,
    /// The part to run. Not empty.
    pub range: GroupRange,
    /// One per binding, in the order of the lane kernel's bindings.
    pub arguments: &'a [Argument],
    /// One per binding; the CPU ignores it.
    pub transfers: &'a [Transfer],
    /// The buffers of bindings that stay on the device for the next chunk of the call.
    pub carry: Option<&'a Carry>,
    /// Several runs of it, one after the other, on a device with its own memory; one where it is `None`.
    pub repeat: Option<Repeat>,
    /// The device counts the work-groups on the x axis itself, `range` is the most. Only for a device that
    /// [`Backend::counts_items`], and arguments in its memory.
    pub counted: Option<&'a Counted>,
    /// Whether nothing else runs meanwhile: the caller finishes it at once.
    pub alone: bool,
    /// Ends its run early, on a device that works in place: then it returns well, and the watch says that it is not
    /// complete.
    pub watch: Option<&'a Watch>,
}

/// Runs of a chunk one after the other, each seeing what the last wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeat {
    /// Runs.
    pub steps: u32,
    /// Two arguments, both whole arrays of one size, that change places after each run.
    pub swap: (usize, usize),
}

impl Repeat {
    /// The argument that a binding has where the two have changed places.
    pub fn swapped(&self, binding: usize) -> usize {
        match self.swap {
            (a, b) if binding == a => b,
            (a, b) if binding == b => a,
            _ => binding,
        }
    }
}

/// What a chunk's run took, in ns on the monotonic clock, and what it moved, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ChunkRun {
    /// Copying to the device (0 on the CPU).
    pub upload_ns: f64,
    /// Submission to completion of the kernel itself.
    pub run_ns: f64,
    /// Copying back.
    pub download_ns: f64,
    /// Bytes moved to the device.
    pub up_bytes: u64,
    /// Bytes moved back.
    pub down_bytes: u64,
}

impl ChunkRun {
    /// Adds what came after.
    pub(crate) fn add(&mut self, next: &ChunkRun) {
        self.upload_ns += next.upload_ns;
        self.run_ns += next.run_ns;
        self.download_ns += next.download_ns;
        self.up_bytes += next.up_bytes;
        self.down_bytes += next.down_bytes;
    }
}

/// What a device already has in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Warmth {
    /// The driver's device, or the pool's threads.
    pub device: bool,
    /// The compiled kernel.
    pub kernel: bool,
}

/// A device that runs chunks.
pub trait Backend: Send + Sync + fmt::Debug {
    /// What it is.
    fn info(&self) -> &DeviceInfo;

    /// Why the device cannot run this kernel on arguments of these sizes (in bytes, one per binding), for the user; `Ok` if
    /// it can, as far as its [`Backend::room`] allows.
    fn accepts(&self, kernel: &Compiled, sizes: &[u64]) -> Result<(), String>;

    /// What storage it has; `None` if it works in place.
    fn room(&self) -> Option<Room>;

    /// Whether chunks on host slices can be given up ([`Started::give_up`]), so that another device may run them as well.
    fn gives_up(&self) -> bool {
        false
    }

    /// Whether it can take a chunk's items from an array in its memory.
    fn counts_items(&self) -> bool {
        false
    }

    /// Copies what the chunk needs to the device and returns a started run. Blocks only for the copies: when it
    /// returns, the host bytes in `upload` are no longer read, so another device may start to write its own part.
    ///
    /// # Errors
    /// Device loss, memory, driver refusal.
    fn start<'a>(&'a self, chunk: &Chunk<'a>) -> Result<Box<dyn Started + 'a>>;

    /// Runs a chunk and waits for it.
    ///
    /// # Errors
    /// Those of [`Backend::start`] and [`Started::finish`].
    fn run(&self, chunk: &Chunk<'_>) -> Result<ChunkRun> {
        self.start(chunk)?.finish()
    }

    /// Records a chunk over arrays in its memory, to be submitted with the chunks before and after it, and returns before it
    /// ran. Whatever comes after it on the device comes after it in time. `None`: it cannot be recorded; start it.
    ///
    /// # Errors
    /// As [`Backend::start`]. A submission that is refused later on is made again in parts; a call that is refused alone
    /// counts as the loss of the device: what comes after builds on its results.
    fn enqueue(&self, _chunk: &Chunk<'_>, _predicted_ns: f64) -> Result<Option<Arc<dyn Queued>>> {
        Ok(None)
    }

    /// Takes back the buffers of chunks that all ended well, for calls to come.
    fn take_back(&self, _carry: Carry) {}

    /// What the device already has: nothing of it is paid for again.
    fn warmth(&self, kernel: &Compiled) -> Warmth;

    /// Whether the device is lost and accepts no more work.
    fn is_lost(&self) -> bool {
        false
    }

    /// Builds the device again after a loss.
    ///
    /// # Errors
    /// It is still gone.
    fn recreate(&self) -> Result<()> {
        Ok(())
    }

    /// Counts the times that the device was built again: what an older one held is gone.
    fn generation(&self) -> u64 {
        0
    }

    /// Whether the host writes and reads arrays in the device's own memory, which is the host's too: nothing is staged.
    fn maps_arrays(&self) -> bool {
        false
    }

    /// Gives a part of an array memory on the device, in one piece: a segment. It never shows what another owner of that
    /// memory left there. Segments of an array are disjoint and start at multiples of 256 bytes.
    ///
    /// # Errors
    /// `OutOfMemory`, a lost device.
    fn array_reserve(&self, array: u64, part: &Range<u64>) -> Result<()> {
        Err(no_memory_of_its_own(self.info(), array, part.end - part.start))
    }

    /// Copies sorted, disjoint, 4-byte aligned ranges (but for the array's end) of the whole array `host` to its segments on
    /// the device. When it returns, the host bytes are no longer read.
    ///
    /// # Errors
    /// Memory, a lost device.
    fn array_write(&self, host: &Argument, _ranges: &[Range<u64>]) -> Result<()> {
        Err(no_memory_of_its_own(self.info(), host.array.map_or(0, |a| a.id), host.len))
    }

    /// Copies exactly these sorted, disjoint ranges from the array's segments on the device to the host, and waits for it.
    ///
    /// # Errors
    /// Memory, a lost device: of the ranges, some may have been written then.
    fn array_read(&self, host: &Argument, _ranges: &[Range<u64>]) -> Result<()> {
        Err(no_memory_of_its_own(self.info(), host.array.map_or(0, |a| a.id), host.len))
    }

    /// Takes back the array's segments inside a part of it.
    fn array_release(&self, _array: u64, _part: &Range<u64>) {}
}

fn no_memory_of_its_own(info: &DeviceInfo, array: u64, bytes: u64) -> Error {
    Error::new(ErrorKind::Device, format!("{} has no memory of its own for array {array} of {bytes} bytes", info.id))
}

/// Gives up the results of a chunk under way, from any thread, while its [`Started::finish`] may be waited for.
///
/// Either its results land on the host or they are given up, never both: an implementation decides under a lock of its
/// own, and `finish` begins to write to the host only after it took that decision.
pub trait GiveUp: Send + Sync {
    /// Looks at the host's bytes while the chunk has written none of them: it does not begin before `look` returns. Whether
    /// `look` was called; not where results are on their way already, or are given up.
    fn before_landing(&self, look: &mut dyn FnMut()) -> bool;

    /// Whether the chunk writes nothing to the host from now on: then `finish` returns an error, as soon as it can. Not
    /// where its results are on their way already.
    fn give_up(&self) -> bool;
}

/// A chunk that was recorded.
pub trait Queued: Send + Sync {
    /// Whether it has ended, or failed.
    fn is_done(&self) -> bool;

    /// Waits for it, burning no CPU; submits it first if nobody has.
    ///
    /// # Errors
    /// The device was lost.
    fn wait(&self) -> Result<QueuedRun>;
}

/// What a recorded chunk took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QueuedRun {
    /// Its part of the submission's time, in ns.
    pub run_ns: f64,
    /// Chunks of the submission.
    pub calls: u32,
    /// When the submission ended.
    pub done: Instant,
}

/// A chunk under way.
pub trait Started: Send {
    /// How its results are given up; `None` where they cannot be.
    fn give_up(&self) -> Option<Arc<dyn GiveUp>> {
        None
    }

    /// Waits for the chunk (burning no CPU) and writes its results to the host slices.
    ///
    /// # Errors
    /// Device loss, memory, a fault of the kernel. On an error of a device with its own memory, no host byte was written.
    fn finish(self: Box<Self>) -> Result<ChunkRun>;
}
