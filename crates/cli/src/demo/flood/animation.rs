//! An animated GIF: one palette for all frames, so that the ground does not flicker, and of each frame only the
//! pixels that changed.

use crate::demo::canvas::{Canvas, Rgb};
use anyhow::{Context as _, Result};
use color_quant::NeuQuant;
use gif::{DisposalMethod, Encoder, Frame, Repeat};
use std::{fs::File, io::BufWriter, path::Path};

/// Colours found in the samples. Two more indices: the colour that must not be lost, and "as before".
const COLOURS: usize = 254;
const PINNED: u8 = COLOURS as u8;
const UNCHANGED: u8 = PINNED + 1;

/// A GIF that is being written.
pub struct Animation {
    encoder: Encoder<BufWriter<File>>,
    palette: Palette,
    size: [u16; 2],
    shown: Vec<u8>,
}

impl Animation {
    /// A file for frames of the size of `samples`, whose colours make the palette; `pinned` is kept as it is,
    /// however rare it is.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn create(path: &Path, samples: &[Canvas], pinned: Rgb) -> Result<Self> {
        let name = || format!("cannot write {}", path.display());
        let size = [samples[0].width, samples[0].height].map(|n| n as u16);
        let palette = Palette::new(samples, pinned);
        let file = BufWriter::new(File::create(path).with_context(name)?);
        let mut encoder = Encoder::new(file, size[0], size[1], &palette.table).with_context(name)?;
        encoder.set_repeat(Repeat::Infinite).with_context(name)?;
        Ok(Animation { encoder, palette, size, shown: Vec::new() })
    }

    /// Adds a frame, shown for `centiseconds`.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn add(&mut self, canvas: &Canvas, centiseconds: u16) -> Result<()> {
        let indices: Vec<u8> = canvas.pixels.iter().map(|pixel| self.palette.nearest(*pixel)).collect();
        let mut frame = Frame { delay: centiseconds, dispose: DisposalMethod::Keep, ..Frame::default() };
        if self.shown.is_empty() {
            (frame.width, frame.height) = (self.size[0], self.size[1]);
            frame.buffer = indices.clone().into();
        } else {
            let [top, bottom] = self.changed_rows(&indices);
            let width = usize::from(self.size[0]);
            let part = top * width..bottom * width;
            let pixels = indices[part.clone()].iter().zip(&self.shown[part]);
            (frame.width, frame.top, frame.height) = (self.size[0], top as u16, (bottom - top) as u16);
            frame.buffer = pixels.map(|(new, old)| if new == old { UNCHANGED } else { *new }).collect();
            frame.transparent = Some(UNCHANGED);
        }
        self.encoder.write_frame(&frame).context("cannot write the animation")?;
        self.shown = indices;
        Ok(())
    }

    /// First row that changed and the row after the last; at least one row.
    fn changed_rows(&self, indices: &[u8]) -> [usize; 2] {
        let width = usize::from(self.size[0]);
        let same = |row: &usize| indices[row * width..][..width] == self.shown[row * width..][..width];
        let rows = usize::from(self.size[1]);
        let top = (0..rows - 1).find(|row| !same(row)).unwrap_or(rows - 1);
        let last = (top..rows).rev().find(|row| !same(row)).unwrap_or(top);
        [top, last + 1]
    }
}

/// The colours of all frames.
struct Palette {
    network: NeuQuant,
    pinned: Rgb,
    /// Red, green, blue of each index; the last is unused.
    table: Vec<u8>,
    /// Index by the top six bits of each channel, plus one; 0 is not looked up yet.
    known: Vec<u16>,
}

impl Palette {
    fn new(samples: &[Canvas], pinned: Rgb) -> Self {
        let rgba = |p: &Rgb| [p[0], p[1], p[2], 255];
        let pixels: Vec<u8> =
            samples.iter().flat_map(|canvas| canvas.pixels.iter().step_by(3)).flat_map(rgba).collect();
        let network = NeuQuant::new(10, COLOURS, &pixels);
        let mut table = network.color_map_rgb();
        table.extend(pinned);
        table.resize(3 * 256, 0);
        Palette { network, pinned, table, known: vec![0; 1 << 18] }
    }

    fn nearest(&mut self, pixel: Rgb) -> u8 {
        if pixel == self.pinned {
            return PINNED;
        }
        let [r, g, b] = pixel.map(|c| usize::from(c >> 2));
        let known = &mut self.known[r << 12 | g << 6 | b];
        if *known == 0 {
            let centre = pixel.map(|c| c & !3 | 2);
            *known = 1 + self.network.index_of(&[centre[0], centre[1], centre[2], 255]) as u16;
        }
        (*known - 1) as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_decode_to_the_pictures_that_were_drawn() {
        let path = std::env::temp_dir().join(format!("evener-animation-{}.gif", std::process::id()));
        let pinned = [200, 10, 10];
        let mut first = Canvas::new(80, 60, [40, 120, 40]);
        first.set(3, 3, pinned);
        let mut second = first.clone();
        second.rectangle(20, 10, 50, 40, [20, 40, 220]);
        let mut animation = Animation::create(&path, &[first.clone(), second.clone()], pinned).unwrap();
        for canvas in [&first, &second, &second] {
            animation.add(canvas, 10).unwrap();
        }
        drop(animation);

        let mut options = gif::DecodeOptions::new();
        options.set_color_output(gif::ColorOutput::RGBA);
        let mut reader = options.read_info(File::open(&path).unwrap()).unwrap();
        let mut screen = vec![[0u8; 3]; 80 * 60];
        for want in [&first, &second, &second] {
            let frame = reader.read_next_frame().unwrap().expect("a frame");
            let (left, top, width) = (frame.left as usize, frame.top as usize, frame.width as usize);
            for (k, pixel) in frame.buffer.chunks_exact(4).enumerate().filter(|(_, pixel)| pixel[3] > 0) {
                screen[(top + k / width) * 80 + left + k % width] = [pixel[0], pixel[1], pixel[2]];
            }
            let near = |a: &Rgb, b: &Rgb| (0..3).all(|c| a[c].abs_diff(b[c]) <= 40);
            let wrong = screen.iter().zip(&want.pixels).find(|(got, want)| !near(got, want));
            assert_eq!(wrong, None, "shown and drawn");
            assert_eq!(screen[3 * 80 + 3], pinned);
        }
        std::fs::remove_file(&path).unwrap();
    }
}
