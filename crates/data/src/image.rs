//! One decoded image.

use std::borrow::Cow;

/// An image as bytes, `[height, width, channels]`, borrowed from the data set where that holds it decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image<'a> {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) channels: usize,
    pub(crate) pixels: Cow<'a, [u8]>,
}

impl Image<'_> {
    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// 3 for red, green, blue; 1 for grey.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Bytes, row by row, the channels of a pixel side by side.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }
}
