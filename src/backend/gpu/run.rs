//! A chunk on a device: one submission with its clears, the dispatch and the copies back.

use super::{
    lease::{Lease, Purpose},
    limits,
    live::Live,
    pipeline::{Pipeline, Source},
    readback::Readback,
    storage::Storage,
    timing::{MARK_BYTES, Marks, Phases},
    upload::{Staged, placed, upload},
    waiter::Ticket,
};
use crate::{
    backend::{Argument, Carry, ChunkRun, GiveUp, Repeat, Started, Transfer},
    error::{Error, ErrorKind, Result},
    kernel::rewrite::{Dispatch, GpuModule},
    memory::staging,
};
use evener_lanes::ir::{Binding, Space};
use std::{sync::Arc, time::Instant};

/// Header of the readback where there are no marks: proof that the submission ran.
const PROOF_BYTES: u64 = 8;

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
    /// Whether it is finished at once, by the thread that starts it.
    pub alone: bool,
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
    fn check(&self) -> Result<()> {
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
    /// Per binding; `None` for uniforms.
    storage: Vec<Option<Arc<Storage>>>,
    /// Per binding, whether the buffer comes from the chunk before, contents and all.
    carried: Vec<bool>,
    /// Bytes bound per binding.
    bytes: Vec<u64>,
    uniforms: Uniforms,
    unused: Vec<((u32, u32), Lease)>,
}

/// All uniform arguments and the dispatch parameters in one buffer, written at once.
struct Uniforms {
    lease: Lease,
    contents: Vec<u8>,
    /// Offset per binding.
    offsets: Vec<u64>,
    params: (u64, u64),
}

/// A started chunk.
pub(super) struct GpuRun<'a> {
    live: Arc<Live>,
    arguments: &'a [Argument],
    transfers: &'a [Transfer],
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
    let pipeline = live.pipelines.get(live, job)?;
    let (mut run, index) = live.faults.scoped(&live.device, "starting a chunk", || {
        let began = Instant::now();
        let bound = bind(live, job, &pipeline)?;
        let (up_bytes, staged) = upload(live, job.arguments, job.transfers, &bound.storage)?;
        live.queue.write_buffer(&bound.uniforms.lease.buffer, 0, &bound.uniforms.contents);
        let upload_ns = nanos(began);

        let down_bytes = download_bytes(job.transfers);
        let marks = Marks::new(&live.device, &live.queue, &live.pools, up_bytes + down_bytes);
        let header = if marks.is_some() { MARK_BYTES } else { PROOF_BYTES };
        let whole: Vec<u64> =
            job.bindings.iter().zip(job.arguments).map(|(b, a)| limits::storage_bytes(b, a.len)).collect();
        let readback = Readback::new(live, job.transfers, &whole, header);
        let commands = encode(live, job, &pipeline, &bound, &readback, marks.as_ref());

        let submitted = Instant::now();
        let index = live.queue.submit([commands]);
        let ticket = Arc::new(Ticket::default());
        readback.map(&ticket);
        hand_on(job, &bound);
        let parts = Some(Parts { bound, staged, readback, marks });
        let (arguments, transfers, live) = (job.arguments, job.transfers, live.clone());
        Ok((GpuRun { live, arguments, transfers, parts, ticket, own: None, submitted, up_bytes, upload_ns }, index))
    })?;
    // Only a submission that was accepted is waited for.
    if job.alone {
        run.own = Some(index);
    } else {
        live.waiter.watch(index, run.ticket.clone());
    }
    Ok(run)
}

fn download_bytes(transfers: &[Transfer]) -> u64 {
    transfers.iter().flat_map(|t| &t.download).map(staging::bytes).sum()
}

fn nanos(since: Instant) -> f64 {
    since.elapsed().as_nanos() as f64
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

/// Takes the buffers of a chunk from the chunk before or from the pools.
///
/// # Errors
/// An array that has no memory here.
fn bind(live: &Live, job: &Job<'_>, pipeline: &Pipeline) -> Result<Bound> {
    let bound = |((binding, argument), transfer): ((&Binding, &Argument), &Transfer)| match binding.space {
        Space::Storage => match &transfer.window {
            Some(window) => window.device_bytes(),
            None => limits::storage_bytes(binding, argument.len),
        },
        Space::Uniform => limits::uniform_bytes(binding, argument.len),
    };
    let bytes: Vec<u64> = job.bindings.iter().zip(job.arguments).zip(job.transfers).map(bound).collect();
    let before = |k: usize| job.carry.filter(|_| job.transfers[k].carried)?.get::<Storage>(k);
    let kept: Vec<Option<Arc<Storage>>> = (0..bytes.len()).map(before).collect();
    let carried = kept.iter().map(Option::is_some).collect();
    let storage = (job.bindings.iter().zip(&bytes).zip(kept).enumerate())
        .map(|(k, ((binding, &bytes), kept))| match (binding.space, kept) {
            (Space::Uniform, _) => Ok(None),
            (Space::Storage, Some(kept)) => Ok(Some(kept)),
            (Space::Storage, None) => {
                Storage::of_argument(live, job, pipeline, k, bytes).map(|storage| Some(Arc::new(storage)))
            }
        })
        .collect::<Result<_>>()?;
    let unused = pipeline.slots.iter().filter_map(|slot| match slot.source {
        Source::Unused(bytes) => {
            let purpose = if slot.read_only_storage.is_some() { Purpose::Storage } else { Purpose::Uniform };
            Some(((slot.group, slot.binding), live.pools.lease(purpose, bytes)))
        }
        _ => None,
    });
    let unused = unused.collect();
    Ok(Bound { storage, carried, uniforms: uniforms(live, job, &bytes), bytes, unused })
}

fn uniforms(live: &Live, job: &Job<'_>, bytes: &[u64]) -> Uniforms {
    let mut contents = Vec::new();
    let mut place = |value: &[u8], bytes: u64| {
        let at = (contents.len() as u64).next_multiple_of(live.uniform_align);
        contents.resize(at as usize, 0);
        contents.extend_from_slice(value);
        contents.resize((at + bytes) as usize, 0);
        at
    };
    let offsets = (job.bindings.iter().zip(job.arguments).zip(bytes))
        .map(|((binding, argument), &bytes)| match binding.space {
            Space::Storage => 0,
            Space::Uniform => {
                // SAFETY: the argument is valid for the call, and nobody writes a uniform.
                let value = unsafe { std::slice::from_raw_parts(argument.ptr, argument.len as usize) };
                place(value, bytes)
            }
        })
        .collect();
    let params_bytes = (job.dispatch.params.len() as u64).max(16).next_multiple_of(16);
    let params = (place(&job.dispatch.params, params_bytes), params_bytes);
    let lease = live.pools.lease(Purpose::Uniform, contents.len() as u64);
    Uniforms { lease, contents, offsets, params }
}

fn encode(
    live: &Live,
    job: &Job<'_>,
    pipeline: &Pipeline,
    bound: &Bound,
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
    mark(&mut encoder, 1);
    {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        pass.set_pipeline(&pipeline.raw);
        let [x, y, z] = job.dispatch.groups;
        let plain = bind_groups(live, pipeline, bound, None);
        let swapped = job.repeat.map(|r| bind_groups(live, pipeline, bound, Some(r)));
        for step in 0..job.repeat.map_or(1, |r| r.steps) {
            let groups = swapped.as_ref().filter(|_| step % 2 == 1).unwrap_or(&plain);
            groups.iter().for_each(|(index, group)| pass.set_bind_group(*index, group, &[]));
            pass.dispatch_workgroups(x, y, z);
        }
    }
    mark(&mut encoder, 2);
    bound.storage.iter().flatten().for_each(|s| s.copy_out(&mut encoder));
    let sources: Vec<_> = bound.storage.iter().map(|s| s.as_ref().map(|s| &s.buffer)).collect();
    readback.encode(&mut encoder, &sources);
    mark(&mut encoder, 3);
    match marks {
        Some(marks) => marks.resolve(&mut encoder, readback.front()),
        None => {
            encoder.copy_buffer_to_buffer(&bound.uniforms.lease.buffer, 0, readback.front(), 0, PROOF_BYTES);
        }
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
        let filled: Vec<_> = copied.chain(uploaded).collect();
        for gap in staging::complement(&filled, bound.bytes[k]) {
            encoder.clear_buffer(&lease.buffer, gap.start, Some(gap.end - gap.start));
        }
    }
    for (_, lease) in bound.unused.iter().filter(|(_, l)| !l.fresh) {
        encoder.clear_buffer(&lease.buffer, 0, None);
    }
}

/// The bind groups with their numbers; with `swap` two arguments have changed places.
fn bind_groups(live: &Live, pipeline: &Pipeline, bound: &Bound, swap: Option<Repeat>) -> Vec<(u32, wgpu::BindGroup)> {
    let layouts = (0..).zip(&pipeline.layouts);
    let used = layouts.filter_map(|(group, layout)| Some((group, layout.as_ref()?)));
    used.map(|(group, layout)| (group, bind_group(live, pipeline, bound, group, layout, swap))).collect()
}

fn bind_group(
    live: &Live,
    pipeline: &Pipeline,
    bound: &Bound,
    group: u32,
    layout: &wgpu::BindGroupLayout,
    swap: Option<Repeat>,
) -> wgpu::BindGroup {
    let entries: Vec<wgpu::BindGroupEntry<'_>> = (pipeline.slots.iter().filter(|s| s.group == group))
        .filter_map(|slot| {
            let uniforms = &bound.uniforms.lease.buffer;
            let (buffer, offset, bytes) = match slot.source {
                Source::Params => (uniforms, bound.uniforms.params.0, bound.uniforms.params.1),
                Source::Unused(bytes) => {
                    let at = (slot.group, slot.binding);
                    (&bound.unused.iter().find(|(key, _)| *key == at)?.1.buffer, 0, bytes)
                }
                Source::Argument(i) => match &bound.storage[swap.map_or(i, |s| s.swapped(i))] {
                    Some(storage) => (&storage.buffer, storage.offset, bound.bytes[i]),
                    None => (uniforms, bound.uniforms.offsets[i], bound.bytes[i]),
                },
            };
            let size = wgpu::BufferSize::new(bytes);
            let resource = wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer, offset, size });
            Some(wgpu::BindGroupEntry { binding: slot.binding, resource })
        })
        .collect();
    live.device.create_bind_group(&wgpu::BindGroupDescriptor { label: None, layout, entries: &entries })
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
        let Parts { bound, staged, readback, marks } = parts;
        let (live, arguments, transfers) = (&self.live, self.arguments, self.transfers);
        let landing = Instant::now();
        let header = readback.land(live, arguments, transfers)?;
        let landing_ns = nanos(landing);

        let wall_ns = live.busy_ns(self.submitted, done);
        let phases = marks.as_ref().and_then(|m| m.phases(&header, wall_ns));
        let run = measured(self.upload_ns, wall_ns, landing_ns, phases, self.up_bytes, download_bytes(transfers));
        keep(live, bound, staged, marks);
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
    let unused = bound.unused.into_iter().map(|(_, lease)| lease);
    let resolved = marks.into_iter().map(|m| m.resolved);
    storage.chain(unused).chain(resolved).chain([bound.uniforms.lease]).for_each(Lease::keep);
    for (lease, ticket) in staged {
        // Submitted before the chunk, so mapped again by now or on the way.
        if ticket.wait(&live.faults).is_ok() {
            lease.keep();
        }
    }
}

impl Drop for GpuRun<'_> {
    fn drop(&mut self) {
        self.ticket.abandon();
        for (_, ticket) in self.parts.iter().flat_map(|p| &p.staged) {
            ticket.abandon();
        }
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
