use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn random_bytes_decode_without_panic(
        data in proptest::collection::vec(any::<u8>(), 0..200),
        more in 0u32..2000,
        link in 0usize..5,
    ) {
        let link = [Link::Ethernet, Link::Loopback, Link::RawIp, Link::LinuxCooked, Link::LinuxCooked2][link];
        let frame = decode(link, u32::try_from(data.len()).unwrap() + more, &data);
        prop_assert!(more > 0 || !matches!(frame.content, Content::Cut), "a whole frame is never cut");
    }
}
