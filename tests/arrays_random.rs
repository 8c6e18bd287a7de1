//! Random calls, reads, writes and views of arrays on random placements, against plain vectors.

#[path = "arrays/devices.rs"]
mod devices;
#[cfg(feature = "gpu")]
mod support;

use devices::{scripted, software};
use evener::{
    backend::{Room, fake::FakeGpu},
    prelude::*,
};
use proptest::prelude::*;
use std::ops::Range;

/// Elements of an array: some work-groups and a ragged one.
const N: usize = 300;
/// Arrays.
const ARRAYS: usize = 3;
/// Of two arrays, most can stay beside one work-group.
const STREAMED: Room = Room { binding_bytes: 512, memory_bytes: 3000 };

/// `dst[i] = src[i - 1] + 3 * src[i + 1] + dst[i]` where `i` is a multiple of `every`; the rest stays.
const MIX: &str = "
    @group(0) @binding(0) var<uniform> every: u32;
    @group(0) @binding(1) var<storage, read> src: array<u32>;
    @group(0) @binding(2) var<storage, read_write> dst: array<u32>;
    @compute @workgroup_size(32) fn mix(@builtin(global_invocation_id) id: vec3u) {
        let i = id.x;
        if (i >= arrayLength(&dst) || i % every != 0u) { return; }
        dst[i] = src[i - 1u] + 3u * src[i + 1u] + dst[i];
    }";

/// The other sign for each 16-bit element.
const NEGATE: &str = "
    enable f16;
    @group(0) @binding(0) var<storage, read_write> dst: array<f16>;
    @compute @workgroup_size(4) fn negate(@builtin(global_invocation_id) id: vec3u) {
        if (id.x < arrayLength(&dst)) { dst[id.x] = -dst[id.x]; }
    }";

fn mix(every: usize, src: &[u32], dst: &mut [u32]) {
    let at = |i: usize| src.get(i).copied().unwrap_or(0);
    for i in (0..dst.len()).filter(|i| i % every == 0) {
        dst[i] = at(i.wrapping_sub(1)).wrapping_add(at(i + 1).wrapping_mul(3)).wrapping_add(dst[i]);
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// `mix` between two whole arrays.
    Mix {
        src: usize,
        dst: usize,
        every: usize,
        on: Placement,
    },
    /// `mix` between two parts of one array.
    Views {
        array: usize,
        cut: usize,
        size: usize,
        on: Placement,
    },
    /// Many steps, the two changing places.
    Iterate {
        src: usize,
        dst: usize,
        steps: u32,
        on: Placement,
    },
    Read {
        array: usize,
        part: Range<usize>,
    },
    Write {
        array: usize,
        part: Range<usize>,
        value: u32,
    },
    Copy {
        array: usize,
        part: Range<usize>,
        value: u32,
    },
}

fn placement() -> impl Strategy<Value = Placement> {
    prop_oneof![
        Just(Placement::Cpu),
        (0..2usize).prop_map(|k| Placement::Gpu(Some(k))),
        (0..=10u32).prop_map(|k| Placement::Split(f64::from(k) / 10.0)),
        Just(Placement::Auto),
    ]
}

fn part() -> impl Strategy<Value = Range<usize>> {
    (0..=N, 0..=N).prop_map(|(a, b)| a.min(b)..a.max(b))
}

fn two() -> impl Strategy<Value = (usize, usize)> {
    (0..ARRAYS, 1..ARRAYS).prop_map(|(a, d)| (a, (a + d) % ARRAYS))
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (two(), 1..4usize, placement()).prop_map(|((src, dst), every, on)| Step::Mix { src, dst, every, on }),
        2 => (0..ARRAYS, 1..N, 1..N, placement())
            .prop_map(|(array, cut, size, on)| Step::Views { array, cut, size, on }),
        1 => (two(), 1..5u32, placement()).prop_map(|((src, dst), steps, on)| Step::Iterate { src, dst, steps, on }),
        1 => (0..ARRAYS, part()).prop_map(|(array, part)| Step::Read { array, part }),
        1 => (0..ARRAYS, part(), any::<u32>()).prop_map(|(array, part, value)| Step::Write { array, part, value }),
        1 => (0..ARRAYS, part(), any::<u32>()).prop_map(|(array, part, value)| Step::Copy { array, part, value }),
    ]
}

/// Two different elements of a slice.
fn pair<T>(all: &mut [T], a: usize, b: usize) -> (&mut T, &mut T) {
    let [x, y] = all.get_disjoint_mut([a, b]).expect("two");
    (x, y)
}

fn apply(rt: &Runtime, arrays: &mut [Array<u32>], model: &mut [Vec<u32>], step: &Step) -> Result<(), Error> {
    let kernel = rt.kernel(MIX)?;
    match step.clone() {
        Step::Mix { src, dst, every, on } => {
            let (from, to) = pair(arrays, src, dst);
            kernel.call().set("every", every as u32).arg("src", &*from).arg("dst", to).items(N).on(on).run()?;
            let (from, to) = pair(model, src, dst);
            mix(every, from, to);
        }
        Step::Views { array, cut, size, on } => {
            // The part read before the cut, the part written after it.
            let (read, written) = (cut.saturating_sub(size)..cut, cut..(cut + size).min(N));
            let [src, mut dst] = arrays[array].views_mut([read.clone(), written.clone()])?;
            if !dst.is_empty() {
                let call = kernel.call().set("every", 1u32).arg("src", &src).arg("dst", &mut dst);
                call.items(written.len()).on(on).run()?;
                let (from, to) = model[array].split_at_mut(cut);
                mix(1, &from[read], &mut to[..written.len()]);
            }
        }
        Step::Iterate { src, dst, steps, on } => {
            let (from, to) = pair(arrays, src, dst);
            let call = kernel.call().set("every", 2u32).arg("src", from).arg("dst", to).items(N).on(on);
            call.iterate(steps, ("src", "dst"))?;
            let (from, to) = pair(model, src, dst);
            for _ in 0..steps {
                mix(2, from, to);
                std::mem::swap(from, to);
            }
        }
        Step::Read { array, part } => {
            assert_eq!(arrays[array].view(part.clone())?.read()?[..], model[array][part]);
        }
        Step::Write { array, part, value } => {
            let mut view = arrays[array].view_mut(part.clone())?;
            let mut elements = view.write()?;
            assert_eq!(elements[..], model[array][part.clone()]);
            elements.iter_mut().step_by(3).for_each(|e| *e = value);
            model[array][part].iter_mut().step_by(3).for_each(|e| *e = value);
        }
        Step::Copy { array, part, value } => {
            arrays[array].view_mut(part.clone())?.copy_from(&vec![value; part.len()])?;
            model[array][part].fill(value);
        }
    }
    Ok(())
}

fn check(rt: &Runtime, steps: &[Step]) {
    let mut model: Vec<Vec<u32>> = (0..ARRAYS).map(|k| (0..N).map(|i| (i * (k + 3)) as u32).collect()).collect();
    let mut arrays: Vec<Array<u32>> = model.iter().map(|m| rt.array(m).unwrap()).collect();
    for (k, step) in steps.iter().enumerate() {
        apply(rt, &mut arrays, &mut model, step).unwrap_or_else(|e| panic!("step {k}, {step:?}: {e:?}"));
    }
    for (array, want) in arrays.iter().zip(&model) {
        assert_eq!(array.to_vec().unwrap(), *want, "after {steps:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arrays_are_plain_vectors_to_the_host(steps in prop::collection::vec(step(), 1..20), tight in 0..4) {
        let builder = Runtime::builder();
        let (builder, room) = match tight {
            0 => (builder, None),
            // Two arrays fit, so that every call evicts.
            1 => (builder.device_memory(2 * 4 * N as u64 + 64), None),
            // Views of one fit, and not all of it.
            2 => (builder.device_memory(1000), None),
            // None is bound whole: calls are streamed, and parts of the arrays stay.
            _ => (builder.device_memory(STREAMED.memory_bytes), Some(STREAMED)),
        };
        let device = |k| room.map_or(FakeGpu::new(k, []), |room| FakeGpu::new(k, []).with_room(room));
        check(&scripted(builder, (0..2).map(device)).0, &steps);
    }
}

#[test]
fn arrays_are_plain_vectors_on_the_software_gpu() {
    let Some(rt) = software(2) else { return };
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for _ in 0..60 {
        let steps = prop::collection::vec(step(), 1..16).new_tree(&mut runner).unwrap();
        check(&rt, &proptest::strategy::ValueTree::current(&steps));
    }
}

#[test]
fn a_runtime_used_from_several_threads_keeps_arrays_apart() {
    let (rt, _) = scripted(Runtime::builder().device_memory(3 * 4 * N as u64), (0..2).map(|k| FakeGpu::new(k, [])));
    let shared = rt.array(&(0..N as u32).collect::<Vec<_>>()).unwrap();
    let kernel = rt.kernel(MIX).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4u32 {
            let (rt, shared, kernel) = (&rt, &shared, &kernel);
            scope.spawn(move || {
                let mut want = vec![thread; N];
                let mut own = rt.array(&want).unwrap();
                for round in 0..20 {
                    let on = [Placement::Gpu(Some(0)), Placement::Cpu, Placement::Split(0.5), Placement::Gpu(Some(1))];
                    let on = on[(round + thread as usize) % 4];
                    let call = kernel.call().set("every", 1u32).arg("src", shared).arg("dst", &mut own);
                    call.items(N).on(on).run().unwrap();
                    mix(1, &(0..N as u32).collect::<Vec<_>>(), &mut want);
                }
                assert_eq!(own.to_vec().unwrap(), want);
            });
        }
    });
}

#[test]
fn parts_of_a_word_on_different_devices_do_not_disturb_each_other() {
    let (rt, _) = scripted(Runtime::builder(), (0..2).map(|k| FakeGpu::new(k, [])));
    // 16-bit elements cut at odd places: the other half of a word is somewhere else.
    let mut want: Vec<u16> = (0..63).map(|i| 0x3c00 + i).collect();
    let mut a = rt.array(&want).unwrap();
    let kernel = rt.kernel(NEGATE).unwrap();
    let places = [Placement::Gpu(Some(0)), Placement::Gpu(Some(1)), Placement::Cpu, Placement::Split(0.3)];
    let parts = [3..11, 4..10, 17..19, 0..63, 31..51, 50..63, 1..2, 6..63];
    for (round, part) in (0..).zip(parts.iter().cycle().take(40)) {
        let mut view = a.view_mut(part.clone()).unwrap();
        kernel.call().arg("dst", &mut view).items(part.len()).on(places[round % 4]).run().unwrap();
        want[part.clone()].iter_mut().for_each(|half| *half ^= 0x8000);
        a.view_mut(part.start..part.start + 1).unwrap().write().unwrap()[0] ^= 1;
        want[part.start] ^= 1;
    }
    assert_eq!(a.to_vec().unwrap(), want);
}
