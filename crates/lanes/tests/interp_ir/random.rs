//! Random structured kernels against the reference, one invocation at a time.

use crate::{
    engines::engines,
    generate::{SLOTS, kernel},
    reference::Machine,
    rng::Random,
};
use evener_lanes::{Buffer, Engine, Grid, GroupRange, Program, Settings};

#[test]
fn random_kernels_do_what_the_reference_does() {
    let shapes = [([32, 1, 1], [3, 1, 1]), ([8, 4, 1], [5, 2, 1]), ([3, 5, 1], [2, 9, 1]), ([1, 1, 1], [7, 3, 1])];
    for case in 0..3000usize {
        let (size, groups) = shapes[case % shapes.len()];
        let kernel = kernel(Random(1 + case as u64 * 0x9e37_79b9), size, 1 + case / 20);
        let n: u32 = (0..3).map(|a| size[a] * groups[a]).product();
        let data: Vec<u8> = (0..n).flat_map(|i| ((i * 37 % 101) as f32 - 30.0).to_le_bytes()).collect();
        // Too short for the last invocations.
        let out = vec![0u8; (n * SLOTS * 4 - 20) as usize];
        let mut machine = Machine::new(&kernel, vec![data.clone(), out.clone()], groups);
        machine.run([0; 3], groups);
        let levels: Vec<Engine> = engines();
        let level = levels[case / 4 % levels.len()];
        let (mut data, mut out) = (data, out);
        let program = Program::with(kernel.clone(), &Settings::default().contract(false).engine(level)).unwrap();
        let grid = Grid { groups };
        program.run(&[Buffer::write(&mut data), Buffer::write(&mut out)], grid, GroupRange::all(grid)).unwrap();
        let same = out.chunks(4).zip(machine.memory[1].chunks(4)).position(|(a, b)| {
            let [a, b] = [a, b].map(|c| f32::from_le_bytes(c.try_into().unwrap()));
            a.to_bits() != b.to_bits() && !(a.is_nan() && b.is_nan())
        });
        let words = |m: &[u8]| m.chunks(4).map(|c| u32::from_le_bytes(c.try_into().unwrap())).collect::<Vec<_>>();
        assert!(
            same.is_none(),
            "case {case} {level:?}: word {same:?} differs, {:?} for {:?} in {kernel:?}",
            words(&out),
            words(&machine.memory[1])
        );
    }
}
