//! The ground the water runs over: the real elevation, resampled to the grid asked for, and a dam on it.

use evener_data::Dem;

/// Bed elevations on a regular grid, rows from north to south.
pub struct Terrain {
    /// Cells west-east.
    pub columns: usize,
    /// Cells north-south.
    pub rows: usize,
    /// Cell size west-east and north-south, m.
    pub cell: [f32; 2],
    /// Elevation of each cell, m.
    pub bed: Vec<f32>,
}

/// A dam: a straight wall between two hillsides. Positions are fractions of the map, from its north-west corner.
pub struct Dam {
    /// Its two ends.
    pub ends: [[f64; 2]; 2],
    /// A point of the valley behind it.
    pub behind: [f64; 2],
    /// Water level behind it, m above sea level.
    pub level: f32,
}

/// Elevations are rounded to this, m. On a common grid of 2^-10 m (for elevations under 16 km) every sum and
/// difference of levels is exact in f32, so a lake starts exactly level.
const ELEVATION_GRID: f32 = 1.0 / 1024.0;

impl Terrain {
    /// The model resampled (bilinear) to `columns` columns; the rows follow from its shape.
    pub fn from_dem(dem: &Dem, columns: usize) -> Self {
        let rows = (dem.rows * columns).div_ceil(dem.columns).max(1);
        let [dx, dy] = dem.cell_metres();
        let shrink = [dem.columns as f64 / columns as f64, dem.rows as f64 / rows as f64];
        let mut bed = Vec::with_capacity(columns * rows);
        for row in 0..rows {
            for col in 0..columns {
                let at = [(col as f64 + 0.5) * shrink[0] - 0.5, (row as f64 + 0.5) * shrink[1] - 0.5];
                let sample = bilinear(dem.columns, dem.rows, at, |k| f32::from(dem.elevation[k]));
                bed.push((sample / ELEVATION_GRID).round() * ELEVATION_GRID);
            }
        }
        Terrain { columns, rows, cell: [(dx * shrink[0]) as f32, (dy * shrink[1]) as f32], bed }
    }

    /// The cells a dam stands on: a band without diagonal gaps.
    pub fn dam_cells(&self, dam: &Dam) -> Vec<usize> {
        let [from, to] = dam.ends.map(|end| self.position(end));
        let along = [to[0] - from[0], to[1] - from[1]];
        let length2 = along[0] * along[0] + along[1] * along[1];
        let on_wall = |k: &usize| {
            let p = [(k % self.columns) as f64 - from[0], (k / self.columns) as f64 - from[1]];
            let t = ((p[0] * along[0] + p[1] * along[1]) / length2.max(1e-9)).clamp(0.0, 1.0);
            (p[0] - t * along[0]).hypot(p[1] - t * along[1]) < 0.75
        };
        (0..self.bed.len()).filter(on_wall).collect()
    }

    /// Depth of the lake behind the dam, m: what lies under its level and is joined to the point behind it.
    pub fn reservoir(&self, dam: &Dam) -> Vec<f32> {
        let mut closed = vec![false; self.bed.len()];
        for k in self.dam_cells(dam) {
            closed[k] = true;
        }
        let mut depth = vec![0.0; self.bed.len()];
        let start = self.position(dam.behind);
        let mut open = vec![start[1].round() as usize * self.columns + start[0].round() as usize];
        while let Some(k) = open.pop() {
            if closed[k] || self.bed[k] >= dam.level {
                continue;
            }
            closed[k] = true;
            depth[k] = dam.level - self.bed[k];
            let (col, row) = (k % self.columns, k / self.columns);
            open.extend((col > 0).then(|| k - 1));
            open.extend((col + 1 < self.columns).then_some(k + 1));
            open.extend((row > 0).then(|| k - self.columns));
            open.extend((row + 1 < self.rows).then_some(k + self.columns));
        }
        depth
    }

    /// Area of a cell, m^2.
    pub fn cell_area(&self) -> f64 {
        f64::from(self.cell[0]) * f64::from(self.cell[1])
    }

    /// A fraction of the map in cells, inside the map.
    fn position(&self, fraction: [f64; 2]) -> [f64; 2] {
        let inside = |f: f64, n: usize| (f * n as f64 - 0.5).clamp(0.0, n as f64 - 1.0);
        [inside(fraction[0], self.columns), inside(fraction[1], self.rows)]
    }
}

/// Bilinear interpolation in a grid of `columns` by `rows` values at `[column, row]`; constant past the edge.
pub fn bilinear(columns: usize, rows: usize, at: [f64; 2], value: impl Fn(usize) -> f32) -> f32 {
    let x = at[0].clamp(0.0, columns as f64 - 1.0);
    let y = at[1].clamp(0.0, rows as f64 - 1.0);
    let (col, row) = (x as usize, y as usize);
    let (fx, fy) = ((x - col as f64) as f32, (y - row as f64) as f32);
    let (east, south) = ((col + 1).min(columns - 1), (row + 1).min(rows - 1));
    let north = value(row * columns + col) * (1.0 - fx) + value(row * columns + east) * fx;
    let below = value(south * columns + col) * (1.0 - fx) + value(south * columns + east) * fx;
    north * (1.0 - fy) + below * fy
}
