//! Where the tiles of an image lie, and their rows of pixels.

use super::transform::{REACH, SIDE};
use crate::device::window::Window;

/// An image of `height`×`width` pixels under tiles of 4×4 results, the last ones cut off at the edge.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tiling {
    height: usize,
    width: usize,
    across: usize,
    down: usize,
}

impl Tiling {
    pub(super) fn new(window: &Window) -> Self {
        let (height, width) = window.output();
        Self { height, width, across: width.div_ceil(SIDE), down: height.div_ceil(SIDE) }
    }

    /// Number of tiles of an image.
    pub(super) fn tiles(&self) -> usize {
        self.across * self.down
    }

    /// Number of pixels of an image.
    pub(super) fn pixels(&self) -> usize {
        self.height * self.width
    }

    /// The image that tile `tile` of several images belongs to, and the row and column of its first result.
    #[inline(always)]
    pub(super) fn place(&self, tile: usize) -> Place {
        let (image, tile) = (tile / self.tiles(), tile % self.tiles());
        Place { image, row: tile / self.across * SIDE, column: tile % self.across * SIDE }
    }

    /// Results of a tile that are inside the image, and how far apart rows lie.
    #[inline(always)]
    pub(super) fn inside(&self, place: Place) -> (usize, usize) {
        ((self.height - place.row).min(SIDE), (self.width - place.column).min(SIDE))
    }

    /// Index of the pixel at a row and a column of the tile.
    #[inline(always)]
    pub(super) fn pixel(&self, place: Place, row: usize, column: usize) -> usize {
        (place.row + row) * self.width + place.column + column
    }

    /// The six rows of pixels that a tile sees, with zeros beyond the edge. `pixel` vectors make one of them.
    #[inline(always)]
    pub(super) fn seen<'a, V: Copy>(
        &self,
        image: &'a [V],
        place: Place,
        pixel: usize,
        patch: &'a mut [V],
        zero: V,
    ) -> [&'a [V]; REACH] {
        // Row and column of the first pixel in the image with its border.
        if place.row > 0 && place.column > 0 && place.row + SIDE < self.height && place.column + SIDE < self.width {
            let first = (place.row - 1) * self.width + place.column - 1;
            return self.cut(image, first, pixel);
        }
        self.copy::<V, REACH>(image, (place.row, place.column), 1, pixel, patch, zero);
        split(patch, REACH * pixel)
    }

    /// The four rows of results of a tile, with zeros beyond the edge.
    #[inline(always)]
    pub(super) fn covered<'a, V: Copy>(
        &self,
        image: &'a [V],
        place: Place,
        pixel: usize,
        patch: &'a mut [V],
        zero: V,
    ) -> [&'a [V]; SIDE] {
        if self.inside(place) == (SIDE, SIDE) {
            return self.cut(image, place.row * self.width + place.column, pixel);
        }
        self.copy::<V, SIDE>(image, (place.row, place.column), 0, pixel, patch, zero);
        split(patch, SIDE * pixel)
    }

    /// K rows of K pixels from pixel `first` on.
    #[inline(always)]
    fn cut<'a, V, const K: usize>(&self, image: &'a [V], first: usize, pixel: usize) -> [&'a [V]; K] {
        let mut rows = [&image[..0]; K];
        for i in 0..K {
            rows[i] = &image[(first + i * self.width) * pixel..][..K * pixel];
        }
        rows
    }

    /// K×K pixels from `border` pixels before (row, column) on, copied to `patch`.
    #[inline(always)]
    fn copy<V: Copy, const K: usize>(
        &self,
        image: &[V],
        (row, column): (usize, usize),
        border: usize,
        pixel: usize,
        patch: &mut [V],
        zero: V,
    ) {
        // Columns of the patch that are inside the image.
        let (from, to) = (border.saturating_sub(column), (self.width + border - column).min(K));
        for (i, line) in patch[..K * K * pixel].chunks_exact_mut(K * pixel).enumerate() {
            let y = (row + i).wrapping_sub(border);
            if y >= self.height {
                fill(line, zero);
                continue;
            }
            fill(&mut line[..from * pixel], zero);
            fill(&mut line[to * pixel..], zero);
            let first = (y * self.width + column + from - border) * pixel;
            let (line, image) = (&mut line[from * pixel..to * pixel], &image[first..][..(to - from) * pixel]);
            for (to, &value) in line.iter_mut().zip(image) {
                *to = value;
            }
        }
    }
}

/// A tile among those of several images.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) image: usize,
    row: usize,
    column: usize,
}

#[inline(always)]
fn fill<V: Copy>(line: &mut [V], zero: V) {
    for value in line {
        *value = zero;
    }
}

#[inline(always)]
fn split<V, const K: usize>(patch: &[V], line: usize) -> [&[V]; K] {
    let mut rows = [&patch[..0]; K];
    for i in 0..K {
        rows[i] = &patch[i * line..][..line];
    }
    rows
}
