// Ordinary differential equations y' = derivative(t, y, p) by the classical method of Runge and Kutta, a member of the
// ensemble for each invocation. Joined with ode_member.wgsl, after a source that declares
//
//   fn derivative(t: T, y: array<T, SIZE>, p: array<T, PARAMETERS>) -> array<T, SIZE>
//
// and the constants SIZE and PARAMETERS.

struct Params {
    start: T,
    step: T,
    steps: u32,
    members: u32,
}

@group(0) @binding(0) var<uniform> params: Params;

fn moved(y: array<T, SIZE>, h: T, k: array<T, SIZE>) -> array<T, SIZE> {
    var out: array<T, SIZE>;
    for (var i = 0u; i < SIZE; i++) {
        out[i] = fma(h, k[i], y[i]);
    }
    return out;
}

@compute @workgroup_size(64)
fn ode_rk4(@builtin(global_invocation_id) id: vec3<u32>) {
    let member = id.x;
    if member >= params.members {
        return;
    }
    let p = parameters_of(member);
    var y = state_of(member);
    let h = params.step;
    for (var n = 0u; n < params.steps; n++) {
        let t = fma(T(n), h, params.start);
        let k1 = derivative(t, y, p);
        let k2 = derivative(t + h * T(0.5), moved(y, h * T(0.5), k1), p);
        let k3 = derivative(t + h * T(0.5), moved(y, h * T(0.5), k2), p);
        let k4 = derivative(t + h, moved(y, h, k3), p);
        for (var i = 0u; i < SIZE; i++) {
            y[i] += h * (k1[i] + T(2) * (k2[i] + k3[i]) + k4[i]) / T(6);
        }
    }
    set_state(member, y);
}
