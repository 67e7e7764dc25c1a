//! Every way in which an operation can be computed.

use std::cell::Cell;

use bitsweep_qil::{Implementation, with_implementation};
use burn::tensor::Device;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Path {
    Flex(Implementation),
    #[cfg(feature = "tch")]
    LibTorch(Implementation),
}

thread_local! {
    static PATH: Cell<Path> = const { Cell::new(Path::Flex(Implementation::Kernels)) };
}

impl Path {
    /// Runs a test on this path.
    pub(crate) fn run(self, test: fn()) {
        PATH.set(self);
        let implementation = match self {
            Self::Flex(implementation) => implementation,
            #[cfg(feature = "tch")]
            Self::LibTorch(implementation) => implementation,
        };
        with_implementation(implementation, test);
    }

    /// The one that the test runs on.
    pub(crate) fn current() -> Self {
        PATH.get()
    }
}

/// Device of the path that the test runs on, without gradients.
pub(crate) fn device() -> Device {
    match Path::current() {
        Path::Flex(_) => Device::flex(),
        #[cfg(feature = "tch")]
        Path::LibTorch(_) => Device::libtorch(),
    }
}

/// Makes a test of a function on every path.
macro_rules! every_path {
    ($name:ident) => {
        mod $name {
            use bitsweep_qil::Implementation::*;

            use crate::paths::Path;

            #[test]
            fn flex() {
                Path::Flex(Kernels).run(super::$name);
            }

            #[test]
            fn flex_composed() {
                Path::Flex(Composed).run(super::$name);
            }

            #[cfg(feature = "tch")]
            #[test]
            fn libtorch() {
                Path::LibTorch(Kernels).run(super::$name);
            }

            #[cfg(feature = "tch")]
            #[test]
            fn libtorch_operators() {
                Path::LibTorch(Operators).run(super::$name);
            }

            #[cfg(feature = "tch")]
            #[test]
            fn libtorch_composed() {
                Path::LibTorch(Composed).run(super::$name);
            }
        }
    };
}
