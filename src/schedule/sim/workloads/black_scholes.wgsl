// Prices of European call options (Black and Scholes 1973) with the normal distribution by Abramowitz and Stegun 26.2.17.
@group(0) @binding(0) var<uniform> rate: f32;
@group(0) @binding(1) var<storage, read> spot: array<f32>;
@group(0) @binding(2) var<storage, read> strike: array<f32>;
@group(0) @binding(3) var<storage, read> years: array<f32>;
@group(0) @binding(4) var<storage, read_write> price: array<f32>;

fn normal(x: f32) -> f32 {
    let t = 1.0 / (1.0 + 0.2316419 * abs(x));
    let tail = t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
    let upper = 0.39894228 * exp(-0.5 * x * x) * tail;
    return select(upper, 1.0 - upper, x > 0.0);
}

@compute @workgroup_size(128)
fn black_scholes(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= arrayLength(&price) {
        return;
    }
    let sigma = 0.3;
    let root = sigma * sqrt(years[i]);
    let d1 = (log(spot[i] / strike[i]) + (rate + 0.5 * sigma * sigma) * years[i]) / root;
    price[i] = spot[i] * normal(d1) - strike[i] * exp(-rate * years[i]) * normal(d1 - root);
}
