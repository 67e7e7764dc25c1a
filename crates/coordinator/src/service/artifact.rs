//! Blobs in and out.

use std::io::Read as _;
use std::sync::Arc;

use bitsweep_proto::v1;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request as Call, Response, Status, Streaming};

use crate::artifacts::{ArtifactError, ArtifactStore};

/// Bytes of one chunk on its way out.
const CHUNK: usize = 1 << 20;

/// Largest blob taken, in bytes.
const LARGEST: u64 = 64 << 30;

pub(crate) struct ArtifactService {
    store: Arc<ArtifactStore>,
}

impl ArtifactService {
    pub(crate) fn new(store: Arc<ArtifactStore>) -> Self {
        Self { store }
    }
}

impl From<ArtifactError> for Status {
    fn from(error: ArtifactError) -> Self {
        let message = error.to_string();
        match error {
            ArtifactError::NotAHash(_) => Self::invalid_argument(message),
            ArtifactError::Missing(_) => Self::not_found(message),
            ArtifactError::Damaged { .. } => Self::data_loss(message),
            ArtifactError::DiskFull(_) => Self::resource_exhausted(message),
            ArtifactError::Folder { .. } => Self::internal(message),
        }
    }
}

#[tonic::async_trait]
impl v1::artifacts_server::Artifacts for ArtifactService {
    type DownloadStream = ReceiverStream<Result<v1::DownloadChunk, Status>>;

    async fn upload(
        &self,
        call: Call<Streaming<v1::UploadChunk>>,
    ) -> Result<Response<v1::ArtifactRef>, Status> {
        let mut inbound = call.into_inner();
        // Disk work happens on a thread that may block; a few chunks wait in between.
        let (chunks, mut received) = mpsc::channel::<v1::UploadChunk>(4);
        let store = Arc::clone(&self.store);
        let stored = tokio::task::spawn_blocking(move || -> Result<v1::ArtifactRef, Status> {
            let mut upload = store.upload()?;
            let mut announced = None;
            let mut total = 0;
            while let Some(chunk) = received.blocking_recv() {
                if let Some(reference) = chunk.announced {
                    store.check_hash(&reference.hash)?;
                    announced = Some(reference);
                }
                total += chunk.data.len() as u64;
                if total > LARGEST {
                    return Err(Status::resource_exhausted(format!(
                        "a blob has at most {LARGEST} bytes"
                    )));
                }
                upload.write(&chunk.data)?;
            }
            // A sender that went away in the middle announced more than it sent.
            let announced = announced.ok_or_else(|| {
                Status::invalid_argument("the first chunk announces hash and size")
            })?;
            let (hash, bytes) = upload.finish(Some(&announced.hash))?;
            Ok(v1::ArtifactRef { hash, bytes })
        });
        while let Some(chunk) = inbound.message().await? {
            if chunks.send(chunk).await.is_err() {
                break;
            }
        }
        drop(chunks);
        let stored = stored.await.map_err(|error| Status::internal(error.to_string()))?;
        stored.map(Response::new)
    }

    async fn download(
        &self,
        call: Call<v1::DownloadRequest>,
    ) -> Result<Response<Self::DownloadStream>, Status> {
        let v1::DownloadRequest { hash, offset } = call.into_inner();
        let mut file = self.store.read(&hash, offset)?;
        let (chunks, outbound) = mpsc::channel(4);
        tokio::task::spawn_blocking(move || {
            loop {
                let mut data = Vec::with_capacity(CHUNK);
                let chunk = match file.by_ref().take(CHUNK as u64).read_to_end(&mut data) {
                    Ok(0) => return,
                    Ok(_) => Ok(v1::DownloadChunk { data }),
                    Err(error) => Err(Status::internal(format!("artifact {hash}: {error}"))),
                };
                let failed = chunk.is_err();
                if chunks.blocking_send(chunk).is_err() || failed {
                    return;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(outbound)))
    }

    async fn stat(
        &self,
        call: Call<v1::ArtifactRef>,
    ) -> Result<Response<v1::StatResponse>, Status> {
        let present = self.store.contains(&call.into_inner().hash)?;
        Ok(Response::new(v1::StatResponse { present }))
    }
}
