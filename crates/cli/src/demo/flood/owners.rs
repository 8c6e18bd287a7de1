//! Which device computed which rows, step by step, and how long each step took against what was predicted.

use super::{
    compare::Comparison,
    picture::{INK, PAPER, Relief},
};
use crate::{
    demo::canvas::{Canvas, Rgb, text_width},
    output,
};
use evener_kernels::Step;

/// Rows of cells in a work-group of the solver.
const GROUP_ROWS: usize = 4;

/// Colours of the devices: the CPU first, then the GPUs.
const COLOURS: [Rgb; 5] = [[236, 150, 54], [52, 120, 196], [110, 170, 70], [170, 90, 170], [200, 70, 70]];

/// What is remembered of one step.
struct Record {
    /// Device and rows of cells, from and up to, of each chunk.
    chunks: Vec<(usize, [usize; 2])>,
    predicted_ns: f64,
    actual_ns: f64,
}

/// The history of all steps.
#[derive(Default)]
pub struct Owners {
    devices: Vec<String>,
    records: Vec<Record>,
}

impl Owners {
    /// A history for these devices.
    pub fn new(devices: Vec<String>) -> Self {
        Owners { devices, records: Vec::new() }
    }

    /// Remembers a step.
    pub fn add(&mut self, step: &Step) {
        // Cell row 0 is the wall's.
        let cells = |group: u32| (group as usize * GROUP_ROWS).saturating_sub(1);
        let device = |id: &str| self.devices.iter().position(|d| d == id).unwrap_or(0);
        let chunks = step.report.chunks.iter().map(|c| (device(&c.device), [cells(c.start[1]), cells(c.end[1])]));
        let record = Record {
            chunks: chunks.collect(),
            predicted_ns: step.report.predicted_ns,
            actual_ns: step.report.actual_ns,
        };
        self.records.push(record);
    }

    /// Share of all rows of all steps by device.
    pub fn shares(&self) -> Vec<(String, f64)> {
        let mut rows = vec![0usize; self.devices.len()];
        for (device, [from, to]) in self.records.iter().flat_map(|r| &r.chunks) {
            rows[*device] += to - from;
        }
        let all = rows.iter().sum::<usize>().max(1) as f64;
        self.devices.iter().cloned().zip(rows.into_iter().map(|n| n as f64 / all)).collect()
    }

    /// Sum of predicted over sum of measured time.
    pub fn predicted_over_actual(&self) -> f64 {
        let sum = |of: fn(&Record) -> f64| self.records.iter().map(of).sum::<f64>();
        sum(|r| r.predicted_ns) / sum(|r| r.actual_ns).max(1.0)
    }

    /// The picture: the map tinted by who computed its rows at last, the same rows over all steps beside it, and
    /// under them the placements that were compared and the steps' times.
    pub fn draw(&self, relief: &Relief, rows: usize, comparison: &Comparison) -> Canvas {
        const GAP: usize = 12;
        const TIMELINE: usize = 480;
        const TIMES: usize = 96;
        let last = self.records.last();
        let owner = |row: usize| last.and_then(|r| owner_of(r, row));
        let map = relief.draw_tinted(|row| owner(row).map(|d| self.colour(d).map(f32::from)));
        let left = GAP + map.width + GAP;
        let mut page = Canvas::new(left + TIMELINE + GAP, 40 + map.height + TIMES + 74, PAPER);
        page.text(GAP, 14, 2, "Which device computed which rows", INK);
        blit(&mut page, &map, GAP, 40);
        self.timeline(&mut page, [left, 40], [TIMELINE, map.height], rows);
        self.times(&mut page, [left, 40 + map.height + 26], [TIMELINE, TIMES]);
        let below = 40 + map.height + 26;
        let used = self.legend(&mut page, GAP, below, map.width);
        self.bars(&mut page, [GAP, below + used + 14], map.width, comparison);
        page.text(GAP, below + TIMES + 30, 1, &comparison.verdict.replace(';', ","), INK);
        page
    }

    fn colour(&self, device: usize) -> Rgb {
        COLOURS[device % COLOURS.len()]
    }

    /// Steps from left to right, rows from north to south.
    fn timeline(&self, page: &mut Canvas, [x, y]: [usize; 2], [width, height]: [usize; 2], rows: usize) {
        for col in 0..width {
            let Some(record) = self.records.get(col * self.records.len() / width) else { continue };
            for line in 0..height {
                if let Some(device) = owner_of(record, line * rows / height) {
                    page.set(x + col, y + line, self.colour(device));
                }
            }
        }
        page.text(x, y + height + 6, 1, "rows, north to south, over all steps >", INK);
    }

    /// Measured time of the steps as bars, predicted as a line.
    fn times(&self, page: &mut Canvas, [x, y]: [usize; 2], [width, height]: [usize; 2]) {
        let bins: Vec<[f64; 2]> = (0..width).filter_map(|col| self.median_times(col, width)).collect();
        let mut sorted: Vec<f64> = bins.iter().map(|b| b[0]).collect();
        sorted.sort_by(f64::total_cmp);
        // A single slow step (another program ran) must not flatten the rest.
        let typical = sorted.get(sorted.len() * 95 / 100).copied().unwrap_or(1.0);
        let high = typical.max(bins.iter().map(|b| b[1]).fold(0.0, f64::max)) * 1.15;
        let bar = |ns: f64| ((ns / high * height as f64) as usize).min(height);
        for (col, [actual, predicted]) in bins.iter().enumerate() {
            page.rectangle(x + col, y + height - bar(*actual), 1, bar(*actual), [196, 200, 206]);
            page.rectangle(x + col, y + height - bar(*predicted), 1, 2, [190, 40, 50]);
        }
        page.rectangle(x, y + height, width, 1, INK);
        page.text(
            x,
            y + height + 8,
            1,
            &format!("step time: bars measured, red predicted, top {:.2} ms", high / 1e6),
            INK,
        );
    }

    /// Medians of the measured and the predicted time in one column of the time chart.
    fn median_times(&self, col: usize, width: usize) -> Option<[f64; 2]> {
        let n = self.records.len();
        let (from, to) = (col * n / width, ((col + 1) * n / width).max(col * n / width + 1).min(n));
        let bin = self.records.get(from..to).filter(|bin| !bin.is_empty())?;
        Some([median(bin.iter().map(|r| r.actual_ns)), median(bin.iter().map(|r| r.predicted_ns))])
    }

    /// The devices' colours and shares; returns the height.
    fn legend(&self, page: &mut Canvas, x: usize, y: usize, width: usize) -> usize {
        for (k, (device, share)) in self.shares().into_iter().enumerate() {
            page.rectangle(x, y + 20 * k, 14, 14, self.colour(k));
            page.text(x + 22, y + 20 * k, 2, &format!("{device}  {:.1} %", 100.0 * share), INK);
        }
        let steps = format!("{} steps", self.records.len());
        page.text(x + width - text_width(&steps, 2), y, 2, &steps, INK);
        20 * self.devices.len()
    }

    /// The time of a step with each placement.
    fn bars(&self, page: &mut Canvas, [x, y]: [usize; 2], width: usize, comparison: &Comparison) {
        let longest = comparison.timings.iter().map(|t| t.step_ns).fold(1.0, f64::max);
        let room = width - 160;
        for (k, timing) in comparison.timings.iter().enumerate() {
            let (top, length) = (y + 14 * k, (timing.step_ns / longest * room as f64) as usize);
            let device = self.devices.iter().position(|d| *d == timing.placement);
            page.text(x, top + 1, 1, &timing.placement, INK);
            page.rectangle(x + 80, top, length.max(1), 9, device.map_or([150, 154, 160], |d| self.colour(d)));
            page.text(x + 88 + length, top + 1, 1, &output::time(timing.step_ns), INK);
        }
    }
}

/// The device that computed a row in a step.
fn owner_of(record: &Record, row: usize) -> Option<usize> {
    record.chunks.iter().find(|(_, [from, to])| (*from..*to).contains(&row)).map(|(device, _)| *device)
}

/// The median; zero of nothing.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

fn blit(page: &mut Canvas, picture: &Canvas, x: usize, y: usize) {
    for row in 0..picture.height {
        for col in 0..picture.width {
            page.set(x + col, y + row, picture.pixels[row * picture.width + col]);
        }
    }
}
