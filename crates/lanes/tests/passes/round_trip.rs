//! The text of a kernel, read and printed again, is the same.

use crate::{conformance, random_flow, random_kernels, shaders};
use evener_lanes::{
    ir::{Kernel, parse::parse, verify::verify},
    passes::{optimize, remove_dead},
};

fn check(kernel: &Kernel) {
    let text = kernel.to_string();
    let read = parse(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    verify(&read).unwrap_or_else(|e| panic!("{e}\n{text}"));
    assert_eq!(read.to_string(), text);
}

#[test]
fn shaders_are_read_back() {
    shaders().into_iter().for_each(|kernel| {
        check(&kernel);
        check(&optimize(kernel, true));
    });
}

#[test]
fn random_kernels_are_read_back() {
    random_kernels(300, |mut kernel, _| {
        remove_dead(&mut kernel);
        check(&kernel);
    });
    random_flow(50, |kernel| check(&kernel));
}

#[test]
fn conformance_programs_are_read_back() {
    let seen = conformance::each_program(|_, program| {
        program.dispatches().filter_map(|op| program.lower(op).ok()).for_each(|kernel| check(&kernel));
    });
    if !seen {
        println!("skipped: the conformance data is not there");
    }
}
