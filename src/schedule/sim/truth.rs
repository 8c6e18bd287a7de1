//! What things really take on a simulated machine.
//!
//! Not the cost model's formula: classes of operations dual-issue, computing and memory hide each other in part,
//! caches have cliffs, throughput saturates, work-groups come in waves, transfers have a rate that grows with their size,
//! and each kernel reaches a part of all that which only a run shows.

use super::{
    machine::{Device, Link, Machine},
    noise::{Random, hash},
};
use evener_lanes::analysis::Features;

/// The work of a chunk, as hardware sees it.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Per invocation.
    pub features: Features,
    /// Invocations, weighted by how much more than on average they do.
    pub invocations: f64,
    /// Work-groups.
    pub groups: f64,
    /// Bytes that the whole call touches: they decide which cache serves it.
    pub working_set: f64,
    /// Of them, for each invocation.
    pub touched: f64,
}

/// The true times of a machine's devices. A seed makes another machine of the same kind.
#[derive(Clone, Debug)]
pub struct Truth {
    /// What the file says.
    pub machine: Machine,
    seed: u64,
}

impl Truth {
    /// A machine; the seed moves the efficiency of each kernel on each device.
    pub fn new(machine: Machine, seed: u64) -> Self {
        Truth { machine, seed }
    }

    /// A device.
    pub fn device(&self, device: usize) -> &Device {
        &self.machine.devices[device]
    }

    /// The part of the rates that a kernel reaches on a device.
    pub fn efficiency(&self, device: usize, kernel: &str) -> f64 {
        // A standard deviation of the logarithm: other seeds are other machines.
        const VARIES: f64 = 0.25;
        let table = &self.device(device).efficiency;
        let Some(of_file) = table.get(kernel).or_else(|| table.get("other")) else { return 1.0 };
        let mut random = Random::new(self.seed, hash(kernel) ^ device as u64);
        (of_file * (VARIES * random.normal()).exp()).clamp(0.1, 1.0)
    }

    /// Mean time of a kernel without its launch, in ns, at full speed.
    pub fn kernel_ns(&self, device: usize, kernel: &str, load: &Load) -> f64 {
        kernel_ns(self.device(device), load) / self.efficiency(device, kernel)
    }
}

/// Time at full efficiency.
pub fn kernel_ns(device: &Device, load: &Load) -> f64 {
    let n = load.invocations;
    if n <= 0.0 {
        return 0.0;
    }
    let busy = computing(device, &load.features).max(0.0);
    let moved = memory(device, load);
    let (long, short) = if busy > moved { (busy, moved) } else { (moved, busy) };
    let each = long + (1.0 - device.hidden) * short;
    each * filled(n, device.fill_invocations) * waves(device, load.groups) * 1e9
}

/// Invocations in whose time so many are done: flat where they do not fill the device, then a line, with a soft bend.
fn filled(n: f64, fill: f64) -> f64 {
    let part = n / fill.max(1e-3);
    if part > 30.0 { n } else { n / (1.0 - (-part).exp()) }
}

/// Seconds of an invocation's operations: floats and integers issue side by side, the rest in line.
fn computing(device: &Device, f: &Features) -> f64 {
    let o = &device.operations;
    let per = |amount: f64, rate: f64| if amount > 0.0 { amount / rate } else { 0.0 };
    let float = per(f.float, o.float) + per(f.double, o.double) + per(f.divide, o.divide);
    let integer = per(f.integer, o.integer) + per(f.branch, o.branch);
    let special = per(f.transcendental, o.transcendental) + per(f.atomic, o.atomic) + per(f.barrier, o.barrier);
    float.max(integer) + 0.4 * float.min(integer) + special + per(f.workgroup_bytes, device.group_bytes)
}

/// Seconds of an invocation's bytes.
fn memory(device: &Device, load: &Load) -> f64 {
    let f = &load.features;
    let outer = bandwidth(device, load.working_set);
    let inner = device.caches.first().map_or(device.memory_bytes, |c| c.bytes);
    let accessed = f.contiguous_bytes + 0.05 * f.uniform_bytes;
    // Lines come once from where the working set is, and are used again from the first level.
    let touched = load.touched.min(accessed);
    // Strided and scattered loads waste lines where the set is larger than the caches.
    let largest = device.caches.last().map_or(0.0, |c| c.holds);
    let misses = 1.0 - (largest / load.working_set.max(1.0)).min(1.0);
    let scattered = f.gather_bytes + 0.5 * f.strided_bytes;
    touched / outer + accessed / inner + scattered * (misses / device.gather_bytes + (1.0 - misses) * 3.0 / inner)
}

/// Bytes per second where the working set lies: the smallest level that holds it; just beyond a level half of it still
/// hits.
fn bandwidth(device: &Device, working_set: f64) -> f64 {
    for (k, cache) in device.caches.iter().enumerate() {
        if working_set <= cache.holds {
            return cache.bytes;
        }
        if working_set <= 1.5 * cache.holds {
            let next = device.caches.get(k + 1).map_or(device.memory_bytes, |c| c.bytes);
            return (0.5 / cache.bytes + 0.5 / next).recip();
        }
    }
    device.memory_bytes
}

/// How much longer whole waves take than the work-groups in them. With many waves their borders blur.
fn waves(device: &Device, groups: f64) -> f64 {
    let waves = (groups / device.wave_groups).max(1e-9);
    if waves <= 1.0 || waves > 16.0 { 1.0 } else { 1.0 + 0.7 * (waves.ceil() / waves - 1.0) }
}

/// Mean time of a transfer, in ns.
pub fn link_ns(link: &Link, bytes: f64, per_s: f64) -> f64 {
    if bytes <= 0.0 { 0.0 } else { link.latency_ns + (bytes + link.half_bytes) / per_s * 1e9 }
}

/// How a device's speed changes on the clock: from each time on, everything takes so many times as long.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Speed {
    /// Sorted by time; infinite: lost.
    changes: Vec<(f64, f64)>,
}

impl Speed {
    /// The events of a machine that concern a device.
    pub fn of(machine: &Machine, device: usize) -> Self {
        let mut speed = Speed::default();
        for e in machine.events.iter().filter(|e| e.device == device) {
            speed.add(e.from_ns, e.until_ns.unwrap_or(f64::INFINITY), e.slowdown);
        }
        speed
    }

    /// Slows a device down in an interval; 0 is a loss.
    pub fn add(&mut self, from_ns: f64, until_ns: f64, slowdown: f64) {
        let factor = if slowdown == 0.0 { f64::INFINITY } else { slowdown };
        let mut times: Vec<f64> = self.changes.iter().map(|c| c.0).chain([from_ns, until_ns]).collect();
        times.retain(|t| t.is_finite());
        times.sort_by(f64::total_cmp);
        times.dedup();
        let old = self.clone();
        let at = |t: f64| old.factor(t) * if (from_ns..until_ns).contains(&t) { factor } else { 1.0 };
        self.changes = times.into_iter().map(|t| (t, at(t))).collect();
    }

    /// When the device is lost, if it is.
    pub fn lost_at(&self) -> Option<f64> {
        self.changes.iter().find(|c| c.1.is_infinite()).map(|c| c.0)
    }

    /// The factor at a time.
    pub fn factor(&self, at_ns: f64) -> f64 {
        self.changes.iter().rev().find(|c| c.0 <= at_ns).map_or(1.0, |c| c.1)
    }

    /// When work of so many ns at full speed ends that starts then; infinite where the device is lost meanwhile.
    pub fn end(&self, start_ns: f64, work_ns: f64) -> f64 {
        if work_ns <= 0.0 {
            return start_ns;
        }
        let (mut now, mut left) = (start_ns, work_ns);
        for &(at, _) in self.changes.iter().filter(|c| c.0 > start_ns) {
            let factor = self.factor(now);
            let done = (at - now) / factor;
            if done >= left {
                break;
            }
            left -= done;
            now = at;
        }
        now + left * self.factor(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_across_a_slow_down_takes_both_parts() {
        let mut speed = Speed::default();
        speed.add(100.0, 200.0, 2.0);
        assert_eq!(speed.end(0.0, 50.0), 50.0);
        assert_eq!(speed.end(50.0, 100.0), 200.0);
        assert_eq!(speed.end(50.0, 150.0), 250.0);
        assert_eq!(speed.end(300.0, 10.0), 310.0);
    }

    #[test]
    fn slow_downs_multiply_and_a_loss_never_ends() {
        let mut speed = Speed::default();
        speed.add(0.0, f64::INFINITY, 2.0);
        speed.add(10.0, 20.0, 3.0);
        assert_eq!((speed.factor(5.0), speed.factor(15.0), speed.factor(25.0)), (2.0, 6.0, 2.0));
        speed.add(30.0, f64::INFINITY, 0.0);
        assert_eq!(speed.end(25.0, 10.0), f64::INFINITY);
    }
}
