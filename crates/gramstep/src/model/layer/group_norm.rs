//! Normalisation of groups of channels, sample by sample (wu2018), and a factor and a shift for every channel.

use super::{Call, Layer, Nonlinear, ParameterUse};
use crate::device::{Operations, Tile, TileMut, WriteMode};
use crate::model::parameters::{Distribution, ParameterRequest};
use crate::scalar::Scalar;

/// Added to the variance of a group.
const EPSILON: f64 = 1e-5;

/// x̂ = (x − m)/s with mean m and s² = variance + 10⁻⁵ over all pixels and channels of a group.
///
/// Every sample is normalised by its own numbers, so the rows of J stay rows of one sample each and G = J Jᵀ is exact. (A batch
/// normalisation in training mode joins samples: ∂f_i/∂θ is then no row of a J, since f_i depends on all inputs.)
#[derive(Clone, Debug)]
pub struct GroupNorm {
    pixels: usize,
    channels: usize,
    groups: usize,
}

impl GroupNorm {
    /// Of `pixels`·`channels` values, channels innermost, in `groups` groups of neighbouring channels.
    ///
    /// # Panics
    /// If the channels cannot be shared out.
    #[must_use]
    pub fn new(pixels: usize, channels: usize, groups: usize) -> Self {
        assert!(groups > 0 && channels.is_multiple_of(groups), "{channels} channels in {groups} groups");
        Self { pixels, channels, groups }
    }

    /// Where the values of a group lie in a sample, run by run.
    fn runs(&self, group: usize) -> impl Iterator<Item = std::ops::Range<usize>> + Clone {
        let width = self.channels / self.groups;
        let channels = self.channels;
        (0..self.pixels).map(move |pixel| pixel * channels + group * width..pixel * channels + (group + 1) * width)
    }

    fn size<T: Scalar>(&self) -> T {
        T::from_f64((self.pixels * (self.channels / self.groups)) as f64)
    }

    /// m and s of a group.
    fn moments<T: Scalar>(&self, x: &[T], group: usize) -> (T, T) {
        let size = self.size::<T>();
        let mean = self.runs(group).map(|run| x[run].iter().copied().sum::<T>()).sum::<T>() / size;
        let square = |run: std::ops::Range<usize>| x[run].iter().map(|&x| (x - mean) * (x - mean)).sum::<T>();
        let variance = self.runs(group).map(square).sum::<T>() / size;
        (mean, (variance + T::from_f64(EPSILON)).sqrt())
    }

    /// J v of a group, handed out run by run: (v − v̄ − x̂·(x̂·v)/N)/s. J is symmetric, so this is Jᵀv too. Also returns x̂·v.
    fn product<T: Scalar>(
        &self,
        x: &[T],
        v: &[T],
        group: usize,
        (mean, deviation): (T, T),
        mut out: impl FnMut(usize, T),
    ) -> T {
        let size = self.size::<T>();
        let average = self.runs(group).map(|run| v[run].iter().copied().sum::<T>()).sum::<T>() / size;
        let along =
            |run: std::ops::Range<usize>| x[run.clone()].iter().zip(&v[run]).map(|(&x, &v)| (x - mean) * v).sum::<T>();
        let along = self.runs(group).map(along).sum::<T>() / deviation;
        for at in self.runs(group).flatten() {
            let unit = (x[at] - mean) / deviation;
            out(at, (v[at] - average - unit * along / size) / deviation);
        }
        along
    }
}

impl<T: Scalar> Nonlinear<T> for GroupNorm {
    fn output_len(&self) -> usize {
        self.pixels * self.channels
    }

    fn value(&self, _: &dyn Operations<T>, x: Tile<'_, T>, out: TileMut<'_, T>) {
        out.for_each_row(|i, out| {
            let x = x.row(i);
            for group in 0..self.groups {
                let (mean, deviation) = self.moments(x, group);
                for at in self.runs(group).flatten() {
                    out[at] = (x[at] - mean) / deviation;
                }
            }
        });
    }

    fn jvp(&self, _: &dyn Operations<T>, x: Tile<'_, T>, tangent: Tile<'_, T>, out: TileMut<'_, T>) {
        out.for_each_row(|i, out| {
            let (x, v) = (x.row(i), tangent.row(i));
            for group in 0..self.groups {
                self.product(x, v, group, self.moments(x, group), |at, value| out[at] = value);
            }
        });
    }

    fn vjp(
        &self,
        _: &dyn Operations<T>,
        x: Tile<'_, T>,
        cotangents: Tile<'_, T>,
        into: TileMut<'_, T>,
        mode: WriteMode,
    ) {
        let q = cotangents.rows() / x.rows().max(1);
        into.for_each_row(|row, into| {
            let (x, u) = (x.row(row / q), cotangents.row(row));
            for group in 0..self.groups {
                self.product(x, u, group, self.moments(x, group), |at, value| {
                    into[at] = if mode == WriteMode::Replace { value } else { into[at] + value };
                });
            }
        });
    }

    /// With p = x̂·u and q = x̂·v: φ = ⟨u, J v⟩ = (u·v − N ū v̄ − p q/N)/s, ∂s/∂x = x̂/N, ∂p/∂x = J u, ∂q/∂x = J v, so
    /// ∂φ/∂x = −(φ x̂ + q J u + p J v)/(N s).
    fn second_order(
        &self,
        _: &dyn Operations<T>,
        x: Tile<'_, T>,
        tangent: Tile<'_, T>,
        cotangent: Tile<'_, T>,
        into: TileMut<'_, T>,
    ) {
        into.for_each_row(|i, into| {
            let (x, v, u) = (x.row(i), tangent.row(i), cotangent.row(i));
            let (mut of_u, mut of_v) = (vec![T::ZERO; x.len()], vec![T::ZERO; x.len()]);
            for group in 0..self.groups {
                let (mean, deviation) = self.moments(x, group);
                let p = self.product(x, u, group, (mean, deviation), |at, value| of_u[at] = value);
                let q = self.product(x, v, group, (mean, deviation), |at, value| of_v[at] = value);
                let inner = self.runs(group).flatten().map(|at| u[at] * of_v[at]).sum::<T>();
                let share = -T::ONE / (self.size::<T>() * deviation);
                for at in self.runs(group).flatten() {
                    let unit = (x[at] - mean) / deviation;
                    into[at] += share * (inner * unit + q * of_u[at] + p * of_v[at]);
                }
            }
        });
    }
}

/// y = γ_c·x + β_c with a factor, which starts at 1, and a shift, which starts at 0, for every channel c.
#[derive(Clone, Debug)]
pub struct ChannelScale {
    pixels: usize,
    channels: usize,
}

impl ChannelScale {
    /// Of `pixels`·`channels` values, channels innermost.
    #[must_use]
    pub fn new(pixels: usize, channels: usize) -> Self {
        Self { pixels, channels }
    }

    /// into (+)= γ_c·x + β_c; `shift` may be none.
    fn apply<T: Scalar>(
        &self,
        scale: &[T],
        shift: Option<&[T]>,
        x: Tile<'_, T>,
        into: TileMut<'_, T>,
        mode: WriteMode,
    ) {
        into.for_each_row(|i, into| {
            let pixels = into.chunks_exact_mut(self.channels).zip(x.row(i).chunks_exact(self.channels));
            for (into, x) in pixels {
                for (c, (into, &x)) in into.iter_mut().zip(x).enumerate() {
                    let value = scale[c] * x + shift.map_or(T::ZERO, |shift| shift[c]);
                    *into = if mode == WriteMode::Replace { value } else { *into + value };
                }
            }
        });
    }
}

impl<T: Scalar> Layer<T> for ChannelScale {
    fn output_len(&self) -> usize {
        self.pixels * self.channels
    }

    fn parameters(&self) -> Vec<ParameterRequest> {
        let shape = vec![self.channels];
        vec![
            ParameterRequest { name: "scale", shape: shape.clone(), distribution: Distribution::Ones },
            ParameterRequest { name: "shift", shape, distribution: Distribution::Zeros },
        ]
    }

    fn parameter_use(&self) -> Option<ParameterUse> {
        Some(ParameterUse::Explicit)
    }

    fn forward(&self, call: &Call<'_, T>, inputs: &[Tile<'_, T>], out: TileMut<'_, T>, affine: bool, mode: WriteMode) {
        let (scale, shift) = call.theta.row(0).split_at(self.channels);
        self.apply(scale, Some(shift).filter(|_| affine), inputs[0], out, mode);
    }

    fn backward(
        &self,
        call: &Call<'_, T>,
        _: &[Tile<'_, T>],
        _which: usize,
        delta: Tile<'_, T>,
        into: TileMut<'_, T>,
        mode: WriteMode,
    ) {
        self.apply(&call.theta.row(0)[..self.channels], None, delta, into, mode);
    }

    fn gradients(&self, _: &Call<'_, T>, inputs: &[Tile<'_, T>], delta: Tile<'_, T>, out: TileMut<'_, T>) {
        let q = delta.rows() / inputs[0].rows().max(1);
        out.for_each_row(|row, out| {
            out.fill(T::ZERO);
            let (scale, shift) = out.split_at_mut(self.channels);
            let (x, delta) = (inputs[0].row(row / q), delta.row(row));
            for (x, delta) in x.chunks_exact(self.channels).zip(delta.chunks_exact(self.channels)) {
                for (c, (&x, &delta)) in x.iter().zip(delta).enumerate() {
                    scale[c] += x * delta;
                    shift[c] += delta;
                }
            }
        });
    }
}
