//! Draws what the view-models say. Nothing is computed here but places.

pub(crate) mod ascii;
pub(crate) mod chart;
mod depth;
mod frame;
mod help;
pub(crate) mod paint;
mod palette;
mod question;
pub(crate) mod table;

pub use frame::draw;
