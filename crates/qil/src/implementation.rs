//! Which code computes the operations of a backend.

use std::cell::Cell;

/// Code that computes the operations. All give the same results within rounding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Implementation {
    /// The CPU kernels, on tensors in this process's memory.
    Kernels,
    /// LibTorch's operators, on any of its devices. What has no LibTorch takes [`Kernels`].
    ///
    /// [`Kernels`]: Implementation::Kernels
    Operators,
    /// Burn's operations, on any backend.
    Composed,
}

thread_local! {
    static CHOICE: Cell<Option<Implementation>> = const { Cell::new(None) };
}

/// Runs `body` with every operation of this thread, backward passes too, computed by `implementation`:
/// for tests and measurements. Without it the kernels compute on CPUs and operators elsewhere.
///
/// Tensors on a GPU cannot be given to [`Implementation::Kernels`].
pub fn with_implementation<R>(implementation: Implementation, body: impl FnOnce() -> R) -> R {
    /// Puts the choice before back, after a panic too.
    struct Restore(Option<Implementation>);
    impl Drop for Restore {
        fn drop(&mut self) {
            CHOICE.set(self.0);
        }
    }
    let _restore = Restore(CHOICE.replace(Some(implementation)));
    body()
}

/// What [`with_implementation`] asks for.
pub(crate) fn choice() -> Option<Implementation> {
    CHOICE.get()
}
