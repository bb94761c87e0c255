//! The layers of ResNet-32 one by one, in both forms of a 3×3 convolution.

use gramstep::device::{Operations, Tile, TileMut, Window, WriteMode};
use gramstep::{Device, Matrix};
use serde_json::json;

use crate::Options;
use crate::networks::data;
use crate::timing::{Operation, measure};

const IMAGES: usize = 128;

/// Forward, input gradient, weight gradient summed and of each sample, direct and as the device chooses, in turn.
pub(crate) fn convolution(name: &str, options: &Options) -> Result<(), String> {
    for (channels, side) in [(16, 32), (32, 16), (64, 8)] {
        let window = Window::new((side, side, channels), (3, 3), 1, 1).ok_or("a window fits its image")?;
        let (pixels, length) = (window.image_len(), channels * window.len());
        let (x, delta) = (data::<f32>(IMAGES, pixels), data::<f32>(IMAGES, pixels));
        let weight = data::<f32>(channels, window.len());
        let fast = Device::cpu(options.threads);
        let direct = fast.with_direct_convolutions();
        let mut operations = Vec::new();
        for pass in ["forward", "input-gradient", "weight-gradient", "sample-gradients"] {
            for (form, device) in [("direct", &direct), ("winograd", &fast)] {
                let (x, delta, weight, window) = (&x, &delta, &weight, &window);
                let size = match pass {
                    "weight-gradient" => length,
                    "sample-gradients" => IMAGES * length,
                    _ => IMAGES * pixels,
                };
                let mut memory = vec![0.0; size];
                let run = move || {
                    let operations = device.operations::<f32>();
                    run_pass(&operations, pass, window, (x, delta, weight), &mut memory);
                };
                operations.push(Operation {
                    name: format!("{name}/{pass}/{form}"),
                    config: json!({ "n": IMAGES, "channels": channels, "side": side, "threads": options.threads }),
                    run: Box::new(run),
                });
            }
        }
        measure(options.repeats, operations);
    }
    Ok(())
}

type Matrices<'a> = (&'a Matrix<f32>, &'a Matrix<f32>, &'a Matrix<f32>);

fn run_pass(
    operations: &impl Operations<f32>,
    pass: &str,
    window: &Window,
    (x, delta, weight): Matrices<'_>,
    memory: &mut [f32],
) {
    let rows = if pass == "weight-gradient" { weight.rows() } else { x.rows() };
    let columns = memory.len() / rows;
    let out = TileMut::new(memory, rows, columns);
    match pass {
        "forward" => operations.convolve(out, WriteMode::Replace, 1.0, window, tile(x), tile(weight)),
        "input-gradient" => {
            operations.convolve_backward(out, WriteMode::Replace, 1.0, window, tile(delta), tile(weight))
        }
        "weight-gradient" => operations.convolve_gradient_sum(out, 1.0, window, tile(x), tile(delta)),
        _ => operations.convolve_gradients(out, window, tile(x), tile(delta)),
    }
}

fn tile(matrix: &Matrix<f32>) -> Tile<'_, f32> {
    Tile::new(matrix.as_slice(), matrix.rows(), matrix.columns())
}
