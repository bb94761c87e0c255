//! Claims of the theory as programs: each states its assumptions, predicts, measures, and says whether it holds.
//!
//! A [`Claim`] is tried on a [`Ground`] and gives a [`Certificate`]. Assumptions that can be measured decide whether
//! the theorem applies; constants of the kind "m large enough" are shown beside the sizes that were used.
//!
//! ```
//! use gramstep::Device;
//! use gramstep::theory::{Claim, Effort, Ground, QuadraticRate, Verdict};
//! let mut claim = QuadraticRate::new(Effort::Quick);
//! (claim.samples, claim.inputs, claim.widths) = (6, 5, vec![64, 128, 256]);
//! let certificate = claim.certify(&Ground::synthetic(2, Device::cpu(1)), &mut |_| ())?;
//! assert_eq!(certificate.verdict, Verdict::Holds, "{certificate:?}");
//! # Ok::<(), gramstep::Error>(())
//! ```

mod cai2019_minibatch;
mod cai2019_quadratic;
mod certificate;
mod chizat2019_scale;
mod claim;
mod du2019_linear_rate;
mod frozen;
mod gao2019_convergence;
mod gao2019_existence;
mod gao2019_images;
mod gao2019_near_initialisation;
mod gao2019_width;
mod glyphs;
mod ground;
mod jacot2018_lazy;
mod lazy;
mod limit;
mod neighbourhood;
mod network;
mod picture;
mod robust;
mod size;
mod statistics;
mod twins;
mod zhang2017_random_labels;

pub use cai2019_minibatch::MinibatchRate;
pub use cai2019_quadratic::QuadraticRate;
pub use certificate::{Assumption, Certificate, Check, Constant, Relation, Verdict};
pub use chizat2019_scale::LazyScale;
pub use claim::{Claim, Effort};
pub use du2019_linear_rate::LinearRate;
pub use gao2019_convergence::RobustConvergence;
pub use gao2019_existence::RobustExistence;
pub use gao2019_images::RobustImages;
pub use gao2019_near_initialisation::RobustNeighbourhood;
pub use gao2019_width::RobustWidth;
pub use ground::{Ground, Labels, Points};
pub use jacot2018_lazy::LazyWidth;
pub use neighbourhood::Neighbourhood;
pub use picture::{Axis, Curve, Mark, Picture, Role};
pub use robust::RobustSetting;
pub use size::{Cost, Meter, SolveSize};
pub use zhang2017_random_labels::RandomLabels;

/// All claims, in the order in which they are read. Time and memory of the claim `size` are measured by `meter`.
#[must_use]
pub fn claims(effort: Effort, meter: &dyn Meter) -> Vec<Box<dyn Claim + '_>> {
    vec![
        Box::new(LinearRate::new(effort)),
        Box::new(QuadraticRate::new(effort)),
        Box::new(MinibatchRate::new(effort)),
        Box::new(LazyWidth::new(effort)),
        Box::new(LazyScale::new(effort)),
        Box::new(RandomLabels::new(effort)),
        Box::new(Neighbourhood::new(effort)),
        Box::new(SolveSize::new(effort, meter)),
        Box::new(RobustConvergence::new(effort)),
        Box::new(RobustNeighbourhood::new(effort)),
        Box::new(RobustExistence::new(effort)),
        Box::new(RobustWidth::new(effort)),
        Box::new(RobustImages::new(effort)),
    ]
}
