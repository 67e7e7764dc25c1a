//! Checkpoints to the coordinator.

use std::path::Path;

use bitsweep_proto::v1;
use futures_util::stream::unfold;
use tokio::fs::File;
use tokio::io::AsyncReadExt;

use super::{CHUNK_BYTES, Depot, Failure, TransferError};

/// Sends the file unless the coordinator has its contents already; what names it from then on.
///
/// # Errors
/// When the file cannot be read, or the coordinator will never take it.
pub(crate) async fn upload(
    mut depot: Depot,
    path: &Path,
) -> Result<v1::ArtifactRef, TransferError> {
    let artifact = fingerprint(path).await?;
    let mut failures = 0;
    loop {
        match attempt(&mut depot, path, &artifact).await {
            Ok(()) => return Ok(artifact),
            Err(Failure::Permanent(error)) => return Err(error),
            Err(Failure::Passing(problem)) => {
                failures += 1;
                depot.wait(failures, &problem).await;
            }
        }
    }
}

async fn attempt(
    depot: &mut Depot,
    path: &Path,
    artifact: &v1::ArtifactRef,
) -> Result<(), Failure> {
    if depot.client.stat(artifact.clone()).await?.into_inner().present {
        return Ok(());
    }
    let file = File::open(path).await?;
    let first = v1::UploadChunk { announced: Some(artifact.clone()), data: Vec::new() };
    let chunks = unfold((Some(first), file), |(first, mut file)| async move {
        if let Some(first) = first {
            return Some((first, (None, file)));
        }
        // A file that cannot be read to its end arrives short, and the coordinator says so.
        let data = read_chunk(&mut file).await.ok().filter(|data| !data.is_empty())?;
        Some((v1::UploadChunk { announced: None, data }, (None, file)))
    });
    let stored = depot.client.upload(chunks).await?.into_inner();
    if stored.hash == artifact.hash {
        Ok(())
    } else {
        Err(Failure::Passing(format!("the coordinator stored {}", stored.hash)))
    }
}

async fn read_chunk(file: &mut File) -> std::io::Result<Vec<u8>> {
    let mut data = Vec::with_capacity(CHUNK_BYTES);
    file.take(CHUNK_BYTES as u64).read_to_end(&mut data).await?;
    Ok(data)
}

/// Hash and size of the file.
async fn fingerprint(path: &Path) -> std::io::Result<v1::ArtifactRef> {
    let path = path.to_owned();
    tokio::task::spawn_blocking(move || {
        let mut file = std::fs::File::open(path)?;
        let mut hasher = blake3::Hasher::new();
        let bytes = std::io::copy(&mut file, &mut hasher)?;
        Ok(v1::ArtifactRef { hash: hasher.finalize().to_hex().to_string(), bytes })
    })
    .await
    .map_err(std::io::Error::other)?
}
