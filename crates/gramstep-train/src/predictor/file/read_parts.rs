//! Parts of a combination, and the errors on unseen rows, from a model file.

use gramstep::kernel::ScaledRegression;
use gramstep::{Device, Matrix};
use safetensors::tensor::Dtype;

use super::part_prefix;
use super::parts::{CombinationMetadata, PartMetadata, ScaledMetadata};
use super::read::{File, double, single};
use crate::data::Dataset;
use crate::error::Result;
use crate::predictor::{ClassSets, Combination, KernelModel, KernelPart, Part, PartModel, Spread};
use crate::settings::Precision;

impl File<'_> {
    pub(super) fn combination(&self, combination: &CombinationMetadata, device: &Device) -> Result<Combination> {
        let train = self.rows("")?;
        let parts = combination.parts.iter().enumerate();
        let parts: Vec<Part> =
            parts.map(|(number, part)| self.part(number, part, &train, device)).collect::<Result<_>>()?;
        let beta = combination.inverse_temperature;
        if parts.is_empty() || !(beta > 0.0 && beta.is_finite()) {
            return Err(self.wrong("a combination without parts, or of an unusable temperature".to_owned()));
        }
        Ok(Combination::new(self.metadata.preprocessing.targets.task(), parts, beta, train, device))
    }

    fn part(&self, number: usize, part: &PartMetadata, train: &Dataset<f64>, device: &Device) -> Result<Part> {
        let inputs = train.inputs.columns();
        if !(part.view.fits(inputs) && part.weight >= 0.0 && part.weight.is_finite()) {
            return Err(self.wrong(format!("part {} has an unusable weight or view", number + 1)));
        }
        let (root, width) = (part_prefix(number), part.view.width(inputs));
        let model = match (&part.networks, &part.kernel, &part.infinite) {
            (Some(networks), None, None) => {
                let specification = networks.specification.as_ref();
                let missing = || self.wrong(format!("part {} has no architecture", number + 1));
                let of = (networks.members, specification.ok_or_else(missing)?);
                match networks.precision {
                    Precision::F32 => PartModel::F32(self.networks(&root, of, width, device, (Dtype::F32, single))?),
                    Precision::F64 => PartModel::F64(self.networks(&root, of, width, device, (Dtype::F64, double))?),
                }
            }
            (None, None, Some(kernel)) => {
                let c = self.matrix(&format!("{root}coefficients"), train.rows(), train.targets.columns())?;
                let name = &part.name;
                let unknown = || self.wrong(format!("part {} is no kernel of a network", number + 1));
                let of = (kernel.kernel(name)?.ok_or_else(unknown)?, self.metadata.preprocessing.targets.task());
                let numbers = (kernel.ridge, kernel.inverse_temperature);
                PartModel::Infinite(Box::new(KernelModel::restore(of, train.clone(), numbers, c, device)?))
            }
            (None, Some(kernel), None) => {
                let c = self.matrix(&format!("{root}coefficients"), train.rows(), train.targets.columns())?;
                let regression = scaled(kernel, (part.view.apply(&train.inputs), train.weights.clone()), c, device)?;
                PartModel::Kernel(Box::new(KernelPart { regression, inverse_temperature: kernel.inverse_temperature }))
            }
            _ => return Err(self.wrong(format!("part {} is neither networks nor a kernel", number + 1))),
        };
        Ok(Part { name: part.name.clone(), weight: part.weight, view: part.view.clone(), model })
    }

    /// What the right classes of unseen rows lacked in probability, where the file has it.
    pub(super) fn sets(&self) -> Result<Option<ClassSets>> {
        let Some(rows) = self.metadata.unseen_rows else { return Ok(None) };
        let scores = self.matrix("unseen.scores", 1, rows)?.into_vec();
        if scores.is_sorted() && scores.iter().all(|score| (0.0..=1.0).contains(score)) && rows > 0 {
            return Ok(Some(ClassSets { scores }));
        }
        Err(self.wrong("probabilities of unseen rows that are not usable numbers".to_owned()))
    }

    /// The errors on unseen rows, where the file has them.
    pub(super) fn spread(&self, device: &Device) -> Result<Option<Spread>> {
        let Some(of) = &self.metadata.spread else { return Ok(None) };
        let targets = self.metadata.preprocessing.targets.outputs();
        let scores = self.matrix("spread.scores", targets, of.scores)?;
        let scores: Vec<Vec<f64>> = (0..targets).map(|a| scores.row(a).to_vec()).collect();
        let sorted = scores.iter().all(|scores| scores.is_sorted() && scores.first().is_none_or(|least| *least >= 0.0));
        let usable = of.mean.len() == targets && of.mean.iter().all(|mean| mean.is_finite() && *mean >= 0.0);
        if !(sorted && usable && of.scores > 0) {
            return Err(self.wrong("errors on unseen rows that are not usable numbers".to_owned()));
        }
        let regression = match &of.kernel {
            None => None,
            Some(kernel) => {
                let rows = self.rows_of("spread.inputs")?;
                let x = self.matrix("spread.inputs", rows, self.width())?;
                Some(scaled(kernel, (x, None), self.matrix("spread.coefficients", rows, targets)?, device)?)
            }
        };
        Ok(Some(Spread::assemble(of.mean.clone(), regression, scores)))
    }
}

/// Rows with their weights.
type Rows = (Matrix<f64>, Option<Vec<f64>>);

fn scaled(of: &ScaledMetadata, (x, weights): Rows, c: Matrix<f64>, device: &Device) -> Result<ScaledRegression> {
    Ok(ScaledRegression::restore(of.kernel()?, of.ridge, x, c, weights, device.threads())?)
}
