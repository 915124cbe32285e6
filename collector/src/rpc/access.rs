//! The closed table of methods and who may call them. A method without a row does not exist for anybody.
use std::convert::Infallible;
use std::task::{Context, Poll};

use futures_util::future::{Either, Ready, ready};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::http;
use tower::Service;

use super::connections::{Peer, Socket};

/// Which socket a call must come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// Either: members of the socket's group and root read what the collector knows.
    Read,
    /// Either, and each call leaves a line in the log: what people of the group may change.
    Audited,
    /// The control socket alone: what changes how the collector works.
    Control,
}

/// By request path: service and method.
pub const TABLE: &[(&str, Right)] = &[
    ("/weir.v1.TrafficService/Subscribe", Right::Read),
    ("/weir.v1.TrafficService/StreamJournal", Right::Read),
    ("/weir.v1.TrafficService/ListHosts", Right::Read),
    ("/weir.v1.TrafficService/ListFlows", Right::Read),
    ("/weir.v1.TrafficService/ListProcesses", Right::Read),
    ("/weir.v1.TrafficService/WatchPackets", Right::Read),
    ("/weir.v1.TrafficService/ListDays", Right::Read),
    ("/weir.v1.AlertService/ListAlerts", Right::Read),
    ("/weir.v1.ControlService/GetStatus", Right::Read),
    ("/weir.v1.ControlService/ListInterfaces", Right::Read),
    ("/weir.v1.ControlService/StartSession", Right::Audited),
    ("/weir.v1.ControlService/StopSession", Right::Audited),
    ("/weir.v1.ControlService/ResetSession", Right::Audited),
    ("/weir.v1.ControlService/ListSessions", Right::Read),
    ("/weir.v1.ControlService/SetProcessThreshold", Right::Audited),
    ("/grpc.health.v1.Health/Check", Right::Read),
    ("/grpc.health.v1.Health/List", Right::Read),
    ("/grpc.health.v1.Health/Watch", Right::Read),
    ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", Right::Read),
    ("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", Right::Read),
];

/// None: go ahead.
fn refusal(table: &[(&str, Right)], path: &str, peer: Option<&Peer>) -> Option<Status> {
    let Some(peer) = peer else {
        return Some(Status::unauthenticated("the connection's peer is not known"));
    };
    let Some((_, right)) = table.iter().find(|(method, _)| *method == path) else {
        return Some(Status::unimplemented(format!("there is no method {path:?}")));
    };
    match (right, peer.socket) {
        (Right::Read, _) | (Right::Control, Socket::Control) => None,
        (Right::Audited, _) => {
            tracing::info!(uid = peer.uid, method = path, "audit: call that changes the collector");
            None
        }
        (Right::Control, Socket::Collector { .. }) => {
            tracing::warn!(uid = peer.uid, method = path, "call refused: it is for the control socket");
            Some(Status::permission_denied(format!("{path} is for the control socket")))
        }
    }
}

/// Asks the table before any service sees a request.
#[derive(Clone, Debug)]
pub struct Guard<S> {
    inner: S,
}

impl<S> Guard<S> {
    pub const fn new(inner: S) -> Self {
        Self { inner }
    }
}

impl<S> Service<http::Request<Body>> for Guard<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>,
{
    type Response = S::Response;
    type Error = Infallible;
    type Future = Either<Ready<Result<S::Response, Infallible>>, S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        match refusal(TABLE, request.uri().path(), request.extensions().get::<Peer>()) {
            Some(status) => Either::Left(ready(Ok(status.into_http()))),
            None => Either::Right(self.inner.call(request)),
        }
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use tonic::Code;
    use weir_shared::wire::DESCRIPTORS;

    use super::*;

    fn peer(socket: Socket) -> Peer {
        Peer { uid: 1000, socket }
    }

    #[test]
    fn every_method_of_the_contract_has_one_row() {
        let files = prost_types::FileDescriptorSet::decode(DESCRIPTORS).unwrap();
        let mut paths = Vec::new();
        for file in &files.file {
            for service in &file.service {
                for method in &service.method {
                    paths.push(format!("/{}.{}/{}", file.package(), service.name(), method.name()));
                }
            }
        }
        assert!(!paths.is_empty());
        for path in &paths {
            assert_eq!(TABLE.iter().filter(|(row, _)| row == path).count(), 1, "{path} needs one row");
        }
        for (row, _) in TABLE.iter().filter(|(row, _)| row.starts_with("/weir.")) {
            assert!(paths.iter().any(|path| path == row), "{row} is no method");
        }
    }

    #[test]
    fn a_call_for_the_control_socket_is_denied_on_the_other_one() {
        let table = [("/weir.v1.ControlService/Release", Right::Control)];
        let ask = |socket| {
            refusal(&table, "/weir.v1.ControlService/Release", Some(&peer(socket)))
                .map(|status| status.code())
        };
        assert_eq!(ask(Socket::Collector { group: None }), Some(Code::PermissionDenied));
        assert_eq!(ask(Socket::Control), None);
    }

    #[test]
    fn a_method_without_a_row_is_answered_to_nobody() {
        let status = refusal(TABLE, "/weir.v1.TrafficService/Secret", Some(&peer(Socket::Control))).unwrap();
        assert_eq!(status.code(), Code::Unimplemented);
        let status = refusal(TABLE, "/weir.v1.ControlService/GetStatus", None).unwrap();
        assert_eq!(status.code(), Code::Unauthenticated);
    }
}
