//! A chunk on a device: one submission with its clears, the dispatch and the copies back.

use super::{
    counter::{self, Counting},
    lease::Lease,
    limits,
    live::Live,
    pages::Pages,
    pipeline::Pipeline,
    prepared::{Origin, Prepared, Uniforms},
    readback::Readback,
    storage::Storage,
    timing::{MARK_BYTES, Marks, Phases},
    upload::{Staged, placed, upload},
    waiter::Ticket,
};
use crate::{
    backend::{Argument, Carry, ChunkRun, Counted, GiveUp, Repeat, Started, Transfer},
    clock::ns_since,
    error::{Error, ErrorKind, Result},
    kernel::rewrite::{Dispatch, GpuModule},
    memory::staging,
};
use evener_lanes::ir::{Binding, Space};
use std::{sync::Arc, time::Instant};

/// Header of the readback of a device that counts: what it counted.
const HEADER_BYTES: u64 = 8;

/// Chunks that upload fewer bytes do not have unexplained time charged to the upload.
const CHARGED_BYTES: u64 = 64 << 10;

/// A chunk of a kernel given as a module for GPUs.
#[derive(Debug)]
pub struct Job<'a> {
    /// Identity of the kernel.
    pub kernel: u64,
    /// What the device runs.
    pub shader: Shader<'a>,
    /// Its bindings: the order of arguments.
    pub bindings: &'a [Binding],
    /// What to dispatch.
    pub dispatch: Dispatch,
    /// One per binding.
    pub arguments: &'a [Argument],
    /// One per binding.
    pub transfers: &'a [Transfer],
    /// The buffers of bindings that stay on the device for the next job.
    pub carry: Option<&'a Carry>,
    /// Several dispatches of it in one pass.
    pub repeat: Option<Repeat>,
    /// The device counts the work-groups on the x axis itself.
    pub counted: Option<CountedDispatch<'a>>,
    /// Whether it is finished at once, by the thread that starts it.
    pub alone: bool,
}

/// A dispatch of as many work-groups on the x axis as an array says.
#[derive(Clone, Copy, Debug)]
pub struct CountedDispatch<'a> {
    /// Where the count is.
    pub counted: &'a Counted,
    /// Work-groups of an axis at most,
    pub axis_groups: u32,
    /// and in all.
    pub most_groups: u32,
}

/// A module for GPUs.
#[derive(Clone, Copy, Debug)]
pub struct Shader<'a> {
    /// The module, validated.
    pub module: &'a naga::Module,
    /// naga's analysis of it.
    pub info: &'a naga::valid::ModuleInfo,
    /// Name of the entry point.
    pub entry: &'a str,
    /// (group, binding) of the dispatch parameters.
    pub params: (u32, u32),
}

impl<'a> From<&'a GpuModule> for Shader<'a> {
    fn from(gpu: &'a GpuModule) -> Self {
        Shader { module: &gpu.module, info: &gpu.info, entry: &gpu.entry, params: gpu.params }
    }
}

impl Job<'_> {
    pub(super) fn check(&self) -> Result<()> {
        let n = self.bindings.len();
        if self.arguments.len() != n || self.transfers.len() != n {
            let message = format!("the kernel has {n} bindings, the chunk {} arguments", self.arguments.len());
            return Err(Error::new(ErrorKind::Device, message));
        }
        for ((binding, argument), transfer) in self.bindings.iter().zip(self.arguments).zip(self.transfers) {
            staging::check_upload(&transfer.upload, argument.len)?;
            staging::check_download(&transfer.download, argument.len)?;
            if !transfer.download.is_empty() && !argument.writable {
                let message = format!("`{}` is written by the kernel; pass it as &mut", binding.name);
                return Err(Error::new(ErrorKind::NotWritable, message));
            }
        }
        Ok(())
    }
}

/// The device buffers of a chunk.
struct Bound {
    /// Per binding; `None` for uniforms, and where all of it was prepared by an earlier chunk.
    storage: Vec<Option<Arc<Storage>>>,
    /// Per binding, whether the buffer comes from the chunk before, contents and all.
    carried: Vec<bool>,
    /// Bytes bound per binding.
    bytes: Vec<u64>,
    /// What pages of arrays give and get.
    pages: Pages,
    prepared: Arc<Prepared>,
    /// What it was made from, where it was made now and an equal dispatch may have it again.
    origin: Option<Origin>,
}

/// A started chunk.
pub(super) struct GpuRun<'a> {
    live: Arc<Live>,
    arguments: &'a [Argument],
    transfers: &'a [Transfer],
    counted: Option<&'a Counted>,
    /// Taken at the end.
    parts: Option<Parts>,
    ticket: Arc<Ticket>,
    /// The submission, where the waiter thread does not watch it.
    own: Option<wgpu::SubmissionIndex>,
    submitted: Instant,
    up_bytes: u64,
    upload_ns: f64,
}

struct Parts {
    bound: Bound,
    counting: Option<Counting>,
    staged: Staged,
    readback: Readback,
    marks: Option<Marks>,
}

/// Starts a chunk.
///
/// # Errors
/// An inconsistent plan, memory, a lost device, a refusal of the driver.
pub(super) fn start<'a>(live: &Arc<Live>, job: &Job<'a>) -> Result<GpuRun<'a>> {
    job.check()?;
    live.faults.check()?;
    live.flush();
    let pipeline = live.pipelines.get(live, job)?;
    let unmapped = live.gate.unmapped();
    let (mut run, index) = live.faults.scoped(&live.device, "starting a chunk", || submit(live, job, &pipeline))?;
    drop(unmapped);
    if let Some(Bound { origin, prepared, .. }) = run.parts.as_mut().map(|parts| &mut parts.bound)
        && let Some(origin) = origin.take()
    {
        live.shelf.keep(origin, prepared);
    }
    // Only a submission that was accepted is waited for.
    if job.alone {
        run.own = Some(index);
    } else {
        live.waiter.watch(index, run.ticket.clone());
    }
    Ok(run)
}

/// Uploads, encodes and submits a chunk. Within error scopes.
fn submit<'a>(live: &Arc<Live>, job: &Job<'a>, pipeline: &Pipeline) -> Result<(GpuRun<'a>, wgpu::SubmissionIndex)> {
    let began = Instant::now();
    let bound = bind(live, job, pipeline)?;
    let (up_bytes, staged) = upload(live, job.arguments, job.transfers, &bound.storage)?;
    let counting = Counting::new(live, job)?;
    let upload_ns = ns_since(began);

    // What is counted comes back in place of the marks.
    let marked_bytes = if counting.is_some() { 0 } else { up_bytes + download_bytes(job.transfers) };
    let marks = Marks::new(&live.device, &live.queue, &live.pools, marked_bytes);
    let header = match (&marks, &counting) {
        (Some(_), _) => MARK_BYTES,
        (None, Some(_)) => HEADER_BYTES,
        (None, None) => 0,
    };
    let whole: Vec<u64> =
        job.bindings.iter().zip(job.arguments).map(|(b, a)| limits::storage_bytes(b, a.len)).collect();
    let readback = Readback::new(live, job.transfers, &whole, header);
    let commands = encode(live, job, pipeline, (&bound, counting.as_ref()), &readback, marks.as_ref());

    let submitted = Instant::now();
    let index = live.queue.submit([commands]);
    let ticket = Arc::new(Ticket::default());
    readback.map(&ticket);
    hand_on(job, &bound);
    let run = GpuRun {
        live: live.clone(),
        arguments: job.arguments,
        transfers: job.transfers,
        counted: job.counted.map(|c| c.counted),
        parts: Some(Parts { bound, counting, staged, readback, marks }),
        ticket,
        own: None,
        submitted,
        up_bytes,
        upload_ns,
    };
    Ok((run, index))
}

fn download_bytes(transfers: &[Transfer]) -> u64 {
    transfers.iter().flat_map(|t| &t.download).map(staging::bytes).sum()
}

/// Keeps the buffers of carried bindings for the next chunk, now that this one was submitted.
fn hand_on(job: &Job<'_>, bound: &Bound) {
    let Some(carry) = job.carry else { return };
    for (k, transfer) in job.transfers.iter().enumerate() {
        if let (true, Some(storage)) = (transfer.carried, &bound.storage[k]) {
            carry.keep(k, storage.clone());
        }
    }
}

/// Takes the buffers of a chunk from the chunk before or from the pools, and writes its uniforms; all of it from an
/// earlier chunk that bound the same.
///
/// # Errors
/// An array that has no memory here.
fn bind(live: &Live, job: &Job<'_>, pipeline: &Pipeline) -> Result<Bound> {
    let bytes: Vec<u64> =
        job.bindings.iter().zip(job.arguments).zip(job.transfers).map(|((b, a), t)| bound_bytes(b, a, t)).collect();
    let uniforms = Uniforms::new(live, job, &bytes);
    let origin = Origin::of(job, &uniforms, &bytes);
    if let Some(prepared) = origin.as_ref().and_then(|origin| live.shelf.find(origin)) {
        let (storage, carried) = (vec![None; bytes.len()], vec![false; bytes.len()]);
        return Ok(Bound { storage, carried, bytes, pages: Pages::default(), prepared, origin: None });
    }
    let before = |k: usize| job.carry.filter(|_| job.transfers[k].carried)?.get::<Storage>(k);
    let kept: Vec<Option<Arc<Storage>>> = (0..bytes.len()).map(before).collect();
    let carried = kept.iter().map(Option::is_some).collect();
    let storage: Vec<Option<Arc<Storage>>> = (job.bindings.iter().zip(&bytes).zip(kept).enumerate())
        .map(|(k, ((binding, &bytes), kept))| match (binding.space, kept) {
            (Space::Uniform, _) => Ok(None),
            (Space::Storage, Some(kept)) => Ok(Some(kept)),
            (Space::Storage, None) => {
                Storage::of_argument(live, job, pipeline, k, bytes).map(|storage| Some(Arc::new(storage)))
            }
        })
        .collect::<Result<_>>()?;
    let pages = Pages::new(live, job)?;
    let prepared = uniforms.prepare(live, job, pipeline, &storage, &bytes);
    let in_place = prepared.unused.is_empty() && storage.iter().flatten().all(|s| s.lease.is_none());
    Ok(Bound { storage, carried, bytes, pages, prepared, origin: origin.filter(|_| in_place) })
}

/// What a job binds, where that is arrays in place and nothing else: then its dispatch is all that is recorded.
///
/// # Errors
/// Memory, a lost device, a refusal of the driver; an array that has no memory here.
pub(super) fn bind_in_place(live: &Live, job: &Job<'_>, pipeline: &Pipeline) -> Result<Option<Arc<Prepared>>> {
    let Bound { storage, prepared, origin, .. } =
        live.faults.scoped(&live.device, "binding a call", || bind(live, job, pipeline))?;
    if let Some(origin) = origin {
        live.shelf.keep(origin, &prepared);
    } else if storage.iter().any(Option::is_some) || !prepared.unused.is_empty() {
        storage.into_iter().flatten().filter_map(Arc::into_inner).filter_map(|s| s.lease).for_each(Lease::keep);
        prepared.give_back();
        return Ok(None);
    }
    Ok(Some(prepared))
}

/// Bytes to bind for an argument.
fn bound_bytes(binding: &Binding, argument: &Argument, transfer: &Transfer) -> u64 {
    match (binding.space, &transfer.window) {
        (Space::Uniform, _) => limits::uniform_bytes(binding, argument.len),
        (Space::Storage, Some(window)) => window.device_bytes(),
        (Space::Storage, None) => limits::storage_bytes(binding, argument.len),
    }
}

fn encode(
    live: &Live,
    job: &Job<'_>,
    pipeline: &Pipeline,
    (bound, counting): (&Bound, Option<&Counting>),
    readback: &Readback,
    marks: Option<&Marks>,
) -> wgpu::CommandBuffer {
    let mut encoder = live.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    let mark = |encoder: &mut wgpu::CommandEncoder, k| {
        if let Some(marks) = marks {
            marks.write(encoder, k);
        }
    };
    mark(&mut encoder, 0);
    clear(&mut encoder, job, bound);
    bound.storage.iter().flatten().for_each(|s| s.copy_in(&mut encoder));
    bound.pages.load(&mut encoder, &bound.storage);
    if let Some(counting) = counting {
        counting.prologue(live, &mut encoder, &bound.prepared.uniforms.buffer, bound.prepared.params);
    }
    mark(&mut encoder, 1);
    {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        pass.set_pipeline(&pipeline.raw);
        let [x, y, z] = job.dispatch.groups;
        for step in 0..job.repeat.map_or(1, |r| r.steps) {
            let groups = bound.prepared.groups(step).iter();
            groups.for_each(|(index, group)| pass.set_bind_group(*index, group, &[]));
            match counting {
                None => pass.dispatch_workgroups(x, y, z),
                Some(counting) => counting.dispatch(&mut pass),
            }
        }
    }
    mark(&mut encoder, 2);
    bound.storage.iter().flatten().for_each(|s| s.copy_out(&mut encoder));
    bound.pages.store(&mut encoder, &bound.storage);
    let sources: Vec<_> = bound.storage.iter().map(|s| s.as_ref().map(|s| &s.buffer)).collect();
    readback.encode(&mut encoder, &sources);
    mark(&mut encoder, 3);
    if let Some(marks) = marks {
        marks.resolve(&mut encoder, readback.front());
    } else if let Some(counting) = counting {
        encoder.copy_buffer_to_buffer(counting.found(), 0, readback.front(), 0, HEADER_BYTES);
    }
    encoder.finish()
}

/// Zeroes what a kept buffer holds of its last user and is not uploaded over. wgpu does so for a fresh one.
fn clear(encoder: &mut wgpu::CommandEncoder, job: &Job<'_>, bound: &Bound) {
    for (k, (storage, transfer)) in bound.storage.iter().zip(job.transfers).enumerate() {
        let Some(storage) = storage.as_ref().filter(|_| !bound.carried[k]) else { continue };
        let Some(lease) = storage.lease.as_ref().filter(|l| !l.fresh) else { continue };
        let copied = std::iter::once(0..storage.filled()).filter(|r| !r.is_empty());
        let uploaded = placed(transfer).into_iter().map(|(r, at)| at..at + (r.end - r.start));
        let mut filled: Vec<_> = copied.chain(uploaded).chain(bound.pages.filled(k)).collect();
        filled.sort_unstable_by_key(|r| r.start);
        for gap in staging::complement(&filled, bound.bytes[k]) {
            encoder.clear_buffer(&lease.buffer, gap.start, Some(gap.end - gap.start));
        }
    }
    for (_, lease) in bound.prepared.unused.iter().filter(|(_, l)| !l.fresh) {
        encoder.clear_buffer(&lease.buffer, 0, None);
    }
}

impl Started for GpuRun<'_> {
    fn give_up(&self) -> Option<Arc<dyn GiveUp>> {
        // The thread that serves its own ticket waits in the driver, which nobody can end.
        self.own.is_none().then(|| self.ticket.clone() as Arc<dyn GiveUp>)
    }

    fn finish(mut self: Box<Self>) -> Result<ChunkRun> {
        if let Some(index) = self.own.take() {
            self.ticket.serve(&self.live.device, &self.live.faults, index);
        }
        let done = self.ticket.wait(&self.live.faults)?;
        let Some(parts) = self.parts.take() else {
            return Err(Error::new(ErrorKind::Device, "the chunk was finished before"));
        };
        let Parts { bound, counting, staged, readback, marks } = parts;
        let (live, arguments, transfers) = (&self.live, self.arguments, self.transfers);
        let landing = Instant::now();
        let header = readback.land(live, arguments, transfers)?;
        let landing_ns = ns_since(landing);
        if let Some(counted) = self.counted {
            counted.note(counter::groups(&header)?);
        }

        let wall_ns = live.busy_ns(self.submitted, done);
        let phases = marks.as_ref().and_then(|m| m.phases(&header, wall_ns));
        let run = measured(self.upload_ns, wall_ns, landing_ns, phases, self.up_bytes, download_bytes(transfers));
        keep(live, bound, staged, marks);
        counting.into_iter().for_each(Counting::give_back);
        Ok(run)
    }
}

/// The chunk's phases. Without marks the wall time is the kernel's. With them, what they do not explain is the copy
/// out of `write_buffer`'s staging, which runs before the first mark, or the launch where little was uploaded.
fn measured(
    upload_ns: f64,
    wall_ns: f64,
    landing_ns: f64,
    phases: Option<Phases>,
    up_bytes: u64,
    down_bytes: u64,
) -> ChunkRun {
    let base = ChunkRun { upload_ns, run_ns: wall_ns, download_ns: landing_ns, up_bytes, down_bytes };
    let Some(p) = phases else { return base };
    let unexplained = (wall_ns - p.before_ns - p.kernel_ns - p.after_ns).max(0.0);
    let (before, launch) = if up_bytes >= CHARGED_BYTES { (unexplained, 0.0) } else { (0.0, unexplained) };
    ChunkRun {
        upload_ns: upload_ns + p.before_ns + before,
        run_ns: p.kernel_ns + launch,
        download_ns: landing_ns + p.after_ns,
        ..base
    }
}

/// Gives the buffers of a chunk that ended well back to the pools.
fn keep(live: &Live, bound: Bound, staged: Staged, marks: Option<Marks>) {
    // Those that later chunks have too are not kept yet.
    let storage = bound.storage.into_iter().flatten().filter_map(Arc::into_inner).filter_map(|s| s.lease);
    let resolved = marks.into_iter().map(|m| m.resolved);
    storage.chain(resolved).for_each(Lease::keep);
    bound.prepared.give_back();
    // Submitted before the chunk, so mapped again by now or on the way; of a device lost since then nothing is kept.
    staged.give_back(&live.faults).ok();
}

impl Drop for GpuRun<'_> {
    fn drop(&mut self) {
        self.ticket.abandon();
        self.parts.iter().for_each(|parts| parts.staged.abandon());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_that_the_marks_do_not_explain_is_the_upload_where_much_was_uploaded() {
        let phases = Some(Phases { before_ns: 1.0, kernel_ns: 50.0, after_ns: 5.0 });
        let big = measured(10.0, 100.0, 3.0, phases, 1 << 20, 0);
        assert_eq!((big.upload_ns, big.run_ns, big.download_ns), (55.0, 50.0, 8.0));
        let small = measured(10.0, 100.0, 3.0, phases, 16, 0);
        assert_eq!((small.upload_ns, small.run_ns, small.download_ns), (11.0, 94.0, 8.0));
        let plain = measured(10.0, 100.0, 3.0, None, 1 << 20, 0);
        assert_eq!(plain.run_ns, 100.0);
    }
}
