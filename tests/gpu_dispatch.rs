//! One dispatch on the software device: results, what travels, what stays private.
#![cfg(feature = "gpu")]
#![allow(clippy::single_range_in_vec_init, reason = "transfers are lists of ranges")]

mod support;

use evener::backend::{Backend, Transfer};
use evener_lanes::analysis::Strided;
use support::*;

#[test]
fn saxpy_is_right_at_ragged_sizes_and_over_the_limit_of_one_axis() {
    let Some(gpu) = software_gpu() else { return };
    for n in [1, 63, 64, 65, 1_000_003, 65_536 * 64 + 1] {
        let run = check_saxpy(&gpu, n);
        assert_eq!((run.up_bytes, run.down_bytes), (8 * u64::from(n), 4 * u64::from(n)));
        assert!(run.run_ns > 0.0 && run.upload_ns >= 0.0 && run.download_ns >= 0.0, "{run:?}");
    }
}

#[test]
fn saxpy_is_right_with_the_clamping_bounds_policy() {
    let Some(gpu) = clamping_gpu() else { return };
    for n in [1, 63, 65, 1_000_003] {
        check_saxpy(&gpu, n);
    }
}

/// An unguarded store past the end: dropped by lavapipe, clamped to the last element by naga's policy. Shows that the
/// second path really is another one.
#[test]
fn the_clamping_policy_clamps() {
    let wgsl = "
        @group(0) @binding(0) var<storage, read_write> y: array<u32>;
        @compute @workgroup_size(64)
        fn main(@builtin(global_invocation_id) id: vec3u) { y[id.x] = id.x; }";
    let case = Case { kernel: 2, module: module(wgsl), bindings: vec![storage("y", 0, 0, WRITE)] };
    let last = |device| {
        let mut buffers = vec![bytes(&[9; 3])];
        case.run(device, &mut buffers, &[whole(12, true)], [1, 1, 1], &[]).expect("runs");
        buffers[0][8]
    };
    let (Some(plain), Some(clamping)) = (software_gpu(), clamping_gpu()) else { return };
    assert_eq!(last(&*plain), 2);
    assert_ne!(last(&*clamping), 2);
}

#[test]
fn only_the_given_ranges_are_uploaded_and_the_rest_reads_zero() {
    let Some(gpu) = software_gpu() else { return };
    let case = Case::saxpy();
    let n = 300u32;
    for _ in 0..2 {
        // Twice: the second run gets the first one's buffers.
        let ones = float_bytes(&vec![1.0; n as usize]);
        let mut buffers = vec![ones.clone(), ones, float_bytes(&[2.0])];
        let len = 4 * n as usize;
        let uploads = [transfer(&[0..40, 400..800], &[]), whole(len, true), Transfer::default()];
        let (groups, params) = saxpy_dispatch(n);
        let run = case.run(&gpu, &mut buffers, &uploads, groups, &params).expect("runs");
        assert_eq!(run.up_bytes, 440 + len as u64);
        for (i, y) in floats(&buffers[1]).into_iter().enumerate() {
            let uploaded = i < 10 || (100..200).contains(&i);
            assert_eq!(y, if uploaded { 3.0 } else { 1.0 }, "element {i}");
        }
    }
}

#[test]
fn a_strided_download_touches_only_its_bytes() {
    let Some(gpu) = software_gpu() else { return };
    let case = Case::saxpy();
    let n = 100_000u32;
    let len = 4 * n as usize;
    let sets = [
        Strided { start: 5, run: 3, levels: vec![(16, 100), (20_000, 3)] },
        Strided { start: 200_000, run: 4, levels: vec![(8192, 20)] },
        Strided { start: len as u64 - 1, run: 1, levels: vec![] },
    ];
    let mut buffers =
        vec![float_bytes(&vec![1.0; n as usize]), float_bytes(&vec![1.0; n as usize]), float_bytes(&[2.0])];
    let before = buffers[1].clone();
    let transfers = [whole(len, false), transfer(&[0..len as u64], &sets), Transfer::default()];
    let (groups, params) = saxpy_dispatch(n);
    case.run(&gpu, &mut buffers, &transfers, groups, &params).expect("runs");
    let after = float_bytes(&vec![3.0; n as usize]);
    let mut expected = before;
    for set in &sets {
        let levels = [set.levels.first().copied().unwrap_or((0, 1)), set.levels.get(1).copied().unwrap_or((0, 1))];
        for j in 0..levels[1].1 {
            for i in 0..levels[0].1 {
                let at = (set.start + j * levels[1].0 + i * levels[0].0) as usize;
                expected[at..at + set.run as usize].copy_from_slice(&after[at..at + set.run as usize]);
            }
        }
    }
    assert!(buffers[1] == expected);
}

/// Copies its whole input, in bounds or padding, to the output.
const DUMP: &str = "
    @group(0) @binding(0) var<storage, read_write> secret: array<u32>;
    @group(0) @binding(1) var<storage, read_write> seen: array<u32>;
    @compute @workgroup_size(64)
    fn main(@builtin(global_invocation_id) id: vec3u) {
        if id.x < arrayLength(&secret) { seen[id.x] = secret[id.x]; }
    }";

#[test]
fn a_pooled_buffer_never_shows_a_former_owners_bytes() {
    let Some(gpu) = software_gpu() else { return };
    let bindings = vec![storage("secret", 0, 0, READ_WRITE), storage("seen", 0, 1, READ_WRITE)];
    let case = Case { kernel: 3, module: module(DUMP), bindings };
    let n = 1024usize;
    for (marker, uploaded) in [(true, n), (false, 0), (false, 10)] {
        let mut buffers = vec![bytes(&vec![if marker { 0xabcd } else { 7 }; n]), bytes(&vec![1; n])];
        let all = Strided { start: 0, run: 4 * n as u64, levels: vec![] };
        let transfers = [transfer(&[0..4 * uploaded as u64], &[]), transfer(&[], &[all])];
        case.run(&gpu, &mut buffers, &transfers, [16, 1, 1], &[]).expect("runs");
        let value = if marker { 0xabcd } else { 7 };
        let expected: Vec<u32> = (0..n).map(|i| if i < uploaded { value } else { 0 }).collect();
        assert!(buffers[1] == bytes(&expected), "{uploaded} uploaded");
    }
}

#[test]
fn lengths_that_are_no_multiple_of_four_are_padded_and_not_overrun() {
    let Some(gpu) = software_gpu() else { return };
    let bindings = vec![storage("secret", 0, 0, READ_WRITE), storage("seen", 0, 1, READ_WRITE)];
    let case = Case { kernel: 3, module: module(DUMP), bindings };
    let mut buffers = vec![vec![0xff; 1022], vec![1; 1022]];
    let transfers = [whole(1022, false), whole(1022, true)];
    case.run(&gpu, &mut buffers, &transfers, [16, 1, 1], &[]).expect("runs");
    assert!(buffers[1] == vec![0xff; 1022]);
}

#[test]
fn large_and_scattered_uploads_go_through_staging() {
    let Some(gpu) = software_gpu() else { return };
    // Over 64 MiB in all, in pieces of 32 MiB.
    check_saxpy(&gpu, (9 << 20) + 5);
    let bindings = vec![storage("secret", 0, 0, READ_WRITE), storage("seen", 0, 1, READ_WRITE)];
    let case = Case { kernel: 3, module: module(DUMP), bindings };
    let ranges: Vec<_> = (0..100u64).map(|i| i * 40..i * 40 + 20).collect();
    let mut buffers = vec![vec![5u8; 4000], vec![1; 4000]];
    let all = Strided { start: 0, run: 4000, levels: vec![] };
    case.run(&gpu, &mut buffers, &[transfer(&ranges, &[]), transfer(&[], &[all])], [16, 1, 1], &[]).expect("runs");
    assert!(buffers[1].iter().enumerate().all(|(i, &b)| b == if i % 40 < 20 { 5 } else { 0 }));
}

#[test]
fn chunks_may_be_started_from_several_threads() {
    let Some(gpu) = software_gpu() else { return };
    std::thread::scope(|s| {
        for t in 0..4 {
            let gpu = &gpu;
            s.spawn(move || (0..5).for_each(|i| assert!(check_saxpy(gpu, 1000 * (t + 1) + i).up_bytes > 0)));
        }
    });
    let other = gpu.sibling("gpu:9").expect("an adapter");
    check_saxpy(&other, 1000);
    assert_eq!(other.info().id, "gpu:9");
}

#[test]
fn a_binding_that_only_the_module_names_is_bound_to_zeros() {
    let Some(gpu) = software_gpu() else { return };
    let mut case = Case { kernel: 4, module: module(DUMP), bindings: vec![storage("seen", 0, 1, READ_WRITE)] };
    case.bindings[0].access = READ_WRITE;
    let mut buffers = vec![bytes(&[3; 16])];
    case.run(&gpu, &mut buffers, &[whole(64, true)], [1, 1, 1], &[]).expect("runs");
    assert_eq!(buffers[0], bytes(&[0; 16]));
}

#[test]
fn an_idle_device_uses_no_processor_time() {
    let Some(gpu) = software_gpu() else { return };
    let gpu = gpu.sibling("gpu:idle").expect("an adapter");
    check_saxpy(&gpu, 1000);
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else { return };
    let waiter = tasks
        .flatten()
        .map(|t| t.path())
        .find(|p| std::fs::read_to_string(p.join("comm")).is_ok_and(|name| name.starts_with("evener gpu:idle")));
    let waiter = waiter.expect("the waiter thread has a name");
    let ticks = || {
        let stat = std::fs::read_to_string(waiter.join("stat")).expect("a running thread");
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
        (fields[0] == "S", fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap())
    };
    let before = ticks();
    std::thread::sleep(std::time::Duration::from_millis(300));
    let after = ticks();
    assert!(after.0, "parked");
    assert!(after.1 <= before.1 + 1);
}
