//! Application messages, as bytes of payload.
use super::hosts::{self, LOCAL, REMOTE};
use super::plan::Flow;

/// Random bytes to cut payloads from.
pub(super) const NOISE_BYTES: usize = 65536;

fn host_label(flow: &Flow) -> String {
    format!("h{}", flow.name % 5000)
}

pub(super) fn dns(flow: &Flow, answer: bool) -> Vec<u8> {
    let mut message = (flow.name as u16).to_be_bytes().to_vec();
    message.extend_from_slice(if answer { &[0x81, 0x80] } else { &[0x01, 0x00] });
    message.extend_from_slice(&[0, 1, 0, answer as u8, 0, 0, 0, 0]);
    for label in [host_label(flow).as_str(), "example", "net"] {
        message.push(label.len() as u8);
        message.extend_from_slice(label.as_bytes());
    }
    let question: &[u8] = if flow.v6 { &[0, 0, 28, 0, 1] } else { &[0, 0, 1, 0, 1] };
    message.extend_from_slice(question);
    if answer {
        message.extend_from_slice(&[0xc0, 12]);
        message.extend_from_slice(&question[1..]);
        message.extend_from_slice(&[0, 0, 1, 44]);
        let host = LOCAL + (flow.name as usize % REMOTE);
        if flow.v6 {
            message.extend_from_slice(&[0, 16]);
            message.extend_from_slice(&hosts::ipv6(host));
        } else {
            message.extend_from_slice(&[0, 4]);
            message.extend_from_slice(&hosts::ipv4(host));
        }
    }
    message
}

/// A ClientHello in one TLS record (RFC 8446 section 4.1.2) with the flow's name as SNI.
pub(super) fn tls_hello(flow: &Flow, noise: &[u8]) -> Vec<u8> {
    let name = format!("{}.example.net", host_label(flow));
    let length = name.len();
    let mut extensions: Vec<u8> = vec![0, 0];
    extensions.extend_from_slice(&((length + 5) as u16).to_be_bytes());
    extensions.extend_from_slice(&((length + 3) as u16).to_be_bytes());
    extensions.push(0);
    extensions.extend_from_slice(&(length as u16).to_be_bytes());
    extensions.extend_from_slice(name.as_bytes());
    extensions.extend_from_slice(&[0, 10, 0, 6, 0, 4, 0, 29, 0, 23]);
    extensions.extend_from_slice(&[0, 13, 0, 6, 0, 4, 4, 3, 8, 4]);
    extensions.extend_from_slice(b"\x00\x10\x00\x0e\x00\x0c\x02h2\x08http/1.1");
    extensions.extend_from_slice(&[0, 43, 0, 3, 2, 3, 4]);
    let mut hello: Vec<u8> = vec![3, 3];
    hello.extend_from_slice(&noise[..32]);
    hello.push(32);
    hello.extend_from_slice(&noise[32..64]);
    hello.extend_from_slice(&[0, 6, 0x13, 1, 0x13, 2, 0xc0, 0x2f, 1, 0]);
    hello.extend_from_slice(&(extensions.len() as u16).to_be_bytes());
    hello.extend_from_slice(&extensions);
    let mut record = vec![22, 3, 1];
    record.extend_from_slice(&((hello.len() + 4) as u16).to_be_bytes());
    record.extend_from_slice(&[1, 0]);
    record.extend_from_slice(&(hello.len() as u16).to_be_bytes());
    record.extend_from_slice(&hello);
    record
}

pub(super) fn http_request(flow: &Flow) -> Vec<u8> {
    format!(
        "GET /p/{} HTTP/1.1\r\nHost: {}.example.net\r\nUser-Agent: gen/1\r\n\r\n",
        flow.name,
        host_label(flow)
    )
    .into_bytes()
}

pub(super) fn http_response(flow: &Flow) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n", flow.data_bytes)
        .into_bytes()
}
