//! Item counts that the device itself takes from an array: an indirect dispatch behind a prologue.
//!
//! One invocation reads the count, clamps it and folds it as [`Dispatch`](crate::kernel::rewrite::Dispatch) does on the
//! host, so that no axis passes the device's limit. What it finds goes to the dispatch and to the parameters of the
//! kernel, whose logical grid is then that of the count. The work-groups come to the host with the proof that the
//! submission ran, and nobody waits for them before.

use super::{
    lease::{Lease, Purpose},
    live::Live,
    run::{CountedDispatch, Job},
};
use crate::{
    backend::ArrayRef,
    error::{Error, ErrorKind, Result},
};

/// Work-groups and items first, then the dispatch, the kernel's parameters, and what the host says: the element, items
/// of a work-group, work-groups of an axis at most, and in all.
const COUNT: &str = "
    @group(0) @binding(0) var<storage, read> counts: array<u32>;
    @group(0) @binding(1) var<storage, read_write> out: array<u32, 24>;

    fn parts(all: u32, size: u32) -> u32 {
        return all / size + select(0u, 1u, all % size != 0u);
    }

    @compute @workgroup_size(1)
    fn count() {
        let items = counts[out[20]];
        let limit = out[22];
        let groups = min(parts(items, out[21]), out[23]);
        var physical = vec3u(groups, 1u, 1u);
        var fold = vec4u(0u);
        if groups > limit {
            let rows = parts(groups, limit);
            let planes = parts(rows, limit);
            let height = parts(rows, planes);
            physical = vec3u(limit, height, planes);
            fold = vec4u(limit, height, (groups - 1u) / limit, (groups - 1u) % limit);
        }
        out[0] = groups;
        out[1] = items;
        for (var k = 0u; k < 3u; k++) { out[2u + k] = physical[k]; }
        for (var k = 8u; k < 16u; k += 4u) {
            out[k] = groups;
            out[k + 1u] = 1u;
            out[k + 2u] = 1u;
            out[k + 3u] = 0u;
        }
        for (var k = 0u; k < 4u; k++) { out[16u + k] = fold[k]; }
    }";

/// Bytes of what the prologue reads and writes.
const BYTES: u64 = 96;
/// First byte of the dispatch.
const DISPATCH: u64 = 8;
/// First byte of the parameters `grid`, `count` and `fold`,
const GRID: u64 = 32;
/// their bytes,
const GRID_BYTES: u64 = 48;
/// and where they are in the kernel's.
const GRID_IN_PARAMS: u64 = 16;
/// First byte of what the host says.
const INPUT: u64 = 80;

/// The prologue's pipeline on a device.
#[derive(Debug)]
pub(super) struct Counter {
    pipeline: wgpu::ComputePipeline,
    layout: wgpu::BindGroupLayout,
}

impl Counter {
    /// Compiles it. Within error scopes.
    fn new(device: &wgpu::Device) -> Self {
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: None,
            source: wgpu::ShaderSource::Wgsl(COUNT.into()),
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: None,
            layout: None,
            module: &module,
            entry_point: None,
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            cache: None,
        });
        Counter { layout: pipeline.get_bind_group_layout(0), pipeline }
    }
}

/// The count of one dispatch.
#[derive(Debug)]
pub(super) struct Counting {
    lease: Lease,
    group: wgpu::BindGroup,
}

impl Counting {
    /// What counts the items of a job, if it is counted on the device. Within error scopes.
    ///
    /// # Errors
    /// The array of counts has no memory here.
    pub(super) fn new(live: &Live, job: &Job<'_>) -> Result<Option<Self>> {
        let Some(CountedDispatch { counted, axis_groups, most_groups }) = job.counted else { return Ok(None) };
        let ArrayRef { id, offset, .. } = counted.element;
        let (array, at) = live.arrays.buffer(id, &(offset..offset + 4))?;
        let counter = live.counter.get_or_init(|| Counter::new(&live.device));
        let lease = live.pools.lease(Purpose::Indirect, BYTES);
        // The element's neighbourhood alone: the whole array may be more than the device binds.
        let from = at / live.storage_align * live.storage_align;
        let bytes = live.storage_align.max(4).min(array.size() - from);
        let words = [((at - from) / 4) as u32, counted.group_items, axis_groups, most_groups];
        let input: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
        live.queue.write_buffer(&lease.buffer, INPUT, &input);
        let resource = |buffer, offset, bytes| {
            let size = wgpu::BufferSize::new(bytes);
            wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer, offset, size })
        };
        let group = live.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &counter.layout,
            entries: &[
                wgpu::BindGroupEntry { binding: 0, resource: resource(&array, from, bytes) },
                wgpu::BindGroupEntry { binding: 1, resource: resource(&lease.buffer, 0, BYTES) },
            ],
        });
        Ok(Some(Counting { lease, group }))
    }

    /// Counts, and puts the grid into the kernel's parameters, which are in `uniforms` from byte `params`.
    pub(super) fn prologue(
        &self,
        live: &Live,
        encoder: &mut wgpu::CommandEncoder,
        uniforms: &wgpu::Buffer,
        params: u64,
    ) {
        let Some(counter) = live.counter.get() else { return };
        {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            pass.set_pipeline(&counter.pipeline);
            pass.set_bind_group(0, &self.group, &[]);
            pass.dispatch_workgroups(1, 1, 1);
        }
        encoder.copy_buffer_to_buffer(&self.lease.buffer, GRID, uniforms, params + GRID_IN_PARAMS, GRID_BYTES);
    }

    /// Dispatches as many work-groups as were counted.
    pub(super) fn dispatch(&self, pass: &mut wgpu::ComputePass<'_>) {
        pass.dispatch_workgroups_indirect(&self.lease.buffer, DISPATCH);
    }

    /// The buffer that starts with the work-groups counted.
    pub(super) fn found(&self) -> &wgpu::Buffer {
        &self.lease.buffer
    }

    /// Gives its buffer back after a run that ended well.
    pub(super) fn give_back(self) {
        self.lease.keep();
    }
}

/// The work-groups that were counted, from the bytes that came with the proof.
///
/// # Errors
/// Too few bytes.
pub(super) fn groups(header: &[u8]) -> Result<u32> {
    let bytes = header.get(..4).and_then(|b| b.try_into().ok());
    bytes
        .map(u32::from_le_bytes)
        .ok_or_else(|| Error::new(ErrorKind::Device, "the counted work-groups did not come back"))
}
