//! A kernel: one compute entry point of a WGSL module, parsed, checked and analysed once.
//!
//! [`wgsl`] joins and parses sources, [`reflect`] says what the entry point binds, [`layout`] checks host
//! types against WGSL types, [`rewrite`] makes the module that GPUs run.

pub use handle::{Kernel, KernelOptions, Source};

use crate::error::{Error, Result};
use evener_lanes::{Analysis, Module, Program};
use reflect::Reflection;
use rewrite::GpuModule;
use std::{
    collections::BTreeMap,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

pub(crate) mod cache;
mod handle;
pub mod layout;
pub mod native;
pub mod reflect;
pub mod rewrite;
pub mod uniform;
pub mod wgsl;

/// A kernel with its overrides resolved, ready for every back end.
#[derive(Debug)]
pub struct Compiled {
    /// Identity for caches of pipelines within this process.
    pub id: u64,
    /// What its learned costs go by, the same in every process: a hash of the source, the entry point and the overrides. Two
    /// kernels with one fingerprint would only be predicted worse.
    pub fingerprint: u64,
    /// The module, overrides resolved.
    pub module: Module,
    /// What the entry point binds.
    pub reflection: Reflection,
    /// The CPU program; its `kernel().bindings` fixes the order of arguments everywhere.
    /// Shared, so that a device's own thread may run it.
    pub program: Arc<Program>,
    /// Footprint, splittability, features.
    pub analysis: Analysis,
    /// Where each of several sources starts in the joined text.
    starts: Vec<usize>,
    /// What the CPU runs instead of the program.
    pub(crate) native: Option<native::Native>,
    /// By [`Compiled::variant`].
    gpu: [OnceLock<Result<GpuModule, String>>; 8],
}

impl Compiled {
    /// Parses, checks, lowers and analyses; a kernel known already is taken as it is.
    ///
    /// `entry` may be left out when the module has one compute entry point.
    ///
    /// # Errors
    /// Invalid WGSL (with line and caret), unknown entry or override, unsupported features.
    pub fn new(sources: &[&str], entry: Option<&str>, overrides: &BTreeMap<String, f64>) -> Result<Arc<Self>> {
        static KNOWN: cache::Cache = cache::Cache::new();
        let asked = cache::Asked { sources, entry, overrides, native: false };
        KNOWN.get(&asked, || Self::compile(sources, entry, overrides))
    }

    /// The same with a native body. It is a kernel of its own: what its runs teach is not what the program's teach.
    pub(crate) fn with_native(
        sources: &[&str],
        entry: Option<&str>,
        overrides: &BTreeMap<String, f64>,
        native: native::Native,
    ) -> Result<Arc<Self>> {
        let compiled = Self::compile(sources, entry, overrides)?;
        Ok(Arc::new(Compiled { native: Some(native), fingerprint: !compiled.fingerprint, ..compiled }))
    }

    /// Why the CPU interprets the kernel, if it does.
    pub(crate) fn interpreted(&self) -> Option<&str> {
        if self.native.is_some() { None } else { self.program.fallback() }
    }

    fn compile(sources: &[&str], entry: Option<&str>, overrides: &BTreeMap<String, f64>) -> Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let fingerprint = fingerprint(sources, entry, overrides);
        let sources = wgsl::Sources::new(sources);
        let module = sources.parse()?;
        let entry = wgsl::find_entry(module.naga(), entry)?;
        let module = module.specialize(overrides).map_err(|e| sources.error(e))?;
        wgsl::check_limits(&module, &entry)?;
        let lane = module.lower(&entry).map_err(|e| sources.error(e))?;
        let reflection = Reflection::new(&module, &entry, &lane)?;
        let analysis = Analysis::new(&lane);
        let program = Arc::new(Program::new(lane)?);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let starts = sources.into_starts();
        let gpu = Default::default();
        Ok(Compiled { id, fingerprint, module, reflection, program, analysis, starts, native: None, gpu })
    }

    /// A failure of the CPU program, told in terms of the source it is in.
    pub(crate) fn fault(&self, error: evener_lanes::Error) -> Error {
        wgsl::fault(error, self.module.source(), &self.starts)
    }

    /// The module that GPUs run, rewritten and validated at first use. The error is a reason for the user.
    pub fn gpu(&self) -> Result<&GpuModule, &str> {
        self.gpu_for(0, false)
    }

    /// The same for bindings in windows of up to so many pieces (at most [`MAX_PIECES`](crate::backend::MAX_PIECES));
    /// 0: bound whole. The fewest pieces that do give the fastest module; `folded` for more work-groups an axis than the
    /// device takes, which costs every invocation a branch.
    pub fn gpu_for(&self, pieces: usize, folded: bool) -> Result<&GpuModule, &str> {
        let variant = Self::variant(pieces, folded);
        self.gpu[variant]
            .get_or_init(|| on_deep_stack(|| rewrite::rewrite(self, [0, 1, 2, 4][variant % 4], folded)).and_then(|r| r))
            .as_ref()
            .map_err(String::as_str)
    }

    /// Which of the modules takes windows of so many pieces: an index below 8.
    pub(crate) fn variant(pieces: usize, folded: bool) -> usize {
        [0, 1, 2].into_iter().find(|&p| pieces <= p).unwrap_or(3) + 4 * usize::from(folded)
    }

    /// The lane kernel's bindings: the order of arguments.
    pub fn bindings(&self) -> &[evener_lanes::ir::Binding] {
        &self.program.kernel().bindings
    }
}

/// FNV-1a over all that decides what a kernel becomes.
fn fingerprint(sources: &[&str], entry: Option<&str>, overrides: &BTreeMap<String, f64>) -> u64 {
    let texts = sources.iter().copied().chain(entry).flat_map(|text| text.bytes().chain([0]));
    let values = overrides.iter().flat_map(|(name, value)| name.bytes().chain(value.to_le_bytes()));
    texts.chain(values).fold(0xcbf2_9ce4_8422_2325, |h: u64, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

/// Runs `f` on a thread with a deep stack: naga recurses as deep as the source nests. A panic becomes an error.
fn on_deep_stack<T: Send>(f: impl FnOnce() -> T + Send) -> Result<T, String> {
    const STACK_BYTES: usize = 256 << 20;
    std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().name("evener-wgsl".into()).stack_size(STACK_BYTES);
        let thread = builder.spawn_scoped(scope, f).map_err(|e| format!("no thread to compile on: {e}"))?;
        thread.join().map_err(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
            format!("the compiler failed: {}", text.unwrap_or("panic"))
        })
    })
}
