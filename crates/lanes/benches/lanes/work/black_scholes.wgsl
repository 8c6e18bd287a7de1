// Prices of European options.
//
// The normal distribution by the polynomial 26.2.17 of Abramowitz and Stegun, absolute error 7.5e-8.

struct Market {
    rate: f32,
    volatility: f32,
}

@group(0) @binding(0) var<uniform> market: Market;
@group(0) @binding(1) var<storage, read> spot: array<f32>;
@group(0) @binding(2) var<storage, read> strike: array<f32>;
@group(0) @binding(3) var<storage, read> years: array<f32>;
@group(0) @binding(4) var<storage, read_write> call: array<f32>;
@group(0) @binding(5) var<storage, read_write> put: array<f32>;

fn normal(d: f32) -> f32 {
    let k = 1.0 / (1.0 + 0.2316419 * abs(d));
    let series = k * (0.319381530 + k * (-0.356563782 + k * (1.781477937 + k * (-1.821255978 + k * 1.330274429))));
    let tail = 0.39894228 * exp(-0.5 * d * d) * series;
    if d > 0.0 {
        return 1.0 - tail;
    }
    return tail;
}

@compute @workgroup_size(128)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= arrayLength(&call) {
        return;
    }
    let s = spot[i];
    let k = strike[i];
    let t = years[i];
    let v = market.volatility;
    let deviation = v * sqrt(t);
    let d1 = (log(s / k) + (market.rate + 0.5 * v * v) * t) / deviation;
    let d2 = d1 - deviation;
    let n1 = normal(d1);
    let n2 = normal(d2);
    let discounted = k * exp(-market.rate * t);
    call[i] = s * n1 - discounted * n2;
    put[i] = discounted * (1.0 - n2) - s * (1.0 - n1);
}
