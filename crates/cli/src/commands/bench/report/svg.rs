//! Small plots as SVG text: axes, lines, dots and bars. Colours are classes of the page's style sheet, so that one plot
//! serves light and dark.

use std::fmt::Write as _;

/// Width of every plot: that of a phone, so that text keeps its size there.
pub const WIDTH: f64 = 360.0;

/// Text that stands between tags or in an attribute.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}

/// A logarithmic axis from a value to another, drawn from a place to another.
#[derive(Clone, Copy, Debug)]
pub struct Axis {
    from: f64,
    to: f64,
    start: f64,
    end: f64,
}

impl Axis {
    /// Over all values, widened to `least` times between its ends. What is not positive or finite does not count.
    pub fn over(values: impl IntoIterator<Item = f64>, least: f64, start: f64, end: f64) -> Self {
        let (mut from, mut to) = (f64::INFINITY, 0.0f64);
        for v in values.into_iter().filter(|v| v.is_finite() && *v > 0.0) {
            (from, to) = (from.min(v), to.max(v));
        }
        if to <= 0.0 {
            (from, to) = (1.0, 10.0);
        }
        let wider = (least / (to / from)).max(1.0).sqrt();
        Axis { from: from / wider, to: to * wider, start, end }
    }

    /// Where a value is drawn.
    pub fn at(&self, value: f64) -> f64 {
        let t = (value.max(1e-300) / self.from).ln() / (self.to / self.from).ln();
        self.start + t.clamp(-0.02, 1.02) * (self.end - self.start)
    }

    /// Powers of ten inside, thinned to at most `most`; where they are fewer than two, 1, 2 and 5 times them.
    pub fn decades(&self, most: usize) -> Vec<f64> {
        let whole = self.ticks(10.0, most);
        if whole.len() >= 2 {
            return whole;
        }
        let first = self.from.log10().floor() as i32;
        let finer = (first..first + 4).flat_map(|e| [1.0, 2.0, 5.0].map(|digit| digit * 10f64.powi(e)));
        finer.filter(|v| (self.from..=self.to).contains(v)).take(most).collect()
    }

    /// Powers of a base inside, thinned to at most `most`.
    pub fn ticks(&self, base: f64, most: usize) -> Vec<f64> {
        let log = |v: f64| v.ln() / base.ln();
        let (first, last) = ((log(self.from) - 1e-9).ceil() as i32, (log(self.to) + 1e-9).floor() as i32);
        let count = (last - first + 1).max(0) as usize;
        let step = count.div_ceil(most.max(1)).max(1);
        (first..=last).step_by(step).map(|e| base.powi(e)).collect()
    }
}

/// A plot under way.
#[derive(Clone, Debug)]
pub struct Plot {
    height: f64,
    body: String,
}

impl Plot {
    /// An empty plot.
    pub fn new(height: f64) -> Self {
        Plot { height, body: String::new() }
    }

    /// A line through points; where one is missing it is broken off.
    pub fn line(&mut self, class: &str, points: &[(f64, f64)]) {
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = write!(self.body, r#"<polyline class="{class}" points="{}"/>"#, points.join(" "));
    }

    /// A straight line, for axes, grids and marks.
    pub fn rule(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let ((x1, y1), (x2, y2)) = (from, to);
        let _ = write!(self.body, r#"<line class="{class}" x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}"/>"#);
    }

    /// A dot that shows a text where it is pointed at. `data` are further attributes.
    pub fn dot(&mut self, class: &str, (x, y): (f64, f64), radius: f64, title: &str, data: &str) {
        let title = escaped(title);
        let _ = write!(
            self.body,
            r#"<circle class="{class}" cx="{x:.1}" cy="{y:.1}" r="{radius}"{data}><title>{title}</title></circle>"#
        );
    }

    /// A bar.
    pub fn bar(&mut self, class: &str, (x, y): (f64, f64), (width, height): (f64, f64), title: &str) {
        let title = escaped(title);
        let _ = write!(
            self.body,
            r#"<rect class="{class}" x="{x:.1}" y="{y:.1}" width="{:.1}" height="{height:.1}" rx="2"><title>{title}</title></rect>"#,
            width.max(0.0)
        );
    }

    /// A text; the class says how it is aligned.
    pub fn text(&mut self, class: &str, (x, y): (f64, f64), text: &str) {
        let _ = write!(self.body, r#"<text class="{class}" x="{x:.1}" y="{y:.1}">{}</text>"#, escaped(text));
    }

    /// Grid lines and labels of an axis along the bottom.
    pub fn bottom(&mut self, axis: &Axis, ticks: &[f64], (top, bottom): (f64, f64), label: impl Fn(f64) -> String) {
        for &tick in ticks {
            let x = axis.at(tick);
            self.rule("grid", (x, top), (x, bottom));
            self.text("tick mid", (x, bottom + 14.0), &label(tick));
        }
        self.rule("axis", (axis.start.min(axis.end), bottom), (axis.start.max(axis.end), bottom));
    }

    /// Grid lines and labels of an axis along the left.
    pub fn left(&mut self, axis: &Axis, ticks: &[f64], (left, right): (f64, f64), label: impl Fn(f64) -> String) {
        for &tick in ticks {
            let y = axis.at(tick);
            self.rule("grid", (left, y), (right, y));
            self.text("tick end", (left - 6.0, y + 3.5), &label(tick));
        }
    }

    /// The plot with a title for those who do not see it.
    pub fn finish(self, title: &str) -> String {
        let (height, title) = (self.height, escaped(title));
        format!(
            r#"<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{title}"><title>{title}</title>{}</svg>"#,
            self.body
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_goes_through_its_ends_and_ticks_at_powers() {
        let axis = Axis::over([1e3, 1e6], 10.0, 0.0, 300.0);
        assert!((axis.at(1e3)).abs() < 1e-9 && (axis.at(1e6) - 300.0).abs() < 1e-9);
        assert!((axis.at(1e4) - 100.0).abs() < 1e-9);
        let ticks = axis.ticks(10.0, 9);
        assert_eq!(ticks.len(), 4);
        assert!(axis.ticks(10.0, 2).len() <= 2);
        assert_eq!(Axis::over([300.0, 900.0], 1.0, 0.0, 1.0).decades(6), [500.0]);
        assert_eq!(axis.decades(9), ticks);
        // One value, no value, and values that are none.
        assert!(Axis::over([5.0], 10.0, 0.0, 1.0).at(5.0).is_finite());
        assert!(Axis::over([f64::NAN, -1.0, f64::INFINITY], 10.0, 0.0, 1.0).at(2.0).is_finite());
    }

    #[test]
    fn text_cannot_leave_its_place() {
        assert_eq!(escaped(r#"<a href="x">&"#), "&lt;a href=&quot;x&quot;&gt;&amp;");
    }
}
