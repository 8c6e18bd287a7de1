//! Calibration of a simulated device: the real microkernels and estimators, the simulated clock.

use super::{
    machine::{Machine, Noise},
    noise::Random,
    truth::{Load, kernel_ns, link_ns},
};
use crate::{
    backend::{Capabilities, ChunkRun, DeviceInfo, DeviceKind, Limits},
    cost::{
        calibrate::{Effort, MicroRun, Testbed, Timed, measure},
        roofline::Rates,
    },
    error::Result,
    kernel::Compiled,
};
use evener_lanes::{GroupRange, analysis::Strided};

/// Microkernels are written to reach nearly all of the rates.
const EFFICIENCY: f64 = 0.95;

struct Virtual<'a> {
    machine: &'a Machine,
    device: usize,
    info: DeviceInfo,
    random: Random,
}

/// Measures the rates of a simulated device through its noise.
///
/// # Errors
/// None in practice: the microkernels are valid.
pub fn calibrate(machine: &Machine, device: usize, seed: u64) -> Result<Rates> {
    let info = info(machine, device);
    let random = Random::new(seed, 1000 + device as u64);
    measure(&mut Virtual { machine, device, info, random }, Effort::FULL, &mut |_, _| {})
}

/// The device as it would be listed.
pub fn info(machine: &Machine, device: usize) -> DeviceInfo {
    let own = &machine.devices[device];
    let id = if device == 0 { "cpu".into() } else { format!("gpu:{}", device - 1) };
    DeviceInfo {
        name: format!("{} {id}", machine.name),
        id,
        kind: own.kind,
        api: "simulated".into(),
        merged: Vec::new(),
        driver: String::new(),
        capabilities: Capabilities { f64: own.operations.double > 0.0, ..Capabilities::ALL },
        limits: Limits::MEMORY,
    }
}

impl Testbed for Virtual<'_> {
    fn info(&self) -> &DeviceInfo {
        &self.info
    }

    fn is_warm(&self, _kernel: &Compiled) -> bool {
        true
    }

    fn run(&mut self, run: &MicroRun<'_>) -> Result<Timed> {
        let own = &self.machine.devices[self.device];
        let noise = self.machine.noise;
        let (grid, sizes, features) = (run.grid(), run.sizes(), run.features());
        let groups = GroupRange::all(grid).count() as f64;
        let invocations = groups * f64::from(run.kernel.program.kernel().group_invocations());
        let working_set = sizes.iter().sum::<u64>() as f64;
        let load = Load { features, invocations, groups, working_set, touched: working_set / invocations };
        let jitter = Noise { body: own.launch_jitter, ..noise };
        let kernel = kernel_ns(own, &load) / EFFICIENCY * noise.draw(&mut self.random);
        let run_ns = own.launch_ns * jitter.draw(&mut self.random) + kernel;
        let mut timed = ChunkRun { run_ns, ..ChunkRun::default() };
        if let Some(link) = own.link.filter(|_| self.info.kind != DeviceKind::Cpu) {
            let moved = run.transfers();
            timed.up_bytes = moved.iter().flat_map(|t| &t.upload).map(|r| r.end - r.start).sum();
            timed.down_bytes = moved.iter().flat_map(|t| &t.download).map(Strided::bytes).sum();
            timed.upload_ns = link_ns(&link, timed.up_bytes as f64, link.up_bytes) * noise.draw(&mut self.random);
            timed.download_ns = link_ns(&link, timed.down_bytes as f64, link.down_bytes) * noise.draw(&mut self.random);
        }
        Ok(Timed { wall_ns: timed.upload_ns + timed.run_ns + timed.download_ns, run: timed })
    }
}
