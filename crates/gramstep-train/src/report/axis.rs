//! An axis: its range, its ticks, and where a value lies.

use crate::format::text::number;

/// How values become places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)]
pub enum Scale {
    /// Equal steps are equal differences.
    #[default]
    Linear,
    /// Equal steps are equal ratios; values of 0 and below have no place.
    Log,
}

/// Ticks of an axis, about.
const TICKS: f64 = 5.0;

/// An axis over the values of a chart. Places are what is drawn: values, or their logarithms.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Axis {
    scale: Scale,
    pub(super) low: f64,
    pub(super) high: f64,
    /// Place and label.
    pub(super) ticks: Vec<(f64, String)>,
}

impl Axis {
    /// The axis that shows all values; 0 and 1 if there are none.
    pub(super) fn new(scale: Scale, values: impl Iterator<Item = f64>) -> Self {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for place in values.filter_map(|value| place(scale, value)) {
            low = low.min(place);
            high = high.max(place);
        }
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        if high - low <= 1e-12 * high.abs().max(low.abs()) {
            let half = if low == 0.0 || scale == Scale::Log { 0.5 } else { 0.1 * low.abs() };
            (low, high) = (low - half, high + half);
        }
        let ticks = match scale {
            Scale::Linear => linear_ticks(low, high),
            Scale::Log => log_ticks(low, high),
        };
        Self { scale, low, high, ticks }
    }

    /// One tick for each name, at 0, 1, 2, …
    pub(super) fn of_names(names: &[String]) -> Self {
        let ticks = names.iter().enumerate().map(|(i, name)| (i as f64, name.clone())).collect();
        Self { scale: Scale::Linear, low: -0.6, high: names.len() as f64 - 0.4, ticks }
    }

    /// A tick in the middle of each of as many cells of width 1 as there are names, at most `most` of them, whose labels
    /// together have `room` characters, or each where none is given.
    pub(super) fn of_cells(names: impl ExactSizeIterator<Item = String>, most: usize, room: Room) -> Self {
        let cells = names.len();
        let step = cells.div_ceil(most).max(1);
        let length = match room {
            Room::Each(length) => length,
            Room::All(length) => (length / cells.div_ceil(step).max(1)).max(2),
        };
        let label = |(i, name): (usize, String)| (i as f64 + 0.5, shortened(&name, length));
        let ticks = names.enumerate().step_by(step).map(label).collect();
        Self { scale: Scale::Linear, low: 0.0, high: cells as f64, ticks }
    }

    /// The same axis with room on both sides.
    pub(super) fn padded(mut self, share: f64) -> Self {
        let room = share * (self.high - self.low);
        self.low -= room;
        self.high += room;
        self
    }

    /// Where a value is drawn, if it can be.
    pub(super) fn place(&self, value: f64) -> Option<f64> {
        place(self.scale, value)
    }
}

/// Characters that labels may have.
#[derive(Clone, Copy, Debug)]
pub(super) enum Room {
    /// Every one.
    Each(usize),
    /// All together.
    All(usize),
}

/// A name cut to that length.
fn shortened(name: &str, length: usize) -> String {
    if name.chars().count() <= length {
        return name.to_owned();
    }
    name.chars().take(length.saturating_sub(1)).chain(['…']).collect()
}

/// Whether a value has a place on any axis: the width of an axis has to be a number too.
pub(super) fn is_drawn(value: f64) -> bool {
    value.abs() <= 1e300
}

fn place(scale: Scale, value: f64) -> Option<f64> {
    let place = match scale {
        Scale::Linear => value,
        Scale::Log => value.log10(),
    };
    is_drawn(place).then_some(place)
}

/// Multiples of 1, 2 or 5 times a power of ten.
fn linear_ticks(low: f64, high: f64) -> Vec<(f64, String)> {
    let rough = (high - low) / TICKS;
    let power = 10.0_f64.powf(rough.log10().floor());
    let step = power * [1.0, 2.0, 5.0, 10.0].into_iter().find(|m| m * power >= rough).unwrap_or(10.0);
    let first = (low / step).ceil();
    let count = ((high / step).floor() - first).clamp(0.0, 20.0);
    let mut ticks = Vec::new();
    let mut i = 0.0;
    while i <= count {
        let value = (first + i) * step;
        ticks.push((value, linear_label(value, step)));
        i += 1.0;
    }
    ticks
}

fn linear_label(value: f64, step: f64) -> String {
    let exponent = step.log10().floor();
    if value == 0.0 {
        return "0".to_owned();
    }
    if value.abs() >= 1e6 || value.abs() < 1e-3 {
        let text = format!("{value:.2e}");
        let (digits, power) = text.split_once('e').unwrap_or((&text, "0"));
        return format!("{}e{power}", digits.trim_end_matches('0').trim_end_matches('.'));
    }
    #[allow(clippy::cast_sign_loss)] // at least 0
    let decimals = (-exponent).clamp(0.0, 9.0) as usize;
    format!("{value:.decimals$}")
}

/// Powers of ten; within little more than one also their multiples by 2 and 5; within less, round numbers.
fn log_ticks(low: f64, high: f64) -> Vec<(f64, String)> {
    let decades = high - low;
    if decades < 1.5 {
        let ticks = multiples_of_ten(low, high, &[1.0, 2.0, 5.0]);
        if ticks.len() > 2 {
            return ticks;
        }
        let round = linear_ticks(10.0_f64.powf(low), 10.0_f64.powf(high));
        return round.into_iter().map(|(value, label)| (value.log10(), label)).collect();
    }
    let step = (decades / TICKS).ceil();
    let mut tick = (low / step).ceil() * step;
    let mut ticks = Vec::new();
    while tick <= high + 1e-9 {
        ticks.push((tick, power_of_ten(tick)));
        tick += step;
    }
    ticks
}

/// Multiples of powers of ten between two places.
fn multiples_of_ten(low: f64, high: f64, multiples: &[f64]) -> Vec<(f64, String)> {
    let mut ticks = Vec::new();
    let mut decade = low.floor();
    while decade <= high {
        for multiple in multiples {
            let place = decade + multiple.log10();
            if place >= low && place <= high {
                ticks.push((place, short(&number(multiple * 10.0_f64.powf(decade)))));
            }
        }
        decade += 1.0;
    }
    ticks
}

/// Without trailing zeros.
fn short(number: &str) -> String {
    let (digits, exponent) = number.find('e').map_or((number, ""), |at| number.split_at(at));
    let digits = if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits };
    format!("{digits}{exponent}")
}

/// `0.01`, `1`, `10⁻⁷`.
fn power_of_ten(exponent: f64) -> String {
    if (-3.0..=4.0).contains(&exponent) {
        return short(&number(10.0_f64.powf(exponent)));
    }
    let plain = format!("{exponent:.0}");
    let digits = plain.chars().map(|c| match c {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        '4'..='9' => char::from_u32('⁴' as u32 + (c as u32 - '4' as u32)).unwrap_or(c),
        _ => '⁰',
    });
    format!("10{}", digits.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|tick| tick.1.as_str()).collect()
    }

    #[test]
    fn labels_have_no_zeros_at_their_end() {
        let labels = ["5.0000e-15", "0.50000", "1.2500e3", "500", "20.0"].map(short);
        assert_eq!(labels, ["5e-15", "0.5", "1.25e3", "500", "20"]);
    }

    #[test]
    fn names_beside_cells_are_shortened_and_thinned() {
        let names: Vec<String> = (0..30).map(|i| format!("a long name of class {i}")).collect();
        let axis = Axis::of_cells(names.iter().cloned(), 14, Room::All(34));
        assert!(axis.ticks.len() <= 14 && (axis.low, axis.high) == (0.0, 30.0));
        assert!(axis.ticks.iter().all(|(_, label)| label.chars().count() <= 34 / axis.ticks.len()), "{:?}", axis.ticks);
        let few = Axis::of_cells(["a", "b"].map(str::to_owned).into_iter(), 14, Room::Each(11));
        assert_eq!(few.ticks, [(0.5, "a".to_owned()), (1.5, "b".to_owned())]);
    }

    #[test]
    fn a_narrow_logarithmic_axis_has_round_numbers() {
        assert_eq!(labels(&Axis::new(Scale::Log, [0.857, 0.9953].into_iter())), ["0.90", "0.95"]);
    }

    #[test]
    fn ticks_are_round_numbers_inside_the_range() {
        assert_eq!(labels(&Axis::new(Scale::Linear, [0.0, 1.0].into_iter())), ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(&Axis::new(Scale::Linear, [-3.0, 1.0e3].into_iter())), ["0", "500", "1000"]);
        assert_eq!(labels(&Axis::new(Scale::Log, [1e-12, 1.0].into_iter())), ["10⁻¹²", "10⁻⁹", "10⁻⁶", "0.001", "1"]);
        assert_eq!(labels(&Axis::new(Scale::Log, [0.3, 4.0].into_iter())), ["0.5", "1", "2"]);
        assert_eq!(labels(&Axis::new(Scale::Log, [0.0105, 0.0346].into_iter())), ["0.015", "0.020", "0.025", "0.030"]);
    }

    #[test]
    fn any_numbers_make_an_axis() {
        let extreme = [0.0, -0.0, 1e-308, 1e308, f64::NAN, f64::INFINITY, 5.0, -7.0];
        for scale in [Scale::Linear, Scale::Log] {
            for &a in &extreme {
                for &b in &extreme {
                    let axis = Axis::new(scale, [a, b].into_iter());
                    assert!(axis.low < axis.high, "{a} {b}");
                    assert!(axis.ticks.len() < 30, "{a} {b}");
                }
            }
            assert!(Axis::new(scale, std::iter::empty()).low == 0.0);
        }
    }
}
