// Ordinary differential equations y' = derivative(t, y, p) with steps of their own size for each member of the ensemble,
// an invocation each: the pair of orders 5 and 4 of J. Dormand and P. Prince (J. Comput. Appl. Math. 6(1), 1980). Joined
// as ode_rk4.wgsl is.

struct Params {
    start: T,
    end: T,
    first: T,     // first step, of the sign of end - start
    relative: T,  // tolerated error over |y|
    absolute: T,  // and beside it
    most: u32,    // steps tried
    members: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(3) var<storage, read_write> reached: array<T>; // [members]: the time of the state

@compute @workgroup_size(64)
fn ode_rk45(@builtin(global_invocation_id) id: vec3<u32>) {
    let member = id.x;
    if member >= params.members {
        return;
    }
    let p = parameters_of(member);
    var y = state_of(member);
    var t = params.start;
    var h = params.first;
    var k1 = derivative(t, y, p);
    for (var n = 0u; n < params.most; n++) {
        if t == params.end {
            break;
        }
        // The last step ends where it should, to the bit.
        let is_last = abs(h) >= abs(params.end - t);
        if is_last {
            h = params.end - t;
        }
        var z: array<T, SIZE>;
        for (var i = 0u; i < SIZE; i++) {
            z[i] = y[i] + h * (T(1.0 / 5.0) * k1[i]);
        }
        let k2 = derivative(t + h * T(1.0 / 5.0), z, p);
        for (var i = 0u; i < SIZE; i++) {
            z[i] = y[i] + h * (T(3.0 / 40.0) * k1[i] + T(9.0 / 40.0) * k2[i]);
        }
        let k3 = derivative(t + h * T(3.0 / 10.0), z, p);
        for (var i = 0u; i < SIZE; i++) {
            z[i] = y[i] + h * (T(44.0 / 45.0) * k1[i] - T(56.0 / 15.0) * k2[i] + T(32.0 / 9.0) * k3[i]);
        }
        let k4 = derivative(t + h * T(4.0 / 5.0), z, p);
        for (var i = 0u; i < SIZE; i++) {
            z[i] = y[i] + h * (T(19372.0 / 6561.0) * k1[i] - T(25360.0 / 2187.0) * k2[i]
                + T(64448.0 / 6561.0) * k3[i] - T(212.0 / 729.0) * k4[i]);
        }
        let k5 = derivative(t + h * T(8.0 / 9.0), z, p);
        for (var i = 0u; i < SIZE; i++) {
            z[i] = y[i] + h * (T(9017.0 / 3168.0) * k1[i] - T(355.0 / 33.0) * k2[i] + T(46732.0 / 5247.0) * k3[i]
                + T(49.0 / 176.0) * k4[i] - T(5103.0 / 18656.0) * k5[i]);
        }
        let k6 = derivative(t + h, z, p);
        for (var i = 0u; i < SIZE; i++) {
            z[i] = y[i] + h * (T(35.0 / 384.0) * k1[i] + T(500.0 / 1113.0) * k3[i] + T(125.0 / 192.0) * k4[i]
                - T(2187.0 / 6784.0) * k5[i] + T(11.0 / 84.0) * k6[i]);
        }
        let k7 = derivative(t + h, z, p);
        // The largest error of a component over what is tolerated.
        var worst = T(0);
        var is_sound = true;
        for (var i = 0u; i < SIZE; i++) {
            let error = h * (T(71.0 / 57600.0) * k1[i] - T(71.0 / 16695.0) * k3[i] + T(71.0 / 1920.0) * k4[i]
                - T(17253.0 / 339200.0) * k5[i] + T(22.0 / 525.0) * k6[i] - T(1.0 / 40.0) * k7[i]);
            let tolerated = params.absolute + params.relative * max(abs(y[i]), abs(z[i]));
            let ratio = abs(error) / tolerated;
            // A comparison with NaN fails, and so does one of an infinity with the largest.
            is_sound = is_sound && ratio <= T(1.0e30);
            worst = max(worst, ratio);
        }
        // The size of a step needs no more than f32.
        let factor = T(clamp(0.9 * pow(max(f32(worst), 1.0e-10), -0.2), 0.2, 5.0));
        if is_sound && worst <= T(1) {
            t = select(t + h, params.end, is_last);
            y = z;
            k1 = k7;
            h *= factor;
        } else {
            h *= select(T(0.2), min(factor, T(1)), is_sound);
        }
    }
    set_state(member, y);
    reached[member] = t;
}
