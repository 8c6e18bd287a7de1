// One time step of the shallow-water equations over uneven ground, with wetting and drying.
//
// First-order finite volumes. The water at each face is reconstructed hydrostatically, so that a
// lake at rest stays at rest and depths stay positive: E. Audusse, F. Bouchut, M.-O. Bristeau,
// R. Klein, B. Perthame, "A fast and stable well-balanced scheme with hydrostatic reconstruction
// for shallow water flows", SIAM J. Sci. Comput. 25(6), 2004. Fluxes: HLL (Harten, Lax, van Leer,
// SIAM Review 25(1), 1983) with Davis' speeds. Friction: Manning, implicit in the speed.
//
// Cells lie row by row, north to south; u is the velocity to the east, v to the south. The outer
// ring of cells is no water: its bed is a cliff above everything, which makes a closed wall.

struct Params {
    width: u32,      // columns, the ring included
    height: u32,     // rows, the ring included
    dt: f32,         // time step, s
    dt_dx: f32,      // time step / cell size west-east, s/m
    dt_dy: f32,      // time step / cell size north-south, s/m
    gravity: f32,    // m/s^2
    dry: f32,        // depth under which water does not move, m
    friction: f32,   // gravity * (Manning's n)^2
    rain: f32,       // depth added in this step, m
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> bed: array<f32>;   // m
@group(0) @binding(2) var<storage, read> depth: array<f32>; // m
@group(0) @binding(3) var<storage, read> u: array<f32>;     // m/s
@group(0) @binding(4) var<storage, read> v: array<f32>;     // m/s
@group(0) @binding(5) var<storage, read_write> depth_next: array<f32>;
@group(0) @binding(6) var<storage, read_write> u_next: array<f32>;
@group(0) @binding(7) var<storage, read_write> v_next: array<f32>;
// The fastest wave of each work-group after the step, m/s: the next time step follows from it.
@group(0) @binding(8) var<storage, read_write> fastest: array<f32>;

// A cell as a face sees it.
struct Side {
    bed: f32,
    depth: f32,
    normal: f32,     // velocity through the face
    transverse: f32, // velocity along it
}

// What flows through a face from `left` to `right` in a second, by metre of face.
struct Flux {
    mass: f32,
    // Momentum through the face, less the pressure of the reconstructed water on that side: zero at
    // rest on either side, exactly, which is what makes the scheme well-balanced in f32 too.
    push_left: f32,
    push_right: f32,
    transverse: f32,
}

fn face(left: Side, right: Side) -> Flux {
    // Only the water above the higher of the two beds can cross. Taking the beds' difference first
    // keeps the rounding error to that of the depth, however high the ground is.
    let top = max(left.bed, right.bed);
    let hl = max(left.depth + (left.bed - top), 0.0);
    let hr = max(right.depth + (right.bed - top), 0.0);
    let ul = left.normal;
    let ur = right.normal;

    let cl = sqrt(params.gravity * hl);
    let cr = sqrt(params.gravity * hr);
    let slow = min(min(ul - cl, ur - cr), 0.0);
    let fast = max(max(ul + cl, ur + cr), 0.0);

    let ql = hl * ul;
    let qr = hr * ur;
    let pl = 0.5 * params.gravity * hl * hl;
    let pr = 0.5 * params.gravity * hr * hr;
    let ml = ql * ul + pl;
    let mr = qr * ur + pr;
    let tl = ql * left.transverse;
    let tr = qr * right.transverse;

    // HLL as the left flux plus a correction that vanishes between equal states.
    let share = slow / max(fast - slow, 1.0e-12);
    let momentum = ml + share * (fast * (qr - ql) - (mr - ml));
    var flux: Flux;
    flux.mass = ql + share * (fast * (hr - hl) - (qr - ql));
    flux.push_left = momentum - pl;
    flux.push_right = momentum - pr;
    flux.transverse = tl + share * (fast * (hr * right.transverse - hl * left.transverse) - (tr - tl));
    return flux;
}

// The cell `i` as a north or south face sees it, and as a west or east face does.
fn along_column(i: u32) -> Side {
    return Side(bed[i], depth[i], v[i], u[i]);
}

fn along_row(i: u32) -> Side {
    return Side(bed[i], depth[i], u[i], v[i]);
}

var<workgroup> peak: atomic<u32>;

@compute @workgroup_size(64, 4)
fn shallow_water(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let col = id.x;
    let row = id.y;
    // No early return: every invocation must reach the barrier.
    if col < params.width && row < params.height {
        let i = row * params.width + col;
        var h = depth[i];
        var un = u[i];
        var vn = v[i];
        if col > 0u && col + 1u < params.width && row > 0u && row + 1u < params.height {
            let here_x = Side(bed[i], h, un, vn);
            let here_y = Side(bed[i], h, vn, un);
            let west = face(along_row(i - 1u), here_x);
            let east = face(here_x, along_row(i + 1u));
            let north = face(along_column(i - params.width), here_y);
            let south = face(here_y, along_column(i + params.width));

            let qx = h * un - params.dt_dx * (east.push_left - west.push_right)
                - params.dt_dy * (south.transverse - north.transverse);
            let qy = h * vn - params.dt_dy * (south.push_left - north.push_right)
                - params.dt_dx * (east.transverse - west.transverse);
            let flow = params.dt_dx * (east.mass - west.mass) + params.dt_dy * (south.mass - north.mass);
            h = max(h - flow, 0.0) + params.rain;

            un = 0.0;
            vn = 0.0;
            if h > params.dry {
                un = qx / h;
                vn = qy / h;
                let speed = sqrt(un * un + vn * vn);
                // Manning: du/dt = -g n^2 |u| u / h^(4/3), with u at the end of the params.
                let drag = 1.0 / (1.0 + params.dt * params.friction * speed * pow(h, -4.0 / 3.0));
                un *= drag;
                vn *= drag;
            }
        }
        depth_next[i] = h;
        u_next[i] = un;
        v_next[i] = vn;
        // Bits of floats that are not negative sort as the floats do.
        let wave = max(abs(un), abs(vn)) + sqrt(params.gravity * h);
        atomicMax(&peak, bitcast<u32>(wave));
    }
    workgroupBarrier();
    if local == 0u {
        fastest[group.y * groups.x + group.x] = bitcast<f32>(atomicLoad(&peak));
    }
}
