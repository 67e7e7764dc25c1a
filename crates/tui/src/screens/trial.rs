//! One trial: what it is, where it comes from, its curves and its attempts.

mod draw;
mod facts;

pub(crate) use draw::draw;
pub(crate) use facts::export;
