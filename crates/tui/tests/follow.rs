//! Following a sweep over a real socket, through a coordinator that goes away and comes back.

#![allow(clippy::unwrap_used)]

mod fixture;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bitsweep_proto::v1;
use bitsweep_proto::v1::sweeps_server::{Sweeps, SweepsServer};
use bitsweep_tui::{Appearance, DashboardOptions, TuiError, follow_plain};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use v1::watch_update::Update;

/// What a watch answers.
type Answer = Result<Vec<v1::WatchUpdate>, Status>;

/// Answers every watch with the next script; the last one stays open.
struct Scripted {
    scripts: Arc<Mutex<VecDeque<Answer>>>,
}

fn unused<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("not part of this script"))
}

#[tonic::async_trait]
impl Sweeps for Scripted {
    async fn submit(
        &self,
        _: Request<v1::SubmitRequest>,
    ) -> Result<Response<v1::SubmitResponse>, Status> {
        unused()
    }
    async fn list(
        &self,
        _: Request<v1::ListRequest>,
    ) -> Result<Response<v1::ListResponse>, Status> {
        unused()
    }
    async fn get(&self, _: Request<v1::GetRequest>) -> Result<Response<v1::SweepSnapshot>, Status> {
        unused()
    }
    async fn cancel(
        &self,
        _: Request<v1::CancelRequest>,
    ) -> Result<Response<v1::CancelResponse>, Status> {
        unused()
    }
    async fn resume(
        &self,
        _: Request<v1::ResumeRequest>,
    ) -> Result<Response<v1::ResumeResponse>, Status> {
        unused()
    }
    async fn read_series(
        &self,
        _: Request<v1::SeriesRequest>,
    ) -> Result<Response<v1::SeriesResponse>, Status> {
        unused()
    }
    async fn read_layers(
        &self,
        _: Request<v1::LayersRequest>,
    ) -> Result<Response<v1::LayersResponse>, Status> {
        unused()
    }

    type WatchStream =
        std::pin::Pin<Box<dyn tokio_stream::Stream<Item = Result<v1::WatchUpdate, Status>> + Send>>;

    async fn watch(
        &self,
        _: Request<v1::WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let script = self.scripts.lock().unwrap().pop_front();
        let updates = script.unwrap_or_else(|| Err(Status::unavailable("starting")))?;
        let updates: Vec<Result<v1::WatchUpdate, Status>> = updates.into_iter().map(Ok).collect();
        Ok(Response::new(Box::pin(tokio_stream::iter(updates))))
    }
}

async fn serve(scripts: Vec<Answer>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = SweepsServer::new(Scripted { scripts: Arc::new(Mutex::new(scripts.into())) });
    let server = tonic::transport::Server::builder().add_service(service);
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    address
}

fn options(address: SocketAddr, sweep: Option<&str>) -> DashboardOptions {
    let mut options = DashboardOptions::new(address.to_string());
    options.sweep = sweep.map(str::to_owned);
    options.appearance = Appearance::full();
    options
}

fn snapshot(snapshot: v1::SweepSnapshot) -> v1::WatchUpdate {
    fixture::update(Update::Snapshot(snapshot))
}

async fn follow(
    address: SocketAddr,
    sweep: Option<&str>,
) -> Result<(String, bitsweep_tui::Summary), TuiError> {
    let mut out = Vec::new();
    let summary = follow_plain(options(address, sweep), &mut out, CancellationToken::new()).await?;
    Ok((String::from_utf8(out).unwrap(), summary))
}

#[tokio::test]
async fn a_cut_watch_is_taken_up_again() {
    let scripts = vec![
        Ok(vec![snapshot(fixture::running())]),
        Err(Status::unavailable("starting")),
        Ok(vec![snapshot(fixture::finished())]),
    ];
    let (text, summary) = follow(serve(scripts).await, Some("quickstart")).await.unwrap();
    assert!(summary.all_finished);
    assert_eq!(text.matches("reconnecting").count(), 1, "{text}");
    assert_eq!(text.matches("connected again").count(), 1, "{text}");
    assert!(text.contains("quickstart finished: 12 of 12 trials"), "{text}");
}

#[tokio::test]
async fn a_picture_shows_the_sweep_that_the_coordinator_has() {
    let address = serve(vec![Ok(vec![snapshot(fixture::running())])]).await;
    let svg = bitsweep_tui::picture(options(address, None), 120, 32).await.unwrap();
    assert!(svg.contains("quickstart") && svg.contains("88.40"));
}

#[tokio::test]
async fn a_coordinator_without_a_sweep_is_waited_for() {
    let scripts =
        vec![Err(Status::not_found("no sweep")), Ok(vec![snapshot(fixture::failed_for_good())])];
    let (text, summary) = follow(serve(scripts).await, None).await.unwrap();
    assert!(!summary.all_finished);
    assert!(text.contains("resnet34 · 3 bits failed"), "{text}");
}

#[tokio::test]
async fn an_unknown_sweep_and_a_refusal_are_errors_at_once() {
    let address = serve(vec![Err(Status::not_found("no sweep \"nope\""))]).await;
    let error = follow(address, Some("nope")).await.unwrap_err();
    assert!(error.to_string().contains("has no sweep \"nope\""), "{error}");
    let address = serve(vec![Err(Status::failed_precondition("protocol 2, not 1"))]).await;
    let error = follow(address, None).await.unwrap_err();
    assert!(error.to_string().contains("protocol 2, not 1"), "{error}");
}

#[tokio::test]
async fn shutdown_ends_with_the_table_as_it_stands() {
    let address = serve(vec![Ok(vec![snapshot(fixture::running())])]).await;
    let stop = CancellationToken::new();
    let (sender, receiver) = std::sync::mpsc::channel::<Vec<u8>>();
    let following = tokio::spawn({
        let stop = stop.clone();
        async move {
            let mut out = Reporting(sender);
            follow_plain(options(address, None), &mut out, stop).await
        }
    });
    let mut text = String::new();
    while !text.contains("2 workers") {
        let line = loop {
            match receiver.try_recv() {
                Ok(line) => break line,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        text += &String::from_utf8(line).unwrap();
    }
    stop.cancel();
    let summary = following.await.unwrap().unwrap();
    assert!(!summary.all_finished && summary.unfinished.len() == 5);
    let rest: Vec<u8> = receiver.try_iter().flatten().collect();
    assert!(String::from_utf8(rest).unwrap().contains("not finished yet: 7 of 12 trials"));
}

/// Passes what is written on.
struct Reporting(std::sync::mpsc::Sender<Vec<u8>>);

impl std::io::Write for Reporting {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.send(bytes.to_vec()).unwrap();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
