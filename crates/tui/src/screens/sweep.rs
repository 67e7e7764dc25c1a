//! The matrix network × bits, the chosen trial's curve and the newest events.

mod cell;
mod columns;
mod draw;
pub(crate) mod grid;
mod matrix;
pub(crate) mod selection;

pub(crate) use draw::draw;
