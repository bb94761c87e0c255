//! Kernels of infinitely wide convolutional networks.

use gramstep::kernel::{ConvolutionVariances, DenseVariances, InfiniteKernel, InfiniteLayer, Which};
use gramstep::{Activation, Device, Scalar};
use serde_json::json;

use crate::Options;
use crate::networks::{IMAGE, data};
use crate::timing::{Operation, measure};

/// Images of the rows and of the columns: a few rows, and two cells of columns in double precision.
const ROWS: usize = 2;
const COLUMNS: usize = 16;

fn variances() -> DenseVariances {
    DenseVariances::new(2.0, 0.01)
}

fn convolution(stride: usize) -> InfiniteLayer {
    InfiniteLayer::Convolution(ConvolutionVariances::new(3, variances()).with_stride(stride))
}

fn relu() -> InfiniteLayer {
    InfiniteLayer::Activation(Activation::Relu)
}

/// 21 convolutions with relu.
fn deep() -> Vec<InfiniteLayer> {
    (0..21).flat_map(|_| [convolution(1), relu()]).collect()
}

/// The wide residual network of neural-tangents with two blocks a group.
fn wide_residual() -> Vec<InfiniteLayer> {
    let block = |stride: usize, change: bool| InfiniteLayer::Residual {
        layers: vec![relu(), convolution(stride), relu(), convolution(1)],
        shortcut: if change { vec![convolution(stride)] } else { Vec::new() },
    };
    let groups = [1, 2, 2].into_iter().flat_map(|stride| [block(stride, true), block(1, false)]);
    [convolution(1)].into_iter().chain(groups).collect()
}

/// The tangent kernels of images 32×32×3: 21 layers with the mean over pixels, with all pixels, and a wide residual network.
pub(crate) fn kernels(name: &str, options: &Options) -> Result<(), String> {
    for (network, body, head) in [
        ("gap-21", deep(), InfiniteLayer::GlobalAveragePool),
        ("flatten-21", deep(), InfiniteLayer::Flatten),
        ("wide-residual", wide_residual(), InfiniteLayer::GlobalAveragePool),
    ] {
        let layers: Vec<_> = body.into_iter().chain([head, InfiniteLayer::Dense(variances())]).collect();
        one::<f32>(&format!("{name}/{network}"), layers.clone(), options)?;
        one::<f64>(&format!("{name}/{network}"), layers, options)?;
    }
    Ok(())
}

fn one<T: Scalar>(name: &str, layers: Vec<InfiniteLayer>, options: &Options) -> Result<(), String> {
    let kernel = InfiniteKernel::for_inputs(layers, IMAGE).map_err(|error| error.to_string())?;
    let (x, y) = (data::<T>(ROWS, IMAGE.len()), data::<T>(COLUMNS, IMAGE.len()));
    let device = Device::cpu(options.threads);
    let run = || {
        let points = |x| kernel.points(x, &device).expect("finite images have kernels");
        let gram = points(&x).cross_gram(&points(&y), Which::Ntk);
        std::hint::black_box(gram.expect("both are prepared for one kernel"));
    };
    let config = json!({ "rows": ROWS, "columns": COLUMNS, "dtype": T::NAME, "threads": options.threads });
    measure(options.repeats, vec![Operation { name: name.to_owned(), config, run: Box::new(run) }]);
    Ok(())
}
