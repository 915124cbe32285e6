use super::*;

#[test]
fn the_host_is_named_without_port_and_only_when_whole() {
    let request = b"GET / HTTP/1.1\r\nAccept: */*\r\nhOST: Example.NET:8080\r\n\r\n";
    assert_eq!(host(request), Some("example.net".into()));
    for end in 0..request.len() - 4 {
        assert_eq!(host(&request[..end]), None, "cut at {end}: the name may go on");
    }
}

#[test]
fn requests_of_all_kinds_give_their_host() {
    for (request, name) in [
        ("GET / HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n", None),
        ("GET / HTTP/1.1\r\nHost: [2001:db8::1]:8080\r\n\r\n", None),
        ("GET / HTTP/1.0\r\n\r\nHost: body.example\r\n", None),
        ("GET / HTTP/1.1\r\nHost:\r\n\r\n", None),
        ("GET / HTTP/1.1\r\nX-Host: no.example\r\n\r\n", None),
        ("GET / HTTP/1.1\nHost: bare.example\n\n", Some("bare.example")),
        ("GET / HTTP/1.1\r\nHost:tight.example\r\n\r\n", Some("tight.example")),
        ("GET http://example.net/a HTTP/1.1\r\nHost: example.net\r\n\r\n", Some("example.net")),
        ("GET / HTTP/1.1\r\nHost: a\x1b[2Jb\r\n\r\n", Some(r"a\x1b[2jb")),
    ] {
        assert_eq!(host(request.as_bytes()).as_deref(), name, "{request:?}");
        assert!(is_request(request.as_bytes()));
    }
}

#[test]
fn only_absolute_targets_and_tunnels_go_to_a_proxy() {
    assert!(is_to_proxy(b"GET http://example.net/ HTTP/1.1\r\n"));
    assert!(is_to_proxy(b"CONNECT example.net:443 HTTP/1.1\r\n"));
    assert!(!is_to_proxy(b"GET /?next=http://example.net/ HTTP/1.1\r\n"));
    assert!(!is_to_proxy(b"OPTIONS * HTTP/1.1\r\n"));
    assert!(!is_to_proxy(b"FETCH http://example.net/ HTTP/1.1\r\n"));
    assert!(!is_to_proxy(b""));
}

#[test]
fn what_is_no_request_is_none() {
    for bytes in [&b"GET"[..], b"get / HTTP/1.1", b"GETX / HTTP/1.1", b"", b"\r\nGET / HTTP/1.1"] {
        assert!(!is_request(bytes));
    }
    assert!(is_response(b"HTTP/1.1 200 OK\r\n"));
    assert!(!is_response(b"HTTP/2"));
}
