//! Blobs by content, in a folder: `artifacts/ab/<hash>`.

use std::fs::{self, File};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Why a blob could not be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// Not a blake3 hash in lower-case hexadecimal.
    #[error("\"{0}\" is no artifact hash; it has 64 characters of 0-9 and a-f")]
    NotAHash(String),
    /// No such blob.
    #[error("there is no artifact {0}")]
    Missing(String),
    /// What arrived is not what was announced.
    #[error("artifact {announced} arrived as {found}; it was damaged on the way, send it again")]
    Damaged {
        /// Announced hash.
        announced: String,
        /// Hash of what arrived.
        found: String,
    },
    /// No space left.
    #[error("the disk of {} is full; free space and send it again", .0.display())]
    DiskFull(PathBuf),
    /// Anything else the file system says.
    #[error("artifact folder {}: {source}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A folder of blobs.
#[derive(Debug)]
pub(crate) struct ArtifactStore {
    folder: PathBuf,
    uploads: AtomicU64,
}

impl ArtifactStore {
    /// Opens the folder, making it if it is not there; what was cut off in an earlier life is removed.
    ///
    /// # Errors
    /// When the folder cannot be used.
    pub(crate) fn open(folder: PathBuf) -> Result<Self, ArtifactError> {
        let store = Self { folder, uploads: AtomicU64::new(0) };
        let partial = store.partial_folder();
        let clean = || -> io::Result<()> {
            if partial.exists() {
                fs::remove_dir_all(&partial)?;
            }
            fs::create_dir_all(&partial)
        };
        clean().map_err(|source| store.error(source))?;
        Ok(store)
    }

    /// Whether the blob is there whole.
    ///
    /// # Errors
    /// When the text is no hash.
    pub(crate) fn contains(&self, hash: &str) -> Result<bool, ArtifactError> {
        Ok(self.path(hash)?.is_file())
    }

    /// The blob from `offset` on.
    ///
    /// # Errors
    /// When there is no such blob, or it cannot be read.
    pub(crate) fn read(&self, hash: &str, offset: u64) -> Result<File, ArtifactError> {
        let path = self.path(hash)?;
        let mut file = File::open(path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => ArtifactError::Missing(hash.to_owned()),
            _ => self.error(source),
        })?;
        file.seek(SeekFrom::Start(offset)).map_err(|source| self.error(source))?;
        Ok(file)
    }

    /// Whether the text could be the name of a blob.
    ///
    /// # Errors
    /// When it could not.
    pub(crate) fn check_hash(&self, hash: &str) -> Result<(), ArtifactError> {
        self.path(hash).map(drop)
    }

    /// Begins to store a blob.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub(crate) fn upload(&self) -> Result<Upload<'_>, ArtifactError> {
        let number = self.uploads.fetch_add(1, Ordering::Relaxed);
        let path = self.partial_folder().join(number.to_string());
        let file = File::create(&path).map_err(|source| self.error(source))?;
        Ok(Upload { store: self, path, file, hasher: blake3::Hasher::new(), bytes: 0 })
    }

    fn partial_folder(&self) -> PathBuf {
        self.folder.join("partial")
    }

    /// Only what is a hash ever becomes a path.
    fn path(&self, hash: &str) -> Result<PathBuf, ArtifactError> {
        let is_hash = hash.len() == 64
            && hash.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if !is_hash {
            return Err(ArtifactError::NotAHash(hash.chars().take(80).collect()));
        }
        Ok(self.folder.join(&hash[..2]).join(hash))
    }

    fn error(&self, source: io::Error) -> ArtifactError {
        if source.kind() == io::ErrorKind::StorageFull {
            return ArtifactError::DiskFull(self.folder.clone());
        }
        ArtifactError::Folder { folder: self.folder.clone(), source }
    }
}

/// A blob on its way in. Dropped before [`finish`](Self::finish), it leaves nothing.
#[derive(Debug)]
pub(crate) struct Upload<'a> {
    store: &'a ArtifactStore,
    path: PathBuf,
    file: File,
    hasher: blake3::Hasher,
    bytes: u64,
}

impl Upload<'_> {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// When they cannot be written.
    pub(crate) fn write(&mut self, data: &[u8]) -> Result<(), ArtifactError> {
        self.file.write_all(data).map_err(|source| self.store.error(source))?;
        self.hasher.update(data);
        self.bytes += data.len() as u64;
        Ok(())
    }

    /// Makes the blob durable under its hash; gives hash and size.
    ///
    /// # Errors
    /// When the content is not what was announced, or cannot be written.
    pub(crate) fn finish(self, announced: Option<&str>) -> Result<(String, u64), ArtifactError> {
        let found = self.hasher.finalize().to_hex().to_string();
        if let Some(announced) = announced.filter(|announced| *announced != found) {
            return Err(ArtifactError::Damaged { announced: announced.to_owned(), found });
        }
        let target = self.store.path(&found)?;
        let folder = target.parent().unwrap_or(&self.store.folder);
        let store = || -> io::Result<()> {
            self.file.sync_all()?;
            fs::create_dir_all(folder)?;
            fs::rename(&self.path, &target)?;
            sync_folder(folder)?;
            // The folder itself may be new.
            sync_folder(&self.store.folder)
        };
        store().map_err(|source| self.store.error(source))?;
        Ok((found, self.bytes))
    }
}

impl Drop for Upload<'_> {
    fn drop(&mut self) {
        // After `finish` the file has moved and there is nothing to remove.
        let _ = fs::remove_file(&self.path);
    }
}

/// Makes a rename durable.
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn store() -> (tempfile::TempDir, ArtifactStore) {
        let folder = tempfile::tempdir().expect("a folder");
        let store = ArtifactStore::open(folder.path().join("artifacts")).expect("opens");
        (folder, store)
    }

    fn put(store: &ArtifactStore, parts: &[&[u8]]) -> String {
        let mut upload = store.upload().expect("begins");
        for part in parts {
            upload.write(part).expect("written");
        }
        upload.finish(None).expect("stored").0
    }

    #[test]
    fn a_blob_is_found_under_its_hash_from_any_offset() {
        let (_folder, store) = store();
        let hash = put(&store, &[b"hello ", b"world"]);
        assert_eq!(hash, blake3::hash(b"hello world").to_hex().to_string());
        assert!(store.contains(&hash).expect("a hash"));
        let mut text = String::new();
        store.read(&hash, 6).expect("there").read_to_string(&mut text).expect("readable");
        assert_eq!(text, "world");
        assert_eq!(put(&store, &[b"hello world"]), hash, "the same content is the same blob");
    }

    #[test]
    fn what_is_not_as_announced_or_not_finished_leaves_nothing() {
        let (_folder, store) = store();
        let mut upload = store.upload().expect("begins");
        upload.write(b"hello").expect("written");
        let announced = blake3::hash(b"other").to_hex().to_string();
        let error = upload.finish(Some(&announced)).expect_err("refused");
        assert!(matches!(error, ArtifactError::Damaged { .. }), "{error}");
        let mut cut = store.upload().expect("begins");
        cut.write(b"hello").expect("written");
        drop(cut);
        assert_eq!(fs::read_dir(store.partial_folder()).expect("there").count(), 0);
        assert!(!store.contains(&announced).expect("a hash"));
    }

    #[test]
    fn only_hashes_become_paths() {
        let (_folder, store) = store();
        let upper = "A".repeat(64);
        let up = format!("../{}", "a".repeat(61));
        for name in ["", "..", "../../etc/passwd", &up, &upper, &"a".repeat(63)] {
            let error = store.read(name, 0).expect_err("refused");
            assert!(matches!(error, ArtifactError::NotAHash(_)), "{name}: {error}");
        }
        let missing = "a".repeat(64);
        assert!(matches!(store.read(&missing, 0), Err(ArtifactError::Missing(_))));
    }

    #[test]
    fn leftovers_of_an_earlier_life_are_removed() {
        let (folder, store) = store();
        fs::write(store.partial_folder().join("7"), b"half").expect("written");
        let again = ArtifactStore::open(folder.path().join("artifacts")).expect("opens");
        assert_eq!(fs::read_dir(again.partial_folder()).expect("there").count(), 0);
    }
}
