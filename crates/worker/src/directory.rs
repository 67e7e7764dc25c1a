//! The worker's folder: one subfolder a worker, one below it an attempt.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::error::WorkerError;
use crate::session::AttemptKey;

/// Held locked by the worker that a subfolder belongs to.
const LOCK: &str = "lock";

/// A worker's own subfolder; removed when dropped.
#[derive(Debug)]
pub(crate) struct WorkDirectory {
    path: PathBuf,
    _lock: File,
}

impl WorkDirectory {
    /// Makes the subfolder of `worker_id` in `root` and removes those of workers that are gone.
    ///
    /// # Errors
    /// When nothing can be written there.
    pub(crate) fn open(root: &Path, worker_id: &str) -> Result<Self, WorkerError> {
        let refused = |source| WorkerError::WorkDirectory { path: root.to_owned(), source };
        // Absolute, since trial processes are told paths below it.
        let root = std::path::absolute(root).map_err(refused)?;
        fs::create_dir_all(&root).map_err(refused)?;
        remove_abandoned(&root);
        let path = root.join(worker_id);
        fs::create_dir_all(&path).map_err(refused)?;
        let lock = File::create(path.join(LOCK)).map_err(refused)?;
        lock.try_lock().map_err(|error| refused(error.into()))?;
        probe(&path).map_err(refused)?;
        Ok(Self { path, _lock: lock })
    }

    /// The folder of one attempt. Its name is made of hexadecimal digits and the attempt's number:
    /// names from the network never become paths.
    pub(crate) fn attempt(&self, key: &AttemptKey) -> AttemptDirectory {
        let trial = blake3::hash(key.trial.as_str().as_bytes()).to_hex();
        AttemptDirectory { path: self.path.join(format!("{}-{}", &trial[..16], key.attempt)) }
    }
}

impl Drop for WorkDirectory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Folders whose lock nobody holds belong to workers that were killed.
fn remove_abandoned(root: &Path) {
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        let Ok(lock) = File::open(entry.path().join(LOCK)) else { continue };
        match lock.try_lock() {
            Ok(()) => {
                let _ = fs::remove_dir_all(entry.path());
            }
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => {}
        }
    }
}

/// A full disk takes empty files but no contents.
fn probe(path: &Path) -> io::Result<()> {
    let file = path.join("probe");
    fs::write(&file, [0; 4096])?;
    fs::remove_file(file)
}

/// Where one attempt keeps its files.
#[derive(Clone, Debug)]
pub(crate) struct AttemptDirectory {
    path: PathBuf,
}

impl AttemptDirectory {
    /// Makes the folders, empty.
    pub(crate) fn create(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::create_dir_all(self.output())?;
        fs::create_dir_all(self.input())
    }

    /// Where the trial process may write.
    pub(crate) fn output(&self) -> PathBuf {
        self.path.join("output")
    }

    /// Where the worker puts what the trial starts from.
    fn input(&self) -> PathBuf {
        self.path.join("input")
    }

    /// File of the parent's final checkpoint.
    pub(crate) fn parent_checkpoint(&self) -> PathBuf {
        self.input().join("parent")
    }

    /// File of the trial's own newest checkpoint.
    pub(crate) fn resume_checkpoint(&self) -> PathBuf {
        self.input().join("resume")
    }

    /// The file that a trial process names, if it lies where the process may write.
    pub(crate) fn written(&self, named: &Path) -> io::Result<PathBuf> {
        let file = self.output().join(named).canonicalize()?;
        if file.starts_with(self.output().canonicalize()?) {
            return Ok(file);
        }
        let problem = "it lies outside the folder that the trial was given";
        Err(io::Error::new(io::ErrorKind::InvalidInput, problem))
    }

    /// Removes everything.
    pub(crate) fn remove(&self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use bitsweep_sweep::TrialId;

    fn key(trial: &str) -> AttemptKey {
        AttemptKey { trial: TrialId::new(trial), attempt: 2 }
    }

    #[test]
    fn names_from_the_network_do_not_become_paths() {
        let root = tempfile::tempdir().unwrap();
        let work = WorkDirectory::open(root.path(), "w1").unwrap();
        let path = work.attempt(&key("../../etc/passwd")).path;
        assert_eq!(path.parent(), Some(work.path.as_path()));
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        assert!(name.chars().all(|c| c.is_ascii_hexdigit() || c == '-'), "{name}");
        assert_ne!(path, work.attempt(&key("s/t")).path);
    }

    #[test]
    fn folders_of_dead_workers_go_and_those_of_living_ones_stay() {
        let root = tempfile::tempdir().unwrap();
        let living = WorkDirectory::open(root.path(), "living").unwrap();
        let dead = WorkDirectory::open(root.path(), "dead").unwrap();
        let path = dead.path.clone();
        // As after SIGKILL: the lock is released and the folder stays.
        let WorkDirectory { path: _, _lock } = &dead;
        _lock.unlock().unwrap();
        let new = WorkDirectory::open(root.path(), "new").unwrap();
        assert!(!path.exists());
        assert!(living.path.exists() && new.path.exists());
        let gone = new.path.clone();
        drop(new);
        assert!(!gone.exists());
    }

    #[test]
    fn only_files_of_the_attempt_may_be_named() {
        let root = tempfile::tempdir().unwrap();
        let work = WorkDirectory::open(root.path(), "w").unwrap();
        let attempt = work.attempt(&key("s/t"));
        attempt.create().unwrap();
        let inside = attempt.output().join("step-3");
        fs::write(&inside, "x").unwrap();
        assert_eq!(attempt.written(&inside).unwrap(), inside.canonicalize().unwrap());
        assert!(attempt.written(Path::new("step-3")).is_ok());
        assert!(attempt.written(Path::new("../input")).is_err());
        assert!(attempt.written(Path::new("/etc/passwd")).is_err());
        assert!(attempt.written(&attempt.output().join("missing")).is_err());
    }

    #[test]
    fn an_unusable_folder_is_named_in_one_line() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        fs::write(&file, "x").unwrap();
        let message = WorkDirectory::open(&file, "w").unwrap_err().to_string();
        assert!(message.contains(file.to_str().unwrap()), "{message}");
        assert_eq!(message.lines().count(), 1);
    }
}
