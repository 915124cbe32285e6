//! The gRPC contract as text, so that a change of it is seen: services, methods with their stream kinds, messages with
//! their fields, enums with their numbers. proto/contract.txt keeps what was promised; it is added to, never renamed.
use std::collections::BTreeSet;

use prost::Message as _;
use prost_types::field_descriptor_proto::Label;
use prost_types::{DescriptorProto, FileDescriptorSet, MethodDescriptorProto};

use super::DESCRIPTORS;

const PROMISED: &str = include_str!("../../../proto/contract.txt");
const METHODS_PAGE: &str = include_str!("../../../docs/api.md");

fn short(name: &str) -> &str {
    name.strip_prefix(".weir.v1.").unwrap_or(name)
}

fn method(service: &str, method: &MethodDescriptorProto) -> String {
    let stream = |is_stream: bool| if is_stream { "stream " } else { "" };
    format!(
        "rpc {service}.{}({}{}) returns ({}{})",
        method.name(),
        stream(method.client_streaming()),
        short(method.input_type()),
        stream(method.server_streaming()),
        short(method.output_type())
    )
}

fn message(message: &DescriptorProto) -> impl Iterator<Item = String> {
    message.field.iter().map(|field| {
        let kind = match field.type_name() {
            "" => field.r#type().as_str_name().trim_start_matches("TYPE_").to_lowercase(),
            name => short(name).to_owned(),
        };
        let repeated = if field.label() == Label::Repeated { "repeated " } else { "" };
        format!("{}.{} = {}: {repeated}{kind}", message.name(), field.name(), field.number())
    })
}

fn current() -> BTreeSet<String> {
    let files = FileDescriptorSet::decode(DESCRIPTORS).unwrap();
    let mut lines = BTreeSet::new();
    for file in files.file.iter().filter(|file| file.package() == "weir.v1") {
        for service in &file.service {
            lines.extend(service.method.iter().map(|rpc| method(service.name(), rpc)));
        }
        lines.extend(file.message_type.iter().flat_map(message));
        for kind in &file.enum_type {
            lines.extend(
                kind.value
                    .iter()
                    .map(|value| format!("{}.{} = {}", kind.name(), value.name(), value.number())),
            );
        }
    }
    lines
}

#[test]
fn what_was_promised_is_still_there_and_what_is_new_is_written_down() {
    let promised: BTreeSet<String> = PROMISED.lines().map(str::to_owned).collect();
    let current = current();
    let broken: Vec<_> = promised.difference(&current).collect();
    assert!(broken.is_empty(), "renamed, renumbered or removed: {broken:#?}");
    let unwritten: Vec<_> = current.difference(&promised).cloned().collect();
    assert!(unwritten.is_empty(), "add to proto/contract.txt:\n{}", unwritten.join("\n"));
}

#[test]
fn every_method_is_on_the_page_of_methods() {
    for line in current().iter().filter_map(|line| line.strip_prefix("rpc ")) {
        let (service, rest) = line.split_once('.').unwrap();
        let (method, _) = rest.split_once('(').unwrap();
        let answers = if line.contains("returns (stream ") { "stream" } else { "one" };
        let row = format!("| {service} | `{method}` | {answers} |");
        assert!(METHODS_PAGE.contains(&row), "docs/api.md lacks a row: {row}");
    }
}
