//! The gRPC contract: generated code and conversions to the domain types of `bitsweep-sweep`.
//!
//! The `.proto` files under `proto/` are the documentation of every field; the code here is
//! generated from them and committed, so that building needs no protobuf compiler.

mod channel;
mod convert;

pub use channel::{
    ConnectError, MAX_MESSAGE_BYTES, NameVersion, ProtocolChannel, check_version, connect, endpoint,
};
pub use convert::ConvertError;

/// Generated from `proto/bitsweep/v1`.
#[allow(missing_docs, clippy::all, unreachable_pub)]
pub mod v1 {
    include!("generated/bitsweep.v1.rs");
}

/// Descriptors of all services, for gRPC reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!("generated/descriptors.bin");

/// Version of the contract. Both ends name it in the metadata [`PROTOCOL_HEADER`] of every request.
pub const PROTOCOL_VERSION: u32 = 2;

/// Name of the metadata entry that carries [`PROTOCOL_VERSION`] in decimal.
pub const PROTOCOL_HEADER: &str = "bitsweep-protocol";
