// Normal numbers of mean 0 and variance 1 by Box and Muller (1958): of two words, `r cos(2 pi v)` and `r sin(2 pi v)`
// with `r = sqrt(-2 ln u)`. The functions are polynomials written out, because devices' own differ in the last bits
// and, for the sine, by far more.
alias T = f32;

// The natural logarithm of a normal number. With m in [sqrt(1/2), sqrt(2)) and s = (m - 1) / (m + 1),
// ln m = 2 artanh s (as in fdlibm's logf).
fn log_of(u: f32) -> f32 {
    let bits = bitcast<u32>(u) + (0x3f800000u - 0x3f3504f3u);
    let exponent = f32(bitcast<i32>(bits >> 23u) - 127);
    let m = bitcast<f32>((bits & 0x7fffffu) + 0x3f3504f3u);
    let f = m - 1.0;
    let s = f / (2.0 + f);
    let z = s * s;
    let w = z * z;
    let r = z * (0.6666666269 + w * 0.2849878669) + w * (0.4000097215 + w * 0.2427907884);
    let h = 0.5 * f * f;
    return (s * (h + r) + exponent * 9.0580006145e-6 - h) + f + exponent * 0.6931381226;
}

// Cosine and sine of `2 pi v / 2^24`: `v` in eighths of a turn and a rest in [-1/8, 1/8] turn, without a rounding error.
fn turn(v: u32) -> vec2<f32> {
    let quarter = (v + 0x200000u) >> 22u;
    let rest = f32(bitcast<i32>(v - (quarter << 22u))) * 0x1p-24f;
    let z = rest * rest;
    // Taylor series of sin(2 pi t) and cos(2 pi t).
    let sine = rest * (6.2831855 + z * (-41.341702 + z * (81.605249 + z * (-76.705860 + z * 42.058694))));
    let cosine = 1.0 + z * (-19.739209 + z * (64.939394 + z * (-85.456817 + z * (60.244641 - z * 26.426257))));
    let odd = (quarter & 1u) != 0u;
    let across = select(cosine, sine, odd);
    let along = select(sine, cosine, odd);
    return vec2<f32>(select(across, -across, ((quarter + 1u) & 2u) != 0u), select(along, -along, (quarter & 2u) != 0u));
}

fn pair(a: u32, b: u32) -> vec2<f32> {
    // In (0, 1]: never the logarithm of zero.
    let u = f32((a >> 8u) + 1u) * 0x1p-24f;
    return sqrt(-2.0 * log_of(u)) * turn(b >> 8u);
}

fn make(words: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(pair(words.x, words.y), pair(words.z, words.w));
}
