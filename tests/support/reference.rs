//! The shallow-water step in plain f64, as its authors write it: conserved variables, the textbook HLL formula,
//! the source term on each side of a face. Independent of evener and of the kernel's arrangement.

#![allow(dead_code, reason = "each test binary uses a part")]

/// Water on a grid of `width` columns, row by row.
#[derive(Clone, Debug)]
pub struct Flow {
    pub width: usize,
    pub height: usize,
    pub bed: Vec<f64>,
    pub depth: Vec<f64>,
    pub u: Vec<f64>,
    pub v: Vec<f64>,
}

/// The constants of a step.
#[derive(Clone, Copy, Debug)]
pub struct Constants {
    pub dt: f64,
    pub dx: f64,
    pub dy: f64,
    pub gravity: f64,
    pub manning: f64,
    pub dry: f64,
    pub rain: f64,
}

/// Depth, momentum through the face, momentum along it.
type Conserved = [f64; 3];

fn add(a: Conserved, b: Conserved, factor: f64) -> Conserved {
    std::array::from_fn(|k| a[k] + factor * b[k])
}

/// The physical flux along x of (h, hu, hv).
fn physical(g: f64, [h, un, vt]: [f64; 3]) -> Conserved {
    [h * un, h * un * un + 0.5 * g * h * h, h * un * vt]
}

/// Harten, Lax and van Leer with Davis' wave speeds, of depth and velocities on both sides.
fn hll(g: f64, l: [f64; 3], r: [f64; 3]) -> Conserved {
    let wave = |s: [f64; 3]| (g * s[0]).sqrt();
    let sl = (l[1] - wave(l)).min(r[1] - wave(r));
    let sr = (l[1] + wave(l)).max(r[1] + wave(r));
    let conserved = |s: [f64; 3]| [s[0], s[0] * s[1], s[0] * s[2]];
    let (fl, fr) = (physical(g, l), physical(g, r));
    if sl >= 0.0 {
        fl
    } else if sr <= 0.0 {
        fr
    } else {
        let jump = add(conserved(r), conserved(l), -1.0);
        std::array::from_fn(|k| (sr * fl[k] - sl * fr[k] + sl * sr * jump[k]) / (sr - sl))
    }
}

/// The flux that the cell left of a face sees and the one that the cell right of it does
/// (Audusse et al. 2004, equations 2.14 to 2.17). A side is bed, depth, normal and transverse velocity.
fn face(g: f64, l: [f64; 4], r: [f64; 4]) -> [Conserved; 2] {
    let top = l[0].max(r[0]);
    let reconstructed = |s: [f64; 4]| [(s[1] + s[0] - top).max(0.0), s[2], s[3]];
    let (hl, hr) = (reconstructed(l), reconstructed(r));
    let flux = hll(g, hl, hr);
    let source = |s: [f64; 4], star: [f64; 3]| [0.0, 0.5 * g * (s[1] * s[1] - star[0] * star[0]), 0.0];
    [add(flux, source(l, hl), 1.0), add(flux, source(r, hr), 1.0)]
}

/// One step, and the fastest wave of each work-group of 64 by 4 cells after it.
pub fn shallow_water(now: &Flow, c: &Constants) -> (Flow, Vec<f64>) {
    let mut next = now.clone();
    for row in 1..now.height.saturating_sub(1) {
        for col in 1..now.width.saturating_sub(1) {
            update(now, &mut next, row * now.width + col, c);
        }
    }
    let groups = [now.width.div_ceil(64), now.height.div_ceil(4)];
    let mut fastest = vec![0.0f64; groups[0] * groups[1]];
    for k in 0..now.depth.len() {
        let group = (k / now.width / 4) * groups[0] + k % now.width / 64;
        let wave = next.u[k].abs().max(next.v[k].abs()) + (c.gravity * next.depth[k]).sqrt();
        fastest[group] = fastest[group].max(wave);
    }
    (next, fastest)
}

fn update(now: &Flow, next: &mut Flow, k: usize, c: &Constants) {
    let along_x = |i: usize| [now.bed[i], now.depth[i], now.u[i], now.v[i]];
    let along_y = |i: usize| [now.bed[i], now.depth[i], now.v[i], now.u[i]];
    let (g, w) = (c.gravity, now.width);
    let west = face(g, along_x(k - 1), along_x(k))[1];
    let east = face(g, along_x(k), along_x(k + 1))[0];
    let north = face(g, along_y(k - w), along_y(k))[1];
    let south = face(g, along_y(k), along_y(k + w))[0];
    let (x, y) = (add(east, west, -1.0), add(south, north, -1.0));
    let (rx, ry) = (c.dt / c.dx, c.dt / c.dy);

    let h = (now.depth[k] - rx * x[0] - ry * y[0]).max(0.0) + c.rain;
    let qx = now.depth[k] * now.u[k] - rx * x[1] - ry * y[2];
    let qy = now.depth[k] * now.v[k] - rx * x[2] - ry * y[1];
    next.depth[k] = h;
    (next.u[k], next.v[k]) = (0.0, 0.0);
    if h > c.dry {
        let (u, v) = (qx / h, qy / h);
        let drag = 1.0 + c.dt * g * c.manning * c.manning * u.hypot(v) / h.powf(4.0 / 3.0);
        (next.u[k], next.v[k]) = (u / drag, v / drag);
    }
}

/// Stoker's exact solution of a dam break on a wet flat bed, depth at `x` (dam at 0) after `t` seconds.
pub fn stoker(g: f64, left: f64, right: f64, x: f64, t: f64) -> f64 {
    let (cl, cr) = ((g * left).sqrt(), (g * right).sqrt());
    // The middle depth: what the rarefaction and the shock agree on, by bisection.
    let difference = |h: f64| {
        let rarefaction = 2.0 * (cl - (g * h).sqrt());
        let shock = (h - right) * (0.5 * g * (1.0 / h + 1.0 / right)).sqrt();
        rarefaction - shock
    };
    let (mut low, mut high) = (right, left);
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if difference(middle) > 0.0 { low = middle } else { high = middle }
    }
    let (hm, s) = (low, x / t);
    let (cm, um) = ((g * hm).sqrt(), 2.0 * (cl - (g * hm).sqrt()));
    let shock = cr * (0.5 * hm / right * (hm / right + 1.0)).sqrt();
    if s < -cl {
        left
    } else if s < um - cm {
        (2.0 * cl - s).powi(2) / (9.0 * g)
    } else if s < shock {
        hm
    } else {
        right
    }
}

/// Hills with a height of about `scale` metres, on a grid of 2^-10 m.
pub fn hills(columns: usize, rows: usize, scale: f32) -> Vec<f32> {
    let height = |k: usize| {
        let (x, y) = ((k % columns) as f32 / columns as f32, (k / columns) as f32 / rows as f32);
        scale * (1.0 + (7.0 * x).sin() * (5.0 * y + 1.0).cos() + 0.3 * (31.0 * x + 17.0 * y).sin())
    };
    (0..columns * rows).map(|k| (height(k) * 1024.0).round() / 1024.0).collect()
}

/// A ring of walls around uneven ground with wet, thin and dry cells in motion.
pub fn uneven_ground(width: usize, height: usize) -> (Flow, Constants) {
    let wide = |x: f32| f64::from(x);
    let noise = |k: usize, seed: u32| {
        f64::from((k as u32 ^ seed).wrapping_mul(0x9e37_79b9).rotate_left(9) >> 8 & 0xffff) / 65536.0
    };
    let wall = |k: usize| k.is_multiple_of(width) || k % width == width - 1 || k < width || k >= width * (height - 1);
    let ground = hills(width, height, 4.0);
    // Rounded to f32, so that both sides start from the same numbers.
    let cell = |k: usize, value: f64| if wall(k) { 0.0 } else { wide(value as f32) };
    let depth = |k: usize| if noise(k, 77) < 0.3 { 0.0 } else { 3.0 * noise(k, 5) };
    let grid = |f: &dyn Fn(usize) -> f64| (0..width * height).map(f).collect::<Vec<f64>>();
    let flow = Flow {
        width,
        height,
        bed: grid(&|k| if wall(k) { 1.0e4 } else { wide(ground[k]) }),
        depth: grid(&|k| cell(k, depth(k))),
        u: grid(&|k| cell(k, if depth(k) > 0.01 { 4.0 * noise(k, 9) - 2.0 } else { 0.0 })),
        v: grid(&|k| cell(k, if depth(k) > 0.01 { 4.0 * noise(k, 31) - 2.0 } else { 0.0 })),
    };
    let constants =
        Constants { dt: 0.25, dx: 8.0, dy: 16.0, gravity: 9.81, manning: 0.04, dry: 1e-3, rain: 1.0 / 1024.0 };
    (flow, constants)
}
