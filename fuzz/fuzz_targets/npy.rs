//! npy files.
#![no_main]

#[path = "../../crates/cli/tests/untrusted/mod.rs"]
#[allow(dead_code)]
mod untrusted;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| untrusted::npy_file(bytes));
