//! A shallow-water solver: host arrays and a time loop around one kernel.
//!
//! The scheme is in the kernel ([`evener_shaders::SHALLOW_WATER`]). Here live the walls, the time step,
//! and the rain.

use crate::sizes::grid;
use evener::{Result, prelude::*};

/// Work-group of the kernel, cells.
const GROUP: [usize; 2] = [64, 4];

/// Rain falls in whole drops of this depth, m. A power of two adds to any depth under 2 km without a rounding
/// error, where the rain of one time step would be lost in the last bits of a deep lake.
const DROP: f64 = 1.0 / 4096.0;

/// How far the walls around the grid rise over its highest bed or water, m.
const WALL: f32 = 1.0e4;

/// Physical and numerical constants of a [`ShallowWater`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Gravity, m/s^2.
    pub gravity: f32,
    /// Manning's roughness n, s/m^(1/3): 0.03 for a natural channel, 0.1 for a forest floor, 0 for no friction.
    pub manning: f32,
    /// Depth under which water stands still, m.
    pub dry: f32,
    /// Share of the largest stable time step that is taken. Depths stay positive up to 1.
    pub courant: f32,
    /// Longest time step, s.
    pub longest: f32,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { gravity: 9.81, manning: 0.04, dry: 1.0e-3, courant: 0.9, longest: 10.0 }
    }
}

/// One time step that was taken.
#[derive(Debug)]
pub struct Step {
    /// Its length, s.
    pub dt: f64,
    /// Where it ran.
    pub report: Report,
}

/// Water over uneven ground inside closed walls: depth and velocity of each cell of a regular grid.
///
/// The equations, with depth h (m), velocity (u, v) (m/s), bed z (m), rain r (m/s) and Manning's n:
///
/// ```text
/// h_t + (hu)_x + (hv)_y = r
/// (hu)_t + (hu^2 + g h^2 / 2)_x + (huv)_y = -g h z_x - g n^2 |(u, v)| u / h^(1/3)
/// (hv)_t + (huv)_x + (hv^2 + g h^2 / 2)_y = -g h z_y - g n^2 |(u, v)| v / h^(1/3)
/// ```
///
/// First order in space and time, by the hydrostatic reconstruction of Audusse, Bouchut, Bristeau, Klein and
/// Perthame (SIAM J. Sci. Comput. 25(6), 2004) with HLL fluxes: depths stay positive, shores dry and flood, the
/// volume is kept to rounding, and a lake at rest stays at rest (exactly, where level and beds are multiples of
/// one power of two). Slices are row by row from the north-west corner; u points east, v south.
///
/// ```
/// use evener::prelude::*;
/// use evener_kernels::ShallowWater;
///
/// # fn main() -> evener::Result<()> {
/// # let rt = Runtime::builder().gpu(false).profile(None).build()?;
/// // A dam breaks in a flat channel of 100 m.
/// let mut water = ShallowWater::new(&rt, 100, 1, [1.0, 1.0], &[0.0; 100])?;
/// let depth: Vec<f32> = (0..100).map(|x| if x < 50 { 2.0 } else { 0.0 }).collect();
/// water.set_depth(&depth)?;
/// let before = water.volume();
/// water.advance_to(5.0, |_| {})?;
/// assert!(water.depth()[60] > 0.1);
/// assert!((water.volume() - before).abs() < 1e-5 * before);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct ShallowWater {
    kernel: Kernel,
    settings: Settings,
    placement: Placement,
    columns: usize,
    rows: usize,
    cell: [f32; 2],
    bed: Vec<f32>,
    now: State,
    next: State,
    /// The fastest wave of each work-group, m/s.
    fastest: Vec<f32>,
    time: f64,
    rain: f64,
    /// Rain that has fallen and is no whole drop yet, m.
    cloud: f64,
    drops: u64,
}

/// The unknowns, a ring of wall cells around them included.
#[derive(Clone, Debug)]
struct State {
    depth: Vec<f32>,
    u: Vec<f32>,
    v: Vec<f32>,
}

impl ShallowWater {
    /// A dry grid of `columns` by `rows` cells of `cell` metres (west-east, north-south) over `bed` (m).
    ///
    /// # Errors
    /// No cells, a size of `bed` that does not fit, cells or elevations that are not finite, too many cells.
    pub fn new(rt: &Runtime, columns: usize, rows: usize, cell: [f32; 2], bed: &[f32]) -> Result<Self> {
        if columns == 0 || rows == 0 || !cell.iter().all(|size| size.is_finite() && *size > 0.0) {
            let why = format!("a grid of {columns} by {rows} cells of {cell:?} m; all four must be positive");
            return Err(Error::new(ErrorKind::ItemCount, why));
        }
        let [width, height] = grid(columns + 2, rows + 2)?.map(|n| n as usize);
        let dry = vec![0.0; width * height];
        let state = State { depth: dry.clone(), u: dry.clone(), v: dry.clone() };
        let groups = width.div_ceil(GROUP[0]) * height.div_ceil(GROUP[1]);
        let mut water = ShallowWater {
            kernel: rt.kept_kernel(evener_shaders::SHALLOW_WATER)?,
            settings: Settings::default(),
            placement: Placement::Auto,
            columns,
            rows,
            cell,
            bed: dry,
            now: state.clone(),
            next: state,
            fastest: vec![0.0; groups],
            time: 0.0,
            rain: 0.0,
            cloud: 0.0,
            drops: 0,
        };
        water.set_bed(bed)?;
        Ok(water)
    }

    /// The same solver with other constants.
    pub fn with_settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Where steps run from now on.
    pub fn place(&mut self, placement: Placement) {
        self.placement = placement;
    }

    /// Rain on the whole grid from now on, m/s (1 mm/h is 1/3.6e6).
    pub fn set_rain(&mut self, rate: f64) {
        self.rain = rate.max(0.0);
    }

    /// Replaces the bed elevations, m. The water keeps its depth.
    ///
    /// # Errors
    /// A size that does not fit, or an elevation that is not finite.
    pub fn set_bed(&mut self, bed: &[f32]) -> Result<()> {
        self.check("bed", bed, f32::MIN)?;
        let top = bed.iter().copied().fold(0.0, f32::max);
        self.bed.fill(top + WALL);
        self.spread(bed, |water| &mut water.bed);
        Ok(())
    }

    /// Sets the depths, m, and stops all motion.
    ///
    /// # Errors
    /// A size that does not fit, or a depth that is negative, not finite, or as high as the walls (10 km).
    pub fn set_depth(&mut self, depth: &[f32]) -> Result<()> {
        self.check("depth", depth, 0.0)?;
        self.spread(depth, |water| &mut water.now.depth);
        self.now.u.fill(0.0);
        self.now.v.fill(0.0);
        let deepest = depth.iter().copied().fold(0.0, f32::max);
        self.fastest.fill((self.settings.gravity * deepest).sqrt());
        Ok(())
    }

    /// Takes one time step, as long as it is stable.
    ///
    /// # Errors
    /// Those of the call; `KernelFault` if the flow is not finite any more.
    pub fn step(&mut self) -> Result<Step> {
        self.step_at_most(f64::INFINITY)
    }

    /// Takes time steps up to `time` (s), the last one shortened to meet it, and shows each to `each`.
    /// Returns how many.
    ///
    /// # Errors
    /// As [`ShallowWater::step`].
    pub fn advance_to(&mut self, time: f64, mut each: impl FnMut(&Step)) -> Result<usize> {
        let mut steps = 0;
        while self.time < time {
            each(&self.step_at_most(time - self.time)?);
            steps += 1;
        }
        Ok(steps)
    }

    /// Depth of each cell, m.
    pub fn depth(&self) -> Vec<f32> {
        self.inside(&self.now.depth)
    }

    /// Velocity of each cell, m/s: to the east, to the south.
    pub fn velocity(&self) -> [Vec<f32>; 2] {
        [self.inside(&self.now.u), self.inside(&self.now.v)]
    }

    /// Bed elevation of each cell, m.
    pub fn bed(&self) -> Vec<f32> {
        self.inside(&self.bed)
    }

    /// The largest speed on the grid, m/s.
    pub fn top_speed(&self) -> f64 {
        let speed = |(u, v): (&f32, &f32)| f64::from(*u).hypot(f64::from(*v));
        self.now.u.iter().zip(&self.now.v).map(speed).fold(0.0, f64::max)
    }

    /// Water on the grid, m^3 (summed in f64).
    pub fn volume(&self) -> f64 {
        self.now.depth.iter().map(|h| f64::from(*h)).sum::<f64>() * self.cell_area()
    }

    /// Rain that fell so far, m^3.
    pub fn rained(&self) -> f64 {
        self.drops as f64 * DROP * (self.columns * self.rows) as f64 * self.cell_area()
    }

    /// Time since the start, s.
    pub fn time(&self) -> f64 {
        self.time
    }

    /// Columns and rows.
    pub fn size(&self) -> [usize; 2] {
        [self.columns, self.rows]
    }

    fn cell_area(&self) -> f64 {
        f64::from(self.cell[0]) * f64::from(self.cell[1])
    }

    /// The stable time step, s: no wave crosses more than a cell, both axes together.
    fn stable_step(&self) -> f64 {
        let fastest = f64::from(self.fastest.iter().copied().fold(0.0, f32::max));
        let cells = 1.0 / f64::from(self.cell[0]) + 1.0 / f64::from(self.cell[1]);
        (f64::from(self.settings.courant) / (fastest * cells)).min(f64::from(self.settings.longest))
    }

    fn step_at_most(&mut self, limit: f64) -> Result<Step> {
        let dt = self.stable_step().min(limit);
        let rain = self.whole_drops(dt);
        let report = self.launch(dt as f32, rain)?;
        std::mem::swap(&mut self.now, &mut self.next);
        self.time = if dt == limit { self.time + limit } else { self.time + dt };
        if self.fastest.iter().any(|speed| !speed.is_finite()) {
            let why = format!("the flow is not finite after {:.3} s", self.time);
            return Err(Error::new(ErrorKind::KernelFault, why));
        }
        Ok(Step { dt, report })
    }

    /// The rain of a time step in whole drops, m; the rest falls later.
    fn whole_drops(&mut self, dt: f64) -> f32 {
        self.cloud += self.rain * dt;
        let drops = (self.cloud / DROP).floor();
        self.cloud -= drops * DROP;
        self.drops += drops as u64;
        (drops * DROP) as f32
    }

    /// Runs the kernel from `now` into `next` and `fastest`.
    fn launch(&mut self, dt: f32, rain: f32) -> Result<Report> {
        let [width, height] = grid(self.columns + 2, self.rows + 2)?;
        let Settings { gravity, manning, dry, .. } = self.settings;
        let call = self.kernel.call().set("params.width", width).set("params.height", height);
        let call =
            call.set("params.dt", dt).set("params.dt_dx", dt / self.cell[0]).set("params.dt_dy", dt / self.cell[1]);
        let call = call.set("params.gravity", gravity).set("params.friction", gravity * manning * manning);
        let call = call.set("params.dry", dry).set("params.rain", rain).arg("bed", &self.bed);
        let call = call.arg("depth", &self.now.depth).arg("u", &self.now.u).arg("v", &self.now.v);
        let call = call.arg("depth_next", &mut self.next.depth).arg("u_next", &mut self.next.u);
        let call = call.arg("v_next", &mut self.next.v).arg("fastest", &mut self.fastest);
        call.items([width, height]).on(self.placement).run()
    }

    fn check(&self, name: &str, values: &[f32], least: f32) -> Result<()> {
        let cells = self.columns * self.rows;
        if values.len() != cells {
            let why = format!(
                "`{name}` has {} elements; the grid of {} by {} cells needs {cells}",
                values.len(),
                self.columns,
                self.rows
            );
            return Err(Error::new(ErrorKind::ArgumentSize, why));
        }
        match values.iter().position(|x| !(x.is_finite() && *x >= least && *x < WALL)) {
            Some(k) => Err(Error::new(
                ErrorKind::ArgumentType,
                format!("`{name}[{k}]` is {}; it must be from {least} to {WALL}, in metres", values[k]),
            )),
            None => Ok(()),
        }
    }

    /// Copies a grid into the part of an array inside the walls.
    fn spread(&mut self, values: &[f32], array: impl Fn(&mut Self) -> &mut Vec<f32>) {
        let (columns, width) = (self.columns, self.columns + 2);
        for (from, to) in values.chunks_exact(columns).zip(array(self).chunks_exact_mut(width).skip(1)) {
            to[1..=columns].copy_from_slice(from);
        }
    }

    /// The part of an array inside the walls.
    fn inside(&self, array: &[f32]) -> Vec<f32> {
        let rows = array.chunks_exact(self.columns + 2).skip(1).take(self.rows);
        rows.flat_map(|row| &row[1..=self.columns]).copied().collect()
    }
}
