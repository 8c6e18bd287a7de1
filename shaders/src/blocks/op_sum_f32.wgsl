// Compensated sums of f32: see `op_sum_float.wgsl`.
alias Real = f32;
const LARGEST: Real = 0x1.fffffep+127f;

fn hide(x: Real) -> Real {
    return bitcast<f32>(bitcast<u32>(x) ^ shape.zero);
}
