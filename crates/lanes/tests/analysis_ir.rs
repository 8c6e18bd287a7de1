//! The affine analysis on kernels built by hand: what it finds, and that it never misses an access.

mod analysis_support;

use analysis_support::{Build, Case, words};
use evener_lanes::{
    analysis::{Split, Strided},
    ir::*,
    run::{Grid, GroupRange},
};

fn floats(n: usize) -> Vec<u8> {
    vec![0; n * 4]
}

/// `if (i < n) { y[i] = f(x[i], y[i]) }`
fn saxpy(n: u32, groups: u32) -> Case {
    let mut b = Build::new([64, 1, 1]);
    let (x, y, p) = (b.storage("x", 4), b.storage("y", 4), b.uniform("p", 16));
    let i = b.gid(0);
    let bound = b.param(p, 4);
    let c = b.lt(i, bound);
    b.when(c, |b| {
        let (v, w) = (b.load(x, i), b.load(y, i));
        let s = b.add(v, w);
        b.store(y, i, s);
    });
    Case {
        kernel: b.finish(),
        groups: [groups, 1, 1],
        buffers: vec![floats(n as usize), floats(n as usize), words(&[0, n, 0, 0])],
    }
}

#[test]
fn saxpy_splits_and_its_footprint_is_the_chunk() {
    let case = saxpy(1000, 16);
    assert_eq!(case.verify(&[1, 3, 7, 15]), Split::Axis(0));
    case.with(|a, call| {
        let all = GroupRange::all(Grid { groups: [16, 1, 1] });
        let (front, back) = all.split_at(0, 3);
        let f = a.footprint(call, &front);
        assert_eq!(f.bindings[0].reads, [Strided::range(0, 3 * 256)]);
        assert_eq!(f.bindings[1].writes, [Strided::range(0, 3 * 256)]);
        let f = a.footprint(call, &back);
        assert_eq!(f.bindings[1].writes, [Strided::range(3 * 256, 4000)]);
        let features = a.features(call);
        assert!((features.contiguous_bytes - 12.0 * 1000.0 / 1024.0).abs() < 0.01, "{features:?}");
        assert!(!features.data_dependent);
        let forms: Vec<String> = a.sites(call).into_iter().map(|s| s.form).collect();
        assert_eq!(forms, ["x[gid.x]", "y[gid.x]", "y[gid.x]"]);
    });
}

/// A 5-point stencil on the interior of a `w x h` image.
fn stencil(w: u32, h: u32, in_place: bool) -> Case {
    let mut b = Build::new([8, 8, 1]);
    let (u, v, p) = (b.storage("u", 4), b.storage("v", 4), b.uniform("p", 16));
    let (x, y) = (b.gid(0), b.gid(1));
    let (width, height) = (b.param(p, 0), b.param(p, 4));
    let (zero, one) = (b.c(0), b.c(1));
    let (right, bottom) = (b.sub(width, one), b.sub(height, one));
    let conds = [(zero, x), (x, right), (zero, y), (y, bottom)].map(|(l, r)| b.lt(l, r));
    let all = conds.into_iter().reduce(|l, r| b.bin(BinaryOp::And, l, r)).unwrap();
    b.when(all, |b| {
        let at = b.row_col(y, width, x);
        let (up, down) = (b.sub(y, one), b.add(y, one));
        let (up, down) = (b.row_col(up, width, x), b.row_col(down, width, x));
        let (left, right) = (b.sub(at, one), b.add(at, one));
        let loads = [at, up, down, left, right].map(|i| b.load(u, i));
        let sum = loads.into_iter().reduce(|l, r| b.add(l, r)).unwrap();
        b.store(if in_place { u } else { v }, at, sum);
    });
    let n = (w * h) as usize;
    Case {
        kernel: b.finish(),
        groups: [w.div_ceil(8), h.div_ceil(8), 1],
        buffers: vec![floats(n), floats(n), words(&[w, h, 0, 0])],
    }
}

#[test]
fn a_stencil_splits_by_rows_and_reads_a_halo() {
    let case = stencil(37, 50, false);
    assert_eq!(case.verify(&[1, 2, 4, 6]), Split::Axis(1));
    case.with(|a, call| {
        let (_, back) = GroupRange::all(call.grid).split_at(1, 2);
        let f = a.footprint(call, &back);
        // Rows 15 to 49.
        let rows = f.bindings[0].reads.iter().map(Strided::bytes).sum::<u64>();
        assert!(rows <= 35 * 37 * 4, "{:?}", f.bindings[0].reads);
        assert_eq!(f.bindings[1].writes.len(), 1);
        assert_eq!(f.bindings[1].writes[0].bytes(), 33 * 35 * 4);
        assert_eq!(f.bindings[1].certain, f.bindings[1].writes);
    });
}

#[test]
fn an_in_place_stencil_runs_whole() {
    let reason = stencil(37, 50, true).reason();
    assert!(reason.contains("another writes") && reason.contains("`u["), "{reason}");
}

#[test]
fn a_grid_of_one_group_runs_whole() {
    assert_eq!(saxpy(10, 1).reason(), "the call is one work-group");
}

/// `out[f(gid.x)] = in[g(gid.x)]`, unguarded.
fn copy(n: u32, f: impl Fn(&mut Build, Value) -> Value, g: impl Fn(&mut Build, Value) -> Value) -> Case {
    let mut b = Build::new([32, 1, 1]);
    let (input, out) = (b.storage("input", 4), b.storage("out", 4));
    let i = b.gid(0);
    let from = g(&mut b, i);
    let v = b.load(input, from);
    let to = f(&mut b, i);
    b.store(out, to, v);
    Case {
        kernel: b.finish(),
        groups: [n.div_ceil(32), 1, 1],
        buffers: vec![words(&(0..n).map(|i| i * 7 % n).collect::<Vec<_>>()), floats(n as usize)],
    }
}

#[test]
fn unguarded_and_wrapping_indices_are_clipped() {
    let same = |_: &mut Build, i| i;
    let minus = |b: &mut Build, i| {
        let k = b.c(5);
        b.sub(i, k)
    };
    assert_eq!(copy(100, same, same).verify(&[1, 2]), Split::Axis(0));
    assert_eq!(copy(100, minus, minus).verify(&[1, 2]), Split::Axis(0));
    let reversed = |b: &mut Build, i| {
        let k = b.c(99);
        b.sub(k, i)
    };
    assert_eq!(copy(100, reversed, same).verify(&[1, 2, 3]), Split::Axis(0));
    let twice = |b: &mut Build, i| b.add(i, i);
    assert_eq!(copy(100, twice, twice).verify(&[1, 2, 3]), Split::Axis(0));
}

#[test]
fn a_periodic_read_is_two_pieces() {
    let n = 320;
    let wrap = |b: &mut Build, i| {
        let (k, m) = (b.c(n - 1), b.c(n));
        let s = b.add(i, k);
        b.bin(BinaryOp::Rem, s, m)
    };
    let case = copy(n, |_, i| i, wrap);
    assert_eq!(case.verify(&[1, 4, 9]), Split::Axis(0));
    case.with(|a, call| {
        let (front, _) = GroupRange::all(call.grid).split_at(0, 2);
        let f = a.footprint(call, &front);
        assert_eq!(f.bindings[0].reads, [Strided::range(0, 63 * 4), Strided::range(319 * 4, 320 * 4)]);
    });
}

#[test]
fn rows_from_a_flat_index_recombine() {
    let (w, n) = (30, 900);
    let flat = |b: &mut Build, i| {
        let width = b.c(w);
        let (y, x) = (b.bin(BinaryOp::Div, i, width), b.bin(BinaryOp::Rem, i, width));
        let one = b.c(1);
        let y = b.sub(y, one);
        b.row_col(y, width, x)
    };
    let back = |b: &mut Build, i| {
        let width = b.c(w);
        let (y, x) = (b.bin(BinaryOp::Div, i, width), b.bin(BinaryOp::Rem, i, width));
        b.row_col(y, width, x)
    };
    let case = copy(n, back, flat);
    assert_eq!(case.verify(&[1, 4, 9, 20]), Split::Axis(0));
    case.with(|a, call| {
        let (front, _) = GroupRange::all(call.grid).split_at(0, 2);
        let f = a.footprint(call, &front);
        assert_eq!(f.bindings[0].reads, [Strided::range(0, 34 * 4)]);
        assert_eq!(f.bindings[1].certain, [Strided::range(0, 64 * 4)]);
    });
}

#[test]
fn scatter_is_refused_and_gather_reads_all() {
    let loaded = |b: &mut Build, i| b.load(0, i);
    let case = copy(100, loaded, |_, i| i);
    assert_eq!(case.reason(), "`out` is written through an index loaded from `input`");
    case.verify(&[1, 2]);
    let case = copy(100, |_, i| i, loaded);
    assert_eq!(case.verify(&[1, 2]), Split::Axis(0));
}

#[test]
fn constant_and_clamped_targets_are_refused() {
    let zero = |b: &mut Build, _| b.c(0);
    let reason = copy(100, zero, |_, i| i).reason();
    assert_eq!(reason, "every work-group along x writes `out[0]`");
    let clamped = |b: &mut Build, i| {
        let k = b.c(50);
        b.bin(BinaryOp::Min, i, k)
    };
    copy(100, clamped, |_, i| i).reason();
    let case = copy(100, |_, i| i, clamped);
    assert_eq!(case.verify(&[1, 2]), Split::Axis(0));
}

#[test]
fn group_results_with_a_guard_on_the_local_id_split() {
    let mut b = Build::new([32, 1, 1]);
    let out = b.storage("out", 4);
    let (wg, lid) = (b.builtin(Builtin::GroupId(0)), b.builtin(Builtin::LocalIndex));
    let zero = b.c(0);
    let c = b.bin(BinaryOp::Eq, lid, zero);
    b.when(c, |b| b.store(out, wg, lid));
    let case = Case { kernel: b.finish(), groups: [20, 1, 1], buffers: vec![floats(20)] };
    assert_eq!(case.verify(&[1, 7, 12]), Split::Axis(0));
    case.with(|a, call| {
        let (front, _) = GroupRange::all(call.grid).split_at(0, 7);
        assert_eq!(a.footprint(call, &front).bindings[0].certain, [Strided::range(0, 28)]);
    });
}

/// `for (k = init; k < bound; k += step) { out[..] = input[..] }`
#[test]
fn matrix_product_reads_rows_and_all_of_the_other() {
    let (m, n, k) = (40, 24, 18);
    let mut b = Build::new([8, 8, 1]);
    let (a, bb, c) = (b.storage("a", 4), b.storage("b", 4), b.storage("c", 4));
    let (x, y) = (b.gid(0), b.gid(1));
    let (rows, cols, depth) = (b.c(m), b.c(n), b.c(k));
    let (zero, one) = (b.c(0), b.c(1));
    let (cx, cy) = (b.lt(x, cols), b.lt(y, rows));
    let both = b.bin(BinaryOp::And, cx, cy);
    b.when(both, |b| {
        b.each(zero, depth, one, |b, i| {
            let (l, r) = (b.row_col(y, depth, i), b.row_col(i, cols, x));
            b.load(a, l);
            b.load(bb, r);
        });
        let at = b.row_col(y, cols, x);
        b.store(c, at, zero);
    });
    let sizes = [m * k, k * n, m * n];
    let case = Case {
        kernel: b.finish(),
        groups: [n.div_ceil(8), m.div_ceil(8), 1],
        buffers: sizes.map(|s| floats(s as usize)).to_vec(),
    };
    assert_eq!(case.verify(&[1, 3]), Split::Axis(1));
    case.with(|an, call| {
        let (_, back) = GroupRange::all(call.grid).split_at(1, 2);
        let f = an.footprint(call, &back);
        assert_eq!(f.bindings[0].reads, [Strided::range(16 * 18 * 4, 40 * 18 * 4)]);
        assert_eq!(f.bindings[1].reads, [Strided::range(0, 18 * 24 * 4)]);
        assert_eq!(f.bindings[2].certain, [Strided::range(16 * 24 * 4, 40 * 24 * 4)]);
    });
}

#[test]
fn a_grid_stride_loop_splits_into_strided_sets() {
    let build = |n: u32, groups: u32| {
        let mut b = Build::new([32, 1, 1]);
        let (y, p) = (b.storage("y", 4), b.uniform("p", 16));
        let i = b.gid(0);
        let (bound, size, count) = (b.param(p, 0), b.c(32), b.builtin(Builtin::NumGroups(0)));
        let step = b.mul(count, size);
        b.each(i, bound, step, |b, k| {
            let v = b.load(y, k);
            b.store(y, k, v);
        });
        Case { kernel: b.finish(), groups: [groups, 1, 1], buffers: vec![floats(n as usize), words(&[n, 0, 0, 0])] }
    };
    // Group g owns the elements 32 g to 32 g + 31 of each 128.
    assert_eq!(build(1000, 4).verify(&[1, 2]), Split::Axis(0));
    assert_eq!(build(1000, 32).verify(&[1, 2, 9]), Split::Axis(0));
}

#[test]
fn columns_interleaving_and_halves() {
    // Transpose: out[x * h + y], cut by y.
    let (w, h) = (20, 33);
    let mut b = Build::new([8, 8, 1]);
    let (input, out) = (b.storage("input", 4), b.storage("out", 4));
    let (x, y) = (b.gid(0), b.gid(1));
    let (width, height) = (b.c(w), b.c(h));
    let (cx, cy) = (b.lt(x, width), b.lt(y, height));
    let both = b.bin(BinaryOp::And, cx, cy);
    b.when(both, |b| {
        let (from, to) = (b.row_col(y, width, x), b.row_col(x, height, y));
        let v = b.load(input, from);
        b.store(out, to, v);
    });
    let n = (w * h) as usize;
    let case = Case { kernel: b.finish(), groups: [3, 5, 1], buffers: vec![floats(n), floats(n)] };
    assert_eq!(case.verify(&[1, 2, 4]), Split::Axis(1));

    // out[i], out[i + n] under i < n, and in place.
    let mut b = Build::new([32, 1, 1]);
    let out = b.storage("out", 4);
    let i = b.gid(0);
    let n = b.c(100);
    let c = b.lt(i, n);
    b.when(c, |b| {
        let j = b.add(i, n);
        let v = b.load(out, j);
        b.store(out, i, v);
        b.store(out, j, v);
    });
    let case = Case { kernel: b.finish(), groups: [4, 1, 1], buffers: vec![floats(200)] };
    assert_eq!(case.verify(&[1, 2, 3]), Split::Axis(0));
}

#[test]
fn components_of_an_element_make_one_range_and_padding_is_left() {
    for (stride, parts, len) in [(12, 3, 1), (16, 3, 99)] {
        let mut b = Build::new([32, 1, 1]);
        let out = b.storage("out", stride);
        let i = b.gid(0);
        let zero = b.c(0);
        (0..parts).for_each(|k| b.store_at(out, i, k * 4, zero));
        let buffers = vec![vec![0; stride as usize * 99]];
        let case = Case { kernel: b.finish(), groups: [4, 1, 1], buffers };
        assert_eq!(case.verify(&[1, 2, 3]), Split::Axis(0));
        case.with(|a, call| {
            let f = a.footprint(call, &GroupRange::all(call.grid));
            let runs: u64 = f.bindings[0].certain.iter().map(Strided::count).sum();
            assert_eq!(runs, len);
            assert_eq!(f.bindings[0].certain, f.bindings[0].writes);
            assert_eq!(a.features(call).contiguous_bytes > 0.0, stride == 12);
        });
    }
}
