//! The least value of a smooth function of several numbers between bounds: L-BFGS on those that are free, with a search
//! along the projected path.
//!
//! ```text
//! free     every number that is inside its bounds, or that −g moves inside
//! d        −H g on the free ones, H from the last pairs (s, y) (nocedal1980)
//! x(t)     P(x + t·d), P the projection onto the bounds (bertsekas1982)
//! accepted f(x(t)) ≤ f(x) + c₁·gᵀ(x(t) − x); longer while the slope stays as steep
//! ```
//!
//! A point where the function has no finite value is stepped back from.

use super::vector::dot;
use crate::error::Result;

/// Pairs (s, y) that are remembered.
const MEMORY: usize = 10;
/// c₁, the share of the first decrease that a step has to keep.
const SUFFICIENT: f64 = 1e-4;
/// The share of the first slope above which a step counts as too short.
const STEEP: f64 = 0.9;
/// Steps that are tried in one direction.
const TRIALS: usize = 25;
/// Stops where no number moves f by more, to first order.
const FLAT: f64 = 1e-5;
/// Stops where f falls by less, relatively.
const SETTLED: f64 = 1e-9;

/// Lower and upper ends.
#[derive(Clone, Debug)]
pub(crate) struct Bounds {
    pub(crate) lower: Vec<f64>,
    pub(crate) upper: Vec<f64>,
}

/// A point, with value and gradient there.
#[derive(Clone)]
struct Point {
    x: Vec<f64>,
    f: f64,
    g: Vec<f64>,
}

/// Where the function is least near `start` after at most `iterations` directions; `evaluate` gives value and gradient,
/// none where there is no finite value. None if there is none at `start`.
///
/// # Errors
/// Those of `evaluate`.
pub(crate) fn minimise(
    mut evaluate: impl FnMut(&[f64]) -> Result<Option<(f64, Vec<f64>)>>,
    start: &[f64],
    bounds: &Bounds,
    iterations: usize,
) -> Result<Option<Vec<f64>>> {
    let mut at = |x: Vec<f64>| -> Result<Option<Point>> {
        let finite = |(f, g): &(f64, Vec<f64>)| f.is_finite() && g.iter().all(|g| g.is_finite());
        Ok(evaluate(&x)?.filter(finite).map(|(f, g)| Point { x, f, g }))
    };
    let Some(mut point) = at(bounds.project(start))? else { return Ok(None) };
    let mut pairs = Pairs::default();
    for _ in 0..iterations {
        let free = bounds.free(&point);
        let slope = |d: &[f64]| dot(&point.g, d);
        let mut direction = pairs.direction(&point.g, &free);
        if slope(&direction) >= 0.0 {
            pairs = Pairs::default();
            direction = pairs.direction(&point.g, &free);
        }
        let steepest = (0..free.len()).filter(|&j| free[j]).fold(0.0_f64, |largest, j| largest.max(point.g[j].abs()));
        if steepest <= FLAT {
            break;
        }
        let Some(next) = search(&mut at, &point, &direction, bounds)? else {
            if pairs.kept.is_empty() {
                break;
            }
            // What is remembered misleads: once more along the gradient.
            pairs = Pairs::default();
            continue;
        };
        let fallen = point.f - next.f;
        pairs.remember(&point, &next);
        let settled = fallen <= SETTLED * point.f.abs().max(1.0);
        point = next;
        if settled {
            break;
        }
    }
    Ok(Some(point.x))
}

/// The point that is accepted along a direction; none if there is none.
fn search(
    at: &mut impl FnMut(Vec<f64>) -> Result<Option<Point>>,
    from: &Point,
    direction: &[f64],
    bounds: &Bounds,
) -> Result<Option<Point>> {
    let path = |t: f64| {
        let moved: Vec<f64> = from.x.iter().zip(direction).map(|(x, d)| t.mul_add(*d, *x)).collect();
        bounds.project(&moved)
    };
    let first_slope = dot(&from.g, direction);
    let mut best: Option<Point> = None;
    let mut t = 1.0;
    for _ in 0..TRIALS {
        let x = path(t);
        if x == from.x {
            return Ok(best);
        }
        let expected: f64 = x.iter().zip(&from.x).zip(&from.g).map(|((x, from), g)| (x - from) * g).sum();
        let next = at(x)?;
        let accepted = next.filter(|next| next.f <= from.f + SUFFICIENT * expected);
        match (accepted, best.take()) {
            (Some(next), longest) if longest.as_ref().is_none_or(|longest| next.f < longest.f) => {
                let steep = dot(&next.g, direction) < STEEP * first_slope;
                let came_back = longest.is_none() && t < 1.0;
                best = Some(next);
                if !steep || came_back {
                    return Ok(best);
                }
                t *= 2.0;
            }
            (_, Some(longest)) => return Ok(Some(longest)),
            (_, None) => t *= 0.3,
        }
    }
    Ok(best)
}

impl Bounds {
    pub(crate) fn project(&self, x: &[f64]) -> Vec<f64> {
        x.iter().zip(self.lower.iter().zip(&self.upper)).map(|(x, (lower, upper))| x.max(*lower).min(*upper)).collect()
    }

    /// Which numbers may move.
    fn free(&self, point: &Point) -> Vec<bool> {
        let stays = |j: usize| {
            let (x, g) = (point.x[j], point.g[j]);
            (x <= self.lower[j] && g > 0.0) || (x >= self.upper[j] && g < 0.0)
        };
        (0..point.x.len()).map(|j| !stays(j)).collect()
    }
}

/// What is remembered of the curvature.
#[derive(Default)]
struct Pairs {
    /// (s, y), the latest last.
    kept: Vec<(Vec<f64>, Vec<f64>)>,
}

impl Pairs {
    fn remember(&mut self, from: &Point, to: &Point) {
        let difference = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<f64>>();
        let (s, y) = (difference(&to.x, &from.x), difference(&to.g, &from.g));
        if dot(&s, &y) > 1e-10 * (dot(&s, &s) * dot(&y, &y)).sqrt() {
            if self.kept.len() == MEMORY {
                self.kept.remove(0);
            }
            self.kept.push((s, y));
        }
    }

    /// −H g on the free numbers, 0 on the others.
    fn direction(&self, g: &[f64], free: &[bool]) -> Vec<f64> {
        let inner = |a: &[f64], b: &[f64]| -> f64 {
            a.iter().zip(b).zip(free).filter(|(_, free)| **free).map(|((a, b), _)| a * b).sum()
        };
        let mut d: Vec<f64> = g.iter().zip(free).map(|(g, free)| if *free { -g } else { 0.0 }).collect();
        // Pairs that have curvature on the free numbers.
        let usable: Vec<_> = self.kept.iter().map(|(s, y)| (s, y, inner(s, y))).filter(|(.., sy)| *sy > 0.0).collect();
        let Some(&(_, last, sy)) = usable.last() else {
            // No step is longer than 1 in all before anything is known of the curvature.
            let length: f64 = d.iter().map(|d| d.abs()).sum();
            return d.into_iter().map(|d| d / length.max(1.0)).collect();
        };
        let mut shares = vec![0.0; usable.len()];
        for ((s, y, sy), share) in usable.iter().zip(&mut shares).rev() {
            *share = inner(s, &d) / sy;
            d.iter_mut().zip(*y).zip(free).filter(|(_, free)| **free).for_each(|((d, y), _)| *d -= *share * y);
        }
        let scale = sy / inner(last, last);
        for d in &mut d {
            *d *= scale;
        }
        for ((s, y, sy), share) in usable.iter().zip(&shares) {
            let back = share - inner(y, &d) / sy;
            d.iter_mut().zip(*s).zip(free).filter(|(_, free)| **free).for_each(|((d, s), _)| *d += back * s);
        }
        d
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(lower: f64, upper: f64, d: usize) -> Bounds {
        Bounds { lower: vec![lower; d], upper: vec![upper; d] }
    }

    /// Σ 100(x_{j+1} − x_j²)² + (1 − x_j)²
    fn valley(x: &[f64]) -> (f64, Vec<f64>) {
        let (mut f, mut g) = (0.0, vec![0.0; x.len()]);
        for j in 0..x.len() - 1 {
            let (off, rest) = (x[j + 1] - x[j] * x[j], 1.0 - x[j]);
            f += 100.0 * off * off + rest * rest;
            g[j] -= 400.0 * off * x[j] + 2.0 * rest;
            g[j + 1] += 200.0 * off;
        }
        (f, g)
    }

    #[test]
    fn a_curved_valley_is_followed_to_its_end() {
        let (mut count, start) = (0, [-1.2, 1.0, -0.5, 0.8]);
        let counted = |x: &[f64]| {
            count += 1;
            Ok(Some(valley(x)))
        };
        let least = minimise(counted, &start, &bounds(-5.0, 5.0, 4), 200).unwrap().unwrap();
        assert!(least.iter().all(|x| (x - 1.0).abs() < 1e-3), "{least:?}");
        assert!(count < 120, "{count} evaluations");
    }

    #[test]
    fn bounds_hold_at_every_point_that_is_looked_at_and_the_minimum_may_lie_on_them() {
        let looked = |x: &[f64]| {
            assert!(x.iter().all(|x| (-2.0..=0.5).contains(x)), "{x:?}");
            Ok(Some(valley(x)))
        };
        let least = minimise(looked, &[9.0, -9.0], &bounds(-2.0, 0.5, 2), 200).unwrap().unwrap();
        // On x₀ ≤ ½ the valley is least at x₀ = ½, x₁ = x₀².
        assert!((least[0] - 0.5).abs() < 1e-6 && (least[1] - 0.25).abs() < 1e-4, "{least:?}");
    }

    #[test]
    fn a_point_without_a_value_is_stepped_back_from() {
        // x − log x, none beyond 1.5.
        let f = |x: &[f64]| Ok((x[0] < 1.5).then(|| (x[0] - x[0].ln(), vec![1.0 - x[0].recip()])));
        let least = minimise(f, &[0.01], &bounds(1e-9, 1e9, 1), 100).unwrap().unwrap();
        assert!((least[0] - 1.0).abs() < 1e-4, "{least:?}");
        assert!(minimise(|_| Ok(None), &[0.01], &bounds(0.0, 1.0, 1), 100).unwrap().is_none());
        let not_a_number = |_: &[f64]| Ok(Some((f64::NAN, vec![0.0])));
        assert!(minimise(not_a_number, &[0.01], &bounds(0.0, 1.0, 1), 100).unwrap().is_none());
    }

    #[test]
    fn no_more_directions_is_no_worse_than_fewer() {
        let mut last = f64::INFINITY;
        for iterations in 0..40 {
            let f = |x: &[f64]| Ok(Some(valley(x)));
            let value = valley(&minimise(f, &[-1.2, 1.0, 0.3], &bounds(-5.0, 5.0, 3), iterations).unwrap().unwrap()).0;
            assert!(value <= last);
            last = value;
        }
    }
}
