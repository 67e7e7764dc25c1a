//! `bitsweep submit`, `cancel` and `resume`: one request each.

use bitsweep_proto::v1;

use crate::cli;
use crate::failure::{Ending, Failure};
use crate::state::{Client, client};
use crate::sweep_source::SweepSource;

pub(crate) async fn submit(arguments: &cli::Submit) -> Result<Ending, Failure> {
    let source = SweepSource::open(&arguments.file)?;
    let address = arguments.at.address()?;
    let mut client = client(&address).await?;
    let answer = send(&mut client, &source, arguments.fresh).await?;
    if answer.created {
        println!("{}: {} trials submitted", answer.sweep_id, source.plan.trials.len());
    } else {
        println!("{}: was there already; --fresh starts it anew", answer.sweep_id);
    }
    println!("watch it with: bitsweep tui {} --coordinator {address}", answer.sweep_id);
    Ok(Ending::Done)
}

/// Submits the sweep; `fresh` makes it a new one whatever is there.
pub(crate) async fn send(
    client: &mut Client,
    source: &SweepSource,
    fresh: bool,
) -> Result<v1::SubmitResponse, Failure> {
    let request = v1::SubmitRequest {
        file: source.text.clone(),
        file_name: source.name.clone(),
        base_directory: source
            .base_directory
            .as_ref()
            .map(|path| path.to_string_lossy().into_owned())
            .unwrap_or_default(),
        key: fresh.then(|| fresh_key(&source.plan.key())),
    };
    Ok(client.submit(request).await?.into_inner())
}

/// A key that no earlier submission had.
fn fresh_key(plan_key: &str) -> String {
    let now = jiff::Timestamp::now().as_nanosecond();
    blake3::hash(format!("{plan_key} {now} {}", std::process::id()).as_bytes()).to_hex().to_string()
}

pub(crate) async fn cancel(arguments: &cli::OneSweep) -> Result<Ending, Failure> {
    let mut client = client(&arguments.at.address()?).await?;
    let request = v1::CancelRequest { sweep: arguments.sweep.clone() };
    let answer = client.cancel(request).await?.into_inner();
    println!("{} trials cancelled", answer.cancelled);
    Ok(Ending::Done)
}

pub(crate) async fn resume(arguments: &cli::OneSweep) -> Result<Ending, Failure> {
    let mut client = client(&arguments.at.address()?).await?;
    let request = v1::ResumeRequest { sweep: arguments.sweep.clone() };
    let answer = client.resume(request).await?.into_inner();
    println!("{} trials will be tried again", answer.resumed);
    Ok(Ending::Done)
}
