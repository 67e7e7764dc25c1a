//! Draws what the view-models say. Nothing is computed here but places.

pub(crate) mod ascii;
pub(crate) mod chart;
mod depth;
mod frame;
mod help;
pub(crate) mod paint;
mod question;

pub use frame::draw;
