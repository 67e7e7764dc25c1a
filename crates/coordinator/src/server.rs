//! A coordinator from its start to its end.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bitsweep_proto::{DESCRIPTORS, MAX_MESSAGE_BYTES, check_version, v1};
use bitsweep_sweep::SweepId;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::service::InterceptorLayer;
use tonic::transport::Server;

use crate::artifacts::{ArtifactError, ArtifactStore};
use crate::desk::{Desk, Request};
use crate::scheduler::Timing;
use crate::service::{ArtifactService, DeskHandle, SweepService, WorkerService};
use crate::store::{SqliteStore, StateLock, StoreError};

/// Requests waiting for the desk.
const REQUESTS: usize = 4096;
/// How long open streams may take to end when the coordinator stops.
const GRACE: Duration = Duration::from_secs(2);

/// What a coordinator is told when it starts.
#[derive(Clone, Debug)]
pub struct CoordinatorOptions {
    /// Folder of database, artifacts and lock; made if it is not there.
    pub state: PathBuf,
    /// Loopback address; port 0 takes a free one.
    pub listen: SocketAddr,
    /// How often workers send heartbeats.
    pub heartbeat: Duration,
    /// A lease not renewed for so long is given to another worker.
    pub lease: Duration,
}

impl CoordinatorOptions {
    /// Heartbeats every two seconds. Half a minute of silence ends a lease: long enough for a link that is
    /// built anew, short enough that a dead worker's trial does not wait.
    pub fn new(state: PathBuf, listen: SocketAddr) -> Self {
        Self { state, listen, heartbeat: Duration::from_secs(2), lease: Duration::from_secs(30) }
    }
}

/// Why a coordinator cannot start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum CoordinatorError {
    /// Anybody on the network could come in.
    #[error(
        "{0} is not a loopback address, and without TLS bitsweep listens on nothing else; \
         listen on 127.0.0.1 and reach it from elsewhere through an ssh tunnel: ssh -L 7270:127.0.0.1:7270 HOST"
    )]
    NotLoopback(SocketAddr),
    /// Somebody else listens there, or the address is not this machine's.
    #[error(
        "cannot listen on {address} ({source}); choose another port with --listen 127.0.0.1:PORT, or 0 for a free one"
    )]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The state folder cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The artifact folder cannot be used.
    #[error(transparent)]
    Artifacts(#[from] ArtifactError),
    /// The server broke.
    #[error("the coordinator stopped: {0}")]
    Server(String),
}

/// Starts coordinators.
#[derive(Debug)]
pub struct Coordinator;

/// A coordinator at work.
#[derive(Debug)]
pub struct RunningCoordinator {
    address: SocketAddr,
    desk: DeskHandle,
    server: JoinHandle<Result<(), CoordinatorError>>,
}

impl Coordinator {
    /// Takes the state folder, restores what it holds, and serves until `stop` is cancelled. Leases stay as
    /// they are at the end: the next start finds them.
    ///
    /// # Errors
    /// When the address is not loopback or taken, or the state folder is held by another coordinator, damaged,
    /// or cannot be written.
    pub async fn start(
        options: CoordinatorOptions,
        stop: CancellationToken,
    ) -> Result<RunningCoordinator, CoordinatorError> {
        if !options.listen.ip().is_loopback() {
            return Err(CoordinatorError::NotLoopback(options.listen));
        }
        let lock = Arc::new(StateLock::acquire(&options.state)?);
        let store = SqliteStore::open(&options.state)?;
        let series = store.reader()?;
        let artifacts = Arc::new(ArtifactStore::open(options.state.join("artifacts"))?);
        let milliseconds = |d: Duration| i64::try_from(d.as_millis()).unwrap_or(i64::MAX);
        let timing = Timing {
            heartbeat_ms: milliseconds(options.heartbeat),
            lease_ms: milliseconds(options.lease),
        };
        let desk = Desk::restore(store, Arc::clone(&lock), Arc::clone(&artifacts), timing)?;
        let listen = |source| CoordinatorError::Listen { address: options.listen, source };
        let listener = TcpListener::bind(options.listen).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let note = AddressNote::write(&options.state, address)?;

        let (requests, inbox) = mpsc::channel(REQUESTS);
        let handle = DeskHandle::new(requests);
        // Of our own, so that a desk that breaks stops the server and nothing else of the caller's.
        let stop = stop.child_token();
        let desk_stop = stop.clone();
        let mut desk_task = tokio::spawn(async move {
            let _when_it_ends = desk_stop.clone().drop_guard();
            desk.run(inbox, desk_stop).await
        });
        let service_handle = handle.clone();
        let server = tokio::spawn(async move {
            let served = serve(listener, service_handle, series, artifacts, stop).await;
            let ended = tokio::time::timeout(GRACE, &mut desk_task).await;
            // One that still waits for its disk has answered for nothing that is not durable.
            desk_task.abort();
            drop((note, lock));
            match ended {
                Ok(Ok(Err(error))) => Err(CoordinatorError::Server(error)),
                Ok(Err(error)) => Err(CoordinatorError::Server(error.to_string())),
                Ok(Ok(Ok(()))) | Err(_) => served,
            }
        });
        Ok(RunningCoordinator { address, desk: handle, server })
    }
}

impl RunningCoordinator {
    /// Where it listens, as clients are told it.
    pub fn address(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on hands out trials of this sweep only.
    pub async fn only(&self, sweep: &str) {
        let sweep = Some(SweepId::new(sweep));
        // A coordinator that is stopping hands out nothing anyway.
        let _ = self.desk.send(Request::Only { sweep }).await;
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// When the server broke rather than being stopped.
    pub async fn join(self) -> Result<(), CoordinatorError> {
        drop(self.desk);
        self.server.await.map_err(|error| CoordinatorError::Server(error.to_string()))?
    }
}

async fn serve(
    listener: TcpListener,
    desk: DeskHandle,
    series: SqliteStore,
    artifacts: Arc<ArtifactStore>,
    stop: CancellationToken,
) -> Result<(), CoordinatorError> {
    let broken = |error: String| CoordinatorError::Server(error);
    let (health_reporter, health) = tonic_health::server::health_reporter();
    health_reporter.set_serving::<v1::workers_server::WorkersServer<WorkerService>>().await;
    health_reporter.set_serving::<v1::sweeps_server::SweepsServer<SweepService>>().await;
    health_reporter.set_serving::<v1::artifacts_server::ArtifactsServer<ArtifactService>>().await;
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()
        .map_err(|error| broken(error.to_string()))?;
    let version = InterceptorLayer::new(|call: tonic::Request<()>| {
        check_version(call.metadata())?;
        Ok(call)
    });
    let workers = v1::workers_server::WorkersServer::new(WorkerService::new(desk.clone()))
        .max_decoding_message_size(MAX_MESSAGE_BYTES);
    let sweeps = v1::sweeps_server::SweepsServer::new(SweepService::new(desk, series))
        .max_encoding_message_size(MAX_MESSAGE_BYTES);
    let artifacts = v1::artifacts_server::ArtifactsServer::new(ArtifactService::new(artifacts));
    let router = Server::builder()
        .http2_keepalive_interval(Some(Duration::from_secs(15)))
        .http2_keepalive_timeout(Some(Duration::from_secs(15)))
        .tcp_nodelay(true)
        .layer(version)
        .add_service(health)
        .add_service(reflection)
        .add_service(workers)
        .add_service(sweeps)
        .add_service(artifacts);
    let incoming = TcpListenerStream::new(listener);
    let serving = router.serve_with_incoming_shutdown(incoming, stop.clone().cancelled_owned());
    // Links and watches end with the desk. A client that does not let go of its connection is cut off.
    let cut = async {
        stop.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        served = serving => served.map_err(|error| broken(error.to_string())),
        () = cut => Ok(()),
    }
}

/// The file that tells clients of the same state folder where to connect; gone with the coordinator.
struct AddressNote {
    path: PathBuf,
}

impl AddressNote {
    fn write(state: &Path, address: SocketAddr) -> Result<Self, StoreError> {
        let unusable = |source| StoreError::Folder { folder: state.to_path_buf(), source };
        let path = state.join("address");
        let partial = state.join("address.partial");
        std::fs::write(&partial, format!("http://{address}\n")).map_err(unusable)?;
        std::fs::rename(&partial, &path).map_err(unusable)?;
        Ok(Self { path })
    }
}

impl Drop for AddressNote {
    fn drop(&mut self) {
        // One that is left behind is noticed: nobody answers there.
        let _ = std::fs::remove_file(&self.path);
    }
}
