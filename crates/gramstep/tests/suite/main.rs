//! One test binary: claims about the whole library, over one table of cases.

mod adversarial;
mod attack_laws;
mod attacks;
mod average;
mod cases;
mod contracts;
mod directions;
mod distributed;
mod documentation;
mod extensions;
#[path = "../house/mod.rs"]
mod house;
mod imports;
mod initialisation;
mod kernel_gradient;
mod kernel_infinite;
mod kernel_learning;
mod kernel_reference;
mod left_out;
mod losses;
mod optimisers;
mod posterior;
mod properties;
mod quadratic;
mod ridge_regression;
mod scale_fits;
mod scaled_kernels;
mod seams;
mod tangent;
mod theory;
mod theory_controls;
mod weights;
