//! Machine files: the hidden truth of a simulated machine, as untrusted input.
//!
//! The schema is documented in `profiles/README.md`. It describes hardware (rates, cache levels, launch latencies,
//! noise, events), not the cost model's formula; what the model knows of it, it measures.

use crate::backend::DeviceKind;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Larger files are not read, in bytes.
pub const MAX_BYTES: u64 = 256 * 1024;
/// Layout that this evener reads.
const SCHEMA: u32 = 1;
/// Devices, cache levels, named kernels and events in one file.
const MAX_DEVICES: usize = 5;
const MAX_LEVELS: usize = 8;
const MAX_NAMES: usize = 256;
const MAX_EVENTS: usize = 64;

/// A simulated machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// Layout of the file.
    pub schema: u32,
    /// Name for people.
    pub name: String,
    /// Where the figures come from.
    pub origin: Origin,
    /// How times vary.
    pub noise: Noise,
    /// The CPU first, then the GPUs.
    pub devices: Vec<Device>,
    /// What happens while calls run, on the machine's own clock.
    #[serde(default)]
    pub events: Vec<Event>,
}

/// Where a machine's figures come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Measured on a machine.
    Measured,
    /// Made up after data sheets.
    Synthetic,
}

/// How a time varies from run to run: a log-normal body and a heavy tail.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Noise {
    /// Standard deviation of the logarithm.
    pub body: f64,
    /// Chance of a straggler, 0 to 1.
    pub tail_chance: f64,
    /// A straggler takes up to this many times as long (Pareto between 1 and this).
    pub tail_factor: f64,
}

/// A device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// `cpu`, `integrated` or `discrete`. The first device is the CPU, and only it.
    pub kind: DeviceKind,
    /// From submission to the first work-group and from the last to completion, in ns.
    pub launch_ns: f64,
    /// Its standard deviation, as a part of it.
    pub launch_jitter: f64,
    /// Operations per second of the whole device.
    pub operations: Operations,
    /// Bytes per second of work-group memory.
    pub group_bytes: f64,
    /// Bytes per second of loads from unpredictable places that miss the caches.
    pub gather_bytes: f64,
    /// From the smallest to the largest; beyond the last there is only memory.
    pub caches: Vec<Cache>,
    /// Bytes per second of memory.
    pub memory_bytes: f64,
    /// Invocations that fill the device: fewer take as long.
    pub fill_invocations: f64,
    /// Work-groups that run at a time: the last wave may be nearly empty.
    pub wave_groups: f64,
    /// How much of the shorter of computing and memory is hidden behind the longer, 0 to 1.
    pub hidden: f64,
    /// The part of those rates that a kernel reaches, 0.1 to 1, by name; `other` for the rest.
    pub efficiency: BTreeMap<String, f64>,
    /// Slow-down while other devices work: 0.1 takes 10 % longer.
    pub interference: f64,
    /// The way to the host's memory; the CPU has none.
    #[serde(default)]
    pub link: Option<Link>,
}

/// Operations per second.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operations {
    /// f32.
    pub float: f64,
    /// f64; 0 where there is none.
    pub double: f64,
    /// Divisions and square roots.
    pub divide: f64,
    /// exp, log, sin, pow, ...
    pub transcendental: f64,
    /// Integer and logical.
    pub integer: f64,
    /// Structured branches.
    pub branch: f64,
    /// Storage atomics.
    pub atomic: f64,
    /// Barriers of an invocation.
    pub barrier: f64,
}

/// A cache level.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cache {
    /// Bytes it holds.
    pub holds: f64,
    /// Bytes per second.
    pub bytes: f64,
}

/// The way between host and device memory.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// Bytes per second to the device, for large transfers.
    pub up_bytes: f64,
    /// Bytes per second back.
    pub down_bytes: f64,
    /// Fixed time of a transfer, in ns.
    pub latency_ns: f64,
    /// Transfers of this many bytes reach half the rate.
    pub half_bytes: f64,
    /// Whether copies and kernels of different chunks overlap.
    pub overlap: bool,
}

/// Something that happens to a device.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// Index into the devices.
    pub device: usize,
    /// Begin on the machine's clock, in ns.
    pub from_ns: f64,
    /// End; for ever where it is left out.
    #[serde(default)]
    pub until_ns: Option<f64>,
    /// Everything on the device takes so many times as long (load of cores, throttling). 0: the device is lost.
    pub slowdown: f64,
}

impl Machine {
    /// Reads a machine from the text of its file; the error names the field, what is wrong and what would be right.
    pub fn parse(text: &str) -> Result<Machine, String> {
        if text.len() as u64 > MAX_BYTES {
            return Err(format!("larger than {MAX_BYTES} bytes"));
        }
        let machine: Machine = serde_json::from_str(text).map_err(|e| format!("not a machine file: {e}"))?;
        machine.check()?;
        Ok(machine)
    }

    fn check(&self) -> Result<(), String> {
        if self.schema != SCHEMA {
            return Err(format!("schema is {}: this evener reads {SCHEMA}", self.schema));
        }
        if self.name.is_empty() || self.name.len() > 100 {
            return Err("name has 1 to 100 bytes".into());
        }
        if self.devices.is_empty() || self.devices.len() > MAX_DEVICES {
            return Err(format!("devices has {} entries: 1 to {MAX_DEVICES} are taken", self.devices.len()));
        }
        within("noise.body", self.noise.body, 0.0, 1.0)?;
        within("noise.tail_chance", self.noise.tail_chance, 0.0, 0.5)?;
        within("noise.tail_factor", self.noise.tail_factor, 1.0, 1000.0)?;
        for (k, device) in self.devices.iter().enumerate() {
            device.check(k).map_err(|e| format!("devices[{k}].{e}"))?;
        }
        if self.events.len() > MAX_EVENTS {
            return Err(format!("events has {} entries: at most {MAX_EVENTS} are taken", self.events.len()));
        }
        for (k, event) in self.events.iter().enumerate() {
            event.check(self.devices.len()).map_err(|e| format!("events[{k}].{e}"))?;
        }
        Ok(())
    }
}

impl Device {
    fn check(&self, index: usize) -> Result<(), String> {
        match (index, self.kind) {
            (0, DeviceKind::Cpu) => {}
            (0, _) => return Err("kind: the first device is the `cpu`".into()),
            (_, DeviceKind::Cpu) => return Err("kind: only the first device is the `cpu`".into()),
            _ => {}
        }
        within("launch_ns", self.launch_ns, 1.0, 1e9)?;
        within("launch_jitter", self.launch_jitter, 0.0, 1.0)?;
        for (name, rate) in self.operations.named() {
            let least = if name == "double" { 0.0 } else { 1e3 };
            within(&format!("operations.{name}"), rate, least, 1e18)?;
        }
        within("group_bytes", self.group_bytes, 1e3, 1e18)?;
        within("gather_bytes", self.gather_bytes, 1e3, 1e18)?;
        within("memory_bytes", self.memory_bytes, 1e3, 1e18)?;
        within("fill_invocations", self.fill_invocations, 0.0, 1e9)?;
        within("wave_groups", self.wave_groups, 1.0, 1e9)?;
        within("hidden", self.hidden, 0.0, 1.0)?;
        within("interference", self.interference, 0.0, 10.0)?;
        self.check_caches()?;
        self.check_efficiency()?;
        match (&self.link, index) {
            (None, 0) => Ok(()),
            (Some(_), 0) => Err("link: the cpu works in place and has none".into()),
            (None, _) => Err("link is missing: how its memory is reached from the host".into()),
            (Some(link), _) => link.check(),
        }
    }

    fn check_caches(&self) -> Result<(), String> {
        if self.caches.len() > MAX_LEVELS {
            return Err(format!("caches has {} levels: at most {MAX_LEVELS} are taken", self.caches.len()));
        }
        for (k, cache) in self.caches.iter().enumerate() {
            within(&format!("caches[{k}].holds"), cache.holds, 1.0, 1e15)?;
            within(&format!("caches[{k}].bytes"), cache.bytes, 1e3, 1e18)?;
            if k > 0 && cache.holds <= self.caches[k - 1].holds {
                return Err(format!("caches[{k}].holds is not more than that of the level before"));
            }
        }
        Ok(())
    }

    fn check_efficiency(&self) -> Result<(), String> {
        if self.efficiency.len() > MAX_NAMES {
            return Err(format!("efficiency has {} kernels: at most {MAX_NAMES} are taken", self.efficiency.len()));
        }
        if !self.efficiency.contains_key("other") {
            return Err("efficiency.other is missing: the part that kernels without an entry of their own reach".into());
        }
        self.efficiency.iter().try_for_each(|(name, value)| within(&format!("efficiency.{name}"), *value, 0.1, 1.0))
    }
}

impl Operations {
    fn named(&self) -> [(&'static str, f64); 8] {
        [
            ("float", self.float),
            ("double", self.double),
            ("divide", self.divide),
            ("transcendental", self.transcendental),
            ("integer", self.integer),
            ("branch", self.branch),
            ("atomic", self.atomic),
            ("barrier", self.barrier),
        ]
    }
}

impl Link {
    fn check(&self) -> Result<(), String> {
        within("link.up_bytes", self.up_bytes, 1e3, 1e18)?;
        within("link.down_bytes", self.down_bytes, 1e3, 1e18)?;
        within("link.latency_ns", self.latency_ns, 0.0, 1e9)?;
        within("link.half_bytes", self.half_bytes, 0.0, 1e12)
    }
}

impl Event {
    fn check(&self, devices: usize) -> Result<(), String> {
        if self.device >= devices {
            return Err(format!("device is {}: there are {devices} devices, from 0", self.device));
        }
        within("from_ns", self.from_ns, 0.0, 1e18)?;
        if let Some(until) = self.until_ns {
            within("until_ns", until, self.from_ns, 1e18)?;
        }
        if self.slowdown == 0.0 && self.device == 0 {
            return Err("slowdown: the cpu cannot be lost".into());
        }
        if self.slowdown == 0.0 { Ok(()) } else { within("slowdown", self.slowdown, 0.01, 1e6) }
    }
}

fn within(name: &str, value: f64, low: f64, high: f64) -> Result<(), String> {
    if (low..=high).contains(&value) { Ok(()) } else { Err(format!("{name} is {value}: it is from {low} to {high}")) }
}
