//! Calls that share a submission: dispatches over arrays in place, recorded one after the other into one pass.
//!
//! Recording a small dispatch takes far less than submitting it, so calls that nobody waits for yet are collected. The
//! batch is submitted when somebody waits for a call of it, when the device does anything else, when it has nothing to do
//! as the next call comes, and when the batch is predicted to take as long as drivers let a submission take.
//!
//! What is recorded keeps its place in the order of the queue: whatever else goes to the device calls [`Live::flush`]
//! first. Bind groups keep their buffers alive, and the batch keeps what would return them to the pools.

use super::{
    lease::{Lease, Purpose},
    live::Live,
    prepared::Prepared,
    run::{Job, bind_in_place},
    waiter::Ticket,
};
use crate::{
    backend::{Queued, QueuedRun},
    error::Result,
};
use std::{
    collections::HashSet,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

/// Predicted time of one submission in ns: far under the time after which drivers take a device for hung.
const SUBMISSION_NS: f64 = 250e6;
/// Calls of one submission at most.
const SUBMISSION_CALLS: usize = 4096;
/// What is mapped of a buffer that no call uses: a map asked for after a submission fails on a lost device.
const PROBE_BYTES: u64 = 8;

/// The calls that a device collects, and the last ones that it was given.
#[derive(Debug, Default)]
pub(super) struct Batches {
    open: Mutex<Option<Open>>,
    last: Mutex<Option<Arc<Flight>>>,
    /// Whether the next submission is to be refused, for tests.
    spoiled: AtomicBool,
}

impl Batches {
    /// Makes wgpu refuse the next submission of several calls.
    pub(super) fn spoil(&self) {
        self.spoiled.store(true, Ordering::Relaxed);
    }
}

/// Calls recorded and not submitted.
struct Open {
    pass: wgpu::ComputePass<'static>,
    encoder: wgpu::CommandEncoder,
    /// The arrays that they use.
    arrays: HashSet<u64>,
    /// The calls.
    calls: Vec<Recorded>,
    predicted_ns: f64,
    flight: Arc<Flight>,
}

/// A call of a batch: all that it takes to record it again.
struct Recorded {
    pipeline: wgpu::ComputePipeline,
    /// What it binds: so nobody else gets the uniforms before it is submitted.
    prepared: Arc<Prepared>,
    groups: [u32; 3],
}

impl Recorded {
    fn record(&self, pass: &mut wgpu::ComputePass<'_>) {
        pass.set_pipeline(&self.pipeline);
        self.prepared.groups(0).iter().for_each(|(index, group)| pass.set_bind_group(*index, group, &[]));
        let [x, y, z] = self.groups;
        pass.dispatch_workgroups(x, y, z);
    }
}

impl fmt::Debug for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Open({} calls)", self.calls.len())
    }
}

/// One submission of several calls: what they wait for.
#[derive(Debug, Default)]
pub(super) struct Flight {
    ticket: Arc<Ticket>,
    submitted: OnceLock<Submitted>,
    /// Time in ns of each of its calls, once it ended.
    each_ns: OnceLock<f64>,
}

#[derive(Debug)]
struct Submitted {
    at: Instant,
    calls: u32,
    /// Mapped until nobody has the flight any more; then it is dropped.
    _probe: Option<Lease>,
}

impl Open {
    fn new(live: &Live) -> Self {
        let mut encoder = live.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default()).forget_lifetime();
        Open { pass, encoder, arrays: HashSet::new(), calls: Vec::new(), predicted_ns: 0.0, flight: Arc::default() }
    }

    fn is_full(&self) -> bool {
        self.calls.len() >= SUBMISSION_CALLS || self.predicted_ns >= SUBMISSION_NS
    }

    /// Submits the calls. What is refused has not run, and is submitted again in parts ([`again`]). A call that is refused
    /// alone counts as the loss of the device, and of what only it has: what follows builds on its results. What is to be
    /// waited for, unless it failed.
    fn submit(self, live: &Live) -> Option<wgpu::SubmissionIndex> {
        let Open { mut pass, encoder, calls, flight, .. } = self;
        let ticket = &flight.ticket;
        let _unmapped = live.gate.unmapped();
        let at = Instant::now();
        let first = live.faults.scoped(&live.device, "submitting calls", || {
            if live.batches.spoiled.swap(false, Ordering::Relaxed) {
                pass.dispatch_workgroups(u32::MAX, 1, 1);
            }
            drop(pass);
            Ok(live.queue.submit([encoder.finish()]))
        });
        let submitted = first.or_else(|_| again(live, &calls)).and_then(|index| {
            live.faults.scoped(&live.device, "submitting calls", || {
                let probe = live.pools.lease(Purpose::Readback, PROBE_BYTES);
                ticket.map(&probe.buffer, wgpu::MapMode::Read, 0..PROBE_BYTES);
                Ok((index, probe))
            })
        });
        let number = calls.len() as u32;
        let index = match submitted {
            Ok((index, probe)) => {
                let _ = flight.submitted.set(Submitted { at, calls: number, _probe: Some(probe) });
                Some(index)
            }
            Err(error) => {
                live.faults.lose(format!("calls that share a submission failed: {error}"));
                let _ = flight.submitted.set(Submitted { at, calls: number, _probe: None });
                ticket.fail();
                None
            }
        };
        calls.into_iter().for_each(|call| call.prepared.give_back());
        *lock(&live.batches.last) = Some(flight);
        index
    }

    /// Submits the calls for nobody to wait for: the device's own thread does.
    fn submit_watched(self, live: &Live) {
        let ticket = self.flight.ticket.clone();
        if let Some(index) = self.submit(live) {
            live.waiter.watch(index, ticket);
        }
    }
}

/// Submits calls once more, in halves where they are refused together: memory may do for fewer, and a fault that came with
/// one submission goes with it. Their order stays.
///
/// # Errors
/// A call that is refused alone, a lost device.
fn again(live: &Live, calls: &[Recorded]) -> Result<wgpu::SubmissionIndex> {
    live.pools.drain();
    let together = live.faults.scoped(&live.device, "submitting calls again", || {
        let mut encoder = live.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        calls.iter().for_each(|call| call.record(&mut pass));
        drop(pass);
        Ok(live.queue.submit([encoder.finish()]))
    });
    if together.is_ok() || calls.len() < 2 || live.faults.lost().is_some() {
        return together;
    }
    let (front, back) = calls.split_at(calls.len() / 2);
    again(live, front)?;
    again(live, back)
}

impl Live {
    /// Submits what is recorded: before anything else goes to the device.
    pub(super) fn flush(&self) {
        // Locked to the end: who finds nothing recorded comes after what was.
        let mut open = lock(&self.batches.open);
        if let Some(open) = open.take() {
            open.submit_watched(self);
        }
    }

    /// Submits what is recorded if it is this flight's calls, for the caller to wait for.
    fn submit_flight(&self, flight: &Arc<Flight>) -> Option<wgpu::SubmissionIndex> {
        let mut open = lock(&self.batches.open);
        open.take_if(|open| Arc::ptr_eq(&open.flight, flight))?.submit(self)
    }

    /// The same if it uses this array, whose memory is about to go to another.
    pub(super) fn flush_users(&self, array: u64) {
        let used = lock(&self.batches.open).as_ref().is_some_and(|open| open.arrays.contains(&array));
        if used {
            self.flush();
        }
    }

    fn is_idle(&self) -> bool {
        lock(&self.batches.last).as_ref().is_none_or(|flight| flight.ticket.is_settled())
    }
}

/// Records a job with those before it, and submits them where the device has nothing else to do. `None`: it needs more
/// than a dispatch.
///
/// # Errors
/// As for any other start of a job.
pub(super) fn enqueue(live: &Arc<Live>, job: &Job<'_>, predicted_ns: f64) -> Result<Option<Arc<InBatch>>> {
    let Some(flight) = record(live, job, predicted_ns)? else { return Ok(None) };
    let mut open = lock(&live.batches.open);
    let is_mine = open.as_ref().is_some_and(|o| Arc::ptr_eq(&o.flight, &flight));
    let due = if is_mine && live.is_idle() { open.take() } else { open.take_if(|o| o.is_full()) };
    if let Some(due) = due {
        due.submit_watched(live);
    }
    drop(open);
    Ok(Some(Arc::new(InBatch { live: live.clone(), flight })))
}

/// Records a job.
fn record(live: &Live, job: &Job<'_>, predicted_ns: f64) -> Result<Option<Arc<Flight>>> {
    job.check()?;
    live.faults.check()?;
    let pipeline = live.pipelines.get(live, job)?;
    let Some(prepared) = bind_in_place(live, job, &pipeline)? else { return Ok(None) };
    let call = Recorded { pipeline: pipeline.raw.clone(), prepared, groups: job.dispatch.groups };
    check(live, &call)?;
    let mut open = lock(&live.batches.open);
    live.faults.scoped(&live.device, "recording a call", || {
        let batch = open.get_or_insert_with(|| Open::new(live));
        call.record(&mut batch.pass);
        batch.arrays.extend(job.arguments.iter().filter_map(|a| a.array).map(|a| a.id));
        batch.calls.push(call);
        batch.predicted_ns += predicted_ns;
        Ok(Some(batch.flight.clone()))
    })
}

/// Records a call that was never recorded by itself, to no other end: wgpu tells a fault only when all commands are there,
/// and then this call alone is to blame for it.
///
/// # Errors
/// The fault, memory, a lost device.
fn check(live: &Live, call: &Recorded) -> Result<()> {
    if call.prepared.is_checked() {
        return Ok(());
    }
    live.faults.scoped(&live.device, "recording a call", || {
        let mut encoder = live.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        call.record(&mut encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default()));
        drop(encoder.finish());
        Ok(())
    })?;
    call.prepared.set_checked();
    Ok(())
}

/// A call of a batch.
pub(super) struct InBatch {
    live: Arc<Live>,
    flight: Arc<Flight>,
}

impl Queued for InBatch {
    fn is_done(&self) -> bool {
        self.flight.ticket.is_settled()
    }

    fn wait(&self) -> Result<QueuedRun> {
        let (live, flight) = (&self.live, &self.flight);
        if let Some(index) = live.submit_flight(flight) {
            flight.ticket.serve(&live.device, &live.faults, index);
        }
        let done = flight.ticket.wait(&live.faults)?;
        let calls = flight.submitted.get().map_or(1, |s| s.calls).max(1);
        let each_ns = flight.each_ns.get_or_init(|| {
            let all_ns = flight.submitted.get().map_or(0.0, |s| live.busy_ns(s.at, done));
            all_ns / f64::from(calls)
        });
        Ok(QueuedRun { run_ns: *each_ns, calls, done })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is in them is whole at any time.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
