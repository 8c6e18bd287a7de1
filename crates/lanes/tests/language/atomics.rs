//! Every atomic function on every type that has it, in storage and work-group memory, results used and unused.

use super::support::*;
use naga::AtomicFunction as A;

/// A function, and the value that it leaves of the old one and its operand.
type Atomic = (&'static str, fn(i128, i128) -> i128);

const FUNCTIONS: [Atomic; 8] = [
    ("atomicAdd", |a, b| a + b),
    ("atomicSub", |a, b| a - b),
    ("atomicAnd", |a, b| a & b),
    ("atomicXor", |a, b| a ^ b),
    ("atomicOr", |a, b| a | b),
    ("atomicMin", i128::min),
    ("atomicMax", i128::max),
    ("atomicExchange", |_, b| b),
];

/// Where each function of naga is tested; a new one does not compile here.
fn test_of(fun: A) -> Option<&'static str> {
    match fun {
        A::Add => Some("atomicAdd"),
        A::Subtract => Some("atomicSub"),
        A::And => Some("atomicAnd"),
        A::ExclusiveOr => Some("atomicXor"),
        A::InclusiveOr => Some("atomicOr"),
        A::Min => Some("atomicMin"),
        A::Max => Some("atomicMax"),
        A::Exchange { compare: None } => Some("atomicExchange"),
        // In a test of its own.
        A::Exchange { compare: Some(_) } => None,
    }
}

const TYPES: [(&str, u32, bool); 4] = [("i32", 32, true), ("u32", 32, false), ("i64", 64, true), ("u64", 64, false)];

fn wrap(v: i128, width: u32, signed: bool) -> i128 {
    match (width, signed) {
        (32, true) => (v as i32).into(),
        (32, false) => (v as u32).into(),
        (_, true) => (v as i64).into(),
        _ => (v as u64).into(),
    }
}

fn bytes(v: i128, width: u32) -> Vec<u8> {
    v.to_le_bytes()[..width as usize / 8].to_vec()
}

#[test]
fn results_are_the_old_values_lane_by_lane() {
    let all =
        [A::Add, A::Subtract, A::And, A::ExclusiveOr, A::InclusiveOr, A::Min, A::Max, A::Exchange { compare: None }];
    assert!(all.iter().zip(FUNCTIONS).all(|(fun, (name, _))| test_of(*fun) == Some(name)));
    for (ty, width, signed) in TYPES {
        for (function, exact) in FUNCTIONS {
            for memory in ["out.cell", "shared_cell"] {
                let source = format!(
                    "struct Out {{ cell: atomic<{ty}>, old: array<{ty}, 20>, last: {ty} }}
                     @group(0) @binding(0) var<storage, read_write> out: Out;
                     var<workgroup> shared_cell: atomic<{ty}>;
                     @compute @workgroup_size(20) fn main(@builtin(local_invocation_index) l: u32) {{
                         if (l == 0u) {{ atomicStore(&{memory}, {ty}(100)); }}
                         workgroupBarrier();
                         let operand = {ty}(l * 7u % 11u) * {ty}(12) - {ty}(30);
                         if (l % 3u != 1u) {{ out.old[l] = {function}(&{memory}, operand); }}
                         workgroupBarrier();
                         if (l == 3u) {{ out.last = atomicLoad(&{memory}); }}
                     }}"
                );
                let n = width as usize / 8;
                let after = run_exact(&source, &[vec![0; 22 * n]], [1, 1, 1]);
                let mut cell = 100;
                for l in (0..20).filter(|l| l % 3 != 1) {
                    let old = &after[0][n * (1 + l)..][..n];
                    assert_eq!(old, bytes(cell, width), "{function} of {ty} in {memory}, lane {l}");
                    let operand = wrap((l as i128 * 7 % 11) * 12 - 30, width, signed);
                    cell = wrap(exact(cell, operand), width, signed);
                }
                assert_eq!(&after[0][21 * n..], bytes(cell, width), "{function} of {ty} in {memory}");
            }
        }
    }
}

#[test]
fn unused_results_leave_the_same() {
    for (ty, width, signed) in TYPES {
        for (function, exact) in FUNCTIONS {
            // The result of an exchange must be used, by naga's rules: as a phony assignment.
            let source = format!(
                "@group(0) @binding(0) var<storage, read_write> cells: array<atomic<{ty}>, 4>;
                 @compute @workgroup_size(32) fn main(@builtin(global_invocation_id) id: vec3u) {{
                     _ = {function}(&cells[id.x & 1u], {ty}(id.x * 3u) - {ty}(40));
                     if (id.x < 77u) {{ _ = {function}(&cells[2], {ty}(9)); }}
                 }}"
            );
            let n = width as usize / 8;
            let start = [5i128, -7, 3, 1].map(|v| wrap(v, width, signed));
            let before: Vec<u8> = start.iter().flat_map(|v| bytes(*v, width)).collect();
            let after = run(&source, &[before], [3, 1, 1]);
            let mut cells = start;
            for i in 0..96usize {
                let operand = wrap(i as i128 * 3 - 40, width, signed);
                cells[i & 1] = wrap(exact(cells[i & 1], operand), width, signed);
                cells[2] = if i < 77 { wrap(exact(cells[2], 9), width, signed) } else { cells[2] };
            }
            let shown = if function == "atomicExchange" { 2..3 } else { 0..4 };
            for i in shown {
                assert_eq!(&after[0][n * i..][..n], bytes(cells[i], width), "{function} of {ty}, cell {i}");
            }
        }
    }
}

#[test]
fn compare_exchange_says_what_was_there_and_whether_it_changed() {
    for (ty, width, _) in TYPES {
        for memory in ["storage, read_write", "workgroup"] {
            let binding = if memory == "workgroup" { "" } else { "@group(0) @binding(1)" };
            let source = format!(
                "@group(0) @binding(0) var<storage, read_write> out: array<{ty}>;
                 {binding} var<{memory}> cell: atomic<{ty}>;
                 @compute @workgroup_size(8) fn main(@builtin(local_invocation_index) l: u32) {{
                     if (l == 0u) {{ atomicStore(&cell, {ty}(3)); }}
                     workgroupBarrier();
                     let r = atomicCompareExchangeWeak(&cell, {ty}(l), {ty}(l + 2u));
                     out[2u * l] = r.old_value;
                     out[2u * l + 1u] = select({ty}(0), {ty}(1), r.exchanged);
                 }}"
            );
            let n = width as usize / 8;
            let mut buffers = vec![vec![0; 16 * n]];
            if memory != "workgroup" {
                buffers.push(vec![0; n]);
            }
            let after = run_exact(&source, &buffers, [1, 1, 1]);
            let mut cell = 3;
            for l in 0..8usize {
                let hit = cell == l;
                let want = [bytes(cell as i128, width), bytes(hit.into(), width)].concat();
                assert_eq!(&after[0][2 * n * l..][..2 * n], want, "{ty} in {memory}, lane {l}");
                cell = if hit { l + 2 } else { cell };
            }
        }
    }
}

#[test]
fn floats_are_added_subtracted_and_exchanged() {
    let source = "@group(0) @binding(0) var<storage, read_write> cells: array<atomic<f32>>;
        @group(0) @binding(1) var<storage, read_write> old: array<vec4<f32>>;
        @compute @workgroup_size(8) fn main(@builtin(local_invocation_index) l: u32) {
            let x = f32(l) + 0.5;
            atomicAdd(&cells[0], x);
            atomicSub(&cells[1], x);
            let a = atomicAdd(&cells[2], x); let b = atomicSub(&cells[3], x); let c = atomicExchange(&cells[4], x);
            old[l] = vec4(a, b, c, atomicLoad(&cells[5 + l]));
            if (l == 7u) { atomicStore(&cells[5], 9.0); }
            if (l == 100u) { atomicAdd(&cells[99], 1.0); }
        }";
    let before: Vec<f32> = (0..13).map(|i| i as f32 * 10.0).collect();
    let after = run_exact(source, &[from_f32(&before), vec![0; 8 * 16]], [1, 1, 1]);
    let (cells, old) = (to_f32(&after[0]), to_f32(&after[1]));
    let mut want = before.clone();
    for l in 0..8 {
        let x = l as f32 + 0.5;
        assert_eq!(old[4 * l..][..4], [want[2], want[3], want[4], before[5 + l]], "{l}");
        (want[0], want[1], want[2], want[3], want[4]) = (want[0] + x, want[1] - x, want[2] + x, want[3] - x, x);
    }
    want[5] = 9.0;
    assert_eq!(cells, want);
}

#[test]
fn float_sums_over_threads_lose_nothing() {
    let source = "@group(0) @binding(0) var<storage, read_write> sum: array<atomic<f32>, 2>;
        @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
            atomicAdd(&sum[0], f32(id.x & 3u)); atomicSub(&sum[id.x & 1u], 1.0);
        }";
    let n = 64 * 500;
    let out = to_f32(&run(source, &[vec![0; 8]], [500, 1, 1])[0]);
    assert_eq!(out, [n as f32 * 1.5 - n as f32 / 2.0, -(n as f32) / 2.0]);
}
