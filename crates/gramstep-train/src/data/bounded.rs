//! The bounds of a network's inputs at work: decided, put on rows and taken off.

use gramstep::Scalar;

use super::bounds::{Bound, decide};
use super::{Dataset, Encoding, Features, Inputs};

impl Inputs {
    /// From columns of a row to inputs of the network, for rows stored one after another.
    pub(crate) fn standardise(&self, values: &mut [f64]) {
        self.standardisation.apply(values);
        self.bend(values);
    }

    /// Brings standardised rows within the bounds.
    pub(crate) fn bend<T: Scalar>(&self, values: &mut [T]) {
        each_bound(&self.bounds, values, Bound::apply);
    }

    /// ∂/∂z from ∂/∂(bounded z), in place, at standardised rows z.
    pub(crate) fn chain<T: Scalar>(&self, gradient: &mut [T], z: &[T]) {
        let width = self.bounds.len().max(1);
        for (slopes, z) in gradient.chunks_mut(width).zip(z.chunks(width)) {
            for ((slope, &z), bound) in slopes.iter_mut().zip(z).zip(&self.bounds) {
                *slope *= T::from_f64(bound.slope(z.to_f64()));
            }
        }
    }

    /// Undoes [`standardise`](Self::standardise).
    pub(crate) fn unstandardise(&self, values: &mut [f64]) {
        each_bound(&self.bounds, values, Bound::invert);
        self.standardisation.invert(values);
    }

    /// The input of the network in this place for the value of a column.
    pub(super) fn input(&self, place: usize, value: f64) -> f64 {
        let z = (value - self.standardisation.mean[place]) / self.standardisation.scale[place];
        self.bounds.get(place).map_or(z, |bound| bound.apply(z))
    }

    /// Whether the bounds are those of that number of columns, with usable numbers.
    pub(super) fn check_bounds(&self, columns: usize) -> Result<(), String> {
        let usable = self.bounds.iter().all(|bound| bound.is_usable());
        if self.bounds.is_empty() || (usable && self.bounds.len() == columns) {
            return Ok(());
        }
        Err(format!("bounds of {columns} inputs that are not usable numbers"))
    }

    /// Decides the bounds on standardised training rows. Columns with far outliers change centre and scale: the numbers
    /// by which z of old becomes z of now.
    pub(super) fn decide_bounds<T: Scalar>(&mut self, train: &Dataset<T>) -> Vec<(f64, f64)> {
        let mut changes = vec![(0.0, 1.0); self.width()];
        let mut bounds = vec![Bound::Free; self.width()];
        for (column, places) in self.places() {
            if matches!(column.encoding, Encoding::Image(_)) {
                continue;
            }
            for at in places.take(column.encoding.measured()) {
                let values: Vec<f64> = (0..train.rows()).map(|i| train.inputs.number(i, at).to_f64()).collect();
                (bounds[at], changes[at]) = decide(&values, train.weights.as_deref());
            }
        }
        for (at, (centre, scale)) in changes.iter().enumerate() {
            self.standardisation.mean[at] += self.standardisation.scale[at] * centre;
            self.standardisation.scale[at] *= scale;
        }
        self.bounds = bounds;
        changes
    }

    /// Brings standardised rows within the bounds, by what [`decide_bounds`](Self::decide_bounds) changed.
    pub(super) fn bound<T: Scalar>(&self, rows: &mut Features<T>, changes: &[(f64, f64)]) {
        let (first, rows) = rows.numbers_mut();
        let width = rows.columns().max(1);
        for row in rows.as_mut_slice().chunks_mut(width) {
            for ((value, bound), (centre, scale)) in row.iter_mut().zip(&self.bounds[first..]).zip(&changes[first..]) {
                *value = T::from_f64(bound.apply((value.to_f64() - centre) / scale));
            }
        }
    }

    /// Takes the bounds off rows.
    pub(crate) fn unbound<T: Scalar>(&self, rows: &mut Features<T>) {
        let (first, rows) = rows.numbers_mut();
        let bounds = self.bounds.get(first..).unwrap_or_default();
        each_bound(bounds, rows.as_mut_slice(), Bound::invert);
    }
}

/// Replaces the values of rows by what `f` makes of each and its bound; without bounds they stay.
fn each_bound<T: Scalar>(bounds: &[Bound], values: &mut [T], f: fn(Bound, f64) -> f64) {
    for row in values.chunks_mut(bounds.len().max(1)) {
        for (value, &bound) in row.iter_mut().zip(bounds) {
            *value = T::from_f64(f(bound, value.to_f64()));
        }
    }
}
