//! The reference networks and their data.

use gramstep::model::{ConvolutionSpecification, DenseSpecification, LayerSpecification, Shape};
use gramstep::{Activation, Device, Matrix, Model, Scalar, Specification};

/// 784-1024-1024-1024-1 relu.
pub(crate) const MLP: [usize; 5] = [784, 1024, 1024, 1024, 1];
/// 784-512-512-10 relu.
pub(crate) const MLP10: [usize; 4] = [784, 512, 512, 10];
/// 784-256-256-10 relu, on classes.
pub(crate) const SOFTMAX: [usize; 4] = [784, 256, 256, 10];

/// Images of the reference problems.
pub(crate) const IMAGE: Shape = Shape::Image { height: 32, width: 32, channels: 3, side: 0 };

/// A relu network of dense layers.
pub(crate) fn mlp(sizes: &[usize]) -> Specification {
    Specification::mlp(sizes, Activation::Relu)
}

/// ResNet-32 with Fixup scalars on 32×32×3.
pub(crate) fn resnet32(outputs: usize) -> Specification {
    Specification::fixup_resnet(IMAGE, 5, 16, outputs)
}

/// Three 3×3 convolutions of 64 channels on 32×32×3, relu after the first two, mean over pixels, dense 1.
pub(crate) fn cnn() -> Specification {
    let convolution = || LayerSpecification::Convolution(ConvolutionSpecification::new(64, 3));
    let relu = || LayerSpecification::Activation(Activation::Relu);
    let head = [LayerSpecification::GlobalAveragePool, LayerSpecification::Dense(DenseSpecification::new(1))];
    let body = [convolution(), relu(), convolution(), relu(), convolution()];
    Specification::new(IMAGE, body.into_iter().chain(head).collect())
}

/// A network on a number of threads.
pub(crate) fn model<T: Scalar>(specification: Specification, threads: usize) -> Result<Model<T>, String> {
    let builder = Model::builder(specification).seed(1).device(Device::cpu(threads));
    builder.build().map_err(|error| error.to_string())
}

/// Numbers that look random and are the same every time, about uniform in −1..1.
pub(crate) fn data<T: Scalar>(rows: usize, columns: usize) -> Matrix<T> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    Matrix::from_fn(rows, columns, |_, _| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        T::from_f64((state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0)
    })
}
