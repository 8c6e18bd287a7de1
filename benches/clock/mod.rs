//! The clock of the process, for benchmarks on a machine that other programs use too.

/// CPU time of the process in ns: that of all its threads.
#[cfg(unix)]
pub fn cpu_ns() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a timespec.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    assert_eq!(failed, 0, "the clock of the process");
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// Where the system's clock of processes is not known.
#[cfg(not(unix))]
pub fn cpu_ns() -> f64 {
    f64::NAN
}
