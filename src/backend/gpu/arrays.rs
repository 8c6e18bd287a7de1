//! Memory of arrays on the device: one buffer an array, from the pool and back to it.

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
    memory::staging::padded,
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
    held: Mutex<HashMap<u64, Lease>>,
}

impl Arrays {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Lease>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The buffer of an array.
    ///
    /// # Errors
    /// It has none here.
    pub(super) fn buffer(&self, array: u64) -> Result<wgpu::Buffer> {
        let none = || Error::new(ErrorKind::Device, format!("array {array} has no memory on the device"));
        self.lock().get(&array).map(|lease| lease.buffer.clone()).ok_or_else(none)
    }

    /// Takes an array's buffer back. What uses it still was submitted before anything that a new owner submits.
    pub(super) fn release(&self, array: u64) {
        let lease = self.lock().remove(&array);
        lease.into_iter().for_each(Lease::keep);
    }
}

/// Gives an array a buffer; one that had another owner is zeroed, as wgpu does with a fresh one.
///
/// # Errors
/// Memory, a lost device.
pub(super) fn reserve(live: &Live, array: u64, bytes: u64) -> Result<()> {
    if live.arrays.lock().contains_key(&array) {
        return Ok(());
    }
    let lease = live.faults.scoped(&live.device, "making room for an array", || {
        let lease = live.pools.lease(Purpose::Array, padded(bytes.max(1)));
        if !lease.fresh {
            let mut encoder = live.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            encoder.clear_buffer(&lease.buffer, 0, None);
            live.queue.submit([encoder.finish()]);
        }
        Ok(lease)
    })?;
    live.arrays.lock().insert(array, lease);
    Ok(())
}

fn number(host: &Argument) -> u64 {
    host.array.map_or(u64::MAX, |a| a.id)
}

/// Copies ranges of the host's bytes to the array's buffer. When it returns, they are no longer read.
///
/// # Errors
/// Memory, a lost device.
pub(super) fn write(live: &Live, host: &Argument, ranges: &[Range<u64>]) -> Result<()> {
    live.flush();
    let buffer = live.arrays.buffer(number(host))?;
    if live.maps_arrays {
        return mapped::write(live, &buffer, host, ranges);
    }
    let parts: Vec<Part<'_>> = ranges
        .iter()
        .map(|r| Part { argument: host, buffer: &buffer, range: r.clone(), to: r.start, exact: None })
        .collect();
    let (_, staged) = live.faults.scoped(&live.device, "uploading an array", || upload_parts(live, &parts))?;
    staged.give_back(&live.faults)
}

/// Copies exactly these ranges from the array's buffer to the host, and waits.
///
/// # Errors
/// Memory, a lost device; no host byte was written then.
pub(super) fn read(live: &Live, host: &Argument, ranges: &[Range<u64>]) -> Result<()> {
    if ranges.iter().all(Range::is_empty) {
        return Ok(());
    }
    live.flush();
    let buffer = live.arrays.buffer(number(host))?;
    if live.maps_arrays {
        return mapped::read(live, &buffer, host, ranges);
    }
    let run = |r: &Range<u64>| Strided { start: r.start, run: r.end - r.start, levels: Vec::new() };
    let transfers = [Transfer { download: ranges.iter().map(run).collect(), ..Transfer::default() }];
    let ticket = Arc::new(Ticket::default());
    let (readback, index) = live.faults.scoped(&live.device, "reading an array back", || {
        let readback = Readback::new(live, &transfers, &[padded(host.len)], 0);
        let mut encoder = live.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        readback.encode(&mut encoder, &[Some(&buffer)]);
        let index = live.queue.submit([encoder.finish()]);
        readback.map(&ticket);
        Ok((readback, index))
    })?;
    ticket.serve(&live.device, &live.faults, index);
    ticket.wait(&live.faults)?;
    readback.land(live, std::slice::from_ref(host), &transfers)?;
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
            gpu.array_reserve(first, 70_001).unwrap();
            gpu.array_write(&host(first, &mut marker), &[0..70_001]).unwrap();
            gpu.array_read(&host(first, &mut seen), &[0..70_001]).unwrap();
            assert!(seen == marker, "what was written is there");
            gpu.array_release(first);
            gpu.array_reserve(second, 70_001).unwrap();
            gpu.array_write(&host(second, &mut marker), &[4..8]).unwrap();
            gpu.array_read(&host(second, &mut seen), &[0..70_001]).unwrap();
            assert!(seen.iter().enumerate().all(|(k, &b)| b == if (4..8).contains(&k) { 0xAB } else { 0 }));
            gpu.array_release(second);
        }
    }
}
