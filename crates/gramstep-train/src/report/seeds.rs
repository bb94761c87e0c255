//! Runs that differ in their seed alone, drawn as one: the median of their curves in a band from the lowest to the highest.

use super::shown::Shown;
use crate::data::quantile::quantile;
use crate::format::text::count;

/// A point of a curve.
type Point = (f64, f64);

/// Runs of the same settings, from one seed or from several.
pub(super) struct Seeds<'a> {
    /// That of the folder, and of how many runs.
    pub(super) name: String,
    pub(super) runs: Vec<&'a Shown>,
}

/// The runs by their settings, in the order in which these come first.
pub(super) fn by_settings<'a>(runs: &'a [Shown]) -> Vec<Seeds<'a>> {
    let mut found: Vec<(String, Vec<&Shown>)> = Vec::new();
    for run in runs {
        let settings = without_seed(&run.config);
        match found.iter_mut().find(|(of, _)| *of == settings) {
            Some((_, runs)) => runs.push(run),
            None => found.push((settings, vec![run])),
        }
    }
    let named = |(_, runs): (String, Vec<&'a Shown>)| Seeds { name: name(&runs), runs };
    found.into_iter().map(named).collect()
}

fn name(runs: &[&Shown]) -> String {
    let names: Vec<&str> = runs.iter().map(|run| run.name.as_str()).collect();
    match names[..] {
        [only] => only.to_owned(),
        [first, .., last] if first != last => format!("{first} to {last}, {} seeds", count(runs.len())),
        _ => format!("{}, {} seeds", names.first().copied().unwrap_or_default(), count(runs.len())),
    }
}

/// A configuration as it is written, but for its seed.
fn without_seed(config: &str) -> String {
    config.lines().filter(|line| !line.starts_with("seed =")).collect::<Vec<_>>().join("\n")
}

/// Median, lowest and highest of curves wherever one of them has a point and more than half of them go on; between its
/// points a curve is straight.
pub(super) fn band(curves: &[Vec<Point>]) -> Vec<(f64, [f64; 3])> {
    let mut places: Vec<f64> = curves.iter().flatten().map(|point| point.0).collect();
    places.sort_unstable_by(f64::total_cmp);
    places.dedup();
    let at = |x: f64| {
        let mut values: Vec<f64> = curves.iter().filter_map(|curve| height(curve, x)).collect();
        values.sort_unstable_by(f64::total_cmp);
        (2 * values.len() > curves.len())
            .then(|| (x, [quantile(&values, None, 0.5), values[0], values[values.len() - 1]]))
    };
    places.into_iter().filter_map(at).collect()
}

/// A curve at a place between its ends.
fn height(curve: &[Point], x: f64) -> Option<f64> {
    let after = curve.partition_point(|point| point.0 < x);
    let &(right, high) = curve.get(after)?;
    if right <= x {
        return Some(high);
    }
    let &(left, low) = curve.get(after.checked_sub(1)?)?;
    Some(low + (high - low) * (x - left) / (right - left))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_band_lies_between_the_curves_and_its_middle_is_their_median() {
        let line = |slope: f64, to: u32| -> Vec<Point> { (1..=to).map(|x| (x.into(), slope * f64::from(x))).collect() };
        let band = band(&[line(3.0, 4), line(1.0, 4), vec![(1.5, 3.0), (3.5, 7.0)]]);
        assert_eq!(band[0], (1.0, [2.0, 1.0, 3.0]), "two of three have begun");
        assert_eq!(band[1], (1.5, [3.0, 1.5, 4.5]));
        assert_eq!(band[2], (2.0, [4.0, 2.0, 6.0]), "straight between points");
        assert_eq!(band.iter().map(|point| point.0).collect::<Vec<_>>(), [1.0, 1.5, 2.0, 3.0, 3.5, 4.0]);
        assert_eq!(super::band(&[line(1.0, 5), line(1.0, 2), line(1.0, 2)]).len(), 2, "most have ended");
        let alone: Vec<Point> = super::band(&[line(2.0, 3)])
            .into_iter()
            .map(|(x, [y, low, high])| {
                assert_eq!((low, high), (y, y));
                (x, y)
            })
            .collect();
        assert_eq!(alone, line(2.0, 3));
        assert!(super::band(&[vec![], vec![]]).is_empty());
    }

    #[test]
    fn the_seed_alone_may_differ() {
        let config = |seed: u64, rate: f64| format!("model = \"mlp\"\nlearning_rate = {rate}\nseed = {seed}\n");
        assert_eq!(without_seed(&config(1, 0.1)), without_seed(&config(2, 0.1)));
        assert_ne!(without_seed(&config(1, 0.1)), without_seed(&config(1, 0.2)));
    }
}
