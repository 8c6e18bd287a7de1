//! Pictures of the flood: shaded relief with the water over it, and a strip with title and legend.

use super::terrain::{Terrain, bilinear};
use crate::demo::canvas::{Canvas, Rgb, ramp, rgb, text_width};

/// Depth from which water is drawn, m; thinner films of rain stay invisible.
pub const VISIBLE_DEPTH: f32 = 0.05;

/// Elevation tints by height within the map's range.
const TINTS: [(f32, [f32; 3]); 6] = [
    (0.0, [124.0, 150.0, 108.0]),
    (0.15, [158.0, 175.0, 124.0]),
    (0.35, [201.0, 196.0, 150.0]),
    (0.6, [196.0, 170.0, 132.0]),
    (0.8, [178.0, 152.0, 128.0]),
    (1.0, [222.0, 214.0, 206.0]),
];

/// Water colours by the decimal logarithm of the depth in metres.
const WATER: [(f32, [f32; 3]); 5] = [
    (-1.0, [152.0, 214.0, 238.0]),
    (0.0, [84.0, 170.0, 226.0]),
    (0.7, [38.0, 116.0, 200.0]),
    (1.4, [18.0, 62.0, 150.0]),
    (2.0, [8.0, 22.0, 84.0]),
];

/// Background of strips and charts.
pub const PAPER: Rgb = [250, 249, 246];
/// Text.
pub const INK: Rgb = [42, 46, 52];
/// The dam's line.
pub const DAM_RED: Rgb = [196, 32, 36];

/// The shaded ground at the resolution of a picture, computed once for all frames.
pub struct Relief<'a> {
    terrain: &'a Terrain,
    /// Picture pixels of the map.
    pub width: usize,
    /// Picture pixels of the map, with the ground's true proportions.
    pub height: usize,
    ground: Vec<[f32; 3]>,
}

impl<'a> Relief<'a> {
    /// The relief `width` pixels wide.
    pub fn new(terrain: &'a Terrain, width: usize) -> Self {
        let metres = [terrain.cell[0] * terrain.columns as f32, terrain.cell[1] * terrain.rows as f32];
        let height = (width as f32 * metres[1] / metres[0]).round() as usize;
        let mut relief = Relief { terrain, width, height, ground: Vec::with_capacity(width * height) };
        let (low, high) = terrain.bed.iter().fold((f32::MAX, f32::MIN), |(low, high), z| (low.min(*z), high.max(*z)));
        for y in 0..height {
            for x in 0..width {
                let z = relief.sample(&terrain.bed, x as f64, y as f64);
                let tint = ramp(&TINTS, (z - low) / (high - low).max(1.0));
                let shade = relief.shade(x as f64, y as f64);
                relief.ground.push(tint.map(|c| c * shade));
            }
        }
        relief
    }

    /// A map of the water over the relief.
    pub fn draw(&self, depth: &[f32]) -> Canvas {
        let mut canvas = Canvas::new(self.width, self.height, PAPER);
        for y in 0..self.height {
            for x in 0..self.width {
                let k = y * self.width + x;
                canvas.pixels[k] = rgb(with_water(self.ground[k], self.sample(depth, x as f64, y as f64)));
            }
        }
        canvas
    }

    /// The relief alone, each cell's row of colour mixed with the one given: `tint` gets the cell row.
    pub fn draw_tinted(&self, tint: impl Fn(usize) -> Option<[f32; 3]>) -> Canvas {
        let mut canvas = Canvas::new(self.width, self.height, PAPER);
        for y in 0..self.height {
            let row = y * self.terrain.rows / self.height;
            for x in 0..self.width {
                let ground = self.ground[y * self.width + x];
                let colour = tint(row).map_or(ground, |t| mix(ground, t, 0.45));
                canvas.pixels[y * self.width + x] = rgb(colour);
            }
        }
        canvas
    }

    /// Position on the picture of a fraction of the map.
    pub fn pixel(&self, fraction: [f64; 2]) -> [f64; 2] {
        [fraction[0] * self.width as f64, fraction[1] * self.height as f64]
    }

    /// A grid's value under a pixel.
    fn sample(&self, grid: &[f32], x: f64, y: f64) -> f32 {
        let (columns, rows) = (self.terrain.columns, self.terrain.rows);
        let at =
            [(x + 0.5) * columns as f64 / self.width as f64 - 0.5, (y + 0.5) * rows as f64 / self.height as f64 - 0.5];
        bilinear(columns, rows, at, |k| grid[k])
    }

    /// Lambert's shading with the light from the north-west at 45 degrees, heights doubled.
    fn shade(&self, x: f64, y: f64) -> f32 {
        let bed = &self.terrain.bed;
        let metres = self.terrain.cell[0] * self.terrain.columns as f32 / self.width as f32;
        let reach = 0.5 * (self.width as f64 / self.terrain.columns as f64).max(1.0);
        let run = 2.0 * reach as f32 * metres;
        let slope_x = 2.0 * (self.sample(bed, x + reach, y) - self.sample(bed, x - reach, y)) / run;
        let slope_y = 2.0 * (self.sample(bed, x, y + reach) - self.sample(bed, x, y - reach)) / run;
        let normal = (slope_x * slope_x + slope_y * slope_y + 1.0).sqrt();
        let light = (0.5 * slope_x + 0.5 * slope_y + 0.707) / normal;
        (0.30 + 1.0 * light.max(0.0)).min(1.25)
    }
}

/// The ground's colour under water of this depth: thin water lets the ground through.
fn with_water(ground: [f32; 3], depth: f32) -> [f32; 3] {
    if depth < VISIBLE_DEPTH {
        return ground;
    }
    let cover = 0.15 + 0.78 * ((depth / VISIBLE_DEPTH).log10() / 1.2).min(1.0);
    mix(ground, ramp(&WATER, depth.log10()), cover)
}

fn mix(a: [f32; 3], b: [f32; 3], share: f32) -> [f32; 3] {
    std::array::from_fn(|c| a[c] + share * (b[c] - a[c]))
}

/// A map with the water of one moment, a strip with title and legend under it.
pub struct Frame {
    /// First line of the strip.
    pub title: String,
    /// Second line.
    pub line: String,
    /// Ends of the dam, fractions of the map.
    pub dam: [[f64; 2]; 2],
    /// Pixels a kilometre.
    pub kilometre: f64,
    /// Pixels of a font pixel.
    pub scale: usize,
}

impl Frame {
    /// Draws it.
    pub fn draw(&self, relief: &Relief, depth: &[f32]) -> Canvas {
        let scale = self.scale;
        let mut map = relief.draw(depth);
        map.line(relief.pixel(self.dam[0]), relief.pixel(self.dam[1]), scale + 1, DAM_RED);
        let mut page = Canvas::new(map.width, map.height + 34 * scale, PAPER);
        page.pixels[..map.pixels.len()].copy_from_slice(&map.pixels);
        let top = map.height + 7 * scale;
        page.text(7 * scale, top, scale, &self.title, INK);
        page.text(7 * scale, top + 13 * scale, scale, &self.line, INK);
        depth_bar(&mut page, map.width - 122 * scale, top, scale);
        self.distance_bar(&mut page, map.height);
        page
    }

    /// Five kilometres, in the map's lower left corner.
    fn distance_bar(&self, page: &mut Canvas, bottom: usize) {
        let scale = self.scale;
        let length = (5.0 * self.kilometre).round() as usize;
        let (x, y) = (8 * scale, bottom - 8 * scale);
        page.rectangle(x - 3 * scale, y - 13 * scale, length + 6 * scale, 18 * scale, PAPER);
        page.rectangle(x, y, length, 2 * scale, INK);
        page.text(x, y - 10 * scale, scale, "5 km", INK);
    }
}

/// The colours of depths from 0.1 m to 100 m.
fn depth_bar(page: &mut Canvas, x: usize, y: usize, scale: usize) {
    let length = 108 * scale;
    for k in 0..length {
        let log = -1.0 + 3.0 * k as f32 / length as f32;
        page.rectangle(x + k, y, 1, 8 * scale, rgb(ramp(&WATER, log)));
    }
    for (k, label) in ["0.1", "1", "10", "100 m"].into_iter().enumerate() {
        let at = x + k * length / 3;
        page.rectangle(at.min(x + length - 1), y + 8 * scale, 1, 2 * scale, INK);
        let width = text_width(label, scale);
        page.text((at - width / 2).min(page.width - width - 2 * scale), y + 13 * scale, scale, label, INK);
    }
}
