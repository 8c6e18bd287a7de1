//! WGSL: parsed, lowered, analysed and run with little fuel.
#![no_main]

#[path = "../../crates/cli/tests/untrusted/mod.rs"]
#[allow(dead_code)]
mod untrusted;

libfuzzer_sys::fuzz_target!(|source: &str| untrusted::wgsl(source));
