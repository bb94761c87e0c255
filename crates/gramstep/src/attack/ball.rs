//! B(R): parameters near their initial values, layer by layer.

use crate::device::{Operations, Tile};
use crate::error::{Result, check_extent, check_setting};
use crate::model::{Model, Span};
use crate::scalar::Scalar;

/// How far one layer is from where it started.
///
/// ```
/// use gramstep::attack::ParameterBall;
/// use gramstep::{Activation, Model};
/// let model = Model::<f64>::mlp(&[2, 8, 1], Activation::Relu).build()?;
/// let distances = ParameterBall::around(&model, 0.1)?.distances(&model)?;
/// assert_eq!((distances.len(), distances[0].distance), (2, 0.0));
/// # Ok::<(), gramstep::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct LayerDistance {
    /// For example `layers.0`.
    pub layer: String,
    /// ‖W − W₀‖_F, bias included; frozen spans do not count.
    pub distance: f64,
}

/// The ball B = {θ : ‖W⁽ʰ⁾ − W₀⁽ʰ⁾‖_F ≤ ρ for every layer h} around the parameters that a model has when it is made
/// (gao2019).
///
/// The paper's layers have entries of size 1/√m and ρ = R/√m. In the NTK parameterisation, and for the two-layer
/// network of the theory, whose entries are of size 1, the same ball has ρ = R.
///
/// ```
/// use gramstep::attack::ParameterBall;
/// use gramstep::{Activation, Model};
/// let mut model = Model::<f64>::mlp(&[2, 8, 1], Activation::Relu).seed(1).build()?;
/// let ball = ParameterBall::around(&model, 0.1)?;
/// let moved: Vec<f64> = model.theta().iter().map(|t| t + 1.0).collect();
/// model.set_theta(&moved)?;
/// ball.project(&mut model)?;
/// assert!(ball.distances(&model)?.iter().all(|layer| (layer.distance - 0.1).abs() < 1e-12));
/// # Ok::<(), gramstep::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ParameterBall<T> {
    centre: Vec<T>,
    radius: f64,
}

impl<T: Scalar> ParameterBall<T> {
    /// The ball of radius ρ ≥ 0 for each layer; infinity measures distances and confines nothing.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if the radius is negative or NaN.
    pub fn around(model: &Model<T>, radius: f64) -> Result<Self> {
        check_setting(radius >= 0.0, "radius of the parameter ball", &radius, "at least 0")?;
        Ok(Self { centre: model.theta(), radius })
    }

    /// θ₀
    #[must_use]
    pub fn centre(&self) -> &[T] {
        &self.centre
    }

    /// Distance of every layer from its initial value.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if the model is not the one of the ball.
    pub fn distances(&self, model: &Model<T>) -> Result<Vec<LayerDistance>> {
        self.check(model)?;
        Ok(layers(model).into_iter().map(|(layer, spans)| self.distance(model, layer, &spans)).collect())
    }

    /// Moves every layer that is outside its ball radially on to it; returns the distances after that.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if the model is not the one of the ball.
    pub fn project(&self, model: &mut Model<T>) -> Result<Vec<LayerDistance>> {
        self.check(model)?;
        let layers = layers(model);
        let mut distances = Vec::with_capacity(layers.len());
        let operations = model.device().operations::<T>();
        for (layer, spans) in layers {
            let mut found = self.distance(model, layer, &spans);
            if found.distance > self.radius {
                let t = self.radius / found.distance;
                for span in &spans {
                    let centre = Tile::new(&self.centre[span.range()], 1, span.len());
                    let theta = model.theta_buffer_mut().tile_mut(span.offset, 1, span.len());
                    operations.axpby(theta, T::from_f64(t), T::from_f64(1.0 - t), centre);
                }
                found.distance = self.radius;
            }
            distances.push(found);
        }
        Ok(distances)
    }

    fn distance(&self, model: &Model<T>, layer: String, spans: &[Span]) -> LayerDistance {
        let square = |span: &Span| -> f64 {
            let theta = model.theta_buffer().tile(span.offset, 1, span.len());
            let pairs = theta.host().iter().zip(&self.centre[span.range()]);
            pairs.map(|(a, b)| (a.to_f64() - b.to_f64()).powi(2)).sum()
        };
        LayerDistance { layer, distance: spans.iter().map(square).sum::<f64>().sqrt() }
    }

    fn check(&self, model: &Model<T>) -> Result<()> {
        check_extent("parameters of the model of a parameter ball", self.centre.len(), model.parameter_count())
    }
}

/// The trainable spans of every layer that has some; the twins of a symmetric network are one layer.
fn layers<T: Scalar>(model: &Model<T>) -> Vec<(String, Vec<Span>)> {
    let mut layers: Vec<(String, Vec<Span>)> = Vec::new();
    for span in model.spans().iter().filter(|span| span.weight > 0.0) {
        let name = span.name.rsplit_once('.').map_or(span.name.as_str(), |(layer, _)| layer);
        let name = name.strip_prefix("a.").or_else(|| name.strip_prefix("b.")).unwrap_or(name);
        match layers.iter_mut().find(|(layer, _)| layer == name) {
            Some((_, spans)) => spans.push(span.clone()),
            None => layers.push((name.to_owned(), vec![span.clone()])),
        }
    }
    layers
}
