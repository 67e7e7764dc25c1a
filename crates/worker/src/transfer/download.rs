//! Checkpoints from the coordinator.

use std::path::Path;

use bitsweep_proto::v1;
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

use super::{Depot, Failure, MAX_DAMAGED, TransferError, is_hash};

/// Fetches the blob into the file, which is there only once its contents are right.
///
/// # Errors
/// When the coordinator does not have it, it keeps arriving damaged, or the file cannot be written.
pub(crate) async fn download(
    mut depot: Depot,
    artifact: &v1::ArtifactRef,
    path: &Path,
) -> Result<(), TransferError> {
    let hash = || artifact.hash.clone();
    if !is_hash(&artifact.hash) {
        return Err(TransferError::NoHash { hash: hash() });
    }
    let mut failures = 0;
    let mut damaged = 0;
    let mut partial = Partial::create(path).await?;
    loop {
        match partial.fetch(&mut depot, artifact).await {
            Ok(()) if partial.is(artifact) => {
                partial.file.sync_all().await?;
                return Ok(tokio::fs::rename(partial.path, path).await?);
            }
            Ok(()) => {
                damaged += 1;
                if damaged == MAX_DAMAGED {
                    return Err(TransferError::Damaged { hash: hash() });
                }
                partial = Partial::create(path).await?;
            }
            Err(Failure::Permanent(TransferError::Refused(status)))
                if status.code() == tonic::Code::NotFound =>
            {
                return Err(TransferError::Missing { hash: hash() });
            }
            Err(Failure::Permanent(error)) => return Err(error),
            Err(Failure::Passing(problem)) => {
                failures += 1;
                depot.wait(failures, &problem).await;
            }
        }
    }
}

/// What has arrived so far; kept over interruptions.
struct Partial {
    path: std::path::PathBuf,
    file: File,
    hasher: blake3::Hasher,
}

impl Partial {
    async fn create(path: &Path) -> std::io::Result<Self> {
        let path = path.with_extension("partial");
        let file = File::create(&path).await?;
        Ok(Self { path, file, hasher: blake3::Hasher::new() })
    }

    /// Appends what is missing; stops early when more arrives than was announced.
    async fn fetch(
        &mut self,
        depot: &mut Depot,
        artifact: &v1::ArtifactRef,
    ) -> Result<(), Failure> {
        let request =
            v1::DownloadRequest { hash: artifact.hash.clone(), offset: self.hasher.count() };
        let mut stream = depot.client.download(request).await?.into_inner();
        while let Some(chunk) = stream.message().await? {
            self.file.write_all(&chunk.data).await?;
            self.hasher.update(&chunk.data);
            if self.hasher.count() > artifact.bytes {
                break;
            }
        }
        Ok(self.file.flush().await?)
    }

    fn is(&self, artifact: &v1::ArtifactRef) -> bool {
        self.hasher.count() == artifact.bytes
            && self.hasher.finalize().to_hex().as_str() == artifact.hash
    }
}
