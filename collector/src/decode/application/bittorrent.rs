//! BitTorrent (BEP 3, BEP 5): the peers' handshake and the distributed table's messages.

pub(super) fn is_handshake(payload: &[u8]) -> bool {
    payload.starts_with(b"\x13BitTorrent protocol")
}

pub(super) fn is_datagram(payload: &[u8]) -> bool {
    [&b"d1:ad2:id20:"[..], b"d1:rd2:id20:", b"d2:ip6:", b"d1:el"]
        .iter()
        .any(|start| payload.starts_with(start))
}
