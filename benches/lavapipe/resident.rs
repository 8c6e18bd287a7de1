//! A kernel on the software device by plain wgpu, its buffers resident.

use crate::work::{Data, Work};
use wgpu::util::{BufferInitDescriptor, DeviceExt};

/// The software adapter's device.
pub struct Software {
    device: wgpu::Device,
    queue: wgpu::Queue,
}

/// A kernel whose buffers are on the device.
pub struct Resident {
    pipeline: wgpu::ComputePipeline,
    bind_group: wgpu::BindGroup,
    storage: Vec<wgpu::Buffer>,
    groups: [u32; 3],
}

impl Software {
    /// The first software adapter, if there is one.
    pub fn open() -> Option<Self> {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
        let adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::VULKAN));
        let adapter = adapters.into_iter().find(|a| a.get_info().device_type == wgpu::DeviceType::Cpu)?;
        let descriptor = wgpu::DeviceDescriptor { required_limits: adapter.limits(), ..Default::default() };
        let (device, queue) = pollster::block_on(adapter.request_device(&descriptor)).ok()?;
        Some(Software { device, queue })
    }

    /// Uploads a kernel's data and compiles it without wgpu's own checks of loops, which cost time.
    pub fn load(&self, work: &mut dyn Work, size: [u32; 3]) -> Resident {
        let source = wgpu::ShaderSource::Wgsl(work.source().into());
        let checks = wgpu::ShaderRuntimeChecks { force_loop_bounding: false, ..wgpu::ShaderRuntimeChecks::checked() };
        let descriptor = wgpu::ShaderModuleDescriptor { label: None, source };
        // SAFETY: the benchmark's kernels have no endless loop.
        let module = unsafe { self.device.create_shader_module_trusted(descriptor, checks) };
        let pipeline = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: None,
            layout: None,
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            cache: None,
        });
        let uniform: Vec<u8> = work.params().iter().flat_map(|(_, number)| number.bytes()).collect();
        let items = work.items();
        let storage: Vec<wgpu::Buffer> =
            work.storage().iter().map(|(_, data)| self.buffer(bytes(data), wgpu::BufferUsages::STORAGE)).collect();
        let uniform = (!uniform.is_empty()).then(|| self.buffer(&uniform, wgpu::BufferUsages::UNIFORM));
        let entries: Vec<wgpu::BindGroupEntry<'_>> = uniform
            .iter()
            .chain(&storage)
            .enumerate()
            .map(|(k, buffer)| wgpu::BindGroupEntry { binding: k as u32, resource: buffer.as_entire_binding() })
            .collect();
        let bind_group = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries,
        });
        Resident { pipeline, bind_group, storage, groups: std::array::from_fn(|a| items[a].div_ceil(size[a])) }
    }

    fn buffer(&self, contents: &[u8], usage: wgpu::BufferUsages) -> wgpu::Buffer {
        let usage = usage | wgpu::BufferUsages::COPY_SRC;
        self.device.create_buffer_init(&BufferInitDescriptor { label: None, contents, usage })
    }

    /// Runs a kernel some times in one submission and waits.
    pub fn run(&self, kernel: &Resident, repeats: u32) {
        let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        pass.set_pipeline(&kernel.pipeline);
        pass.set_bind_group(0, &kernel.bind_group, &[]);
        for _ in 0..repeats {
            let [x, y, z] = kernel.groups;
            pass.dispatch_workgroups(x, y, z);
        }
        drop(pass);
        self.queue.submit([encoder.finish()]);
        self.device.poll(wgpu::PollType::wait_indefinitely()).expect("the device is there");
    }

    /// Copies what the kernel wrote back to the host.
    pub fn read_back(&self, kernel: &Resident, work: &mut dyn Work) {
        for ((_, data), buffer) in work.storage().into_iter().zip(&kernel.storage) {
            let Some(to) = written(data) else { continue };
            let usage = wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ;
            let descriptor =
                wgpu::BufferDescriptor { label: None, size: to.len() as u64, usage, mapped_at_creation: false };
            let staging = self.device.create_buffer(&descriptor);
            let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            encoder.copy_buffer_to_buffer(buffer, 0, &staging, 0, to.len() as u64);
            self.queue.submit([encoder.finish()]);
            staging.map_async(wgpu::MapMode::Read, .., |mapped| mapped.expect("maps"));
            self.device.poll(wgpu::PollType::wait_indefinitely()).expect("the device is there");
            to.copy_from_slice(&staging.get_mapped_range(..).expect("mapped"));
        }
    }
}

fn bytes<'a>(data: &'a Data<'_>) -> &'a [u8] {
    match data {
        Data::U32(v) => bytemuck::cast_slice(v),
        Data::F32(v) => bytemuck::cast_slice(v),
        Data::Vec4(v) => bytemuck::cast_slice(v),
        Data::WriteU32(v) => bytemuck::cast_slice(v),
        Data::WriteF32(v) => bytemuck::cast_slice(v),
        Data::WriteVec4(v) => bytemuck::cast_slice(v),
        Data::WriteVec4u(v) => bytemuck::cast_slice(v),
    }
}

fn written(data: Data<'_>) -> Option<&mut [u8]> {
    match data {
        Data::U32(_) | Data::F32(_) | Data::Vec4(_) => None,
        Data::WriteU32(v) => Some(bytemuck::cast_slice_mut(v)),
        Data::WriteF32(v) => Some(bytemuck::cast_slice_mut(v)),
        Data::WriteVec4(v) => Some(bytemuck::cast_slice_mut(v)),
        Data::WriteVec4u(v) => Some(bytemuck::cast_slice_mut(v)),
    }
}
