//! An RGB picture to draw on: pixels, rectangles, lines and text.

use super::font::{ADVANCE, glyph};
use anyhow::Context as _;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

/// Red, green, blue.
pub type Rgb = [u8; 3];

/// A picture in memory, row by row from the top left.
#[derive(Clone)]
pub struct Canvas {
    /// Pixels a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `width * height` pixels.
    pub pixels: Vec<Rgb>,
}

impl Canvas {
    /// A canvas of one colour.
    pub fn new(width: usize, height: usize, fill: Rgb) -> Self {
        Canvas { width, height, pixels: vec![fill; width * height] }
    }

    /// Sets one pixel; outside the canvas nothing happens.
    pub fn set(&mut self, x: usize, y: usize, colour: Rgb) {
        if x < self.width && y < self.height {
            self.pixels[y * self.width + x] = colour;
        }
    }

    /// Fills a rectangle, clipped to the canvas.
    pub fn rectangle(&mut self, x: usize, y: usize, width: usize, height: usize, colour: Rgb) {
        for row in y..(y + height).min(self.height) {
            for col in x..(x + width).min(self.width) {
                self.set(col, row, colour);
            }
        }
    }

    /// Writes text with its top left corner at `(x, y)`, each font pixel `scale` pixels wide.
    pub fn text(&mut self, x: usize, y: usize, scale: usize, text: &str, colour: Rgb) {
        for (k, c) in text.chars().enumerate() {
            for (row, bits) in glyph(c).into_iter().enumerate() {
                for col in (0..5).filter(|col| bits >> (4 - col) & 1 == 1) {
                    self.rectangle(x + (k * ADVANCE + col) * scale, y + row * scale, scale, scale, colour);
                }
            }
        }
    }

    /// Draws a line `thick` pixels wide.
    pub fn line(&mut self, from: [f64; 2], to: [f64; 2], thick: usize, colour: Rgb) {
        let steps = (to[0] - from[0]).abs().max((to[1] - from[1]).abs()).ceil().max(1.0);
        for k in 0..=steps as usize {
            let t = k as f64 / steps;
            let at = |axis: usize| from[axis] + t * (to[axis] - from[axis]) - (thick as f64 - 1.0) / 2.0;
            if at(0) >= 0.0 && at(1) >= 0.0 {
                self.rectangle(at(0).round() as usize, at(1).round() as usize, thick, thick, colour);
            }
        }
    }

    /// Writes a PNG.
    ///
    /// # Errors
    /// The file cannot be written; the message names it.
    pub fn save(&self, path: &Path) -> anyhow::Result<()> {
        self.write_png(path).with_context(|| format!("cannot write {}", path.display()))
    }

    fn write_png(&self, path: &Path) -> anyhow::Result<()> {
        let file = BufWriter::new(File::create(path)?);
        let mut encoder = png::Encoder::new(file, self.width as u32, self.height as u32);
        encoder.set_color(png::ColorType::Rgb);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(self.pixels.as_flattened())?;
        Ok(writer.finish()?)
    }
}

/// Width in pixels of a text written at `scale`.
pub fn text_width(text: &str, scale: usize) -> usize {
    text.chars().count() * ADVANCE * scale
}

/// A colour on a ramp of `(position, colour)` stops in rising order; clamped at both ends.
pub fn ramp(stops: &[(f32, [f32; 3])], at: f32) -> [f32; 3] {
    let Some(next) = stops.iter().position(|(position, _)| *position >= at) else {
        return stops.last().map_or([0.0; 3], |s| s.1);
    };
    if next == 0 {
        return stops[0].1;
    }
    let ((a, from), (b, to)) = (stops[next - 1], stops[next]);
    let t = (at - a) / (b - a);
    std::array::from_fn(|c| from[c] + t * (to[c] - from[c]))
}

/// The nearest colour of 8 bits a channel.
pub fn rgb(colour: [f32; 3]) -> Rgb {
    colour.map(|c| c.round().clamp(0.0, 255.0) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawing_past_the_edge_is_clipped() {
        let mut canvas = Canvas::new(8, 8, [0; 3]);
        canvas.rectangle(6, 6, 100, 100, [9; 3]);
        canvas.text(4, 4, 2, "Wide text", [1; 3]);
        canvas.line([-5.0, 2.0], [20.0, 3.0], 3, [2; 3]);
        assert_eq!(canvas.pixels.len(), 64);
    }

    #[test]
    fn a_ramp_is_clamped_and_linear_between_stops() {
        let stops = [(0.0, [0.0; 3]), (1.0, [100.0; 3])];
        assert_eq!(ramp(&stops, -1.0), [0.0; 3]);
        assert_eq!(ramp(&stops, 0.25), [25.0; 3]);
        assert_eq!(ramp(&stops, 2.0), [100.0; 3]);
        assert_eq!(ramp(&stops, f32::NAN), [100.0; 3]);
    }

    #[test]
    fn a_saved_picture_reads_back_as_drawn() {
        let path = std::env::temp_dir().join(format!("evener-canvas-{}.png", std::process::id()));
        let mut canvas = Canvas::new(5, 3, [7, 8, 9]);
        canvas.set(4, 2, [255, 0, 1]);
        canvas.save(&path).expect("the folder for temporary files is writable");

        let file = std::io::BufReader::new(File::open(&path).expect("just written"));
        let mut reader = png::Decoder::new(file).read_info().expect("a PNG");
        let mut bytes = vec![0; reader.output_buffer_size().expect("a small picture")];
        let info = reader.next_frame(&mut bytes).expect("one frame");
        let _ = std::fs::remove_file(&path);
        assert_eq!((info.width, info.height, info.color_type), (5, 3, png::ColorType::Rgb));
        assert_eq!(bytes, canvas.pixels.as_flattened());
    }
}
