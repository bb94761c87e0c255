//! Charts as inline SVG: lines, points, bars, histograms and heat maps over linear or logarithmic axes.
//!
//! Title and legend are text of the page: they keep their size on a narrow screen.

use std::fmt::Write;

use super::axis::{Scale, is_drawn};
use super::draw::{Drawing, Mark, Series, range};
use super::escape::escape;
use super::palette::look;
use crate::error::Result;
use crate::format::text::number;

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
        let coloured = self.series.iter().filter(|series| series.mark.has_a_colour_of_its_own()).count();
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

    /// A band from low to high, (x, low, high), in the colour of the series that comes next.
    #[must_use]
    pub fn band(self, points: impl IntoIterator<Item = (f64, f64, f64)>) -> Self {
        self.with("", Mark::Band(points.into_iter().collect()))
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
        self.with(name, Mark::Cells { columns: columns.max(1), values, texts: Vec::new() })
    }

    /// What is written into the cells of the matrix before.
    #[must_use]
    pub fn cell_texts(mut self, written: Vec<String>) -> Self {
        if let Some(Mark::Cells { texts, .. }) = self.series.last_mut().map(|series| &mut series.mark) {
            *texts = written;
        }
        self
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
            Mark::Bars(bars) | Mark::Band(bars) => bars.is_empty(),
            Mark::Cells { values, .. } => values.is_empty(),
            Mark::Guide { .. } => true,
        })
    }

    /// The chart as an HTML figure: title, legend, drawing.
    ///
    /// # Errors
    /// None: whatever cannot be drawn is left out.
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
    /// None: whatever cannot be drawn is left out.
    pub fn to_svg(&self) -> Result<String> {
        let drawing = Drawing {
            title: &self.title,
            labels: &self.labels,
            scales: self.scales,
            names: self.names.as_deref(),
            cell_names: self.cell_names.as_deref(),
            series: &self.series,
        };
        Ok(drawing.to_svg())
    }
}

impl Series {
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
