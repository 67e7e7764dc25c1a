//! The version both ends name, and the client's channel.

use std::time::Duration;

use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

use crate::{PROTOCOL_HEADER, PROTOCOL_VERSION};

/// A channel whose every request names [`PROTOCOL_VERSION`].
pub type ProtocolChannel = InterceptedService<Channel, NameVersion>;

/// Largest message either end decodes, in bytes: a snapshot of ten thousand trials fits.
pub const MAX_MESSAGE_BYTES: usize = 64 << 20;

/// Adds [`PROTOCOL_HEADER`] to every request.
#[derive(Clone, Copy, Debug, Default)]
pub struct NameVersion;

impl Interceptor for NameVersion {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert(PROTOCOL_HEADER, MetadataValue::from(PROTOCOL_VERSION));
        Ok(request)
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The text is not an address.
    #[error(
        "coordinator address \"{address}\" is not valid; give host:port or http://host:port, for example http://127.0.0.1:7270"
    )]
    Address {
        /// What was given.
        address: String,
    },
    /// Nobody answers there.
    #[error(
        "no coordinator answers at {address} ({reason}); start one with `bitsweep coordinator` or check the address"
    )]
    Unreachable {
        /// Where.
        address: String,
        /// Innermost cause.
        reason: String,
    },
}

/// Connects to the coordinator at `address` (`host:port`, or a URL with scheme `http`).
///
/// # Errors
/// When the address cannot be parsed, or nobody answers within ten seconds.
pub async fn connect(address: &str) -> Result<ProtocolChannel, ConnectError> {
    let channel = endpoint(address)?.connect().await.map_err(|error| {
        ConnectError::Unreachable { address: address.to_owned(), reason: innermost(&error) }
    })?;
    Ok(InterceptedService::new(channel, NameVersion))
}

/// The endpoint of `address`: keep-alive on, so that a silently dead link is noticed within half a minute.
///
/// # Errors
/// When the address cannot be parsed.
pub fn endpoint(address: &str) -> Result<Endpoint, ConnectError> {
    let invalid = || ConnectError::Address { address: address.to_owned() };
    let url =
        if address.contains("://") { address.to_owned() } else { format!("http://{address}") };
    if !url.starts_with("http://") {
        return Err(invalid());
    }
    let endpoint = Endpoint::from_shared(url).map_err(|_| invalid())?;
    if endpoint.uri().port_u16().is_none() {
        return Err(invalid());
    }
    Ok(endpoint
        .connect_timeout(Duration::from_secs(10))
        .http2_keep_alive_interval(Duration::from_secs(15))
        .keep_alive_timeout(Duration::from_secs(15))
        .keep_alive_while_idle(true)
        .tcp_nodelay(true))
}

/// What an error says at its root, on one line.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

/// Refuses a request whose sender speaks another version. A request that names none passes, so
/// that general-purpose gRPC tools can look around.
///
/// # Errors
/// `FAILED_PRECONDITION` naming both versions.
pub fn check_version(metadata: &MetadataMap) -> Result<(), Status> {
    let Some(value) = metadata.get(PROTOCOL_HEADER) else { return Ok(()) };
    let theirs = value.to_str().unwrap_or("unreadable");
    if theirs == PROTOCOL_VERSION.to_string() {
        return Ok(());
    }
    Err(Status::failed_precondition(format!(
        "the coordinator speaks protocol {PROTOCOL_VERSION}, the caller protocol {theirs}; \
         install the same bitsweep on both machines"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_version_is_refused_naming_both() {
        let mut metadata = MetadataMap::new();
        assert!(check_version(&metadata).is_ok());
        metadata.insert(PROTOCOL_HEADER, MetadataValue::from(PROTOCOL_VERSION));
        assert!(check_version(&metadata).is_ok());
        metadata.insert(PROTOCOL_HEADER, MetadataValue::from(99u32));
        let status = check_version(&metadata).expect_err("refused");
        assert_eq!(status.code(), tonic::Code::FailedPrecondition);
        assert!(status.message().contains("protocol 2") && status.message().contains("99"));
    }

    #[test]
    fn addresses_need_a_port_and_plain_http() {
        assert!(endpoint("127.0.0.1:7270").is_ok());
        assert!(endpoint("http://127.0.0.1:7270").is_ok());
        for bad in ["127.0.0.1", "ftp://a:1", "", "http://"] {
            assert!(endpoint(bad).is_err(), "{bad}");
        }
    }
}
