//! Passes over the lane IR, each in a file of its own.
//!
//! [`remove_dead`] and [`simplify_carried`] clean up what the front end emits, so that the analysis reads it. The others
//! make a kernel faster without changing what it computes (but for [`contract_fma()`], which rounds less often), and run
//! in [`optimize`].

pub mod carried;
pub mod contract_fma;
pub mod convert_branches;
pub(crate) mod copies;
pub mod dce;
pub mod fold_operations;
pub(crate) mod hash;
pub mod hoist_invariants;
mod logic;
mod memory;
pub mod number_values;
pub mod recognize_products;
pub mod reduce_divisions;
pub mod rotate_loops;
pub mod unroll_loops;

pub use carried::simplify_carried;
pub use contract_fma::contract_fma;
pub use convert_branches::convert_branches;
pub use dce::remove_dead;
pub use fold_operations::fold_operations;
pub use hoist_invariants::hoist_invariants;
pub use number_values::number_values;
pub use recognize_products::recognize_products;
pub use reduce_divisions::reduce_divisions;
pub use rotate_loops::rotate_loops;
pub use unroll_loops::unroll_loops;

use crate::{
    analysis::uniformity::{BatchShape, Uniformity},
    ir::{Kernel, verify::verify},
};

/// The kernel made fast: the same results, but for sums contracted where `contract` allows it.
///
/// # Panics
/// In debug builds, where a pass breaks the kernel.
pub fn optimize(mut kernel: Kernel, contract: bool) -> Kernel {
    let k = &mut kernel;
    run(k, &[FOLD, ("recognize_products", recognize_products), ("reduce_divisions", reduce_divisions), NUMBER]);
    // What loops carry for their tests stands in the way of the rest.
    run(k, &[("rotate_loops", rotate_loops), FOLD, NUMBER]);
    if unroll_loops(k) {
        run(k, &[FOLD, NUMBER]);
    }
    run(k, &[("convert_branches", convert_varying), FOLD, NUMBER, DEAD]);
    run(k, &[("simplify_carried", |k| _ = simplify_carried(k))]);
    run(k, &[("hoist_invariants", hoist_invariants), NUMBER, FOLD, DEAD]);
    if contract {
        run(k, &[("contract_fma", contract_fma), DEAD]);
    }
    kernel
}

/// A pass and its name.
type Step = (&'static str, fn(&mut Kernel));

const FOLD: Step = ("fold_operations", fold_operations);
const NUMBER: Step = ("number_values", number_values);
const DEAD: Step = ("remove_dead", remove_dead);

/// Runs passes one after the other, verified in debug builds.
fn run(kernel: &mut Kernel, steps: &[Step]) {
    for (name, pass) in steps {
        pass(kernel);
        if cfg!(debug_assertions)
            && let Err(what) = verify(kernel)
        {
            panic!("{name} breaks the kernel: {what}\n{kernel}");
        }
    }
}

/// [`convert_branches`] for the batches that most of a call runs in.
fn convert_varying(kernel: &mut Kernel) {
    let shape = if kernel.is_cooperative() { BatchShape::Group } else { BatchShape::Row };
    let uniformity = Uniformity::new(kernel, shape);
    convert_branches(kernel, &uniformity);
}
