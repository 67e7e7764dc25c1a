//! Length-delimited messages on a pipe.

use bitsweep_proto::MAX_MESSAGE_BYTES;
use prost::bytes::{Buf, Bytes, BytesMut};

/// Largest event a trial may send: with its envelope it still fits a message to the coordinator.
pub(super) const MAX_EVENT_BYTES: usize = MAX_MESSAGE_BYTES - (64 << 10);

/// Longest encoding of a length.
const MAX_LENGTH_BYTES: usize = 10;

/// Cuts a byte stream into messages. Holds what arrived, never what was only announced.
#[derive(Debug, Default)]
pub(super) struct FrameDecoder {
    buffer: BytesMut,
}

impl FrameDecoder {
    /// Where the next bytes go.
    pub(super) fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// The next whole message; `None` until more bytes are there.
    ///
    /// # Errors
    /// Says what is wrong with the length.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>, String> {
        let Some((length, prefix)) = self.length()? else { return Ok(None) };
        if self.buffer.len() < prefix + length {
            return Ok(None);
        }
        self.buffer.advance(prefix);
        Ok(Some(self.buffer.split_to(length).freeze()))
    }

    /// The announced length and the bytes it takes.
    fn length(&self) -> Result<Option<(usize, usize)>, String> {
        let mut value: u64 = 0;
        for (i, byte) in self.buffer.iter().take(MAX_LENGTH_BYTES).enumerate() {
            value |= u64::from(byte & 0x7f).checked_shl(7 * i as u32).unwrap_or(0);
            if byte & 0x80 == 0 {
                return match usize::try_from(value) {
                    Ok(length) if length <= MAX_EVENT_BYTES => Ok(Some((length, i + 1))),
                    _ => Err(format!(
                        "it announced a message of {value} bytes, at most {MAX_EVENT_BYTES} are \
                         allowed{}",
                        self.text()
                    )),
                };
            }
        }
        if self.buffer.len() < MAX_LENGTH_BYTES {
            return Ok(None);
        }
        Err(format!("its output has no message length{}", self.text()))
    }

    /// Whether the stream may end here.
    pub(super) fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// The start of what is held, where it looks like text: garbage is most often a stray print.
    pub(super) fn text(&self) -> String {
        text(&self.buffer)
    }
}

/// ` (it reads "…")` where `bytes` start like text, otherwise nothing.
pub(super) fn text(bytes: &[u8]) -> String {
    let start: String = bytes
        .iter()
        .take(40)
        .take_while(|byte| byte.is_ascii_graphic() || matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))
        .map(|byte| if byte.is_ascii_whitespace() { ' ' } else { char::from(*byte) })
        .collect();
    let start = start.trim();
    if start.len() < 4 { String::new() } else { format!(" (it reads \"{start}\")") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitsweep_proto::v1;
    use prost::Message;

    fn decoder(bytes: &[u8]) -> FrameDecoder {
        let mut decoder = FrameDecoder::default();
        decoder.buffer().extend_from_slice(bytes);
        decoder
    }

    fn event(message: &str) -> v1::TrialEvent {
        let line = v1::LogLine { message: message.into(), ..Default::default() };
        v1::TrialEvent { event: Some(v1::trial_event::Event::Log(line)) }
    }

    #[test]
    fn messages_come_out_whole_however_they_arrive() {
        let sent = [event(""), event("short"), event(&"long".repeat(300))];
        let bytes: Vec<u8> =
            sent.iter().flat_map(Message::encode_length_delimited_to_vec).collect();
        for step in [1, 2, 7, bytes.len()] {
            let mut decoder = FrameDecoder::default();
            let mut received = Vec::new();
            for chunk in bytes.chunks(step) {
                decoder.buffer().extend_from_slice(chunk);
                while let Some(frame) = decoder.next().expect("well-formed") {
                    received.push(v1::TrialEvent::decode(frame).expect("an event"));
                }
            }
            assert_eq!(received, sent, "in steps of {step}");
            assert!(decoder.is_empty());
        }
    }

    #[test]
    fn a_length_beyond_the_limit_is_refused_before_its_bytes_arrive() {
        let mut bytes = Vec::new();
        prost::encode_length_delimiter(MAX_EVENT_BYTES + 1, &mut bytes).expect("fits");
        let problem = decoder(&bytes).next().expect_err("too long");
        assert!(problem.contains("67043329"), "{problem}");
    }

    #[test]
    fn bytes_that_are_no_length_are_refused() {
        assert!(decoder(&[0xff; 9]).next().expect("may go on").is_none());
        assert!(decoder(&[0xff; 10]).next().is_err());
    }

    #[test]
    fn stray_text_is_shown() {
        assert!(text(b"Hello, world\n").contains("Hello, world"));
        assert!(text(&[0, 1, 2]).is_empty());
    }
}
