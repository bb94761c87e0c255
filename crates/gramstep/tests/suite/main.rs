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
mod image_twin;
mod imports;
mod initialisation;
mod kernel_gradient;
mod kernel_images;
mod kernel_images_reference;
mod kernel_infinite;
mod kernel_learning;
mod kernel_reference;
mod left_out;
mod losses;
mod one_row;
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
