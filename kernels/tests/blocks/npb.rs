//! NPB EP, class S: Gaussian pairs of a linear congruential generator, and their sums (Bailey et al., The NAS Parallel
//! Benchmarks, RNR-94-007).

use crate::places::{checked, places};
use evener_kernels::Blocks;

/// Pairs are made from `x = 5^13 x mod 2^46`, by jumps to where an invocation's 512 numbers start.
const PAIRS: &str = "
@group(0) @binding(0) var<storage, read_write> sx: array<f64>;
@group(0) @binding(1) var<storage, read_write> sy: array<f64>;

@compute @workgroup_size(64)
fn pairs(@builtin(global_invocation_id) id: vec3<u32>) {
    let mask = (1lu << 46u) - 1lu;
    var x = 271828183lu;
    var power = 1220703125lu;
    for (var jump = id.x * 512u; jump != 0u; jump >>= 1u) {
        if (jump & 1u) != 0u {
            x = (x * power) & mask;
        }
        power = (power * power) & mask;
    }
    var a = 0.0lf;
    var b = 0.0lf;
    for (var k = 0u; k < 256u; k++) {
        x = (x * 1220703125lu) & mask;
        let u = 2.0lf * (f64(x) * 0x1p-46lf) - 1.0lf;
        x = (x * 1220703125lu) & mask;
        let v = 2.0lf * (f64(x) * 0x1p-46lf) - 1.0lf;
        let t = u * u + v * v;
        if t <= 1.0lf {
            let f = sqrt(-2.0lf * log(t) / t);
            a += u * f;
            b += v * f;
        }
    }
    sx[id.x] = a;
    sy[id.x] = b;
}";

#[test]
fn the_sums_of_class_s_are_those_published() {
    let (place, rt) = &places()[0];
    let (mut sx, mut sy) = (rt.zeros::<f64>(1 << 16).unwrap(), rt.zeros::<f64>(1 << 16).unwrap());
    let report = rt.kernel(PAIRS).unwrap().call().arg("sx", &mut sx).arg("sy", &mut sy).items(1 << 16).run().unwrap();
    assert_eq!(report.interpreted, None);
    for (sums, published) in [(sx, -3247.83465203474), (sy, -6958.407078382297)] {
        let sum = checked(place, rt.sum(&sums).unwrap());
        // NPB's own limit is 1e-8.
        assert!((sum / published - 1.0f64).abs() < 1e-12, "{sum} for {published}");
    }
}
