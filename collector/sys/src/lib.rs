//! The one crate of Weir with `unsafe`: system calls that no safe crate offers. Each block says why it is sound.
