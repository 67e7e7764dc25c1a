//! What general-purpose gRPC tools and clients of another version find.
#![allow(clippy::unwrap_used)]

mod support;

use bitsweep_proto::{PROTOCOL_HEADER, PROTOCOL_VERSION, endpoint, v1};
use support::{Killable, patient, state};
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

const SERVICES: [&str; 3] = ["bitsweep.v1.Workers", "bitsweep.v1.Sweeps", "bitsweep.v1.Artifacts"];

/// A request of a caller that speaks protocol 99.
fn from_the_future<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert(PROTOCOL_HEADER, "99".parse().unwrap());
    request
}

#[tokio::test(flavor = "multi_thread")]
async fn every_service_refuses_another_protocol_version_naming_both() {
    let (_folder, state) = state();
    let coordinator = Killable::start(patient(&state)).await.unwrap();
    let channel = endpoint(&coordinator.address).unwrap().connect().await.unwrap();
    let mut sweeps = v1::sweeps_client::SweepsClient::new(channel.clone());
    let mut workers = v1::workers_client::WorkersClient::new(channel.clone());
    let mut artifacts = v1::artifacts_client::ArtifactsClient::new(channel);
    let submission = from_the_future(support::submission(support::CHAIN));
    let blob = v1::UploadChunk::default();
    let refusals: Vec<Status> = vec![
        sweeps.submit(submission).await.unwrap_err(),
        sweeps.list(from_the_future(v1::ListRequest {})).await.unwrap_err(),
        sweeps.watch(from_the_future(v1::WatchRequest::default())).await.unwrap_err(),
        workers.link(from_the_future(tokio_stream::pending())).await.unwrap_err(),
        artifacts.upload(from_the_future(tokio_stream::once(blob))).await.unwrap_err(),
        artifacts.download(from_the_future(v1::DownloadRequest::default())).await.unwrap_err(),
        artifacts.stat(from_the_future(v1::ArtifactRef::default())).await.unwrap_err(),
    ];
    for refusal in refusals {
        assert_eq!(refusal.code(), Code::FailedPrecondition, "{refusal}");
        let ours = format!("protocol {PROTOCOL_VERSION}");
        assert!(refusal.message().contains(&ours), "{refusal}");
        assert!(refusal.message().contains("protocol 99"), "{refusal}");
    }
    let known = coordinator.sweeps().await.list(v1::ListRequest {}).await.unwrap();
    assert!(known.into_inner().sweeps.is_empty(), "nothing was submitted");
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_reflection_answer_tools_that_name_no_version() {
    let (_folder, state) = state();
    let coordinator = Killable::start(patient(&state)).await.unwrap();
    let channel = endpoint(&coordinator.address).unwrap().connect().await.unwrap();
    let mut health = HealthClient::new(channel.clone());
    for service in SERVICES.into_iter().chain([""]) {
        let request = HealthCheckRequest { service: service.to_owned() };
        let answer = health.check(request).await.unwrap().into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving, "{service:?}");
    }
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut reflection = ServerReflectionClient::new(channel);
    let answers = reflection.server_reflection_info(tokio_stream::once(request)).await.unwrap();
    let answer = answers.into_inner().message().await.unwrap().unwrap().message_response;
    let Some(MessageResponse::ListServicesResponse(list)) = answer else { panic!("{answer:?}") };
    let names: Vec<String> = list.service.into_iter().map(|service| service.name).collect();
    for service in SERVICES {
        assert!(names.iter().any(|name| name == service), "{names:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_does_not_begin_with_hello_is_refused() {
    let (_folder, state) = state();
    let coordinator = Killable::start(patient(&state)).await.unwrap();
    let channel = endpoint(&coordinator.address).unwrap().connect().await.unwrap();
    let mut workers = v1::workers_client::WorkersClient::new(channel);
    let heartbeat = v1::worker_message::Message::Heartbeat(v1::Heartbeat::default());
    let nameless = v1::worker_message::Message::Hello(v1::Hello::default());
    for (message, told) in [(heartbeat, "Hello"), (nameless, "name")] {
        let message = v1::WorkerMessage { message: Some(message) };
        let refusal = workers.link(tokio_stream::once(message)).await.unwrap_err();
        assert_eq!(refusal.code(), Code::InvalidArgument);
        assert!(refusal.message().contains(told), "{refusal}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn blobs_under_names_that_are_no_hashes_are_invalid() {
    let (_folder, state) = state();
    let coordinator = Killable::start(patient(&state)).await.unwrap();
    let announced = v1::ArtifactRef { hash: "../../address".to_owned(), bytes: 4 };
    let refusal = coordinator.send_blob(announced.clone(), b"sent").await.unwrap_err();
    assert_eq!(refusal.code(), Code::InvalidArgument, "{refusal}");
    let channel = bitsweep_proto::connect(&coordinator.address).await.unwrap();
    let mut artifacts = v1::artifacts_client::ArtifactsClient::new(channel);
    assert_eq!(artifacts.stat(announced).await.unwrap_err().code(), Code::InvalidArgument);
    let unannounced = v1::UploadChunk { announced: None, data: b"sent".to_vec() };
    let refusal = artifacts.upload(tokio_stream::once(unannounced)).await.unwrap_err();
    assert_eq!(refusal.code(), Code::InvalidArgument, "{refusal}");

    let stored = coordinator.upload(b"sent").await;
    assert!(artifacts.stat(stored.clone()).await.unwrap().into_inner().present);
    assert!(coordinator.download(&stored.hash, 99).await.unwrap().is_empty(), "nothing is left");
}
