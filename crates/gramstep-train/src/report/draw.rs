//! The drawing of a chart: inline SVG.
//!
//! Places are in units of the drawing, which is scaled to the width that the page has.

use std::fmt::Write;

use super::axis::{Axis, Room, Scale, is_drawn};
use super::escape::escape;
use super::palette::{Look, hex, shade};

/// Size of the drawing in its own units.
const SIZE: (f64, f64) = (960.0, 620.0);
/// Size of labels, in the same units.
const FONT: f64 = 34.0;
/// Room around the plot: above, to the right, below for labels and name of the axis.
const ROOM: (f64, f64, f64) = (12.0, 28.0, 108.0);
/// Most names along an axis.
const MOST_TICKS: usize = 14;
/// Characters that stand beside one another along the horizontal axis.
const LABEL_ROOM: usize = 34;
/// Characters of a name beside the vertical one.
const LABEL_LENGTH: usize = 11;
/// Lines of more points are thinned to the lowest and highest of each stretch.
const MOST_LINE_POINTS: usize = 800;
/// Clouds of more points are thinned evenly.
const MOST_CLOUD_POINTS: usize = 1500;

const INK: &str = "#3C4048";
const PAPER: &str = "#FFFFFF";
const GRID: &str = "#E1E4E9";

/// What is drawn in one look.
#[derive(Clone, Debug)]
pub(super) struct Series {
    pub(super) name: String,
    pub(super) look: Look,
    pub(super) mark: Mark,
}

/// How it is drawn.
#[derive(Clone, Debug)]
pub(super) enum Mark {
    Line(Vec<(f64, f64)>),
    Cloud(Vec<(f64, f64)>),
    /// (x, low, high), in the colour of the series after it.
    Band(Vec<(f64, f64, f64)>),
    /// (from, to, height).
    Bars(Vec<(f64, f64, f64)>),
    /// Row by row, the first row on top.
    Cells {
        columns: usize,
        values: Vec<f64>,
        /// What is written into the cells, if anything.
        texts: Vec<String>,
    },
    /// y = x, or y = 0.
    Guide {
        diagonal: bool,
    },
}

impl Mark {
    pub(super) fn has_a_colour_of_its_own(&self) -> bool {
        !matches!(self, Self::Guide { .. } | Self::Band(_))
    }
}

/// What a chart draws.
#[derive(Clone, Copy)]
pub(super) struct Drawing<'a> {
    /// What it is, for those who do not see it.
    pub(super) title: &'a str,
    pub(super) labels: &'a [String; 2],
    pub(super) scales: [Scale; 2],
    /// Of the bars.
    pub(super) names: Option<&'a [String]>,
    /// Of the rows and columns of a square matrix.
    pub(super) cell_names: Option<&'a [String]>,
    pub(super) series: &'a [Series],
}

/// The plot and its axes.
struct Plot {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    x: Axis,
    y: Axis,
    svg: String,
}

impl Drawing<'_> {
    /// The drawing.
    pub(super) fn to_svg(self) -> String {
        let (x, y) = self.axes();
        let left = ROOM.0 + if self.cell_names.is_some() { 270.0 } else { 156.0 };
        let (width, height) = SIZE;
        let svg = format!(
            "<svg role=\"img\" aria-label=\"{}\" viewBox=\"0 0 {width} {height}\" \
             xmlns=\"http://www.w3.org/2000/svg\">\n",
            escape(self.title)
        );
        let (right, top, bottom) = (width - ROOM.1, ROOM.0, height - ROOM.2);
        let mut plot = Plot { left, right, top, bottom, x, y, svg };
        plot.frame(self.labels);
        for series in self.series {
            plot.series(series);
        }
        plot.svg + "</svg>"
    }

    /// Both axes over all series.
    fn axes(self) -> (Axis, Axis) {
        if let Some(names) = self.cell_names {
            let x = Axis::of_cells(names.iter().cloned(), MOST_TICKS, Room::All(LABEL_ROOM));
            // The first row is on top.
            return (x, Axis::of_cells(names.iter().rev().cloned(), MOST_TICKS, Room::Each(LABEL_LENGTH)));
        }
        let mut xs = Vec::new();
        let mut ys = Vec::new();
        for series in self.series {
            match &series.mark {
                Mark::Line(points) | Mark::Cloud(points) => {
                    xs.extend(points.iter().map(|point| point.0));
                    ys.extend(points.iter().map(|point| point.1));
                }
                Mark::Band(points) => {
                    xs.extend(points.iter().map(|point| point.0));
                    ys.extend(points.iter().flat_map(|point| [point.1, point.2]));
                }
                Mark::Bars(bars) => {
                    xs.extend(bars.iter().flat_map(|bar| [bar.0, bar.1]));
                    ys.extend(bars.iter().map(|bar| bar.2).chain([0.0]));
                }
                Mark::Cells { columns, values, .. } => {
                    xs.extend([0.0, *columns as f64]);
                    ys.extend([0.0, values.len().div_ceil(*columns) as f64]);
                }
                Mark::Guide { diagonal: false } => ys.push(0.0),
                Mark::Guide { diagonal: true } => {}
            }
        }
        let bare = self.series.iter().any(|series| matches!(series.mark, Mark::Cells { .. }));
        let room = if bare { 0.0 } else { 0.04 };
        let x = match self.names {
            Some(names) => Axis::of_names(names),
            None => Axis::new(self.scales[0], xs.into_iter()).padded(room / 2.0),
        };
        (x, Axis::new(self.scales[1], ys.into_iter()).padded(room))
    }
}

impl Plot {
    /// Where a place of both axes lies.
    fn at(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let share = |axis: &Axis, place: f64| (place - axis.low) / (axis.high - axis.low);
        let (across, up) = (share(&self.x, x), share(&self.y, y));
        (self.left + across * (self.right - self.left), self.bottom - up * (self.bottom - self.top))
    }

    /// Where values lie, those that both axes can show.
    fn places(&self, values: &[(f64, f64)]) -> Vec<(f64, f64)> {
        values.iter().filter_map(|point| Some((self.x.place(point.0)?, self.y.place(point.1)?))).collect()
    }

    /// Grid, axes, their labels and names.
    fn frame(&mut self, [x_name, y_name]: &[String; 2]) {
        let (left, right, top, bottom) = (self.left, self.right, self.top, self.bottom);
        for (place, label) in self.x.ticks.clone() {
            let (at, _) = self.at((place, self.y.low));
            self.line(&[(at, top), (at, bottom)], GRID, 2);
            self.text((at, bottom + FONT + 6.0), "middle", "", &label);
        }
        for (place, label) in self.y.ticks.clone() {
            let (_, at) = self.at((self.x.low, place));
            self.line(&[(left, at), (right, at)], GRID, 2);
            self.text((left - 12.0, at + 0.35 * FONT), "end", "", &label);
        }
        self.line(&[(left, top), (left, bottom), (right, bottom)], INK, 2);
        self.text((f64::midpoint(left, right), SIZE.1 - 14.0), "middle", "", x_name);
        let (x, y) = (FONT, f64::midpoint(top, bottom));
        self.text((x, y), "middle", &format!(" transform=\"rotate(-90 {x} {y})\""), y_name);
    }

    fn series(&mut self, series: &Series) {
        let colour = series.look.hex();
        match &series.mark {
            Mark::Line(points) => {
                let points: Vec<_> = thinned_line(&self.places(points)).into_iter().map(|at| self.at(at)).collect();
                match points[..] {
                    [only] => self.circle(only, 7, &colour, 1.0),
                    _ => self.line(&points, &colour, 4),
                }
            }
            Mark::Cloud(points) => {
                for place in self.places(&thinned_cloud(points)) {
                    self.circle(self.at(place), 6, &colour, 0.45);
                }
            }
            Mark::Band(points) => {
                let side = |value: fn(&(f64, f64, f64)) -> f64| {
                    let side: Vec<(f64, f64)> = points.iter().map(|point| (point.0, value(point))).collect();
                    thinned_line(&self.places(&side)).into_iter().map(|at| self.at(at)).collect::<Vec<_>>()
                };
                let outline: Vec<_> =
                    side(|point| point.1).into_iter().chain(side(|point| point.2).into_iter().rev()).collect();
                self.polygon(&outline, &colour);
            }
            Mark::Bars(bars) => {
                let floor = self.y.place(0.0).unwrap_or(self.y.low);
                for bar in bars {
                    let (Some(from), Some(to)) = (self.x.place(bar.0), self.x.place(bar.1)) else { continue };
                    let corners = [(from, floor), (to, self.y.place(bar.2).unwrap_or(floor))];
                    self.rectangle(corners, &format!("fill=\"{colour}\" fill-opacity=\"0.55\" stroke=\"{colour}\""));
                }
            }
            Mark::Cells { columns, values, texts } => {
                let (low, high) = range(values);
                let rows = values.len().div_ceil(*columns);
                for (at, value) in values.iter().enumerate() {
                    let (column, row) = ((at % columns) as f64, (rows - 1 - at / columns) as f64);
                    let share = if high > low { (value - low) / (high - low) } else { 0.5 };
                    let fill = hex(shade(if share.is_finite() { share } else { 0.0 }));
                    let corners = [(column, row), (column + 1.0, row + 1.0)];
                    self.rectangle(corners, &format!("fill=\"{fill}\" shape-rendering=\"crispEdges\""));
                    if let Some(text) = texts.get(at) {
                        let (x, y) = self.at((column + 0.5, row + 0.5));
                        let colour = if share > 0.5 { PAPER } else { INK };
                        self.coloured_text((x, y + 0.35 * FONT), ("middle", colour), "", text);
                    }
                }
            }
            Mark::Guide { diagonal } => {
                let (x, y) = (&self.x, &self.y);
                let (from, to) = if *diagonal { (x.low.max(y.low), x.high.min(y.high)) } else { (x.low, x.high) };
                let height = |at| if *diagonal { at } else { 0.0 };
                let ends = [self.at((from, height(from))), self.at((to, height(to)))];
                if from <= to {
                    self.line(&ends, INK, 2);
                }
            }
        }
    }

    fn line(&mut self, points: &[(f64, f64)], colour: &str, width: u32) {
        if points.is_empty() {
            return;
        }
        let _ = write!(self.svg, "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\" points=\"");
        self.corners(points);
    }

    /// A filled shape that lets the grid be seen.
    fn polygon(&mut self, corners: &[(f64, f64)], colour: &str) {
        if corners.is_empty() {
            return;
        }
        let _ = write!(self.svg, "<polygon fill=\"{colour}\" fill-opacity=\"0.16\" points=\"");
        self.corners(corners);
    }

    fn corners(&mut self, points: &[(f64, f64)]) {
        for (x, y) in points {
            let _ = write!(self.svg, "{x:.1},{y:.1} ");
        }
        self.svg.push_str("\"/>\n");
    }

    fn circle(&mut self, (x, y): (f64, f64), radius: u32, colour: &str, opacity: f64) {
        let (svg, look) = (&mut self.svg, format_args!("fill=\"{colour}\" opacity=\"{opacity}\""));
        let _ = writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\" {look}/>");
    }

    /// A rectangle between two places.
    fn rectangle(&mut self, corners: [(f64, f64); 2], look: &str) {
        let [(x0, y0), (x1, y1)] = corners.map(|corner| self.at(corner));
        let (x, y, width, height) = (x0.min(x1), y0.min(y1), (x1 - x0).abs(), (y1 - y0).abs());
        let _ =
            writeln!(self.svg, "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" {look}/>");
    }

    fn text(&mut self, at: (f64, f64), anchor: &str, more: &str, text: &str) {
        self.coloured_text(at, (anchor, INK), more, text);
    }

    fn coloured_text(&mut self, (x, y): (f64, f64), (anchor, colour): (&str, &str), more: &str, text: &str) {
        let place = format_args!("x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\"{more}");
        let font = format_args!("font-family=\"sans-serif\" font-size=\"{FONT}\" fill=\"{colour}\"");
        let _ = writeln!(self.svg, "<text {place} {font}>{}</text>", escape(text));
    }
}

/// The least and the largest value that an axis can show.
pub(super) fn range(values: &[f64]) -> (f64, f64) {
    let finite = values.iter().copied().filter(|&value| is_drawn(value));
    finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
}

/// The lowest and the highest point of each stretch, in order.
fn thinned_line(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    if points.len() <= MOST_LINE_POINTS {
        return points.to_vec();
    }
    let stretch = points.len().div_ceil(MOST_LINE_POINTS / 2);
    let mut thinned = Vec::with_capacity(MOST_LINE_POINTS);
    for part in points.chunks(stretch) {
        let (mut low, mut high) = (0, 0);
        for i in 0..part.len() {
            low = if part[i].1 < part[low].1 { i } else { low };
            high = if part[i].1 > part[high].1 { i } else { high };
        }
        thinned.extend([part[low.min(high)], part[low.max(high)]]);
    }
    thinned
}

fn thinned_cloud(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    points.iter().step_by(points.len().div_ceil(MOST_CLOUD_POINTS).max(1)).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_keeps_the_extremes() {
        let points: Vec<(f64, f64)> = (0..10_000).map(|i| (f64::from(i), f64::from(i * 7919 % 10_007))).collect();
        let thinned = thinned_line(&points);
        assert!(thinned.len() <= MOST_LINE_POINTS);
        let highest = |points: &[(f64, f64)]| points.iter().map(|point| point.1).fold(0.0, f64::max);
        assert_eq!(highest(&thinned), highest(&points));
        assert!(thinned.windows(2).all(|pair| pair[0].0 <= pair[1].0));
    }

    #[test]
    fn the_corners_of_the_plot_are_the_ends_of_the_axes() {
        let x = Axis::new(Scale::Linear, [2.0, 4.0].into_iter());
        let y = Axis::new(Scale::Log, [0.01, 1.0].into_iter());
        let plot = Plot { left: 100.0, right: 900.0, top: 10.0, bottom: 500.0, x, y, svg: String::new() };
        let place = |x: f64, y: f64| plot.at(plot.places(&[(x, y)])[0]);
        assert_eq!((place(2.0, 0.01), place(4.0, 1.0)), ((100.0, 500.0), (900.0, 10.0)));
        assert_eq!(place(3.0, 0.1), (500.0, 255.0));
        assert!(plot.places(&[(1.0, 0.0), (f64::NAN, 1.0)]).is_empty());
    }
}
