use super::*;

#[test]
fn a_host_is_named_without_its_port_and_an_address_names_nobody() {
    for (field, name) in [
        ("Example.NET", Some("example.net")),
        (" example.net:8080 ", Some("example.net")),
        ("example.net.", Some("example.net")),
        ("example.net.:443", Some("example.net")),
        ("example.net:", Some("example.net")),
        ("192.0.2.1", None),
        ("192.0.2.1:80", None),
        ("[2001:db8::1]", None),
        ("[2001:db8::1]:8080", None),
        ("2001:db8::1", None),
        ("::1", None),
        (":80", None),
        ("", None),
        (" ", None),
        (".", None),
    ] {
        assert_eq!(host(field.as_bytes()).as_deref(), name, "{field:?}");
    }
}

#[test]
fn hostile_bytes_are_escaped_and_no_two_names_look_the_same() {
    assert_eq!(escape(b"a\nb\x1b[31m\x00\xff c\x7f").unwrap(), r"a\x0ab\x1b[31m\x00\xff\x20c\x7f");
    assert_ne!(escape(b"a\x0a"), escape(br"a\x0a"));
    let (mut one, mut two) = (String::new(), String::new());
    join(&mut one, b"www.example");
    ["www", "example"].iter().for_each(|label| join(&mut two, label.as_bytes()));
    assert_eq!((one.as_str(), two.as_str()), (r"www\x2eexample", "www.example"));
}

#[test]
fn a_name_is_bounded_after_escaping() {
    assert_eq!(escape(&[b'a'; LONGEST_NAME]).map(|name| name.len()), Some(LONGEST_NAME));
    assert_eq!(escape(&[b'a'; LONGEST_NAME + 1]), None);
    assert_eq!(escape(&[1; LONGEST_NAME / 4 + 1]), None);
}
