//! The interpreter on kernels written in IR: what WGSL cannot say, or says only through the front end.

#![allow(clippy::needless_range_loop, reason = "lanes of several arrays are indexed together")]

mod build;
#[path = "../engines/mod.rs"]
mod engines;
mod generate;
mod ops;
mod oracle;
mod random;
mod reference;
mod rng;
mod uniformity;

use build::Build;
use evener_lanes::{Buffer, Grid, GroupRange, Program, ir::*};

fn bytes<T: Copy>(v: &[T]) -> &[u8] {
    // SAFETY: plain numbers.
    unsafe { std::slice::from_raw_parts(v.as_ptr().cast(), size_of_val(v)) }
}

fn bytes_mut<T: Copy>(v: &mut [T]) -> &mut [u8] {
    // SAFETY: plain numbers.
    unsafe { std::slice::from_raw_parts_mut(v.as_mut_ptr().cast(), size_of_val(v)) }
}

fn groups(x: u32) -> Grid {
    Grid { groups: [x, 1, 1] }
}

fn saxpy() -> Kernel {
    let mut b = Build::new([64, 1, 1]);
    let (x, y) = (b.array("x", 4), b.array("y", 4));
    let i = b.gid(0);
    let a = b.op(Ty::F32, Op::Const(2.5f32.to_bits().into()));
    let (vx, vy) = (b.load(Ty::F32, x, i), b.load(Ty::F32, y, i));
    let ax = b.binary(BinaryOp::Mul, a, vx);
    let sum = b.binary(BinaryOp::Add, ax, vy);
    b.store(y, i, sum);
    b.done()
}

#[test]
fn saxpy_of_ragged_sizes_leaves_the_rest_alone() {
    let program = Program::new(saxpy()).unwrap();
    for n in [1usize, 63, 64, 65, 1000, 100_003] {
        let x: Vec<f32> = (0..n).map(|i| i as f32 * 0.5).collect();
        let mut y: Vec<f32> = (0..n + 64).map(|i| i as f32).collect();
        let mut x = x;
        let grid = groups(n.div_ceil(64) as u32);
        let (yn, guard) = y.split_at_mut(n);
        let buffers = [Buffer::write(bytes_mut(&mut x)), Buffer::write(bytes_mut(yn))];
        program.run(&buffers, grid, GroupRange::all(grid)).unwrap();
        for i in 0..n {
            assert_eq!(yn[i], 2.5 * (i as f32 * 0.5) + i as f32);
        }
        assert!(guard.iter().enumerate().all(|(k, v)| *v == (n + k) as f32));
        assert_eq!(bytes(&x).len(), 4 * n);
    }
}
