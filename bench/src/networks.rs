//! The reference networks and their data.

use gramstep::{Activation, Device, Matrix, Model, Scalar};

/// 784-1024-1024-1024-1 relu.
pub(crate) const MLP: [usize; 5] = [784, 1024, 1024, 1024, 1];
/// 784-512-512-10 relu.
pub(crate) const MLP10: [usize; 4] = [784, 512, 512, 10];

/// A network on a number of threads.
pub(crate) fn mlp<T: Scalar>(sizes: &[usize], threads: usize) -> Result<Model<T>, String> {
    let builder = Model::mlp(sizes, Activation::Relu).seed(1).device(Device::cpu(threads));
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
