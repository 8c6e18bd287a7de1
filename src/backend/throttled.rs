//! A second device on the real clock, for machines without a GPU: lanes on one thread of its own, with memory of its own,
//! behind a launch latency and a link of stated rates.
//!
//! [`ThrottledDevice`] copies for real and computes for real; then it waits, burning no CPU, until the time that the model
//! states has passed. [`ThrottledCpu`] makes the other side slower in the same way, so that either may win. Both are test
//! devices: nothing makes them but [`Throttle::install`].

use super::{
    Argument, Backend, Capabilities, Chunk, ChunkRun, DeviceInfo, DeviceKind, GiveUp, Limits, Room, Started, Warmth,
    cpu::CpuBackend,
    fake::{Claim, HeldArrays, PageMoves, Place, Staged, staged_upload},
};
use crate::{
    clock::ns_since,
    error::{Error, ErrorKind, Result, did_you_mean},
    kernel::Compiled,
    runtime::Builder,
};
use evener_lanes::{Buffer, Error as Fault, analysis::Strided, ir::Space, run::Watch};
use serde::Serialize;
use std::{
    fmt,
    ops::Range,
    str::FromStr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

/// What two throttled devices are made to look like.
///
/// As text: `launch=30,link=10,up=2,down=2,device=1,cpu=3`, in microseconds, microseconds, GB/s, GB/s, and how many times
/// slower than one core (the device) and than the machine's cores (the CPU); what is left out is as in [`Throttle::default`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Throttle {
    /// From submission to the start of a kernel on an idle device, in microseconds.
    pub launch: f64,
    /// Fixed time of a transfer, in microseconds.
    pub link: f64,
    /// Host to device, in GB/s.
    pub up: f64,
    /// Device to host, in GB/s.
    pub down: f64,
    /// How many times slower than one core the device computes.
    pub device: f64,
    /// How many times slower than the machine's cores the CPU side computes.
    pub cpu: f64,
}

impl Default for Throttle {
    fn default() -> Self {
        Throttle { launch: 30.0, link: 10.0, up: 2.0, down: 2.0, device: 1.0, cpu: 3.0 }
    }
}

impl FromStr for Throttle {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad = |why: String| Error::new(ErrorKind::Limit, format!("throttle `{text}`: {why}"));
        let mut out = Throttle::default();
        for part in text.split(',').filter(|part| !part.trim().is_empty()) {
            let (name, value) =
                part.split_once('=').ok_or_else(|| bad(format!("`{part}` is not of the form NAME=NUMBER")))?;
            let value: f64 = value.trim().parse().map_err(|_| bad(format!("`{value}` is no number")))?;
            let (slot, range) = match name.trim() {
                "launch" => (&mut out.launch, 0.0..=1e6),
                "link" => (&mut out.link, 0.0..=1e6),
                "up" => (&mut out.up, 1e-3..=1e3),
                "down" => (&mut out.down, 1e-3..=1e3),
                "device" => (&mut out.device, 1.0..=1e3),
                "cpu" => (&mut out.cpu, 1.0..=1e3),
                other => {
                    let known = did_you_mean(other, ["launch", "link", "up", "down", "device", "cpu"]);
                    return Err(bad(format!("`{other}` is none of its names{known}")));
                }
            };
            if !range.contains(&value) {
                return Err(bad(format!("`{name}` is {value}: it is from {} to {}", range.start(), range.end())));
            }
            *slot = value;
        }
        Ok(out)
    }
}

impl fmt::Display for Throttle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Throttle { launch, link, up, down, device, cpu } = self;
        write!(f, "launch={launch},link={link},up={up},down={down},device={device},cpu={cpu}")
    }
}

impl Throttle {
    /// A runtime of a throttled CPU and a throttled device, and no other.
    ///
    /// # Errors
    /// `Limit`: the device's thread cannot be made.
    pub fn install(self, builder: Builder) -> Result<Builder> {
        let device = Arc::new(ThrottledDevice::new(0, self)?);
        Ok(builder.gpu(false).cpu_backend(Arc::new(ThrottledCpu::new(self))).backend(device))
    }
}

/// Timers wake a thread about so much late.
const TIMER: Duration = Duration::from_micros(80);

/// Waits asleep; it may end late by what the system's timers are coarse.
fn sleep_until(end: Instant) {
    thread::sleep(end.saturating_duration_since(Instant::now()));
}

/// A time in microseconds.
fn micros(us: f64) -> Duration {
    Duration::from_secs_f64((us * 1e-6).clamp(0.0, 3600.0))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The CPU, slower than it is.
#[derive(Debug)]
pub struct ThrottledCpu {
    inner: CpuBackend,
    info: DeviceInfo,
    times: f64,
}

impl ThrottledCpu {
    /// All the machine's cores, so many times slower.
    pub fn new(throttle: Throttle) -> Self {
        let inner = CpuBackend::new(None);
        let mut info = inner.info().clone();
        // Another name is another device: its rates are kept apart.
        info.name = format!("{} throttled, cpu={}", info.name, throttle.cpu);
        ThrottledCpu { inner, info, times: throttle.cpu }
    }
}

impl Backend for ThrottledCpu {
    fn info(&self) -> &DeviceInfo {
        &self.info
    }

    fn accepts(&self, kernel: &Compiled, sizes: &[u64]) -> Result<(), String> {
        self.inner.accepts(kernel, sizes)
    }

    fn room(&self) -> Option<Room> {
        self.inner.room()
    }

    fn start<'a>(&'a self, chunk: &Chunk<'a>) -> Result<Box<dyn Started + 'a>> {
        Ok(Box::new(SlowedRun { inner: self.inner.start(chunk)?, times: self.times, watch: chunk.watch }))
    }

    fn warmth(&self, kernel: &Compiled) -> Warmth {
        self.inner.warmth(kernel)
    }
}

struct SlowedRun<'a> {
    inner: Box<dyn Started + 'a>,
    times: f64,
    watch: Option<&'a Watch>,
}

/// Waits asleep until a time, or until the run is given up: then the watch is told how much of it had passed.
fn wait(start: Instant, end: Instant, watch: Option<&Watch>) {
    let Some(watch) = watch else { return sleep_until(end) };
    while Instant::now() < end {
        if watch.is_stopped() {
            let passed = ns_since(start) / (end - start).as_nanos().max(1) as f64;
            return watch.came(watch.part() * passed.min(0.99));
        }
        sleep_until(end.min(Instant::now() + TIMER));
    }
}

impl Started for SlowedRun<'_> {
    fn finish(self: Box<Self>) -> Result<ChunkRun> {
        let (start, watch) = (Instant::now(), self.watch);
        let run = self.inner.finish()?;
        let end = start + start.elapsed().mul_f64(self.times);
        // Calls of a few microseconds must not be slowed by a whole tick of the timer: the rest of it is spun.
        wait(start, end.checked_sub(TIMER).unwrap_or(end), watch);
        while Instant::now() < end && watch.is_none_or(|w| !w.is_stopped()) {
            std::hint::spin_loop();
        }
        Ok(ChunkRun { run_ns: ns_since(start), ..run })
    }
}

/// One direction of the link: transfers follow one another.
#[derive(Debug)]
struct Link {
    latency: Duration,
    per_s: f64,
    free_at: Mutex<Instant>,
}

impl Link {
    fn new(latency_us: f64, gb_per_s: f64) -> Self {
        Link { latency: micros(latency_us), per_s: gb_per_s * 1e9, free_at: Mutex::new(Instant::now()) }
    }

    /// Returns when bytes that were sent at `sent`, and are copied by now, have arrived.
    fn carry(&self, sent: Instant, bytes: u64) {
        if bytes == 0 {
            return;
        }
        let takes = self.latency + Duration::from_secs_f64(bytes as f64 / self.per_s);
        let arrives = {
            let mut free_at = lock(&self.free_at);
            *free_at = sent.max(*free_at) + takes;
            *free_at
        };
        sleep_until(arrives);
    }
}

/// A device of one thread with its own memory.
#[derive(Debug)]
pub struct ThrottledDevice {
    info: DeviceInfo,
    room: Room,
    launch: Duration,
    times: f64,
    up: Link,
    down: Link,
    /// One thread: chunks run one after the other, in the order of their start.
    thread: rayon::ThreadPool,
    /// When the chunk that ended last did.
    idle_since: Arc<Mutex<Instant>>,
    arrays: Mutex<HeldArrays>,
}

impl ThrottledDevice {
    /// A device called `gpu:number`.
    ///
    /// # Errors
    /// `Limit`: its thread cannot be made.
    pub fn new(number: usize, throttle: Throttle) -> Result<Self> {
        let why = |e| Error::new(ErrorKind::Limit, format!("the thread of a throttled device: {e}")).with_source(e);
        // A panic ends the chunk, whose sender is dropped: an error of the device.
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).panic_handler(|_| {});
        let thread = pool.thread_name(move |_| format!("throttled gpu:{number}")).build().map_err(why)?;
        let Throttle { launch, link, up, down, device, .. } = throttle;
        let info = info(number, throttle);
        let room = Room { binding_bytes: info.limits.storage_binding_bytes, memory_bytes: u64::MAX };
        Ok(ThrottledDevice {
            info,
            room,
            launch: micros(launch),
            times: device,
            up: Link::new(link, up),
            down: Link::new(link, down),
            thread,
            idle_since: Arc::new(Mutex::new(Instant::now())),
            arrays: Mutex::default(),
        })
    }

    /// The same device with little storage.
    pub fn with_room(self, room: Room) -> Self {
        ThrottledDevice { room, ..self }
    }

    /// Where the arguments of a chunk are on the device, and what goes there before it runs: in the device's order, as chunks
    /// before it may still be under way in buffers that both use.
    fn places(&self, chunk: &Chunk<'_>) -> Result<Placed> {
        let bindings = chunk.arguments.iter().zip(chunk.transfers).enumerate();
        let held = lock(&self.arrays);
        let place = |(binding, (argument, transfer)): (usize, (&Argument, &super::Transfer))| {
            Ok((Place::new(&held, chunk, binding)?, staged_upload(argument, transfer)))
        };
        let (places, staged) = bindings.map(place).collect::<Result<_>>()?;
        Ok(Placed { places, staged, pages: PageMoves::new(&held, chunk)? })
    }
}

fn info(number: usize, throttle: Throttle) -> DeviceInfo {
    DeviceInfo {
        id: format!("gpu:{number}"),
        name: format!("throttled device ({throttle})"),
        kind: DeviceKind::Discrete,
        api: "throttled".into(),
        merged: Vec::new(),
        driver: format!("evener-lanes {}", env!("CARGO_PKG_VERSION")),
        capabilities: Capabilities::ALL,
        limits: Limits {
            storage_binding_bytes: 1 << 30,
            uniform_binding_bytes: 1 << 16,
            buffer_bytes: 1 << 30,
            storage_bindings: 16,
            uniform_bindings: 12,
            group_invocations: 1024,
            group_size: [1024, 1024, 64],
            group_bytes: 32 << 10,
            groups_per_axis: 65_535,
        },
    }
}

impl Backend for ThrottledDevice {
    fn info(&self) -> &DeviceInfo {
        &self.info
    }

    fn room(&self) -> Option<Room> {
        Some(self.room)
    }

    fn accepts(&self, _kernel: &Compiled, _sizes: &[u64]) -> Result<(), String> {
        Ok(())
    }

    fn start<'a>(&'a self, chunk: &Chunk<'a>) -> Result<Box<dyn Started + 'a>> {
        let sent = Instant::now();
        let placed = self.places(chunk)?;
        // Uniforms travel with the launch.
        let storage = chunk.kernel.bindings().iter().zip(chunk.transfers).filter(|(b, _)| b.space == Space::Storage);
        let up_bytes = storage.map(|(_, t)| t.bytes().0).sum();
        self.up.carry(sent, up_bytes);
        let upload_ns = ns_since(sent);
        // Room for the end and for word that nobody waits for it: neither sender blocks.
        let (ended, end) = sync_channel(2);
        let ticket = Arc::new(Ticket { claim: Claim::default(), bell: ended.clone() });
        let job = Job::new(self, chunk, placed);
        self.thread.spawn(move || job.run(&ended));
        Ok(Box::new(Running { device: self, chunk: *chunk, end: Some(end), ticket, up_bytes, upload_ns }))
    }

    fn gives_up(&self) -> bool {
        true
    }

    fn warmth(&self, _kernel: &Compiled) -> Warmth {
        Warmth { device: true, kernel: true }
    }

    fn array_reserve(&self, array: u64, part: &Range<u64>) -> Result<()> {
        lock(&self.arrays).reserve(array, part);
        Ok(())
    }

    fn array_write(&self, host: &Argument, ranges: &[Range<u64>]) -> Result<()> {
        let (sent, pieces) = (Instant::now(), lock(&self.arrays).pieces(host, ranges)?);
        pieces.iter().for_each(|piece| piece.copy(host.ptr, true));
        self.up.carry(sent, ranges.iter().map(|r| r.end - r.start).sum());
        Ok(())
    }

    fn array_read(&self, host: &Argument, ranges: &[Range<u64>]) -> Result<()> {
        let (sent, pieces) = (Instant::now(), lock(&self.arrays).pieces(host, ranges)?);
        pieces.iter().for_each(|piece| piece.copy(host.ptr, false));
        self.down.carry(sent, ranges.iter().map(|r| r.end - r.start).sum());
        Ok(())
    }

    fn array_release(&self, array: u64, part: &Range<u64>) {
        lock(&self.arrays).release(array, part);
    }
}

/// Where a chunk's arguments are on the device.
struct Placed {
    places: Vec<Place>,
    /// By binding, what goes to its place first.
    staged: Vec<Staged>,
    /// What goes there then from pages of arrays, and back.
    pages: PageMoves,
}

/// What the device's thread is to do. It owns all that it touches.
struct Job {
    program: Arc<evener_lanes::Program>,
    grid: evener_lanes::Grid,
    range: evener_lanes::GroupRange,
    repeat: Option<super::Repeat>,
    placed: Placed,
    /// By binding, what goes to the host.
    downloads: Vec<Vec<Strided>>,
    lens: Vec<u64>,
    submitted: Instant,
    launch: Duration,
    times: f64,
    idle_since: Arc<Mutex<Instant>>,
}

/// How a job ended: its time in ns, and by binding what it leaves for the host.
type Ended = Result<(f64, Vec<Staged>), Fault>;

/// Whose results count, and how the waiter learns that nobody wants them: `None` instead of the end.
struct Ticket {
    claim: Claim,
    bell: SyncSender<Option<Ended>>,
}

impl GiveUp for Ticket {
    fn before_landing(&self, look: &mut dyn FnMut()) -> bool {
        self.claim.before_landing(look)
    }

    fn give_up(&self) -> bool {
        let given_up = self.claim.give_up();
        if given_up {
            // Full only of words that wake the waiter as well.
            let _ = self.bell.try_send(None);
        }
        given_up
    }
}

impl Job {
    fn new(device: &ThrottledDevice, chunk: &Chunk<'_>, placed: Placed) -> Self {
        Job {
            program: chunk.kernel.program.clone(),
            grid: chunk.grid,
            range: chunk.range,
            repeat: chunk.repeat,
            placed,
            downloads: chunk.transfers.iter().map(|t| t.download.clone()).collect(),
            lens: chunk.arguments.iter().map(|a| a.len).collect(),
            submitted: Instant::now(),
            launch: device.launch,
            times: device.times,
            idle_since: device.idle_since.clone(),
        }
    }

    fn run(self, ended: &SyncSender<Option<Ended>>) {
        let began = self.submitted.max(*lock(&self.idle_since));
        // A launch overlaps with what runs before it.
        sleep_until(self.submitted + self.launch);
        let start = Instant::now();
        let result = self.compute();
        sleep_until(start + start.elapsed().mul_f64(self.times));
        *lock(&self.idle_since) = Instant::now();
        let result = result.map(|results| (ns_since(began), results));
        // Nobody waits for a chunk that was dropped.
        let _ = ended.send(Some(result));
    }

    /// Results are copied aside at once: the next job may write around them in the same memory.
    fn compute(&self) -> Result<Vec<Staged>, Fault> {
        let Placed { places, staged, pages } = &self.placed;
        for (place, staged) in places.iter().zip(staged) {
            staged.iter().for_each(|(at, bytes)| place.fill(*at, bytes));
        }
        pages.load(places);
        let buffers: Vec<Buffer<'_>> = (places.iter().zip(&self.lens))
            // SAFETY: the memory holds the argument; arguments that share some only read it, by the rules of calls.
            .map(|(place, len)| unsafe { Buffer::from_raw(place.first(), *len, true) })
            .collect();
        for step in 0..self.repeat.map_or(1, |r| r.steps) {
            let at = |k: usize| self.repeat.filter(|_| step % 2 == 1).map_or(k, |r| r.swapped(k));
            let buffers: Vec<Buffer<'_>> = (0..buffers.len()).map(|k| buffers[at(k)]).collect();
            self.program.run(&buffers, self.grid, self.range)?;
        }
        pages.store(places);
        let results = places.iter().zip(&self.downloads);
        Ok(results.map(|(place, sets)| sets.iter().flat_map(|set| taken(place, set)).collect()).collect())
    }
}

/// The bytes of a set.
fn taken(place: &Place, set: &Strided) -> Staged {
    let mut runs = Vec::new();
    set.for_each_run(|run| {
        let mut bytes = vec![0; (run.end - run.start) as usize];
        // SAFETY: downloads lie inside the argument, as long as the memory, and no other job runs meanwhile.
        unsafe {
            std::ptr::copy_nonoverlapping(place.first().add(run.start as usize), bytes.as_mut_ptr(), bytes.len())
        };
        runs.push((run.start, bytes));
    });
    runs
}

/// A chunk on the device.
struct Running<'a> {
    device: &'a ThrottledDevice,
    chunk: Chunk<'a>,
    /// Taken by what waits for the end.
    end: Option<Receiver<Option<Ended>>>,
    ticket: Arc<Ticket>,
    up_bytes: u64,
    upload_ns: f64,
}

impl Started for Running<'_> {
    fn give_up(&self) -> Option<Arc<dyn GiveUp>> {
        // Arrays are the next call's, too: it must not meet a run that nobody waited for.
        let own = self.chunk.arguments.iter().all(|a| a.array.is_none());
        own.then(|| self.ticket.clone() as Arc<dyn GiveUp>)
    }

    fn finish(mut self: Box<Self>) -> Result<ChunkRun> {
        let gone =
            || Error::new(ErrorKind::Device, format!("{} stopped in the middle of a chunk", self.device.info.id));
        let ended = self.end.take().and_then(|end| end.recv().ok());
        // Before a fault: what was given up ran on bytes that may have changed meanwhile.
        self.ticket.claim.land()?;
        let (run_ns, results) = ended.flatten().ok_or_else(gone)?.map_err(|e| self.chunk.kernel.fault(e))?;
        let sent = Instant::now();
        for (argument, runs) in self.chunk.arguments.iter().zip(&results) {
            for (at, bytes) in runs {
                // SAFETY: downloads lie inside the argument, and are what this chunk alone writes.
                unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), argument.ptr.add(*at as usize), bytes.len()) };
            }
        }
        let down_bytes = self.chunk.transfers.iter().flat_map(|t| &t.download).map(Strided::bytes).sum();
        self.device.down.carry(sent, down_bytes);
        Ok(ChunkRun {
            upload_ns: self.upload_ns,
            run_ns,
            download_ns: ns_since(sent),
            up_bytes: self.up_bytes,
            down_bytes,
        })
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        // Its arrays may go back to the host, or to another chunk, after this.
        if let Some(end) = self.end.take() {
            let _ = end.recv();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_value_agree() {
        let throttle: Throttle = "launch=20, up=0.5,cpu=8".parse().unwrap();
        assert_eq!(throttle, Throttle { launch: 20.0, up: 0.5, cpu: 8.0, ..Throttle::default() });
        assert_eq!(throttle.to_string().parse::<Throttle>().unwrap(), throttle);
        assert_eq!("".parse::<Throttle>().unwrap(), Throttle::default());
    }

    #[test]
    fn what_cannot_be_is_refused_with_what_would_be_right() {
        for (text, says) in [
            ("lauch=3", "did you mean `launch`"),
            ("up=0", "from 0.001"),
            ("cpu=0.5", "from 1"),
            ("up", "NAME=NUMBER"),
            ("up=fast", "no number"),
            ("up=NaN", "from 0.001"),
        ] {
            let error = text.parse::<Throttle>().unwrap_err();
            assert!(error.to_string().contains(says) && error.is_invalid_input(), "{text}: {error}");
        }
    }

    #[test]
    fn a_transfer_takes_at_least_its_modelled_time_and_waits_for_the_one_before() {
        let link = Link::new(100.0, 0.1);
        let sent = Instant::now();
        link.carry(sent, 100_000);
        link.carry(sent, 100_000);
        assert!(sent.elapsed() >= Duration::from_micros(2 * (100 + 1000)));
        let sent = Instant::now();
        link.carry(sent, 0);
        assert!(*lock(&link.free_at) <= sent);
    }
}
