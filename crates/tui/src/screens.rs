//! One folder a screen: its state, what it shows, and how that is drawn.

pub(crate) mod compare;
pub(crate) mod layers;
pub(crate) mod log;
pub(crate) mod sweep;
pub(crate) mod trial;
pub(crate) mod workers;
