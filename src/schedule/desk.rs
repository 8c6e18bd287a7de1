//! Where the workers of a call get their chunks, and where it is settled whose results of a chunk are taken.
//!
//! A chunk of a GPU may be run once more by another worker. Its states, all under the one lock: *late*, under way and not
//! repeated; then, in no set, repeated or landed; *taken*, its first run was given up and the other one's results count;
//! *failed*, its first run ended with an error before. The last two never change again, and exclude each other. A run that
//! has lost by that is told to stop.

use super::chunks::{Chunks, Step, Took};
use crate::{backend::GiveUp, clock::ns_since};
use evener_lanes::run::Watch;
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Shortest wait for a chunk of another worker.
const LEAST_WAIT: Duration = Duration::from_micros(20);
/// Longest one: what is waited for wakes the waiter earlier.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// What is handed out, and whether work goes on.
struct State {
    chunks: Chunks,
    /// Chunks under way on GPUs that may be run once more, by their first slice: the worker, and how its run is given up.
    late: BTreeMap<u64, (usize, Arc<dyn GiveUp>)>,
    /// Chunks, by their first slice, whose other run was taken.
    taken: BTreeSet<u64>,
    /// Chunks whose first run has ended with an error: another run of them is too late.
    failed: BTreeSet<u64>,
    /// The second run under way: the first slice of its chunk, and what ends it.
    second: Option<(u64, Arc<Watch>)>,
    /// A kernel failed, or a worker panicked.
    stopped: bool,
}

/// What a worker is told to do.
pub(super) enum Order {
    Run(Range<u64>),
    /// What another worker has under way, how that run is given up, and what ends this one once it has lost.
    Repeat(Range<u64>, (usize, Arc<dyn GiveUp>), Arc<Watch>),
}

/// Where workers get their chunks.
pub(super) struct Desk {
    state: Mutex<State>,
    /// A chunk has ended, or all work.
    changed: Condvar,
    began: Instant,
}

impl State {
    /// The first run of a chunk has ended: a second one has lost.
    fn ended(&mut self, slices: &Range<u64>) {
        self.late.remove(&slices.start);
        if let Some((_, watch)) = self.second.take_if(|(start, _)| *start == slices.start) {
            watch.stop();
        }
    }
}

impl Desk {
    /// Where so many chunks are handed out.
    pub(super) fn new(chunks: Chunks) -> Self {
        let (late, taken, failed) = Default::default();
        let state = State { chunks, late, taken, failed, second: None, stopped: false };
        Desk { state: Mutex::new(state), changed: Condvar::new(), began: Instant::now() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // What is handed out is whole at any time.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Time since the call began.
    pub(super) fn now_ns(&self) -> f64 {
        ns_since(self.began)
    }

    /// What a worker does next; `None` where there is nothing, or, unless it may wait, nothing now.
    pub(super) fn next(&self, worker: usize, may_wait: bool) -> Option<Order> {
        let mut state = self.lock();
        while !state.stopped {
            let now_ns = self.now_ns();
            let until_ns = match state.chunks.next(worker, now_ns) {
                Step::Run(slices) => return Some(Order::Run(slices)),
                Step::Done => return None,
                Step::Wait(until_ns) => until_ns,
                Step::Repeat(slices) => match state.late.remove(&slices.start) {
                    Some(run) => {
                        let watch = Arc::new(Watch::default());
                        state.second = Some((slices.start, watch.clone()));
                        return Some(Order::Repeat(slices, run, watch));
                    }
                    // It is not started yet, or was repeated before.
                    None => f64::INFINITY,
                },
            };
            if !may_wait {
                return None;
            }
            let wait = Duration::try_from_secs_f64((until_ns - now_ns) * 1e-9).unwrap_or(LONGEST_WAIT);
            let wait = wait.clamp(LEAST_WAIT, LONGEST_WAIT);
            state = self.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
        None
    }

    /// A chunk of a GPU was started.
    pub(super) fn started(&self, worker: usize, slices: &Range<u64>, run: Option<Arc<dyn GiveUp>>) {
        if let Some(run) = run {
            self.lock().late.insert(slices.start, (worker, run));
            self.changed.notify_all();
        }
    }

    /// A chunk was run once more: whether these results are the ones to be taken. Then the other run is given up, and
    /// nobody waits for it.
    pub(super) fn take(&self, slices: &Range<u64>, (worker, run): &(usize, Arc<dyn GiveUp>)) -> bool {
        let mut state = self.lock();
        let taken = !state.stopped && !state.failed.contains(&slices.start) && run.give_up();
        if taken {
            state.taken.insert(slices.start);
            state.chunks.done(*worker, slices, None);
            self.changed.notify_all();
        }
        taken
    }

    /// A chunk's first run has ended with an error: whether its results were taken from the other one. If not, they will
    /// not be: the chunk has failed and runs elsewhere.
    pub(super) fn was_taken(&self, slices: &Range<u64>) -> bool {
        let mut state = self.lock();
        state.ended(slices);
        let taken = state.taken.contains(&slices.start);
        if !taken {
            state.failed.insert(slices.start);
        }
        taken
    }

    /// A chunk has ended.
    pub(super) fn done(&self, worker: usize, slices: &Range<u64>, took: Took) {
        let mut state = self.lock();
        state.ended(slices);
        state.chunks.done(worker, slices, Some(took));
        drop(state);
        self.changed.notify_all();
    }

    /// A worker has failed.
    pub(super) fn retire(&self, worker: usize) {
        self.lock().chunks.retire(worker);
        self.changed.notify_all();
    }

    /// Nobody gets another chunk, and what can be given up is.
    pub(super) fn stop(&self) {
        let mut state = self.lock();
        state.stopped = true;
        for (_, run) in state.late.values() {
            run.give_up();
        }
        state.second.take().inspect(|(_, watch)| watch.stop());
        drop(state);
        self.changed.notify_all();
    }

    /// What nobody was given.
    pub(super) fn left(&self) -> Range<u64> {
        self.lock().chunks.rest()
    }
}

/// Stops all work where a worker unwinds: others would wait for its chunks.
pub(super) struct StopOnPanic<'a>(pub(super) &'a Desk);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop();
        }
    }
}
