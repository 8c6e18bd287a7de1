//! Runs a part of a call on one device as a stream of windowed chunks: while one runs, the next is uploaded and the
//! one before comes back.
//!
//! A failure costs only what was not back yet: a chunk's results reach the host all or none, and what is left is
//! handed back to the caller. Memory that is not there halves the chunks first.

use super::windows::{Cutter, IN_FLIGHT, Misfit, WindowedChunk};
use crate::{
    backend::{Argument, Backend, Carry, Chunk, ChunkRun, Started, Transfer},
    error::{Error, ErrorKind},
    kernel::Compiled,
    report::human_bytes,
};
use evener_lanes::{Grid, GroupRange};
use std::{
    collections::VecDeque,
    sync::atomic::{AtomicBool, Ordering},
};

/// What a stream runs.
#[derive(Debug)]
pub struct Stream<'a> {
    /// The kernel.
    pub kernel: &'a Compiled,
    /// The whole call's grid.
    pub grid: Grid,
    /// One per binding.
    pub arguments: &'a [Argument],
    /// The device.
    pub device: &'a dyn Backend,
    /// The part of the call that it runs.
    pub part: GroupRange,
    /// Ends the stream early: another part of the call failed.
    pub stop: &'a AtomicBool,
}

/// What became of a stream.
#[derive(Debug, Default)]
pub struct Streamed {
    /// What ran, adjoining chunks joined.
    pub done: Vec<Done>,
    /// What did not, and why.
    pub failed: Vec<(GroupRange, Error)>,
    /// What they moved, by binding: bytes up and down.
    pub moved: Vec<(u64, u64)>,
    /// Chunks that ran.
    pub chunks: usize,
    /// Device memory of the largest chunk in bytes, staging included.
    pub largest: u64,
    /// Allocations that failed and were tried again with smaller chunks.
    pub halved: usize,
}

/// Chunks that ran.
#[derive(Clone, Debug, PartialEq)]
pub struct Done {
    /// What ran.
    pub range: GroupRange,
    /// The sums of what it took.
    pub run: ChunkRun,
    /// Whether all results stayed on the device, in pages of arrays.
    pub stays: bool,
}

type Flying<'a> = VecDeque<(&'a WindowedChunk, Box<dyn Started + 'a>)>;

/// How a row of chunks ended.
enum End {
    /// All were started.
    All,
    /// This one could not be.
    At(usize, Error),
}

impl Stream<'_> {
    /// Runs it to the end. On return the device touches the arguments no more.
    pub fn run(&self, mut cutter: Cutter<'_>) -> Streamed {
        let mut out = Streamed::default();
        if let Some(reason) = cutter.misfit() {
            out.failed.push((self.part, Error::new(ErrorKind::OutOfMemory, reason)));
            return out;
        }
        let carry = Carry::default();
        loop {
            let (chunks, misfits) = cutter.cut();
            let misfit = |m: Misfit| (m.range, Error::new(ErrorKind::OutOfMemory, m.reason));
            out.failed.extend(misfits.into_iter().map(misfit));
            let End::At(at, error) = self.run_chunks(&chunks, &carry, &mut out) else { break };
            let (left, any_ran) = (&chunks[at..], at > 0 || out.chunks > 0);
            if error.kind() == ErrorKind::OutOfMemory && cutter.halve(left, any_ran).is_some() {
                out.halved += 1;
                continue;
            }
            out.failed.extend(ranges(left).into_iter().map(|range| (range, again(&error))));
            break;
        }
        if cutter.carries_results() && !out.failed.is_empty() {
            // What the chunks that ran left on the device is gone. They are of the kind that may run again.
            let error = out.failed.swap_remove(0).1;
            return Streamed { failed: vec![(self.part, error)], ..Streamed::default() };
        }
        if out.failed.is_empty() {
            self.device.take_back(carry);
        }
        out
    }

    /// Starts chunk after chunk, a few in flight, and lands those that were started.
    fn run_chunks<'c>(&'c self, chunks: &'c [WindowedChunk], carry: &'c Carry, out: &mut Streamed) -> End {
        let mut flying = Flying::new();
        let mut end = End::All;
        for (k, chunk) in chunks.iter().enumerate() {
            land(&mut flying, if chunk.alone { 0 } else { IN_FLIGHT as usize - 1 }, out);
            if self.stop.load(Ordering::Relaxed) || out.failed.iter().any(|(_, e)| e.kind() != ErrorKind::OutOfMemory) {
                let error = out.failed.last().map(|(_, e)| again(e));
                end = End::At(k, error.unwrap_or_else(|| Error::new(ErrorKind::Device, "the call failed elsewhere")));
                break;
            }
            let (range, transfers) = (chunk.range, chunk.transfers.as_slice());
            let (kernel, grid, arguments) = (self.kernel, self.grid, self.arguments);
            let started = self.device.start(&Chunk {
                kernel,
                grid,
                range,
                arguments,
                transfers,
                carry: Some(carry),
                repeat: None,
                counted: None,
                alone: false,
                watch: None,
            });
            match started {
                Ok(started) => flying.push_back((chunk, started)),
                Err(error) => {
                    end = End::At(k, error);
                    break;
                }
            }
            out.largest = out.largest.max(chunk.bytes);
            if chunk.alone {
                land(&mut flying, 0, out);
            }
        }
        land(&mut flying, 0, out);
        end
    }
}

/// An error that keeps several ranges from running.
fn again(error: &Error) -> Error {
    Error::new(error.kind(), error.to_string())
}

/// Finishes the oldest chunks until so many are left.
fn land(flying: &mut Flying<'_>, left: usize, out: &mut Streamed) {
    while flying.len() > left {
        let Some((chunk, started)) = flying.pop_front() else { return };
        match started.finish() {
            Ok(run) => {
                out.chunks += 1;
                out.moved.resize(chunk.transfers.len(), (0, 0));
                for (sum, (up, down)) in out.moved.iter_mut().zip(chunk.transfers.iter().map(Transfer::bytes)) {
                    *sum = (sum.0 + up, sum.1 + down);
                }
                add(&mut out.done, Done { range: chunk.range, run, stays: chunk.stays });
            }
            Err(error) => out.failed.push((chunk.range, error)),
        }
    }
}

/// Adds a chunk to those before it: to the last one where together they are a box.
fn add(done: &mut Vec<Done>, chunk: Done) {
    let before = done.last_mut().filter(|last| last.stays == chunk.stays);
    match before.and_then(|last| Some((union(&last.range, &chunk.range)?, last))) {
        None => done.push(chunk),
        Some((both, last)) => {
            last.range = both;
            last.run.add(&chunk.run);
        }
    }
}

/// The ranges of chunks, adjoining ones joined.
fn ranges(chunks: &[WindowedChunk]) -> Vec<GroupRange> {
    let mut out: Vec<GroupRange> = Vec::new();
    for chunk in chunks {
        match out.last_mut().and_then(|last| Some((union(last, &chunk.range)?, last))) {
            Some((both, last)) => *last = both,
            None => out.push(chunk.range),
        }
    }
    out
}

/// Both ranges as one, where the second goes on where the first ends.
fn union(a: &GroupRange, b: &GroupRange) -> Option<GroupRange> {
    let same = |k: &usize| a.start[*k] == b.start[*k] && a.end[*k] == b.end[*k];
    let axis = (0..3).find(|k| !same(k))?;
    let adjoining = (0..3).all(|k| k == axis || same(&k)) && a.end[axis] == b.start[axis];
    adjoining.then_some(GroupRange { start: a.start, end: b.end })
}

/// One line on how a part was cut, for the report; `kept` bytes of its arrays stay on the device.
pub fn describe(id: &str, why: &str, kept: u64, streamed: &Streamed) -> String {
    let largest = human_bytes(streamed.largest);
    let mut line = format!("{id} ran {} chunks in windows of at most {largest} in all: {why}", streamed.chunks);
    if kept > 0 {
        line.push_str(&format!("; {} stay there", human_bytes(kept)));
    }
    if streamed.halved > 0 {
        line.push_str(&format!("; it had too little memory {} times, so chunks were halved", streamed.halved));
    }
    line
}
