//! What a call did: where it ran and why, predicted against actual time by phase, bytes moved.
//!
//! Made only when asked: a call leaves the facts, and the [`Details`] are made of them when the report is looked at.
//! `Display` is one line, [`Details::explain`] a table, serde gives JSON. It holds no argument data.

mod facts;

use crate::cost::Cost;
pub(crate) use facts::Facts;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{
    collections::BTreeMap,
    fmt,
    fmt::Write as _,
    ops::{Deref, DerefMut},
    sync::OnceLock,
};

/// The report of one call: its [`Details`], which are made when they are first looked at. Most calls are short and most
/// reports are not read: what the details say in words and by name takes as long as a short call.
///
/// ```
/// # use evener::prelude::*;
/// # fn main() -> evener::Result<()> {
/// # let rt = Runtime::builder().gpu(false).profile(None).build()?;
/// let mut y = vec![1.0f32; 8];
/// let report = rt.map("2.0 * y").arg("y", &mut y).run()?;
/// assert_eq!(report.chose, "cpu");
/// println!("{report}\n{}", report.explain());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Report {
    /// `None` of one that was read from a file: its details are there.
    facts: Option<Facts>,
    details: OnceLock<Box<Details>>,
}

impl Report {
    /// Of a call of this process.
    pub(crate) fn new(facts: Facts) -> Self {
        Report { facts: Some(facts), details: OnceLock::new() }
    }

    /// What the call left; details that were made of it are made anew.
    pub(crate) fn facts_mut(&mut self) -> Option<&mut Facts> {
        self.details.take();
        self.facts.as_mut()
    }
}

impl Deref for Report {
    type Target = Details;

    fn deref(&self) -> &Details {
        let make = || Box::new(self.facts.as_ref().map(Facts::details).unwrap_or_default());
        self.details.get_or_init(make)
    }
}

impl DerefMut for Report {
    fn deref_mut(&mut self) -> &mut Details {
        let _: &Details = self;
        let Some(details) = self.details.get_mut() else { unreachable!("they were made a moment ago") };
        details
    }
}

impl From<Details> for Report {
    fn from(details: Details) -> Self {
        Report { facts: None, details: OnceLock::from(Box::new(details)) }
    }
}

impl PartialEq for Report {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Serialize for Report {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        Details::serialize(self, to)
    }
}

impl<'de> Deserialize<'de> for Report {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Details::deserialize(from).map(Report::from)
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Details::fmt(self, f)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        <Details as fmt::Display>::fmt(self, f)
    }
}

/// What a [`Report`] says. Times are in ns.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Details {
    /// Name of the kernel: its entry point, or `map` for an expression.
    pub kernel: String,
    /// The entry point.
    pub entry: String,
    /// Work-groups on each axis.
    pub groups: [u32; 3],
    /// Steps of an iteration; 1 for a call. Times and bytes are of all.
    #[serde(default = "one")]
    pub steps: u32,
    /// `cpu`, `gpu:0`, ... or `split`; `none` where nothing was to be done.
    pub chose: String,
    /// Why.
    pub reason: String,
    /// Share of the work-groups by device. Sums to 1.
    pub placement: BTreeMap<String, f64>,
    /// Predicted time of the call.
    pub predicted_ns: f64,
    /// Measured time of the call, from `run()` to its return.
    pub actual_ns: f64,
    /// Whether a device that took part was used, or ran this kernel, for the first time in this process: the times
    /// include that.
    #[serde(default)]
    pub first_use: bool,
    /// Time spent before the call on measuring devices never measured on this machine; no part of `actual_ns`.
    pub calibration_ns: f64,
    /// Predicted and measured time by phase.
    pub phases: Phases,
    /// Bytes moved between host and devices.
    pub bytes: Bytes,
    /// The same by device and argument, where any moved.
    #[serde(default)]
    pub moves: Vec<Move>,
    /// Calls of the submission that it ran in: 1 for one of its own.
    #[serde(default = "one")]
    pub shared: u32,
    /// Failures that were mended, and how.
    pub recoveries: Vec<String>,
    /// Chunks that a device was late with, and another one ran once more.
    #[serde(default)]
    pub repeated: Vec<String>,
    /// Devices that could not hold the arrays whole: how they ran their part in windows, and why.
    #[serde(default)]
    pub windows: Vec<String>,
    /// Devices that cannot run the call, each with the reason.
    #[serde(default)]
    pub refused: Vec<String>,
    /// Every placement considered, best first. Those that are impossible are left out.
    pub candidates: Vec<Considered>,
    /// What ran where.
    pub chunks: Vec<ChunkReport>,
    /// Why the CPU interpreted the kernel, if it took part and machine code could not be made or run.
    #[serde(default)]
    pub interpreted: Option<String>,
}

/// Time by phase. Phases of different devices overlap: each is the longest over the devices, so they need not sum to the whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Phases {
    /// Checking arguments, footprint, plan.
    pub decide: Phase,
    /// Host to device.
    pub upload: Phase,
    /// Kernels.
    pub run: Phase,
    /// Device to host.
    pub download: Phase,
    /// Putting partial results together.
    pub merge: Phase,
}

/// One phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// By the cost model.
    pub predicted_ns: f64,
    /// Measured.
    pub actual_ns: f64,
}

/// Bytes moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bytes {
    /// Host to devices.
    pub up: u64,
    /// Devices to host.
    pub down: u64,
}

/// Bytes of one argument that moved between the host and one device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// The device.
    pub device: String,
    /// Name of the argument. Empty: arrays of other calls that left the device to make room.
    pub argument: String,
    /// Whether it is an array: then what went up was missing on the device, and what came down is needed on another.
    /// Of a host slice all that is read goes up and all results come down.
    pub array: bool,
    /// Host to device.
    pub up: u64,
    /// Device to host.
    pub down: u64,
    /// Whether the host wrote or read them in the device's own memory, which is the host's too: no link, no staging.
    #[serde(default)]
    pub mapped: bool,
}

/// A placement with its predicted time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Considered {
    /// `cpu`, `gpu:0`, ... or `split`.
    pub placement: String,
    /// Predicted time of the call there.
    pub predicted_ns: f64,
}

/// A part of the grid on a device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChunkReport {
    /// The device.
    pub device: String,
    /// First work-group.
    pub start: [u32; 3],
    /// One past the last work-group, per axis.
    pub end: [u32; 3],
    /// Copying to the device.
    pub upload_ns: f64,
    /// The kernel.
    pub run_ns: f64,
    /// Copying back.
    pub download_ns: f64,
    /// Bytes to the device.
    pub up_bytes: u64,
    /// Bytes back.
    pub down_bytes: u64,
}

impl ChunkReport {
    /// Its work-groups.
    fn groups(&self) -> u64 {
        (0..3).map(|a| u64::from(self.end[a].saturating_sub(self.start[a]))).product()
    }
}

/// What a device's chunks took together.
#[derive(Clone, Copy, Debug, Default)]
struct DeviceSum<'a> {
    device: &'a str,
    chunks: usize,
    groups: u64,
    upload_ns: f64,
    run_ns: f64,
    download_ns: f64,
    up_bytes: u64,
    down_bytes: u64,
}

impl Details {
    /// The chunks of each device put together, devices in the order of their first one.
    fn by_device(&self) -> Vec<DeviceSum<'_>> {
        let mut sums: Vec<DeviceSum<'_>> = Vec::new();
        for chunk in &self.chunks {
            let known = sums.iter().position(|s| s.device == chunk.device);
            let at = known.unwrap_or_else(|| {
                sums.push(DeviceSum { device: &chunk.device, ..DeviceSum::default() });
                sums.len() - 1
            });
            let sum = &mut sums[at];
            sum.chunks += 1;
            sum.groups += chunk.groups();
            sum.upload_ns += chunk.upload_ns;
            sum.run_ns += chunk.run_ns;
            sum.download_ns += chunk.download_ns;
            sum.up_bytes += chunk.up_bytes;
            sum.down_bytes += chunk.down_bytes;
        }
        sums
    }

    /// The whole report as a readable table.
    pub fn explain(&self) -> String {
        let mut out = format!("{self}\n  why: {}\n", self.reason);
        let time = Cost::from_ns;
        let _ = writeln!(out, "  {:<10} {:>12} {:>12}", "phase", "predicted", "actual");
        let p = &self.phases;
        let rows =
            [("decide", p.decide), ("upload", p.upload), ("run", p.run), ("download", p.download), ("merge", p.merge)];
        for (name, phase) in rows {
            let (predicted, actual) = (time(phase.predicted_ns).to_string(), time(phase.actual_ns).to_string());
            let _ = writeln!(out, "  {name:<10} {predicted:>12} {actual:>12}");
        }
        if self.calibration_ns > 0.0 {
            let _ = writeln!(out, "  measured the machine first: {}", time(self.calibration_ns));
        }
        if let Some(why) = &self.interpreted {
            let _ = writeln!(out, "  the CPU interpreted the kernel: {why}");
        }
        for c in &self.candidates {
            let _ = writeln!(out, "  {:<10} predicted {}", c.placement, time(c.predicted_ns));
        }
        for sum in self.by_device() {
            let took = time(sum.upload_ns + sum.run_ns + sum.download_ns);
            let (up, down) = (human_bytes(sum.up_bytes), human_bytes(sum.down_bytes));
            let mut own = self.chunks.iter().filter(|c| c.device == sum.device);
            let what = match (own.next(), sum.chunks) {
                (Some(c), 1) => format!("work-groups {:?}..{:?}", c.start, c.end),
                (_, chunks) => format!("{} work-groups in {chunks} chunks", sum.groups),
            };
            let _ = writeln!(out, "  {} ran {what} in {took} ({up} up, {down} down)", sum.device);
        }
        if self.shared > 1 {
            let _ = writeln!(out, "  {} calls shared its submission", self.shared);
        }
        for line in self.repeated.iter().chain(&self.windows) {
            let _ = writeln!(out, "  {line}");
        }
        for line in &self.refused {
            let _ = writeln!(out, "  not on {line}");
        }
        for m in &self.moves {
            let why = match (m.array, m.up > 0, m.down > 0) {
                _ if m.argument.is_empty() => "arrays of other calls: they made room",
                (false, ..) => "a host slice",
                (true, true, true) => "an array: missing there, and elsewhere",
                (true, true, false) => "an array: missing there",
                (true, false, _) => "an array: needed elsewhere",
            };
            let (up, down) = (human_bytes(m.up), human_bytes(m.down));
            let how = if m.mapped { "; in the memory that it shares with the host" } else { "" };
            let _ = writeln!(out, "  {} moved `{}`: {up} up, {down} down ({why}{how})", m.device, m.argument);
        }
        for r in &self.recoveries {
            let _ = writeln!(out, "  recovered: {r}");
        }
        out
    }
}

impl fmt::Display for Details {
    /// `saxpy: cpu 71 % | gpu:0 29 %, 4.10 ms (predicted 4.30 ms); cpu alone 5.90 ms, gpu:0 alone 9.80 ms`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.kernel)?;
        if self.placement.is_empty() {
            return f.write_str("nothing to do");
        }
        for (k, (device, share)) in self.placement.iter().enumerate() {
            let separator = if k == 0 { "" } else { " | " };
            write!(f, "{separator}{device} {:.0} %", share * 100.0)?;
        }
        write!(f, ", {} (predicted {})", Cost::from_ns(self.actual_ns), Cost::from_ns(self.predicted_ns))?;
        let others = self.candidates.iter().filter(|c| c.placement != self.chose);
        for (k, c) in others.enumerate() {
            let alone = if c.placement == "split" { "" } else { " alone" };
            let separator = if k == 0 { ";" } else { "," };
            write!(f, "{separator} {}{alone} {}", c.placement, Cost::from_ns(c.predicted_ns))?;
        }
        match self.recoveries.len() {
            0 => Ok(()),
            n => write!(f, "; {n} recovered"),
        }
    }
}

fn one() -> u32 {
    1
}

/// Bytes in the unit that fits.
pub fn human_bytes(bytes: u64) -> String {
    let units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} bytes") } else { format!("{value:.1} {}", units[unit]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_in_the_unit_that_fits() {
        assert_eq!(human_bytes(17), "17 bytes");
        assert_eq!(human_bytes(16 << 20), "16.0 MiB");
    }
}
