//! Memory of arrays on the device: one buffer a segment, from the pool and back to it. An array that is there whole has one
//! segment, which kernels bind in place.

use super::{
    lease::{Lease, Purpose},
    live::Live,
    mapped,
    readback::Readback,
    upload::{Part, upload_parts},
    waiter::Ticket,
};
use crate::{
    backend::{Argument, Transfer},
    error::{Error, ErrorKind, Result},
    memory::{segments::Segments, staging::padded},
};
use evener_lanes::analysis::Strided;
use std::{
    collections::HashMap,
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The arrays on a device, by number.
#[derive(Debug, Default)]
pub(super) struct Arrays {
    held: Mutex<HashMap<u64, Segments<Lease>>>,
}

/// A part of an array inside one of its segments.
#[derive(Debug)]
pub(super) struct Piece {
    /// Bytes of the array.
    pub(super) range: Range<u64>,
    /// Where they are:
    pub(super) buffer: wgpu::Buffer,
    /// bytes of the array that the buffer holds.
    pub(super) segment: Range<u64>,
}

impl Piece {
    /// Where its first byte is in the buffer.
    pub(super) fn at(&self) -> u64 {
        self.range.start - self.segment.start
    }
}

impl Arrays {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Segments<Lease>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The pieces of a part of an array, in order.
    ///
    /// # Errors
    /// Some of it has no memory here.
    pub(super) fn pieces(&self, array: u64, part: &Range<u64>) -> Result<Vec<Piece>> {
        let held = self.lock();
        let within = held.get(&array).into_iter().flat_map(|segments| segments.within(part));
        let pieces: Vec<Piece> = within
            .map(|(range, segment, lease)| Piece { range, buffer: lease.buffer.clone(), segment: segment.clone() })
            .collect();
        match pieces.iter().map(|p| p.range.end - p.range.start).sum::<u64>() {
            there if there == part.end - part.start => Ok(pieces),
            _ => Err(none(array)),
        }
    }

    /// The buffer that has all of a part of an array, and where the part starts in it.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn buffer(&self, array: u64, part: &Range<u64>) -> Result<(wgpu::Buffer, u64)> {
        let held = self.lock();
        let found = held.get(&array).and_then(|segments| segments.covering(part));
        found.map(|(segment, lease)| (lease.buffer.clone(), part.start - segment.start)).ok_or_else(|| none(array))
    }

    /// Takes the buffers of segments inside a part back. What uses them still was submitted before anything that a new owner
    /// submits.
    pub(super) fn release(&self, array: u64, part: &Range<u64>) {
        let mut held = self.lock();
        let Some(segments) = held.get_mut(&array) else { return };
        let gone: Vec<_> = segments.remove(part).collect();
        if segments.iter().next().is_none() {
            held.remove(&array);
        }
        drop(held);
        gone.into_iter().for_each(|(_, lease)| lease.keep());
    }
}

fn none(array: u64) -> Error {
    Error::new(ErrorKind::Device, format!("array {array} has no memory on the device"))
}

/// Gives a part of an array a buffer; one that had another owner is zeroed, as wgpu does with a fresh one.
///
/// # Errors
/// Memory, a lost device; some of it has a buffer, and not all.
pub(super) fn reserve(live: &Live, array: u64, part: &Range<u64>) -> Result<()> {
    let there = live.arrays.lock().get(&array).map(|s| (s.covering(part).is_some(), s.within(part).next().is_some()));
    match there {
        Some((true, _)) => return Ok(()),
        Some((_, true)) => {
            return Err(Error::new(ErrorKind::OutOfMemory, format!("pages of array {array} are in use")));
        }
        _ => {}
    }
    let lease = live.faults.scoped(&live.device, "making room for an array", || {
        let lease = live.pools.lease(Purpose::Array, padded((part.end - part.start).max(1)));
        if !lease.fresh {
            let mut encoder = live.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            encoder.clear_buffer(&lease.buffer, 0, None);
            live.queue.submit([encoder.finish()]);
        }
        Ok(lease)
    })?;
    live.arrays.lock().entry(array).or_default().insert(part.clone(), lease);
    Ok(())
}

/// Ranges of an array in one of its segments.
struct Portion {
    buffer: wgpu::Buffer,
    /// The segment's host bytes,
    host: Argument,
    /// and the ranges in them.
    ranges: Vec<Range<u64>>,
}

/// Ranges of the whole array `host`, by segment.
///
/// # Errors
/// Some of it has no memory here.
fn portions(live: &Live, host: &Argument, ranges: &[Range<u64>]) -> Result<Vec<Portion>> {
    let mut portions: Vec<(Range<u64>, Portion)> = Vec::new();
    for range in ranges.iter().filter(|r| !r.is_empty()) {
        for piece in live.arrays.pieces(host.array.map_or(u64::MAX, |a| a.id), range)? {
            let segment = piece.segment.clone();
            let inside = piece.at()..piece.range.end - segment.start;
            match portions.last_mut() {
                Some((last, portion)) if *last == segment => portion.ranges.push(inside),
                _ => {
                    let ptr = host.ptr.wrapping_add(segment.start as usize);
                    let host = Argument { ptr, len: segment.end - segment.start, ..*host };
                    portions.push((segment, Portion { buffer: piece.buffer, host, ranges: vec![inside] }));
                }
            }
        }
    }
    Ok(portions.into_iter().map(|(_, portion)| portion).collect())
}

/// Copies ranges of the host's bytes to the array's buffers. When it returns, they are no longer read.
///
/// # Errors
/// Memory, a lost device.
pub(super) fn write(live: &Live, host: &Argument, ranges: &[Range<u64>]) -> Result<()> {
    live.flush();
    let portions = portions(live, host, ranges)?;
    if live.maps_arrays {
        return portions.iter().try_for_each(|p| mapped::write(live, &p.buffer, &p.host, &p.ranges));
    }
    let parts: Vec<Part<'_>> = (portions.iter())
        .flat_map(|p| p.ranges.iter().map(move |r| (p, r)))
        .map(|(p, r)| Part { argument: &p.host, buffer: &p.buffer, range: r.clone(), to: r.start, exact: None })
        .collect();
    let (_, staged) = live.faults.scoped(&live.device, "uploading an array", || upload_parts(live, &parts))?;
    staged.give_back(&live.faults)
}

/// Copies exactly these ranges from the array's buffers to the host, and waits.
///
/// # Errors
/// Memory, a lost device: of the ranges, some may have been written then.
pub(super) fn read(live: &Live, host: &Argument, ranges: &[Range<u64>]) -> Result<()> {
    if ranges.iter().all(Range::is_empty) {
        return Ok(());
    }
    live.flush();
    let portions = portions(live, host, ranges)?;
    if live.maps_arrays {
        return portions.iter().try_for_each(|p| mapped::read(live, &p.buffer, &p.host, &p.ranges));
    }
    let run = |r: &Range<u64>| Strided { start: r.start, run: r.end - r.start, levels: Vec::new() };
    let transfer = |p: &Portion| Transfer { download: p.ranges.iter().map(run).collect(), ..Transfer::default() };
    let transfers: Vec<Transfer> = portions.iter().map(transfer).collect();
    let whole: Vec<u64> = portions.iter().map(|p| padded(p.host.len)).collect();
    let ticket = Arc::new(Ticket::default());
    let (readback, index) = live.faults.scoped(&live.device, "reading an array back", || {
        let readback = Readback::new(live, &transfers, &whole, 0);
        let mut encoder = live.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let sources: Vec<_> = portions.iter().map(|p| Some(&p.buffer)).collect();
        readback.encode(&mut encoder, &sources);
        let index = live.queue.submit([encoder.finish()]);
        readback.map(&ticket);
        Ok((readback, index))
    })?;
    ticket.serve(&live.device, &live.faults, index);
    ticket.wait(&live.faults)?;
    let hosts: Vec<Argument> = portions.iter().map(|p| p.host).collect();
    readback.land(live, &hosts, &transfers)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::{
        ArrayRef, Backend, DeviceKind,
        gpu::{Options, devices},
    };

    /// The whole of array `id` over host bytes.
    fn host(id: u64, bytes: &mut [u8]) -> Argument {
        let len = bytes.len() as u64;
        Argument { ptr: bytes.as_mut_ptr(), len, writable: true, array: Some(ArrayRef { id, offset: 0, bytes: len }) }
    }

    #[test]
    #[allow(clippy::single_range_in_vec_init, reason = "transfers are lists of ranges")]
    fn an_array_never_shows_what_another_left_in_its_buffer() {
        let found = devices(Options { software: true, ..Options::default() });
        let Some(gpu) = found.devices.iter().find(|d| d.info().kind == DeviceKind::Software) else {
            assert!(std::env::var_os("CI").is_none(), "CI needs lavapipe");
            println!("skipped: no software adapter");
            return;
        };
        let (mut marker, mut seen) = (vec![0xAB; 70_001], vec![0xFF; 70_001]);
        for round in 0..3 {
            let (first, second) = (2 * round, 2 * round + 1);
            gpu.array_reserve(first, &(0..70_001)).unwrap();
            gpu.array_write(&host(first, &mut marker), &[0..70_001]).unwrap();
            gpu.array_read(&host(first, &mut seen), &[0..70_001]).unwrap();
            assert!(seen == marker, "what was written is there");
            gpu.array_release(first, &(0..70_001));
            gpu.array_reserve(second, &(0..70_001)).unwrap();
            gpu.array_write(&host(second, &mut marker), &[4..8]).unwrap();
            gpu.array_read(&host(second, &mut seen), &[0..70_001]).unwrap();
            assert!(seen.iter().enumerate().all(|(k, &b)| b == if (4..8).contains(&k) { 0xAB } else { 0 }));
            gpu.array_release(second, &(0..70_001));
        }
    }
}
