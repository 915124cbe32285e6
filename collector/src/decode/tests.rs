mod headers;
mod links;
mod malformed;

use proptest::prelude::*;

use super::*;

const LINKS: [Link; 5] = [Link::Ethernet, Link::Loopback, Link::RawIp, Link::LinuxCooked, Link::LinuxCooked2];

/// A frame that was captured whole.
fn whole(link: Link, data: &[u8]) -> Frame<'_> {
    decode(link, u32::try_from(data.len()).unwrap(), data)
}

fn ip(frame: Frame<'_>) -> Ip<'_> {
    match frame.content {
        Content::Ip(packet) => packet,
        other => panic!("no IP packet but {other:?}"),
    }
}

/// The content's kind in a word.
fn kind(frame: &Frame<'_>) -> &'static str {
    match frame.content {
        Content::Ip(_) => "ip",
        Content::Arp => "arp",
        Content::Other => "other",
        Content::Malformed => "malformed",
        Content::Cut => "cut",
    }
}

proptest! {
    #[test]
    fn random_bytes_decode_without_panic(
        data in proptest::collection::vec(any::<u8>(), 0..200),
        more in 0u32..2000,
        link in 0usize..LINKS.len(),
    ) {
        let frame = decode(LINKS[link], u32::try_from(data.len()).unwrap() + more, &data);
        prop_assert!(more > 0 || !matches!(frame.content, Content::Cut), "a whole frame is never cut");
    }
}
