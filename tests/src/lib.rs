//! End-to-end tests of bitsweep live in `tests/`.
