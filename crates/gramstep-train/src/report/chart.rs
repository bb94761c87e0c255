//! Charts as inline SVG: lines, points, bars, histograms and heat maps over linear or logarithmic axes.
//!
//! `plotters` draws. It places on whole units, so a chart is drawn on a fine grid and scaled to the width that the page
//! has. Title and legend are text of the page: they keep their size on a narrow screen.

use std::fmt::Write;

use plotters::prelude::*;

use super::axis::{Axis, Room, Scale, is_drawn};
use super::escape::escape;
use super::palette::{Look, look, shade};
use crate::error::{Error, Result};
use crate::format::text::number;

/// Size of the drawing in its own units.
const SIZE: (u32, u32) = (960, 620);
/// Size of labels, in the same units.
const FONT: i32 = 34;
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

const INK: RGBColor = RGBColor(60, 64, 72);
const GRID: RGBColor = RGBColor(225, 228, 233);

/// A chart; the order of its series decides their colours.
///
/// ```
/// use gramstep_train::report::{Chart, Scale};
/// let chart = Chart::new("Loss").axes("epoch", "loss").y_scale(Scale::Log);
/// let html = chart.line("training", (1..9).map(|i| (f64::from(i), 0.5_f64.powi(i)))).to_html()?;
/// assert!(html.contains("<svg") && html.contains("Loss"));
/// # Ok::<(), gramstep_train::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Chart {
    title: String,
    note: String,
    sentence: String,
    labels: [String; 2],
    scales: [Scale; 2],
    names: Option<Vec<String>>,
    /// Of the rows and columns of a square matrix.
    cell_names: Option<Vec<String>>,
    series: Vec<Series>,
}

#[derive(Clone, Debug)]
struct Series {
    name: String,
    look: Look,
    mark: Mark,
}

#[derive(Clone, Debug)]
enum Mark {
    Line(Vec<(f64, f64)>),
    Cloud(Vec<(f64, f64)>),
    /// (from, to, height).
    Bars(Vec<(f64, f64, f64)>),
    /// Row by row, the first row on top.
    Cells {
        columns: usize,
        values: Vec<f64>,
    },
    /// y = x, or y = 0.
    Guide {
        diagonal: bool,
    },
}

type Plane = Cartesian2d<Axis, Axis>;
type Canvas<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Plane>;

impl Chart {
    /// An empty chart.
    #[must_use]
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), ..Self::default() }
    }

    /// A sentence below the title.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    /// A sentence below the drawing.
    #[must_use]
    pub fn sentence(mut self, sentence: impl Into<String>) -> Self {
        self.sentence = sentence.into();
        self
    }

    /// What the axes show.
    #[must_use]
    pub fn axes(mut self, x: impl Into<String>, y: impl Into<String>) -> Self {
        self.labels = [x.into(), y.into()];
        self
    }

    /// Scale of the horizontal axis.
    #[must_use]
    pub fn x_scale(mut self, scale: Scale) -> Self {
        self.scales[0] = scale;
        self
    }

    /// Scale of the vertical axis.
    #[must_use]
    pub fn y_scale(mut self, scale: Scale) -> Self {
        self.scales[1] = scale;
        self
    }

    fn with(mut self, name: impl Into<String>, mark: Mark) -> Self {
        let coloured = self.series.iter().filter(|series| !matches!(series.mark, Mark::Guide { .. })).count();
        self.series.push(Series { name: name.into(), look: look(coloured), mark });
        self
    }

    /// The last series in the colour of that number, wherever it stands: for charts in which a colour has a meaning.
    #[must_use]
    pub fn coloured(mut self, number: usize) -> Self {
        if let Some(series) = self.series.last_mut() {
            series.look = look(number);
        }
        self
    }

    /// A line through points; points that an axis cannot show are left out.
    #[must_use]
    pub fn line(self, name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        self.with(name, Mark::Line(points.into_iter().collect()))
    }

    /// A cloud of points.
    #[must_use]
    pub fn points(self, name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        self.with(name, Mark::Cloud(points.into_iter().collect()))
    }

    /// How many of the values lie where.
    #[must_use]
    pub fn histogram(self, name: impl Into<String>, values: &[f64]) -> Self {
        self.with(name, Mark::Bars(bins(values)))
    }

    /// One bar for each name.
    #[must_use]
    pub fn bars(mut self, name: impl Into<String>, bars: impl IntoIterator<Item = (String, f64)>) -> Self {
        let (names, heights): (Vec<String>, Vec<f64>) = bars.into_iter().unzip();
        self.names = Some(names);
        let bars = heights.into_iter().enumerate().map(|(i, height)| (i as f64 - 0.35, i as f64 + 0.35, height));
        self.with(name, Mark::Bars(bars.collect()))
    }

    /// A matrix as shades, row by row from the top; light is the smallest value.
    #[must_use]
    pub fn heat_map(self, name: impl Into<String>, columns: usize, values: Vec<f64>) -> Self {
        self.with(name, Mark::Cells { columns: columns.max(1), values })
    }

    /// Names of the rows and columns of a square matrix.
    #[must_use]
    pub fn cell_names(self, names: &[String]) -> Self {
        Self { cell_names: Some(names.to_vec()), ..self }
    }

    /// The line y = x.
    #[must_use]
    pub fn diagonal(self) -> Self {
        self.with("", Mark::Guide { diagonal: true })
    }

    /// The line y = 0.
    #[must_use]
    pub fn zero_line(self) -> Self {
        self.with("", Mark::Guide { diagonal: false })
    }

    /// Whether there is nothing to draw.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.series.iter().all(|series| match &series.mark {
            Mark::Line(points) | Mark::Cloud(points) => points.is_empty(),
            Mark::Bars(bars) => bars.is_empty(),
            Mark::Cells { values, .. } => values.is_empty(),
            Mark::Guide { .. } => true,
        })
    }

    /// The chart as an HTML figure: title, legend, drawing.
    ///
    /// # Errors
    /// [`Error::Chart`].
    pub fn to_html(&self) -> Result<String> {
        let mut html = format!("<figure><figcaption><b>{}</b>", escape(&self.title));
        if !self.note.is_empty() {
            let _ = write!(html, "<span>{}</span>", escape(&self.note));
        }
        html.push_str(&self.legend());
        let _ = write!(html, "</figcaption>{}", self.to_svg()?);
        if !self.sentence.is_empty() {
            let _ = write!(html, "<p class=\"note\">{}</p>", escape(&self.sentence));
        }
        html.push_str("</figure>");
        Ok(html)
    }

    fn legend(&self) -> String {
        let named = self.series.iter().filter(|series| !series.name.is_empty());
        if named.clone().count() < 2 && !named.clone().any(|series| matches!(series.mark, Mark::Cells { .. })) {
            return String::new();
        }
        let mut html = "<span class=\"legend\">".to_owned();
        for series in named {
            let _ = write!(html, "<span>{}{}</span>", series.swatch(), escape(&series.name));
        }
        html + "</span>"
    }

    /// The drawing alone.
    ///
    /// # Errors
    /// [`Error::Chart`].
    pub fn to_svg(&self) -> Result<String> {
        let mut svg = String::new();
        self.draw(&mut svg).map_err(|error| Error::Chart { reason: error.to_string() })?;
        // Without a size of its own the drawing takes the width of the page.
        let fixed = format!("width=\"{}\" height=\"{}\" ", SIZE.0, SIZE.1);
        let label = format!("role=\"img\" aria-label=\"{}\" ", escape(&self.title));
        Ok(svg.replacen(&fixed, &label, 1))
    }

    /// Both axes over all series.
    fn planes(&self) -> (Axis, Axis) {
        if let Some(names) = &self.cell_names {
            let x = Axis::of_cells(names.iter().cloned(), MOST_TICKS, Room::All(LABEL_ROOM));
            // The first row is on top.
            return (x, Axis::of_cells(names.iter().rev().cloned(), MOST_TICKS, Room::Each(LABEL_LENGTH)));
        }
        let mut xs = Vec::new();
        let mut ys = Vec::new();
        for series in &self.series {
            match &series.mark {
                Mark::Line(points) | Mark::Cloud(points) => {
                    xs.extend(points.iter().map(|point| point.0));
                    ys.extend(points.iter().map(|point| point.1));
                }
                Mark::Bars(bars) => {
                    xs.extend(bars.iter().flat_map(|bar| [bar.0, bar.1]));
                    ys.extend(bars.iter().map(|bar| bar.2).chain([0.0]));
                }
                Mark::Cells { columns, values } => {
                    xs.extend([0.0, *columns as f64]);
                    ys.extend([0.0, values.len().div_ceil(*columns) as f64]);
                }
                Mark::Guide { diagonal: false } => ys.push(0.0),
                Mark::Guide { diagonal: true } => {}
            }
        }
        let bare = self.series.iter().any(|series| matches!(series.mark, Mark::Cells { .. }));
        let room = if bare { 0.0 } else { 0.04 };
        let x = match &self.names {
            Some(names) => Axis::of_names(names),
            None => Axis::new(self.scales[0], xs.into_iter()).padded(room / 2.0),
        };
        (x, Axis::new(self.scales[1], ys.into_iter()).padded(room))
    }

    fn draw(&self, svg: &mut String) -> std::result::Result<(), Box<dyn std::error::Error>> {
        let (x, y) = self.planes();
        let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
        let mut canvas = ChartBuilder::on(&area)
            .margin(12)
            .margin_right(28)
            .x_label_area_size(96)
            .y_label_area_size(if self.cell_names.is_some() { 270 } else { 156 })
            .build_cartesian_2d(x.clone(), y.clone())?;
        canvas
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID.stroke_width(2))
            .axis_style(INK.stroke_width(2))
            .label_style(("sans-serif", FONT).into_font().color(&INK))
            .axis_desc_style(("sans-serif", FONT).into_font().color(&INK))
            .x_desc(self.labels[0].as_str())
            .y_desc(self.labels[1].as_str())
            .draw()?;
        for series in &self.series {
            series.draw(&mut canvas, &x, &y)?;
        }
        drop(canvas);
        area.present()?;
        Ok(())
    }
}

type Drawn = std::result::Result<(), Box<dyn std::error::Error>>;

impl Series {
    fn draw(&self, canvas: &mut Canvas<'_, '_>, x: &Axis, y: &Axis) -> Drawn {
        let colour = self.look.rgb();
        let place = |points: Vec<(f64, f64)>| -> Vec<(f64, f64)> {
            points.into_iter().filter_map(|point| Some((x.place(point.0)?, y.place(point.1)?))).collect()
        };
        match &self.mark {
            Mark::Line(points) => {
                let points = thinned_line(&place(points.clone()));
                let single = if points.len() == 1 { points.clone() } else { Vec::new() };
                canvas.draw_series(LineSeries::new(points, colour.stroke_width(4)))?;
                canvas.draw_series(single.into_iter().map(|at| Circle::new(at, 7, colour.filled())))?;
            }
            Mark::Cloud(points) => {
                let points = place(thinned_cloud(points));
                canvas.draw_series(points.into_iter().map(|at| Circle::new(at, 6, colour.mix(0.45).filled())))?;
            }
            Mark::Bars(bars) => {
                let floor = y.place(0.0).unwrap_or(y.low);
                let corners = bars.iter().filter_map(|bar| {
                    Some([(x.place(bar.0)?, floor), (x.place(bar.1)?, y.place(bar.2).unwrap_or(floor))])
                });
                let corners: Vec<_> = corners.collect();
                canvas.draw_series(corners.iter().map(|&c| Rectangle::new(c, colour.mix(0.55).filled())))?;
                canvas.draw_series(corners.iter().map(|&c| Rectangle::new(c, colour.stroke_width(2))))?;
            }
            Mark::Cells { columns, values } => {
                let (low, high) = range(values);
                let rows = values.len().div_ceil(*columns);
                canvas.draw_series(values.iter().enumerate().map(|(at, value)| {
                    let (column, row) = ((at % columns) as f64, (rows - 1 - at / columns) as f64);
                    let share = if high > low { (value - low) / (high - low) } else { 0.5 };
                    Rectangle::new([(column, row), (column + 1.0, row + 1.0)], shade(share).filled())
                }))?;
            }
            Mark::Guide { diagonal } => {
                let (from, to) = if *diagonal { (x.low.max(y.low), x.high.min(y.high)) } else { (x.low, x.high) };
                let height = |at| if *diagonal { at } else { 0.0 };
                canvas.draw_series(LineSeries::new([(from, height(from)), (to, height(to))], INK.stroke_width(2)))?;
            }
        }
        Ok(())
    }

    /// A sample of the series' look.
    fn swatch(&self) -> String {
        let colour = self.look.hex();
        let inner = match &self.mark {
            Mark::Line(_) => {
                let dash = self.look.dash;
                format!(
                    "<line x1=\"0\" y1=\"10\" x2=\"60\" y2=\"10\" stroke=\"{colour}\" stroke-width=\"5\" \
                     stroke-dasharray=\"{dash}\"/>"
                )
            }
            Mark::Cells { values, .. } => {
                let (low, high) = range(values);
                return format!("light {} to dark {}: ", number(low), number(high));
            }
            _ => format!("<rect x=\"22\" width=\"20\" height=\"20\" fill=\"{colour}\"/>"),
        };
        format!("<svg viewBox=\"0 0 60 20\" aria-hidden=\"true\">{inner}</svg>")
    }
}

fn range(values: &[f64]) -> (f64, f64) {
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

/// Bins of equal width (Freedman and Diaconis: 2·IQR·n^(−1/3)), between 6 and 40 of them.
fn bins(values: &[f64]) -> Vec<(f64, f64, f64)> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|&value| is_drawn(value)).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let (Some(&low), Some(&high)) = (sorted.first(), sorted.last()) else { return Vec::new() };
    if high <= low {
        let half = if low == 0.0 { 0.5 } else { 0.05 * low.abs() };
        return vec![(low - half, low + half, sorted.len() as f64)];
    }
    let quartile = |share: usize| sorted[share * (sorted.len() - 1) / 4];
    let width = 2.0 * (quartile(3) - quartile(1)) / (sorted.len() as f64).cbrt();
    #[allow(clippy::cast_sign_loss)] // at least 6
    let count = ((high - low) / width).ceil().clamp(6.0, 40.0) as usize;
    let width = (high - low) / count as f64;
    let mut heights = vec![0.0; count];
    for value in &sorted {
        #[allow(clippy::cast_sign_loss)] // at least low
        let at = (((value - low) / width) as usize).min(count - 1);
        heights[at] += 1.0;
    }
    let bin = |(i, height)| (low + width * i as f64, low + width * (i + 1) as f64, height);
    heights.into_iter().enumerate().map(bin).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_counts_every_value_once() {
        let values: Vec<f64> = (0..500).map(|i| f64::from(i).sin()).chain([f64::NAN]).collect();
        let bins = bins(&values);
        assert_eq!(bins.iter().map(|bin| bin.2).sum::<f64>(), 500.0);
        assert!(bins.windows(2).all(|pair| (pair[0].1 - pair[1].0).abs() < 1e-12));
        assert_eq!(super::bins(&[2.0, 2.0]).len(), 1);
        assert!(super::bins(&[]).is_empty());
    }

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
    fn any_values_are_drawn_and_names_are_escaped() {
        let odd = [(0.0, 0.0), (1.0, f64::NAN), (f64::INFINITY, 2.0), (-1.0, 1e300), (f64::MAX, f64::MIN)];
        for scale in [Scale::Linear, Scale::Log] {
            let chart = Chart::new("<b>&").x_scale(scale).y_scale(scale).line("<i>", odd).points("p", odd);
            let html = chart
                .histogram("h", &[1.0, f64::NAN, f64::MAX, -1e308, 1e308, 5e-324])
                .zero_line()
                .diagonal()
                .to_html()
                .unwrap();
            assert!(html.contains("&lt;b&gt;&amp;") && html.contains("&lt;i&gt;") && !html.contains("<i>"));
            assert!(!html.contains("NaN"), "{html}");
        }
        let map = Chart::new("m").heat_map("k", 2, vec![0.0, 1.0, 2.0, 3.0]).to_svg().unwrap();
        assert_eq!(map.matches("<rect").count(), 4, "{map}");
        assert!(Chart::new("empty").to_svg().is_ok());
    }
}
