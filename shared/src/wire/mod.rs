//! The wire types of `proto/`, and their conversion from and to the domain types. Nothing outside this folder, the
//! collector's rpc and `client` sees them.

#[allow(
    missing_debug_implementations,
    unreachable_pub,
    clippy::all,
    clippy::pedantic,
    clippy::allow_attributes_without_reason,
    reason = "generated"
)]
pub mod v1 {
    tonic::include_proto!("weir.v1");
}

/// The compiled `FileDescriptorSet` of `proto/`, for gRPC reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
