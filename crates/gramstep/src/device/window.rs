//! The geometry of convolutions and pools.

/// The windows through which a convolution or a pool sees an image.
///
/// An image is height × width × channels, row-major, channels innermost, with a border of zeros all around. A window
/// is a rectangle of pixels; windows start every `stride` pixels, and each makes one pixel of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    height: usize,
    width: usize,
    channels: usize,
    kernel: (usize, usize),
    stride: usize,
    padding: usize,
}

impl Window {
    /// Windows of `kernel` (rows, columns) on an image (height, width, channels); none if a number is 0, the border is
    /// as wide as a window, or a window is larger than the image with its border.
    #[must_use]
    pub fn new(
        (height, width, channels): (usize, usize, usize),
        kernel: (usize, usize),
        stride: usize,
        padding: usize,
    ) -> Option<Self> {
        let positive = [height, width, channels, kernel.0, kernel.1, stride].iter().all(|&v| v > 0);
        let inside = kernel.0 <= height + 2 * padding && kernel.1 <= width + 2 * padding;
        let narrow = padding < kernel.0 && padding < kernel.1;
        (positive && inside && narrow).then_some(Self { height, width, channels, kernel, stride, padding })
    }

    /// (height, width) of the result.
    #[must_use]
    pub fn output(&self) -> (usize, usize) {
        let (height, width) = self.padded();
        ((height - self.kernel.0) / self.stride + 1, (width - self.kernel.1) / self.stride + 1)
    }

    /// T, the number of windows.
    #[must_use]
    pub fn places(&self) -> usize {
        self.output().0 * self.output().1
    }

    /// Number of values in a window, rows × columns × channels.
    #[must_use]
    pub fn len(&self) -> usize {
        self.kernel.0 * self.kernel.1 * self.channels
    }

    /// Whether a window has no values: never.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Number of values of an image.
    #[must_use]
    pub fn image_len(&self) -> usize {
        self.height * self.width * self.channels
    }

    /// Channels of the image.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Rows and columns of a window.
    #[must_use]
    pub fn kernel(&self) -> (usize, usize) {
        self.kernel
    }

    /// Pixels from one window to the next.
    #[must_use]
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Width of the border.
    #[must_use]
    pub fn padding(&self) -> usize {
        self.padding
    }

    /// (height, width) of the image.
    #[must_use]
    pub fn image(&self) -> (usize, usize) {
        (self.height, self.width)
    }

    /// (height, width) of the image with its border.
    #[must_use]
    pub fn padded(&self) -> (usize, usize) {
        (self.height + 2 * self.padding, self.width + 2 * self.padding)
    }

    /// The windows of the transposed convolution, on an image of the result's size with `channels` channels: for
    /// stride 1 the derivative of a convolution is the convolution with the flipped kernel.
    #[must_use]
    pub(crate) fn transposed(&self, channels: usize) -> Self {
        debug_assert!(self.stride == 1 && self.kernel.0 == self.kernel.1);
        let (height, width) = self.output();
        Self { height, width, channels, padding: self.kernel.0 - 1 - self.padding, ..*self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_follow_from_kernel_stride_and_border() {
        let window = Window::new((7, 5, 3), (3, 3), 2, 1).unwrap();
        assert_eq!((window.output(), window.places(), window.len()), ((4, 3), 12, 27));
        let window = Window::new((8, 8, 4), (8, 8), 1, 0).unwrap();
        assert_eq!(window.output(), (1, 1));
    }

    #[test]
    fn windows_that_do_not_fit_are_refused() {
        assert_eq!(Window::new((2, 2, 1), (3, 3), 1, 0), None);
        assert_eq!(Window::new((2, 2, 0), (1, 1), 1, 0), None);
        assert_eq!(Window::new((4, 4, 1), (2, 2), 1, 2), None);
        assert_eq!(Window::new((4, 4, 1), (2, 2), 0, 0), None);
    }
}
