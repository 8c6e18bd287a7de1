//! Who waits for a device: whoever waits for a submission of its own blocks on the driver and completes its ticket
//! ([`Ticket::serve`]), as waking a thread takes longer than a small kernel; one thread a device does so for submissions that
//! nobody waits for, or whose results may be given up meanwhile.
//!
//! A [`Ticket`] stands for one submission whose results are being mapped. States, in order:
//!
//! - *open*: `maps` callbacks outstanding; owned by wgpu, whose callbacks count down inside a poll;
//! - *settled*: set by the thread that polled after that returned; never changes again.
//!
//! The thread is parked on its channel while nothing is submitted and inside the driver's own wait otherwise: it
//! burns no CPU. A driver that reports a lost device panics inside wgpu's poll; the thread catches that. Work
//! counts as done only if every map succeeded and the device is not lost, because submissions to a dead
//! device also "complete".
//!
//! Memory ordering: everything is under the ticket's mutex; results are read after `wait` took it.

use super::faults::{Faults, panic_text};
use crate::{
    backend::GiveUp,
    error::{Error, ErrorKind, Result},
};
use std::{
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, Sender, channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// How long callbacks may be late after the submission ended before the device counts as lost.
const CALLBACKS: Duration = Duration::from_secs(10);

/// One submission whose results are waited for.
#[derive(Debug, Default)]
pub(super) struct Ticket {
    state: Mutex<State>,
    settled: Condvar,
}

#[derive(Debug, Default)]
struct State {
    maps: usize,
    map_failed: bool,
    abandoned: bool,
    results: Results,
    /// Threads that wait for a change: where there are none, nobody is told, which would be a call of the system.
    waiting: usize,
    outcome: Option<Result<Instant, ()>>,
}

/// What becomes of the results. Under the ticket's mutex; the last two never change again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Results {
    /// Not decided: the submission is under way, or nobody has waited for it yet.
    #[default]
    Open,
    /// They are being written to the host, or are there: set by the thread that waits.
    Landing,
    /// Nobody wants them any more.
    GivenUp,
}

impl GiveUp for Ticket {
    fn before_landing(&self, look: &mut dyn FnMut()) -> bool {
        let state = self.lock();
        let early = state.results == Results::Open;
        if early {
            look();
        }
        early
    }

    fn give_up(&self) -> bool {
        let mut state = self.lock();
        if state.results == Results::Landing {
            return false;
        }
        (state.results, state.abandoned) = (Results::GivenUp, true);
        self.tell(&state);
        true
    }
}

impl Ticket {
    /// Maps these bytes of a buffer for this ticket; done when the submission is.
    pub(super) fn map(self: &Arc<Self>, buffer: &wgpu::Buffer, mode: wgpu::MapMode, bytes: Range<u64>) {
        self.lock().maps += 1;
        let ticket = self.clone();
        buffer.map_async(mode, bytes, move |result| {
            let mut state = ticket.lock();
            state.maps -= 1;
            state.map_failed |= result.is_err();
            ticket.tell(&state);
        });
    }

    /// Blocks until the submission ended and returns when it did. The results are the caller's to land.
    ///
    /// # Errors
    /// The device was lost; the results were given up.
    pub(super) fn wait(&self, faults: &Faults) -> Result<Instant> {
        let mut state = self.lock();
        loop {
            if state.results == Results::GivenUp {
                return Err(Error::new(ErrorKind::Device, "its results were given up"));
            }
            match state.outcome {
                Some(Ok(done)) => {
                    state.results = Results::Landing;
                    return Ok(done);
                }
                Some(Err(())) => break,
                None => {
                    state.waiting += 1;
                    state = self.settled.wait(state).unwrap_or_else(PoisonError::into_inner);
                    state.waiting -= 1;
                }
            }
        }
        faults.check()?;
        Err(Error::new(ErrorKind::Device, "the GPU's results could not be read back"))
    }

    /// Nobody waits any more: a failed map of a buffer dropped since says nothing about the device.
    pub(super) fn abandon(&self) {
        self.lock().abandoned = true;
    }

    /// Whether the submission ended, or failed.
    pub(super) fn is_settled(&self) -> bool {
        self.lock().outcome.is_some()
    }

    /// There was no submission.
    pub(super) fn fail(&self) {
        let mut state = self.lock();
        state.outcome = Some(Err(()));
        self.tell(&state);
    }

    /// Tells those that wait of a change.
    fn tell(&self, state: &State) {
        if state.waiting > 0 {
            self.settled.notify_all();
        }
    }

    fn is_open(&self) -> bool {
        self.lock().maps > 0
    }

    /// Another thread's poll (of a caller's own device) may have collected the callbacks and not yet run them.
    fn await_callbacks(&self) {
        let mut state = self.lock();
        state.waiting += 1;
        let waited = self.settled.wait_timeout_while(state, CALLBACKS, |s| s.maps > 0);
        waited.unwrap_or_else(PoisonError::into_inner).0.waiting -= 1;
    }

    /// Waits in the driver until the submission ended, and completes the ticket. On the device's waiter thread, or on the
    /// caller's where it has nothing else to do: that saves two changes of thread.
    pub(super) fn serve(&self, device: &wgpu::Device, faults: &Faults, index: wgpu::SubmissionIndex) {
        poll(device, faults, wait_for(Some(index)));
        self.finish_maps(device, faults);
    }

    /// Completes the ticket of maps that belong to no submission. Buffers that nothing submitted uses are mapped at once.
    pub(super) fn serve_maps(&self, device: &wgpu::Device, faults: &Faults) {
        poll(device, faults, wgpu::PollType::Poll);
        self.finish_maps(device, faults);
    }

    fn finish_maps(&self, device: &wgpu::Device, faults: &Faults) {
        if self.is_open() && faults.lost().is_none() {
            // Asked for after the poll had looked, or in use: once more over everything submitted.
            poll(device, faults, wait_for(None));
            self.await_callbacks();
        }
        self.settle(faults);
    }

    /// Completes the ticket after the poll.
    fn settle(&self, faults: &Faults) {
        let mut state = self.lock();
        if (state.map_failed || state.maps > 0) && !state.abandoned {
            let hint = faults.take_stray();
            faults.lose(hint.unwrap_or_else(|| "the driver returned no results".into()));
        }
        let well = faults.lost().is_none() && !state.map_failed && state.maps == 0;
        state.outcome = Some(if well { Ok(Instant::now()) } else { Err(()) });
        self.tell(&state);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Order {
    index: wgpu::SubmissionIndex,
    ticket: Arc<Ticket>,
}

/// Handle of the waiter thread; dropping it ends the thread once what was submitted is done.
#[derive(Debug)]
pub(super) struct Waiter {
    faults: Arc<Faults>,
    orders: Option<Sender<Order>>,
    thread: Option<JoinHandle<()>>,
}

impl Waiter {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn start(device: wgpu::Device, faults: Arc<Faults>, name: &str) -> Result<Self> {
        let (orders, inbox) = channel();
        let for_thread = faults.clone();
        let thread = std::thread::Builder::new()
            .name(format!("evener {name}"))
            .spawn(move || serve(&device, &for_thread, &inbox))
            .map_err(|e| Error::new(ErrorKind::Device, "the system gives no thread for a GPU").with_source(e))?;
        Ok(Waiter { faults, orders: Some(orders), thread: Some(thread) })
    }

    /// Hands a submission with its ticket to the thread.
    pub(super) fn watch(&self, index: wgpu::SubmissionIndex, ticket: Arc<Ticket>) {
        let order = Order { index, ticket: ticket.clone() };
        if self.orders.as_ref().is_none_or(|o| o.send(order).is_err()) {
            self.faults.lose("its waiter thread ended".into());
            ticket.settle(&self.faults);
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.orders = None;
        // A wait for a lost device may never return: that thread is left alone.
        if let Some(thread) = self.thread.take().filter(|_| self.faults.lost().is_none()) {
            // It cannot panic: polls are caught. Joined so that no driver call runs while the process ends.
            let _ = thread.join();
        }
    }
}

fn serve(device: &wgpu::Device, faults: &Faults, inbox: &Receiver<Order>) {
    while let Ok(order) = inbox.recv() {
        order.ticket.serve(device, faults, order.index);
    }
}

/// To wait for a submission, or for all.
fn wait_for(submission_index: Option<wgpu::SubmissionIndex>) -> wgpu::PollType {
    wgpu::PollType::Wait { submission_index, timeout: None }
}

/// Polls and runs the callbacks of what is done.
fn poll(device: &wgpu::Device, faults: &Faults, how: wgpu::PollType) {
    match catch_unwind(AssertUnwindSafe(|| device.poll(how))) {
        Ok(Ok(_)) => {}
        Ok(Err(e)) => faults.lose(format!("waiting for it failed: {e}")),
        Err(panic) => faults.lose(panic_text(&*panic).to_owned()),
    }
}
