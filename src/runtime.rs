//! The runtime: the devices of this machine, their calibrated rates, and the kernels made for them.

use crate::{
    array::Array,
    backend::{Backend, DeviceInfo, cpu::CpuBackend},
    call::map::Map,
    cost::{
        calibrate::{Effort, calibrate},
        learn::Learned,
        profile::Profile,
        roofline::Rates,
    },
    device::{Slot, Store},
    error::{Error, ErrorKind, Result},
    kernel::{
        Compiled, Kernel, KernelOptions, Source,
        cache::{Asked, Known},
        layout::Element,
        native::{Native, NativeChunk},
    },
    memory::places::Places,
    schedule::{course::Courses, placement::Placement, remember::Remembered},
};
use std::{
    collections::BTreeMap,
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Instant,
};

/// The devices of this machine and what is known of them. A cheap handle: clone it freely.
#[derive(Clone)]
pub struct Runtime {
    inner: Arc<Inner>,
}

/// When what was learned is saved next: from so many observations on,
#[derive(Debug)]
struct NextSave {
    count: u64,
    /// and from then on.
    not_before: Option<Instant>,
}

struct Inner {
    /// The devices as places for arrays.
    places: Arc<Places>,
    /// The CPU first, then the GPUs in the order of their numbers.
    slots: Vec<Slot>,
    left_out: Vec<String>,
    placement: Placement,
    strict: bool,
    store: Store,
    remembered: Remembered,
    courses: Courses,
    /// Begun with what earlier processes learned, once a call asks.
    learned: OnceLock<Learned>,
    next_save: Mutex<NextSave>,
    /// Kernels of map expressions and of kernel libraries, by their source. Not `Kernel`s, which hold the runtime.
    kept: Mutex<Known>,
}

impl Runtime {
    /// All the machine's hardware devices, the saved machine profile, automatic placement.
    ///
    /// # Errors
    /// None today: without a GPU or a driver the CPU does it all.
    pub fn new() -> Result<Self> {
        Runtime::builder().build()
    }

    /// One runtime for the whole process, made at first use.
    pub fn shared() -> &'static Runtime {
        static SHARED: OnceLock<Runtime> = OnceLock::new();
        SHARED.get_or_init(|| {
            let cpu_only = || Runtime::from_slots(vec![Slot::new(Arc::new(CpuBackend::new(None)))], Builder::default());
            Runtime::new().unwrap_or_else(|_| cpu_only())
        })
    }

    /// Sets threads, pool, devices, profile and policy.
    pub fn builder() -> Builder {
        Builder::default()
    }

    fn from_slots(slots: Vec<Slot>, builder: Builder) -> Self {
        let devices = slots.iter().map(|s| s.backend.clone()).collect();
        Runtime {
            inner: Arc::new(Inner {
                places: Places::new(devices, builder.device_memory),
                slots,
                left_out: Vec::new(),
                placement: builder.placement,
                strict: builder.strict,
                store: Store::new(builder.profile.unwrap_or_else(Profile::default_path)),
                remembered: Remembered::default(),
                courses: Courses::default(),
                learned: OnceLock::new(),
                next_save: Mutex::new(NextSave { count: 8, not_before: None }),
                kept: Mutex::default(),
            }),
        }
    }

    /// The devices: the CPU first, then `gpu:0`, `gpu:1`, ...
    pub fn devices(&self) -> Vec<DeviceInfo> {
        self.inner.slots.iter().map(|s| s.backend.info().clone()).collect()
    }

    /// How many those are.
    pub fn device_count(&self) -> usize {
        self.inner.slots.len()
    }

    /// What was found and is not used, and why: software rasterisers, missing drivers.
    pub fn left_out(&self) -> &[String] {
        &self.inner.left_out
    }

    /// Makes a kernel from WGSL: one source, or several to be joined. It has one compute entry point; otherwise name it
    /// with [`Runtime::kernel_with`].
    ///
    /// # Errors
    /// Invalid or unsupported WGSL, with the line; no or several entry points; an override without a value.
    ///
    /// ```
    /// # use evener::prelude::*;
    /// # fn main() -> evener::Result<()> {
    /// let rt = Runtime::builder().gpu(false).profile(None).build()?;
    /// let double = rt.kernel(
    ///     "@group(0) @binding(0) var<storage, read_write> x: array<f32>;
    ///      @compute @workgroup_size(64) fn double(@builtin(global_invocation_id) id: vec3u) { x[id.x] *= 2.0; }",
    /// )?;
    /// let mut x = vec![1.0f32, 2.0, 3.0];
    /// double.call().arg("x", &mut x).items(3).run()?;
    /// assert_eq!(x, [2.0, 4.0, 6.0]);
    /// # Ok(()) }
    /// ```
    pub fn kernel<'a>(&self, source: impl Into<Source<'a>>) -> Result<Kernel> {
        self.kernel_with(source, &KernelOptions::default())
    }

    /// Makes a kernel of a named entry point, with values for overrides.
    ///
    /// # Errors
    /// As [`Runtime::kernel`], and unknown entry points and overrides.
    pub fn kernel_with<'a>(&self, source: impl Into<Source<'a>>, options: &KernelOptions) -> Result<Kernel> {
        let source = source.into();
        let compiled = Compiled::new(source.parts(), options.entry.as_deref(), &options.overrides)?;
        Ok(Kernel::new(self.clone(), compiled))
    }

    /// As [`Runtime::kernel_with`], with a body in Rust that does the kernel's work on the CPU, for what a tuned library does
    /// better than WGSL. It runs on the runtime's rayon pool and may use rayon. The WGSL is what GPUs run, and what the
    /// analysis is made of: a call split over devices gives the body the work-groups of the CPU's part. The two should agree
    /// up to rounding.
    ///
    /// # Errors
    /// As [`Runtime::kernel_with`].
    ///
    /// ```
    /// # use evener::prelude::*;
    /// # fn main() -> evener::Result<()> {
    /// # let rt = Runtime::builder().gpu(false).profile(None).build()?;
    /// let source = "@group(0) @binding(0) var<storage, read_write> x: array<f32>;
    ///     @compute @workgroup_size(64) fn halve(@builtin(global_invocation_id) id: vec3u) { x[id.x] *= 0.5; }";
    /// let halve = rt.kernel_with_native(source, &KernelOptions::default(), |chunk| {
    ///     let [items, ..] = chunk.items();
    ///     let end = items.end.min(chunk.len::<f32>("x")?);
    ///     chunk.write::<f32>("x", items.start..end)?.iter_mut().for_each(|x| *x *= 0.5);
    ///     Ok(())
    /// })?;
    /// let mut x = vec![8.0f32; 100];
    /// halve.call().arg("x", &mut x).items(100).run()?;
    /// assert_eq!(x[99], 4.0);
    /// # Ok(()) }
    /// ```
    pub fn kernel_with_native<'a>(
        &self,
        source: impl Into<Source<'a>>,
        options: &KernelOptions,
        body: impl Fn(&mut NativeChunk<'_>) -> Result<()> + Send + Sync + 'static,
    ) -> Result<Kernel> {
        let (source, body) = (source.into(), Native::new(body));
        let compiled = Compiled::with_native(source.parts(), options.entry.as_deref(), &options.overrides, body)?;
        Ok(Kernel::new(self.clone(), compiled))
    }

    /// A kernel of one WGSL expression over equal-length arrays, written to the one argument given as `&mut`.
    ///
    /// ```
    /// # use evener::prelude::*;
    /// # fn main() -> evener::Result<()> {
    /// # let rt = Runtime::builder().gpu(false).profile(None).build()?;
    /// let (x, mut y) = (vec![1.0f32, 2.0], vec![10.0f32, 20.0]);
    /// let report = rt.map("a * x + y").set("a", 2.0f32).arg("x", &x).arg("y", &mut y).run()?;
    /// assert_eq!(y, [12.0, 24.0]);
    /// println!("{report}");
    /// # Ok(()) }
    /// ```
    pub fn map<'a>(&self, expression: &'a str) -> Map<'a> {
        Map::new(self.clone(), expression)
    }

    /// An array with a copy of these elements. It stays on the device that last used it.
    ///
    /// # Errors
    /// `OutOfMemory`: the host has no room.
    pub fn array<T: Element>(&self, elements: &[T]) -> Result<Array<T>> {
        Array::of_slice(&self.inner.places, elements)
    }

    /// An array that takes a vector over, without a copy.
    pub fn array_from_vec<T: Element>(&self, elements: Vec<T>) -> Array<T> {
        Array::of_vec(&self.inner.places, elements)
    }

    /// An array of `len` zeros. Large ones take host memory only where the host touches them.
    ///
    /// # Errors
    /// `OutOfMemory`: the host has no room.
    pub fn zeros<T: Element>(&self, len: usize) -> Result<Array<T>> {
        Array::zeros(&self.inner.places, len)
    }

    /// Measures every device now and saves the profile. `progress` is told what is measured and the fraction done.
    ///
    /// # Errors
    /// A device failed, or the profile cannot be saved.
    pub fn calibrate(&self, quick: bool, progress: &mut dyn FnMut(&str, f64)) -> Result<Profile> {
        let effort = if quick { Effort::QUICK } else { Effort::FULL };
        let count = self.inner.slots.len() as f64;
        for (k, slot) in self.inner.slots.iter().enumerate() {
            let id = slot.backend.info().id.clone();
            let rates = calibrate(&*slot.backend, effort, &mut |what, done| {
                progress(&format!("{id}: {what}"), (k as f64 + done) / count);
            })?;
            self.inner.store.insert(slot.backend.info(), rates);
            self.learned().forget(k);
        }
        self.inner.remembered.clear();
        self.inner.store.save()?;
        Ok(self.profile())
    }

    /// What is known of this machine: saved rates and those measured since.
    pub fn profile(&self) -> Profile {
        self.inner.store.profile()
    }

    /// Where the profile is saved, if anywhere.
    pub fn profile_path(&self) -> Option<PathBuf> {
        self.inner.store.path().cloned()
    }

    pub(crate) fn places(&self) -> &Arc<Places> {
        &self.inner.places
    }

    /// Where calls run unless they say otherwise.
    pub fn placement(&self) -> Placement {
        self.inner.placement
    }

    pub(crate) fn learned(&self) -> &Learned {
        self.inner.learned.get_or_init(|| {
            let learned = Learned::default();
            for (k, slot) in self.inner.slots.iter().enumerate() {
                if let Some(saved) = self.inner.store.learned(slot.backend.info()) {
                    learned.restore(k, &saved);
                }
            }
            learned
        })
    }

    /// Saves what was learned each time that the calls have doubled, if the last time is long enough ago: a process that
    /// ends without dropping its runtime keeps most of it, and short calls hardly wait for it.
    pub(crate) fn keep_learned(&self) {
        /// Of the time at most one part of so many is spent on saving.
        const ONE_OF: u32 = 100;
        let (count, since) = (self.learned().count(), Instant::now());
        let next = || self.inner.next_save.lock().unwrap_or_else(PoisonError::into_inner);
        let mut due = next();
        if count < due.count || due.not_before.is_some_and(|at| since < at) {
            return;
        }
        due.count = 2 * count;
        drop(due);
        self.inner.save_learned();
        next().not_before = Some(since + ONE_OF * since.elapsed());
    }

    /// Plans of earlier calls.
    pub(crate) fn remembered(&self) -> &Remembered {
        &self.inner.remembered
    }

    /// What functions of several calls took, for libraries of them.
    #[doc(hidden)]
    pub fn courses(&self) -> &Courses {
        &self.inner.courses
    }

    pub(crate) fn strict(&self) -> bool {
        self.inner.strict
    }

    pub(crate) fn slots(&self) -> &[Slot] {
        &self.inner.slots
    }

    /// Calibrated rates of a device: saved ones, else measured now. `Err` is a reason for the user.
    pub(crate) fn rates(&self, slot: &Slot) -> Result<Arc<Rates>, String> {
        self.inner.store.rates(&*slot.backend).map(Arc::new)
    }

    /// Rates of a device if they are known already.
    pub(crate) fn known_rates(&self, slot: &Slot) -> Option<Arc<Rates>> {
        self.inner.store.known(slot)
    }

    /// The same devices with what they hold, the same rates and kernels, but nothing learned from calls: a new history, for
    /// benchmarks. Arrays of either may be used with both.
    #[doc(hidden)]
    pub fn afresh(&self) -> Self {
        self.afresh_on(self.inner.placement)
    }

    /// As [`Runtime::afresh`], with calls somewhere else.
    #[doc(hidden)]
    pub fn afresh_on(&self, placement: Placement) -> Self {
        let inner = &self.inner;
        let kept = inner.kept.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let store = Store::new(None);
        for slot in &inner.slots {
            if let Some(rates) = self.known_rates(slot) {
                store.insert(slot.backend.info(), (*rates).clone());
            }
        }
        Runtime {
            inner: Arc::new(Inner {
                places: inner.places.clone(),
                slots: inner.slots.iter().map(|s| Slot::new(s.backend.clone())).collect(),
                left_out: inner.left_out.clone(),
                placement,
                strict: inner.strict,
                store,
                remembered: Remembered::default(),
                courses: Courses::default(),
                learned: OnceLock::new(),
                next_save: Mutex::new(NextSave { count: u64::MAX, not_before: None }),
                kept: Mutex::new(kept),
            }),
        }
    }

    /// Only some of the devices, the CPU always among them, with their rates. Nothing learned is taken over or saved, and
    /// arrays are not shared.
    #[doc(hidden)]
    pub fn with_devices(&self, keep: impl Fn(&DeviceInfo) -> bool) -> Self {
        let kept = self.inner.slots.iter().enumerate().filter(|(k, s)| *k == 0 || keep(s.backend.info()));
        let slots: Vec<Slot> = kept.map(|(_, s)| Slot::new(s.backend.clone())).collect();
        let builder = Builder { profile: Some(None), ..Builder::default() };
        let runtime = Runtime::from_slots(slots, builder);
        for slot in runtime.slots() {
            if let Some(rates) = self.known_rates(slot) {
                runtime.inner.store.insert(slot.backend.info(), (*rates).clone());
            }
        }
        runtime
    }

    /// As [`Runtime::kernel`], but made once and kept as long as the runtime: for libraries of kernels, whose functions
    /// ask for the same source again and again.
    ///
    /// # Errors
    /// As [`Runtime::kernel`].
    pub fn kept_kernel<'a>(&self, source: impl Into<Source<'a>>) -> Result<Kernel> {
        let source = source.into();
        self.kept(&source, false, || self.kernel(source.clone()))
    }

    /// As [`Runtime::kernel_with_native`], made once and kept like [`Runtime::kept_kernel`]: the body of the
    /// first call for a source stays.
    ///
    /// # Errors
    /// As [`Runtime::kernel`].
    pub fn kept_kernel_with_native<'a>(
        &self,
        source: impl Into<Source<'a>>,
        body: impl Fn(&mut NativeChunk<'_>) -> Result<()> + Send + Sync + 'static,
    ) -> Result<Kernel> {
        let source = source.into();
        self.kept(&source, true, || self.kernel_with_native(source.clone(), &KernelOptions::default(), body))
    }

    fn kept(&self, source: &Source<'_>, native: bool, make: impl FnOnce() -> Result<Kernel>) -> Result<Kernel> {
        let asked = Asked { sources: source.parts(), entry: None, overrides: &BTreeMap::new(), native };
        let lock = || self.inner.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let found = lock().find(&asked).cloned();
        let kernel = match found {
            Some(compiled) => compiled,
            None => {
                let made = make()?;
                lock().add(&asked, made.compiled().clone())
            }
        };
        Ok(Kernel::new(self.clone(), kernel))
    }
}

impl Inner {
    /// A folder that cannot be written costs the next process what this one learned, no more.
    fn save_learned(&self) {
        let Some(learned) = self.learned.get().filter(|l| l.count() > 0) else { return };
        for (k, slot) in self.slots.iter().enumerate() {
            if let Some(saved) = learned.save(k) {
                self.store.set_learned(slot.backend.info(), saved);
            }
        }
        let _ = self.store.save();
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.save_learned();
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<&str> = self.inner.slots.iter().map(|s| s.backend.info().id.as_str()).collect();
        write!(f, "Runtime({})", ids.join(", "))
    }
}

/// Sets up a [`Runtime`].
#[derive(Clone, Debug)]
pub struct Builder {
    threads: Option<usize>,
    pool: Option<Arc<rayon::ThreadPool>>,
    gpu: bool,
    software_gpu: bool,
    #[cfg(feature = "gpu")]
    spirv: Option<crate::backend::gpu::SpirvWriter>,
    binding_bytes: Option<u64>,
    staged: bool,
    placement: Placement,
    strict: bool,
    profile: Option<Option<PathBuf>>,
    device_memory: Option<u64>,
    cpu: Option<Arc<dyn Backend>>,
    extra: Vec<Arc<dyn Backend>>,
    #[cfg(feature = "interop-wgpu")]
    wgpu_devices: Vec<(wgpu::Device, wgpu::Queue)>,
}

impl Default for Builder {
    fn default() -> Self {
        Builder {
            threads: None,
            pool: None,
            gpu: true,
            software_gpu: std::env::var_os("EVENER_SOFTWARE_GPU").is_some_and(|v| v == "1"),
            #[cfg(feature = "gpu")]
            spirv: None,
            binding_bytes: None,
            staged: false,
            placement: Placement::Auto,
            strict: false,
            profile: None,
            device_memory: None,
            cpu: None,
            extra: Vec::new(),
            #[cfg(feature = "interop-wgpu")]
            wgpu_devices: Vec::new(),
        }
    }
}

impl Builder {
    /// Threads of a pool of the runtime's own; without it, and without [`Builder::pool`], rayon's global pool is used.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// Shares a rayon pool.
    pub fn pool(mut self, pool: Arc<rayon::ThreadPool>) -> Self {
        self.pool = Some(pool);
        self
    }

    /// Whether GPUs are used at all (default: yes).
    pub fn gpu(mut self, gpu: bool) -> Self {
        self.gpu = gpu;
        self
    }

    /// Whether software rasterisers count as GPUs (default: only with `EVENER_SOFTWARE_GPU=1`). They share the CPU's cores
    /// and are for tests.
    pub fn software_gpu(mut self, software: bool) -> Self {
        self.software_gpu = software;
        self
    }

    /// For tests: writes the shaders instead of wgpu, for instance with clamped indices as on devices without robust access.
    #[cfg(feature = "gpu")]
    #[doc(hidden)]
    pub fn spirv_writer(mut self, writer: Option<crate::backend::gpu::SpirvWriter>) -> Self {
        self.spirv = writer;
        self
    }

    /// For tests: bytes of one storage binding, if fewer than the devices take.
    #[doc(hidden)]
    pub fn binding_limit(mut self, bytes: u64) -> Self {
        self.binding_bytes = Some(bytes);
        self
    }

    /// Whether arrays on devices that share the host's memory (integrated GPUs, software rasterisers) are written and read
    /// in that memory, by mapping it, where the driver can (default: yes). Otherwise their bytes are copied twice, as on a
    /// card with memory of its own: for drivers whose kernels are slow on memory that can be mapped.
    pub fn map_arrays(mut self, map: bool) -> Self {
        self.staged = !map;
        self
    }

    /// Adds a wgpu device of the program's own, numbered after the GPUs found; with `gpu(false)` it is `gpu:0`. evener
    /// replaces its uncaptured-error handler and its lost callback. After a loss only the program can create it again.
    #[cfg(feature = "interop-wgpu")]
    pub fn wgpu_device(mut self, device: wgpu::Device, queue: wgpu::Queue) -> Self {
        self.wgpu_devices.push((device, queue));
        self
    }

    /// For tests: one more device, numbered after the GPUs.
    #[doc(hidden)]
    pub fn backend(mut self, backend: Arc<dyn Backend>) -> Self {
        self.extra.push(backend);
        self
    }

    /// For tests: the first device, instead of the machine's own cores. It works in place.
    #[doc(hidden)]
    pub fn cpu_backend(mut self, backend: Arc<dyn Backend>) -> Self {
        self.cpu = Some(backend);
        self
    }

    /// Where calls run unless they say otherwise (default: [`Placement::Auto`]).
    pub fn placement(mut self, placement: Placement) -> Self {
        self.placement = placement;
        self
    }

    /// No fallback: a split that cannot be, or a device that fails, is an error (default: no).
    pub fn strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }

    /// The file of the machine profile; `None` keeps it in memory. Default: `EVENER_PROFILE`, else the user's data folder.
    pub fn profile(mut self, path: Option<PathBuf>) -> Self {
        self.profile = Some(path);
        self
    }

    /// Bytes of each GPU's memory: of arrays that may be there (default: 4 GiB on a card with its own memory, else 2 GiB;
    /// drivers do not tell how much there is), and of what one call may take, copies on their way included (default: as
    /// much as the driver gives). Beyond it the arrays unused for longest leave the device, those that need no copy to the
    /// host first; they come back at their next use. Of arrays that do not fit together, what a call's views of them span
    /// is there. Where that does not fit either, the call goes through the device in windows, part by part: the first bytes
    /// stay, in up to three quarters of this memory, and the others move at each call.
    pub fn device_memory(mut self, bytes: u64) -> Self {
        self.device_memory = Some(bytes);
        self
    }

    /// Finds the devices.
    ///
    /// # Errors
    /// `Limit`: a pool of that many threads cannot be made, or a device's own thread.
    pub fn build(mut self) -> Result<Runtime> {
        if let (None, Some(threads)) = (&self.pool, self.threads) {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            let why = |e| Error::new(ErrorKind::Limit, format!("a pool of {threads} threads: {e}")).with_source(e);
            self.pool = Some(Arc::new(pool.map_err(why)?));
        }
        let cpu = self.cpu.take().unwrap_or_else(|| Arc::new(CpuBackend::new(self.pool.clone())));
        let mut slots = vec![Slot::new(cpu)];
        let mut left_out = Vec::new();
        if self.gpu {
            find_gpus(&self, &mut slots, &mut left_out);
        }
        #[cfg(feature = "interop-wgpu")]
        for (device, queue) in std::mem::take(&mut self.wgpu_devices) {
            let id = format!("gpu:{}", slots.len() - 1);
            slots.push(Slot::new(crate::backend::gpu::GpuDevice::from_wgpu(device, queue, id)?));
        }
        slots.extend(std::mem::take(&mut self.extra).into_iter().map(Slot::new));
        let mut runtime = Runtime::from_slots(slots, self);
        if let Some(inner) = Arc::get_mut(&mut runtime.inner) {
            inner.left_out = left_out;
        }
        Ok(runtime)
    }
}

#[cfg(feature = "gpu")]
fn find_gpus(builder: &Builder, slots: &mut Vec<Slot>, left_out: &mut Vec<String>) {
    use crate::backend::gpu;
    let found = gpu::devices(gpu::Options {
        software: builder.software_gpu,
        spirv: builder.spirv,
        memory: builder.device_memory,
        binding_bytes: builder.binding_bytes,
        staged: builder.staged,
    });
    slots.extend(found.devices.into_iter().map(|d| Slot::new(d)));
    left_out.extend(found.left_out.iter().map(ToString::to_string));
    left_out.extend(found.reason.filter(|_| slots.len() == 1 && left_out.is_empty()));
}

#[cfg(not(feature = "gpu"))]
fn find_gpus(_: &Builder, _: &mut Vec<Slot>, left_out: &mut Vec<String>) {
    left_out.push("GPUs: this build has no GPU support (cargo feature `gpu`)".into());
}
