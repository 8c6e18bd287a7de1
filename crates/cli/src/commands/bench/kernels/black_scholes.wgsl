// Prices of European calls (F. Black, M. Scholes 1973): much arithmetic, exp, log and sqrt, on few bytes.

@group(0) @binding(0) var<uniform> rate: f32;
@group(0) @binding(1) var<storage, read> spot: array<f32>;   // price of the share today
@group(0) @binding(2) var<storage, read> strike: array<f32>; // price at which it may be bought
@group(0) @binding(3) var<storage, read> years: array<f32>;  // until then
@group(0) @binding(4) var<storage, read_write> price: array<f32>;

const SIGMA: f32 = 0.3; // volatility of a year

// Of a standard normal variable, that it is below x: Abramowitz and Stegun 26.2.17.
fn below(x: f32) -> f32 {
    let t = 1.0 / (1.0 + 0.2316419 * abs(x));
    let tail = t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
    let above = 0.39894228 * exp(-0.5 * x * x) * tail;
    return select(above, 1.0 - above, x > 0.0);
}

@compute @workgroup_size(64)
fn black_scholes(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= arrayLength(&price) {
        return;
    }
    let root = SIGMA * sqrt(years[i]);
    let d = (log(spot[i] / strike[i]) + (rate + 0.5 * SIGMA * SIGMA) * years[i]) / root;
    price[i] = spot[i] * below(d) - strike[i] * exp(-rate * years[i]) * below(d - root);
}
