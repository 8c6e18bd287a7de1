//! Kernels as users write them, over arrays and slices on every kind of placement, with room for all and with little: after
//! each call everything is what a plain loop makes of it.

#[path = "arrays/devices.rs"]
mod devices;
#[cfg(feature = "gpu")]
mod support;

use devices::{scripted, software_within};
use evener::{
    backend::{Room, fake::FakeGpu},
    prelude::*,
};

/// A kernel over arrays of u32 by name, and the loop that it stands for.
struct Case {
    name: &'static str,
    wgsl: String,
    /// Name, elements, whether it is written.
    buffers: Vec<(&'static str, usize, bool)>,
    items: [u64; 3],
    reference: fn(&mut [Vec<u32>]),
}

/// Declares the buffers and puts the body into a kernel that has `id`.
fn case(
    name: &'static str,
    group: &str,
    buffers: &[(&'static str, usize, bool)],
    items: [u64; 3],
    body: &str,
    reference: fn(&mut [Vec<u32>]),
) -> Case {
    let mut wgsl = String::new();
    let atomic = body.contains("atomic");
    for (k, (buffer, _, written)) in buffers.iter().enumerate() {
        let (access, ty) = match written {
            true if atomic => ("read_write", "atomic<u32>"),
            true => ("read_write", "u32"),
            false => ("read", "u32"),
        };
        wgsl += &format!("@group(0) @binding({k}) var<storage, {access}> {buffer}: array<{ty}>;\n");
    }
    wgsl += &format!(
        "var<workgroup> shared_sums: array<u32, 32>;
         @compute @workgroup_size({group}) fn main(@builtin(global_invocation_id) id: vec3u,
             @builtin(local_invocation_index) lane: u32, @builtin(workgroup_id) group: vec3u,
             @builtin(num_workgroups) groups: vec3u) {{ {body} }}"
    );
    Case { name, wgsl, buffers: buffers.to_vec(), items, reference }
}

const N: usize = 900;
/// Sizes of planes and volumes.
const W: usize = 37;
const H: usize = 23;
const D: usize = 5;

fn at(x: &[u32], i: usize) -> u32 {
    x.get(i).copied().unwrap_or(0)
}

/// A case with an invocation for each of [`N`] elements.
fn line(
    name: &'static str,
    buffers: &[(&'static str, usize, bool)],
    body: &str,
    reference: fn(&mut [Vec<u32>]),
) -> Case {
    case(name, "32", buffers, [N as u64, 1, 1], body, reference)
}

fn lines() -> Vec<Case> {
    let xy = [("x", N, false), ("y", N, true)];
    vec![
        line("mirror", &xy, "if (id.x < 900u) { y[899u - id.x] = x[id.x] ^ 5u; }", |b| {
            (0..N).for_each(|i| b[1][N - 1 - i] = b[0][i] ^ 5)
        }),
        line("shift, periodic", &xy, "if (id.x < 900u) { y[id.x] = x[(id.x + 899u) % 900u]; }", |b| {
            (0..N).for_each(|i| b[1][i] = b[0][(i + N - 1) % N])
        }),
        line(
            "wide halo, clamped",
            &xy,
            "if (id.x >= 900u) { return; }
             var sum = 0u;
             for (var d = -3; d <= 3; d++) { sum += x[clamp(i32(id.x) + d, 0, 899)]; }
             y[id.x] = sum;",
            |b| {
                let near = |i: usize, d: i64| b[0][(i as i64 + d).clamp(0, N as i64 - 1) as usize];
                b[1] = (0..N).map(|i| (-3..=3).fold(0u32, |s, d| s.wrapping_add(near(i, d)))).collect();
            },
        ),
        line(
            "every other one in place",
            &[("y", N, true)],
            "if (id.x % 2u == 1u && id.x < 900u) { y[id.x] += y[id.x - 1u] + y[id.x + 1u]; }",
            |b| {
                (1..N)
                    .step_by(2)
                    .for_each(|i| b[0][i] = b[0][i].wrapping_add(b[0][i - 1]).wrapping_add(at(&b[0], i + 1)))
            },
        ),
        line(
            "a member of each record",
            &[("x", N, false), ("y", 4 * N, true)],
            "if (id.x < 900u) { y[4u * id.x + 2u] = y[4u * id.x + 1u] + x[id.x]; }",
            |b| (0..N).for_each(|i| b[1][4 * i + 2] = b[1][4 * i + 1].wrapping_add(b[0][i])),
        ),
        line(
            "interleave",
            &[("x", N, false), ("z", N, false), ("y", 2 * N, true)],
            "if (id.x < 900u) { y[2u * id.x] = x[id.x]; y[2u * id.x + 1u] = z[id.x]; }",
            |b| (0..N).for_each(|i| (b[2][2 * i], b[2][2 * i + 1]) = (b[0][i], b[1][i])),
        ),
        line(
            "two outputs of unequal lengths",
            &[("x", N, false), ("y", N, true), ("z", N / 4, true)],
            "if (id.x >= 900u) { return; } y[id.x] = x[id.x] + 1u; if (id.x % 4u == 3u) { z[id.x / 4u] = x[id.x]; }",
            |b| {
                b[1] = b[0].iter().map(|x| x.wrapping_add(1)).collect();
                (0..N / 4).for_each(|k| b[2][k] = b[0][4 * k + 3]);
            },
        ),
        case(
            "from both ends",
            "32",
            &xy,
            [N as u64 / 2, 1, 1],
            "if (id.x < 450u) { y[id.x] = x[899u - id.x]; y[899u - id.x] = x[id.x]; }",
            |b| (0..N / 2).for_each(|i| (b[1][i], b[1][N - 1 - i]) = (b[0][N - 1 - i], b[0][i])),
        ),
        case(
            "grid stride",
            "32",
            &xy,
            [128, 1, 1],
            "for (var i = id.x; i < 900u; i += 32u * groups.x) { y[i] += x[i]; }",
            |b| (0..N).for_each(|i| b[1][i] = b[1][i].wrapping_add(b[0][i])),
        ),
        line(
            "rows of unequal lengths",
            &xy,
            "if (id.x >= 900u) { return; }
             var sum = 0u;
             for (var k = 0u; k < id.x % 17u; k++) { sum += x[id.x - k]; }
             y[id.x] = sum;",
            |b| b[1] = (0..N).map(|i| (0..i % 17).fold(0u32, |s, k| s.wrapping_add(b[0][i - k]))).collect(),
        ),
    ]
}

fn planes() -> Vec<Case> {
    let plane = [("x", W * H, false), ("y", W * H, true)];
    vec![
        case(
            "plane, periodic columns",
            "8, 4",
            &plane,
            [W as u64, H as u64, 1],
            "if (id.x >= 37u || id.y >= 23u) { return; }
             let row = id.y * 37u;
             let up = max(id.y, 1u) - 1u;
             y[row + id.x] = x[row + (id.x + 36u) % 37u] + x[row + (id.x + 1u) % 37u] + x[up * 37u + id.x]
                 + x[min(id.y + 1u, 22u) * 37u + id.x];",
            |b| {
                let x = |r: usize, c: usize| b[0][r * W + c];
                let sum = |r: usize, c: usize| {
                    let sides = x(r, (c + W - 1) % W).wrapping_add(x(r, (c + 1) % W));
                    sides.wrapping_add(x(r.max(1) - 1, c)).wrapping_add(x((r + 1).min(H - 1), c))
                };
                b[1] = (0..W * H).map(|i| sum(i / W, i % W)).collect();
            },
        ),
        case(
            "transpose",
            "8, 4",
            &plane,
            [W as u64, H as u64, 1],
            "if (id.x < 37u && id.y < 23u) { y[id.x * 23u + id.y] = x[id.y * 37u + id.x]; }",
            |b| (0..W * H).for_each(|i| b[1][i % W * H + i / W] = b[0][i]),
        ),
        case(
            "inside of a volume",
            "4, 4, 2",
            &[("x", W * H * D, false), ("y", W * H * D, true)],
            [W as u64, H as u64, D as u64],
            "if (id.x < 1u || id.y < 1u || id.z < 1u || id.x > 35u || id.y > 21u || id.z > 3u) { return; }
             let i = (id.z * 23u + id.y) * 37u + id.x;
             y[i] = x[i - 1u] + x[i + 1u] + x[i - 37u] + x[i + 37u] + x[i - 851u] + x[i + 851u];",
            |b| {
                for i in 0..W * H * D {
                    let (c, r, z) = (i % W, i / W % H, i / (W * H));
                    if c > 0 && r > 0 && z > 0 && c < W - 1 && r < H - 1 && z < D - 1 {
                        let steps = [1, W, W * H];
                        let near = steps.iter().flat_map(|s| [b[0][i - s], b[0][i + s]]);
                        b[1][i] = near.fold(0u32, u32::wrapping_add);
                    }
                }
            },
        ),
        case(
            "sums of columns",
            "8",
            &[("x", W * H, false), ("y", W, true)],
            [W as u64, 1, 1],
            "if (id.x >= 37u) { return; }
             var sum = 0u;
             for (var r = 0u; r < 23u; r++) { sum += x[r * 37u + id.x]; }
             y[id.x] = sum;",
            |b| b[1] = (0..W).map(|c| (0..H).fold(0u32, |s, r| s.wrapping_add(b[0][r * W + c]))).collect(),
        ),
        case(
            "product of matrices",
            "8, 4",
            &[("x", H * W, false), ("z", W * H, false), ("y", H * H, true)],
            [H as u64, H as u64, 1],
            "if (id.x >= 23u || id.y >= 23u) { return; }
             var sum = 0u;
             for (var k = 0u; k < 37u; k++) { sum += x[id.y * 37u + k] * z[k * 23u + id.x]; }
             y[id.y * 23u + id.x] = sum;",
            |b| {
                let dot = |r: usize, c: usize| {
                    (0..W).fold(0u32, |s, k| s.wrapping_add(b[0][r * W + k].wrapping_mul(b[1][k * H + c])))
                };
                b[2] = (0..H * H).map(|i| dot(i / H, i % H)).collect();
            },
        ),
    ]
}

fn data() -> Vec<Case> {
    let line = [N as u64, 1, 1];
    vec![
        case(
            "gather",
            "32",
            &[("x", N, false), ("z", N, false), ("y", N, true)],
            line,
            "if (id.x < 900u) { y[id.x] = z[x[id.x] % 900u]; }",
            |b| b[2] = b[0].iter().map(|i| b[1][*i as usize % N]).collect(),
        ),
        case(
            "scatter by a factor",
            "32",
            &[("x", N, false), ("y", N, true)],
            line,
            "if (id.x < 900u) { y[(id.x * 7u) % 900u] = x[id.x]; }",
            |b| (0..N).for_each(|i| b[1][i * 7 % N] = b[0][i]),
        ),
        case(
            "histogram",
            "32",
            &[("x", N, false), ("y", 16, true)],
            line,
            "if (id.x < 900u) { atomicAdd(&y[x[id.x] % 16u], 1u + id.x); }",
            |b| {
                for i in 0..N {
                    let bin = b[0][i] as usize % 16;
                    b[1][bin] = b[1][bin].wrapping_add(1 + i as u32);
                }
            },
        ),
        case(
            "least and greatest",
            "32",
            &[("x", N, false), ("y", 1, true), ("z", 1, true)],
            line,
            "if (id.x < 900u) { atomicMin(&y[0], x[id.x]); atomicMax(&z[0], x[id.x]); }",
            |b| {
                b[1][0] = b[0].iter().fold(b[1][0], |m, x| m.min(*x));
                b[2][0] = b[0].iter().fold(b[2][0], |m, x| m.max(*x));
            },
        ),
        case(
            "sums of work-groups",
            "32",
            &[("x", N, false), ("y", N.div_ceil(32), true)],
            line,
            "shared_sums[lane] = x[id.x];
             workgroupBarrier();
             if (lane == 0u) {
                 var sum = 0u;
                 for (var k = 0u; k < 32u; k++) { sum += shared_sums[k]; }
                 y[group.x] = sum;
             }",
            |b| b[1] = b[0].chunks(32).map(|c| c.iter().fold(0u32, |s, x| s.wrapping_add(*x))).collect(),
        ),
        case(
            "what the data says",
            "32",
            &[("x", N, false), ("y", N, true)],
            line,
            "if (id.x < 900u && x[id.x] % 3u == 0u) { y[id.x] = x[id.x] / 3u; }",
            |b| (0..N).for_each(|i| b[1][i] = if b[0][i] % 3 == 0 { b[0][i] / 3 } else { b[1][i] }),
        ),
    ]
}

/// Numbers without structure.
fn numbers(seed: u32, n: usize) -> Vec<u32> {
    let next = |s: u32| s.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    std::iter::successors(Some(next(seed)), |s| Some(next(*s))).map(|s| s >> 8).take(n).collect()
}

/// Runs a case a few times on arrays that stay where they are while the host writes here and there, and once on slices.
/// Says how often it ran in windows.
fn check(rt: &Runtime, case: &Case, on: Placement) -> usize {
    let kernel = rt.kernel(&*case.wgsl).unwrap_or_else(|e| panic!("{}: {e}", case.name));
    let mut model: Vec<Vec<u32>> = (1..).zip(&case.buffers).map(|(k, (_, n, _))| numbers(k, *n)).collect();
    let mut arrays: Vec<Array<u32>> = model.iter().map(|m| rt.array(m).unwrap()).collect();
    let mut windowed = 0;
    for turn in 0..4 {
        let mut slices = model.clone();
        let mut call = kernel.call().items(case.items).on(on);
        for ((buffer, array), slice) in case.buffers.iter().zip(&mut arrays).zip(&mut slices) {
            call = match (turn, buffer.2) {
                (3, true) => call.arg(buffer.0, slice),
                (3, false) => call.arg(buffer.0, &*slice),
                (_, true) => call.arg(buffer.0, array),
                (_, false) => call.arg(buffer.0, &*array),
            };
        }
        match call.run() {
            Ok(report) => windowed += usize::from(!report.windows.is_empty()),
            // With little room: what fits no window is refused, and says so.
            Err(e) if e.kind() == ErrorKind::NoSuchDevice && e.to_string().contains("in windows") => continue,
            Err(e) => panic!("{} on {on}, turn {turn}: {e}", case.name),
        }
        (case.reference)(&mut model);
        for (k, (array, want)) in arrays.iter_mut().zip(&mut model).enumerate() {
            let name = case.buffers[k].0;
            if turn == 3 {
                assert!(slices[k] == *want, "{} on {on}: the slice `{name}`", case.name);
                continue;
            }
            let poked = (turn * 311 + 7) % want.len();
            let seen = array.view(poked..).unwrap().read().unwrap()[0];
            assert_eq!(seen, want[poked], "{} on {on}, turn {turn}: `{name}` at {poked}", case.name);
            array.view_mut(poked..poked + 1).unwrap().write().unwrap()[0] = 5;
            want[poked] = 5;
            if turn == 2 {
                assert!(array.to_vec().unwrap() == *want, "{} on {on}: `{name}`", case.name);
            }
        }
    }
    windowed
}

/// Every case on every placement; calls that ran in windows.
fn check_all(rt: &Runtime) -> usize {
    let devices = rt.devices().len();
    let gpus = (0..devices - 1).map(|k| Placement::Gpu(Some(k)));
    let shared =
        [Placement::Cpu, Placement::Split(0.1), Placement::Split(0.37), Placement::Split(0.9), Placement::Auto];
    let placements: Vec<Placement> = gpus.chain(shared).collect();
    let cases: Vec<Case> = [lines(), planes(), data()].into_iter().flatten().collect();
    cases
        .iter()
        .flat_map(|case| placements.iter().map(move |on| (case, *on)))
        .map(|(case, on)| check(rt, case, on))
        .sum()
}

/// Of few of the cases all arrays fit, and of some not even what one work-group touches.
const LITTLE: Room = Room { binding_bytes: 2 << 10, memory_bytes: 6 << 10 };

#[test]
fn kernels_on_two_devices_with_room_are_plain_loops() {
    let (rt, _) = scripted(Runtime::builder(), (0..2).map(|k| FakeGpu::new(k, [])));
    assert_eq!(check_all(&rt), 0);
}

#[test]
fn kernels_on_two_devices_with_little_room_are_plain_loops() {
    let devices = (0..2).map(|k| FakeGpu::new(k, []).with_room(LITTLE));
    let (rt, _) = scripted(Runtime::builder().device_memory(LITTLE.memory_bytes), devices);
    assert!(check_all(&rt) > 100);
}

#[test]
fn kernels_on_the_software_gpu_with_little_room_are_plain_loops() {
    let Some(rt) = software_within(LITTLE.memory_bytes) else { return };
    assert!(check_all(&rt) > 30);
}
