//! A stencil by plain wgpu: two buffers that stay on the device, two bind groups, one pass.

use wgpu::util::{BufferInitDescriptor, DeviceExt};

/// The steps on a device.
pub struct Raw {
    device: wgpu::Device,
    queue: wgpu::Queue,
    pipeline: wgpu::ComputePipeline,
    /// From the first buffer to the second, and back.
    groups: [wgpu::BindGroup; 2],
    buffers: [wgpu::Buffer; 2],
    dispatch: u32,
}

impl Raw {
    /// The first adapter that is not a software one, else the first.
    pub fn open(source: &str, contents: &[f32], group: u32) -> Option<Self> {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
        let mut adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::PRIMARY));
        adapters.sort_by_key(|a| a.get_info().device_type == wgpu::DeviceType::Cpu);
        let adapter = adapters.into_iter().next()?;
        let descriptor = wgpu::DeviceDescriptor { required_limits: adapter.limits(), ..Default::default() };
        let (device, queue) = pollster::block_on(adapter.request_device(&descriptor)).ok()?;
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: None,
            source: wgpu::ShaderSource::Wgsl(source.into()),
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: None,
            layout: None,
            module: &module,
            entry_point: None,
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            cache: None,
        });
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
        let contents = bytemuck::cast_slice(contents);
        let buffer = |contents| device.create_buffer_init(&BufferInitDescriptor { label: None, contents, usage });
        let buffers = [buffer(contents), buffer(contents)];
        let groups = [[0, 1], [1, 0]].map(|order| {
            let entry =
                |k: usize| wgpu::BindGroupEntry { binding: k as u32, resource: buffers[order[k]].as_entire_binding() };
            device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: None,
                layout: &pipeline.get_bind_group_layout(0),
                entries: &[entry(0), entry(1)],
            })
        });
        let dispatch = (contents.len() as u32 / 4).div_ceil(group);
        Some(Raw { device, queue, pipeline, groups, buffers, dispatch })
    }

    /// Runs an even number of steps, or one, in one submission, and waits.
    pub fn run(&self, steps: usize) {
        let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        pass.set_pipeline(&self.pipeline);
        for step in 0..steps {
            pass.set_bind_group(0, &self.groups[step % 2], &[]);
            pass.dispatch_workgroups(self.dispatch, 1, 1);
        }
        drop(pass);
        self.queue.submit([encoder.finish()]);
        self.device.poll(wgpu::PollType::wait_indefinitely()).expect("the device is there");
    }

    /// The first buffer's elements.
    pub fn read(&self) -> Vec<f32> {
        let usage = wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ;
        let size = self.buffers[0].size();
        let staging =
            self.device.create_buffer(&wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation: false });
        let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        encoder.copy_buffer_to_buffer(&self.buffers[0], 0, &staging, 0, size);
        self.queue.submit([encoder.finish()]);
        staging.map_async(wgpu::MapMode::Read, .., |mapped| mapped.expect("maps"));
        self.device.poll(wgpu::PollType::wait_indefinitely()).expect("the device is there");
        bytemuck::cast_slice(&staging.get_mapped_range(..).expect("mapped")).to_vec()
    }
}
