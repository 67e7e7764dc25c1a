//! What a screen shows, as plain values: numbers as text, marks chosen, times computed.

pub(crate) mod chart;
pub(crate) mod csv;
pub(crate) mod curve;
pub(crate) mod eta;
pub(crate) mod format;
pub(crate) mod gap;
pub(crate) mod header;
pub(crate) mod mark;
pub(crate) mod published;
pub(crate) mod spark;
pub(crate) mod summary;
pub(crate) mod table;
pub(crate) mod text;
