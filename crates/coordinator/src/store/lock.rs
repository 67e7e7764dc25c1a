//! One coordinator a state folder.

use std::fs::{File, TryLockError};
use std::path::Path;

use super::StoreError;

/// Holds a state folder until dropped, or until the process ends in any way.
#[derive(Debug)]
pub(crate) struct StateLock {
    _file: File,
}

impl StateLock {
    /// Takes the folder, making it if it is not there.
    ///
    /// # Errors
    /// When another coordinator holds it, or it cannot be made or written.
    pub(crate) fn acquire(folder: &Path) -> Result<Self, StoreError> {
        let unusable = |source| StoreError::Folder { folder: folder.to_path_buf(), source };
        std::fs::create_dir_all(folder).map_err(unusable)?;
        let file = File::create(folder.join("lock")).map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => {
                Err(StoreError::Locked { folder: folder.to_path_buf() })
            }
            Err(TryLockError::Error(source)) => Err(unusable(source)),
        }
    }
}
