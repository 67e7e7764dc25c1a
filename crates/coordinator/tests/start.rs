//! Where a coordinator starts, where it refuses to, and what it leaves behind.
#![allow(clippy::unwrap_used)]

mod support;

use std::net::SocketAddr;

use support::worker::Worker;
use support::{CHAIN, Killable, artifact, patient, state};

#[tokio::test(flavor = "multi_thread")]
async fn the_address_stands_in_the_state_folder_while_it_runs() {
    let (_folder, state) = state();
    let mut coordinator = Killable::start(patient(&state)).await.unwrap();
    let note = std::fs::read_to_string(state.join("address")).unwrap();
    assert_eq!(note.trim(), coordinator.address);
    coordinator.stop().await.unwrap();
    assert!(!state.join("address").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_a_port_and_a_network_that_cannot_be_had_are_named() {
    let (folder, state) = state();
    let coordinator = Killable::start(patient(&state)).await.unwrap();
    let message = Killable::start(patient(&state)).await.err().unwrap().to_string();
    assert!(message.contains("another coordinator"), "{message}");
    assert!(message.contains(state.to_str().unwrap()), "{message}");

    let mut options = patient(&folder.path().join("second"));
    options.listen = coordinator.address.trim_start_matches("http://").parse().unwrap();
    let message = Killable::start(options.clone()).await.err().unwrap().to_string();
    assert!(message.contains(&options.listen.to_string()), "{message}");

    options.listen = SocketAddr::from(([0, 0, 0, 0], 0));
    let message = Killable::start(options).await.err().unwrap().to_string();
    assert!(message.contains("loopback") && message.contains("ssh"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_was_stopped_with_workers_and_watchers_linked_lets_go_of_its_folder() {
    let (_folder, state) = state();
    let mut first = Killable::start(patient(&state)).await.unwrap();
    let sweep = first.submit(CHAIN).await;
    let mut worker = Worker::link(&first.address, "w", 1, &[]).await;
    let attempt = worker.assigned().await.attempt.unwrap();
    let newest = bitsweep_proto::v1::WatchRequest { sweep: String::new() };
    let mut watcher = first.sweeps().await.watch(newest).await.unwrap().into_inner();
    first.stop().await.unwrap();
    // Both see the end, so that both connect again.
    let end = async { while let Ok(Some(_)) = watcher.message().await {} };
    tokio::time::timeout(support::PATIENCE, end).await.unwrap();

    let second = Killable::start(patient(&state)).await.unwrap();
    assert_eq!(second.submit(CHAIN).await, sweep);
    let attempts = std::slice::from_ref(&attempt);
    let back = Worker::link(&second.address, "w", 1, attempts).await;
    assert!(back.welcome.verdicts[0].keep, "the lease was left as it was");
}

#[tokio::test(flavor = "multi_thread")]
async fn sweeps_are_found_by_id_prefix_name_or_age() {
    let (_folder, state) = state();
    let coordinator = Killable::start(patient(&state)).await.unwrap();
    let chain = coordinator.submit(CHAIN).await;
    let other = coordinator.submit(&CHAIN.replace("\"chain\"", "\"other\"")).await;
    let mut client = coordinator.sweeps().await;
    let mut get = async |sweep: &str| {
        let request = bitsweep_proto::v1::GetRequest { sweep: sweep.to_owned() };
        let answer = client.get(request).await;
        answer.map(|snapshot| snapshot.into_inner().summary.unwrap().sweep_id)
    };
    for (asked, found) in [(&*chain, &chain), ("chain", &chain), ("cha", &chain), ("", &other)] {
        assert_eq!(&get(asked).await.unwrap(), found, "{asked:?}");
    }
    let missing = get("nothing").await.unwrap_err();
    assert_eq!(missing.code(), tonic::Code::NotFound);
    assert!(missing.message().contains(&chain) && missing.message().contains(&other));
}

#[tokio::test(flavor = "multi_thread")]
async fn blobs_come_back_from_any_offset_and_damage_is_refused() {
    let (_folder, state) = state();
    let coordinator = Killable::start(patient(&state)).await.unwrap();
    let content = b"weights, quantizers and the position in the schedule";
    let stored = coordinator.upload(content).await;
    assert_eq!(stored, artifact(content));
    assert_eq!(coordinator.download(&stored.hash, 0).await.unwrap(), content);
    assert_eq!(coordinator.download(&stored.hash, 9).await.unwrap(), content[9..]);
    let refusal = coordinator.send_blob(artifact(b"announced"), b"sent").await.unwrap_err();
    assert_eq!(refusal.code(), tonic::Code::DataLoss);
    let missing = coordinator.download(&artifact(b"sent").hash, 0).await.unwrap_err();
    assert_eq!(missing.code(), tonic::Code::NotFound);
    let no_hash = coordinator.download("../../address", 0).await.unwrap_err();
    assert_eq!(no_hash.code(), tonic::Code::InvalidArgument);
}
