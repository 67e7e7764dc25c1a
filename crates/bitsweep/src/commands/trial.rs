//! `bitsweep trial`: one training as a process, told what on standard input.

use crate::failure::{Ending, Failure};

#[cfg(feature = "train")]
pub(crate) fn run() -> Result<Ending, Failure> {
    process::run()
}

#[cfg(not(feature = "train"))]
pub(crate) fn run() -> Result<Ending, Failure> {
    Err(Failure::Input("this bitsweep was built without training".to_owned()))
}

#[cfg(feature = "train")]
mod process {
    use std::io::{BufReader, Read, Write};
    use std::sync::Arc;

    use anyhow::Context as _;
    use bitsweep_proto::v1;
    use bitsweep_sweep::{AttemptEnd, Failure as TrialFailure, TrialEvent};
    use bitsweep_train::{Control, EmitError, TrialRequest};
    use prost::Message as _;

    use crate::failure::{Ending, Failure};

    /// Largest message a trial process reads, in bytes.
    const MAX_MESSAGE: u64 = 16 << 20;

    pub(super) fn run() -> Result<Ending, Failure> {
        let mut input = BufReader::new(std::io::stdin());
        let request = read_message::<v1::TrialRequest>(&mut input)?.context(
            "nothing on standard input; workers start this command, people use `bitsweep run`",
        )?;
        let control = Arc::new(Control::default());
        watch_commands(input, Arc::clone(&control));

        let mut output = std::io::stdout().lock();
        let mut emit = |event: TrialEvent| -> Result<(), EmitError> {
            let bytes = v1::TrialEvent::from(event).encode_length_delimited_to_vec();
            output.write_all(&bytes).and_then(|()| output.flush()).map_err(EmitError::from)
        };
        let ended = domain_request(request)
            .map_err(|message| TrialFailure { reason: AttemptEnd::BadInput, message });
        let ended = ended.and_then(|request| {
            bitsweep_train::run(&request, &control, &mut emit).map(|_| ()).map_err(|error| {
                TrialFailure { reason: error.reason(), message: error.to_string() }
            })
        });
        match ended {
            Ok(()) => Ok(Ending::Done),
            Err(failure) => {
                let message = failure.message.clone();
                // The worker learns it from the event; if the pipe is gone, from the exit code.
                let _ = emit(TrialEvent::Failed(failure));
                Err(Failure::Other(anyhow::anyhow!(message)))
            }
        }
    }

    fn domain_request(request: v1::TrialRequest) -> Result<TrialRequest, String> {
        let spec = request.spec.ok_or("the request names no trial")?;
        Ok(TrialRequest {
            spec: spec
                .try_into()
                .map_err(|error: bitsweep_proto::ConvertError| error.to_string())?,
            directory: request.directory.into(),
            parent_checkpoint: request.parent_checkpoint.map(Into::into),
            resume_checkpoint: request.resume_checkpoint.map(Into::into),
            threads: request.threads.max(1) as usize,
            device: request.device,
        })
    }

    /// Turns commands into control; when the pipe closes the worker is gone, and so is this process.
    fn watch_commands(mut input: impl Read + Send + 'static, control: Arc<Control>) {
        std::thread::spawn(move || {
            while let Ok(Some(message)) = read_message::<v1::TrialCommand>(&mut input) {
                if let Some(v1::trial_command::Command::Stop(_)) = message.command {
                    control.request_stop();
                }
            }
            std::process::exit(1);
        });
    }

    /// Reads one length-delimited message; `None` at the end of the input.
    fn read_message<M: prost::Message + Default>(
        input: &mut impl Read,
    ) -> anyhow::Result<Option<M>> {
        let mut length = 0_u64;
        for shift in (0..64).step_by(7) {
            let mut byte = [0];
            if input.read(&mut byte)? == 0 {
                anyhow::ensure!(shift == 0, "standard input ended within a message");
                return Ok(None);
            }
            length |= u64::from(byte[0] & 0x7f) << shift;
            if byte[0] & 0x80 == 0 {
                break;
            }
        }
        anyhow::ensure!(length <= MAX_MESSAGE, "a message of {length} bytes is too long");
        let mut bytes = vec![0; usize::try_from(length)?];
        input.read_exact(&mut bytes).context("standard input ended within a message")?;
        Ok(Some(M::decode(bytes.as_slice())?))
    }
}
