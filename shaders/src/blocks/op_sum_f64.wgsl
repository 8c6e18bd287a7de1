// Compensated sums of f64: see `op_sum_float.wgsl`.
alias Real = f64;
const LARGEST: Real = 0x1.fffffffffffffp+1023lf;

fn hide(x: Real) -> Real {
    return bitcast<f64>(bitcast<u64>(x) ^ u64(shape.zero));
}
