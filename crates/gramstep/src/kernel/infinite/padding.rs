//! The border of an image.

/// What surrounds an image for a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Padding {
    /// Zeros, so that ⌈size/stride⌉ pixels come out; of an odd number the surplus one comes last, as in XLA.
    Same,
    /// Nothing: windows stay inside.
    Valid,
    /// The image itself, as on a torus.
    Circular,
    /// So many zeros on every side, as finite networks have them.
    Zeros(usize),
}
