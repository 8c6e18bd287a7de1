//! Differential tests: random programs on every engine and on a plain evaluator of naga's IR.
//!
//! `examples/differential.rs` runs the same by the million.

mod ast;
mod engines;
mod generate;
mod guard;
mod hostile;
mod layout;
mod oracle;
mod reduce;
mod rng;

use generate::{Options, generate};

/// Checks the programs of some seeds; panics with a reduced one that fails.
fn check_seeds(seeds: std::ops::Range<u64>, options: Options) {
    for seed in seeds {
        let program = generate(seed, options);
        guard::announce(seed);
        if let Err(failure) = engines::check(&program) {
            let small = reduce::reduce(&program, &mut |p| failure.is_shown_by(p));
            panic!("seed {seed}: {failure}\n{}\nreduced:\n{}", program.source(), small.source());
        }
    }
}

#[test]
fn engines_and_oracle_agree_on_random_programs() {
    check_seeds(1..200, Options::default());
}
