//! The hosts that take part, by number, and their addresses.

/// 10.20.x.y and 2001:db8:a::x
pub(super) const LOCAL: usize = 1000;
/// 198.18.x.y and 2001:db8:b::x
pub(super) const REMOTE: usize = 5000;
/// 198.19.x.y, sources of the scans
pub(super) const SPOOFED: usize = 65536;
/// 192.0.2.66, .77 and 2001:db8:bad::x: broken packets only
pub(super) const BROKEN: usize = LOCAL + REMOTE + SPOOFED;
pub(super) const ALL: usize = BROKEN + 2;

pub(super) fn ipv4(host: usize) -> [u8; 4] {
    let pair = |number: usize| ((number >> 8) as u8, (number & 255) as u8);
    if host < LOCAL {
        let (high, low) = pair(host);
        [10, 20, high, low]
    } else if host < LOCAL + REMOTE {
        let (high, low) = pair(host - LOCAL);
        [198, 18, high, low]
    } else if host < BROKEN {
        let (high, low) = pair(host - LOCAL - REMOTE);
        [198, 19, high, low]
    } else {
        [192, 0, 2, if host == BROKEN { 66 } else { 77 }]
    }
}

pub(super) fn ipv6(host: usize) -> [u8; 16] {
    let mut address = [0u8; 16];
    address[..4].copy_from_slice(&[0x20, 1, 0x0d, 0xb8]);
    address[5] = if host < LOCAL { 0x0a } else { 0x0b };
    if host >= BROKEN {
        address[4] = 0x0b;
        address[5] = 0xad;
    }
    address[14] = (host >> 8) as u8;
    address[15] = host as u8;
    address
}

pub(super) fn mac(host: usize) -> [u8; 6] {
    [2, 0, 0, (host >> 16) as u8, (host >> 8) as u8, host as u8]
}
