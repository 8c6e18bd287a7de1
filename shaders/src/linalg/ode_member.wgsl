// A member of an ensemble of differential equations: its parameters and its state.

@group(0) @binding(1) var<storage, read> parameter: array<T>;    // [members][PARAMETERS]
@group(0) @binding(2) var<storage, read_write> state: array<T>;  // [members][SIZE]

fn parameters_of(member: u32) -> array<T, PARAMETERS> {
    var p: array<T, PARAMETERS>;
    for (var i = 0u; i < PARAMETERS; i++) {
        p[i] = parameter[member * PARAMETERS + i];
    }
    return p;
}

fn state_of(member: u32) -> array<T, SIZE> {
    var y: array<T, SIZE>;
    for (var i = 0u; i < SIZE; i++) {
        y[i] = state[member * SIZE + i];
    }
    return y;
}

fn set_state(member: u32, y: array<T, SIZE>) {
    for (var i = 0u; i < SIZE; i++) {
        state[member * SIZE + i] = y[i];
    }
}
