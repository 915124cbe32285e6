//! Links, addresses and default routes as rtnetlink lists them (rtnetlink(7)).
use std::collections::HashMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use futures_util::{StreamExt as _, TryStreamExt as _};
use rtnetlink::packet_core::{NetlinkMessage, NetlinkPayload};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::address::{AddressAttribute, AddressMessage};
use rtnetlink::packet_route::link::{LinkAttribute, LinkFlags, LinkInfo, LinkLayerType, LinkMessage};
use rtnetlink::packet_route::route::{RouteAttribute, RouteHeader, RouteMessage, RouteType};
use rtnetlink::{Handle, MulticastGroup, RouteMessageBuilder};

use super::{Address, InterfaceError, Link, finish};

/// What the kernel tells of by itself.
const GROUPS: [MulticastGroup; 5] = [
    MulticastGroup::Link,
    MulticastGroup::Ipv4Ifaddr,
    MulticastGroup::Ipv6Ifaddr,
    MulticastGroup::Ipv4Route,
    MulticastGroup::Ipv6Route,
];

/// A socket for questions and one for news: an overflow of news must not lose an answer.
pub(super) struct Netlink {
    handle: Handle,
    news: Box<dyn futures_util::Stream<Item = NetlinkMessage<RouteNetlinkMessage>> + Unpin + Send>,
    sockets: [tokio::task::JoinHandle<()>; 2],
}

impl Netlink {
    /// Needs a running runtime: both sockets are tasks of it.
    pub(super) fn open() -> Result<Self, InterfaceError> {
        let (questions, handle, _) = rtnetlink::new_connection().map_err(InterfaceError::Open)?;
        let (listener, _, news) =
            rtnetlink::new_multicast_connection(&GROUPS).map_err(InterfaceError::Open)?;
        Ok(Self {
            handle,
            news: Box::new(news.map(|(message, _)| message)),
            sockets: [tokio::spawn(questions), tokio::spawn(listener)],
        })
    }

    pub(super) async fn list(&self) -> Result<Vec<Link>, InterfaceError> {
        list(&self.handle).await
    }

    /// Waits until something changed that a list would show; false when the kernel's news ended or overflowed.
    pub(super) async fn changed(&mut self) -> bool {
        while let Some(message) = self.news.next().await {
            match message.payload {
                NetlinkPayload::InnerMessage(inner) if concerns_list(&inner) => return true,
                NetlinkPayload::Error(_) | NetlinkPayload::Overrun(_) => return true,
                _ => {}
            }
        }
        false
    }
}

impl Drop for Netlink {
    fn drop(&mut self) {
        for socket in &self.sockets {
            socket.abort();
        }
    }
}

/// Of routes only default ones matter: a router's table changes all the time.
fn concerns_list(message: &RouteNetlinkMessage) -> bool {
    match message {
        RouteNetlinkMessage::NewRoute(route) | RouteNetlinkMessage::DelRoute(route) => is_default(route),
        _ => true,
    }
}

pub(super) fn list_blocking() -> Result<Vec<Link>, InterfaceError> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_io().build().map_err(InterfaceError::Open)?;
    runtime.block_on(async {
        let (connection, handle, _) = rtnetlink::new_connection().map_err(InterfaceError::Open)?;
        let socket = tokio::spawn(connection);
        let links = list(&handle).await;
        socket.abort();
        links
    })
}

async fn list(handle: &Handle) -> Result<Vec<Link>, InterfaceError> {
    let failed = |what| move |source| InterfaceError::Netlink { what, source };
    let messages: Vec<_> = handle.link().get().execute().try_collect().await.map_err(failed("interfaces"))?;
    let mut addresses: HashMap<u32, Vec<Address>> = HashMap::new();
    let mut dump = handle.address().get().execute();
    while let Some(message) = dump.try_next().await.map_err(failed("addresses"))? {
        if let Some(address) = own_address(&message) {
            addresses.entry(message.header.index).or_default().push(address);
        }
    }
    let primary = primary(handle).await?;
    let links = messages.iter().filter_map(|message| link(message, &mut addresses)).collect();
    Ok(finish(links, primary))
}

/// The interface of the IPv4 default route with the lowest metric; without one, IPv6's. Metrics of the two families
/// are not comparable: the kernel's default is 0 for one and 1024 for the other.
async fn primary(handle: &Handle) -> Result<Option<u32>, InterfaceError> {
    let ipv4 = RouteMessageBuilder::<Ipv4Addr>::new().build();
    let ipv6 = RouteMessageBuilder::<Ipv6Addr>::new().build();
    for family in [ipv4, ipv6] {
        let mut best: Option<(u32, u32)> = None;
        let mut dump = handle.route().get(family).execute();
        loop {
            match dump.try_next().await {
                Ok(Some(route)) => {
                    let found = is_default(&route).then(|| leaves_by(&route)).flatten();
                    best = best.into_iter().chain(found).min();
                }
                Ok(None) => break,
                // a kernel without IPv6 refuses the dump of its routes
                Err(error) if best.is_none() => {
                    tracing::debug!(error = %error, "no routes of one address family");
                    break;
                }
                Err(source) => return Err(InterfaceError::Netlink { what: "routes", source }),
            }
        }
        if let Some((_, index)) = best {
            return Ok(Some(index));
        }
    }
    Ok(None)
}

fn is_default(route: &RouteMessage) -> bool {
    let table = route.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Table(table) => Some(*table),
        _ => None,
    });
    route.header.destination_prefix_length == 0
        && route.header.source_prefix_length == 0
        && route.header.kind == RouteType::Unicast
        && table.unwrap_or(route.header.table.into()) == u32::from(RouteHeader::RT_TABLE_MAIN)
}

/// Metric and interface index of a route; of several next hops the first.
fn leaves_by(route: &RouteMessage) -> Option<(u32, u32)> {
    let mut metric = 0;
    let mut index = None;
    for attribute in &route.attributes {
        match attribute {
            RouteAttribute::Priority(priority) => metric = *priority,
            RouteAttribute::Oif(oif) => index = Some(*oif),
            RouteAttribute::MultiPath(hops) => {
                index = index.or(hops.first().map(|hop| hop.interface_index));
            }
            _ => {}
        }
    }
    index.map(|index| (metric, index))
}

/// IFA_LOCAL is our end where the link is point to point; IFA_ADDRESS is then the other's.
fn own_address(message: &AddressMessage) -> Option<Address> {
    let mut own = None;
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(ip) => own = Some(*ip),
            AddressAttribute::Address(ip) => own = own.or(Some(*ip)),
            _ => {}
        }
    }
    own.map(|ip| Address { ip, prefix: message.header.prefix_len })
}

fn link(message: &LinkMessage, addresses: &mut HashMap<u32, Vec<Address>>) -> Option<Link> {
    let index = message.header.index;
    let mut link = Link {
        index,
        up: message.header.flags.contains(LinkFlags::Up),
        kind: hardware(message.header.link_layer_type),
        addresses: addresses.remove(&index).unwrap_or_default(),
        ..Link::default()
    };
    let mut elsewhere = false;
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name.clone_from(name),
            LinkAttribute::Address(mac) => link.mac = mac_text(mac),
            LinkAttribute::Mtu(mtu) => link.mtu_bytes = *mtu,
            LinkAttribute::Link(parent) => link.parent = Some(*parent).filter(|parent| *parent != 0),
            LinkAttribute::Controller(master) => link.master = Some(*master).filter(|master| *master != 0),
            LinkAttribute::LinkNetNsId(_) => elsewhere = true,
            LinkAttribute::LinkInfo(infos) => {
                if let Some(kind) = infos.iter().find_map(kind) {
                    link.kind = kind;
                }
            }
            _ => {}
        }
    }
    // the index is then one of another namespace's
    link.parent = link.parent.filter(|parent| !elsewhere && *parent != index);
    (!link.name.is_empty()).then_some(link)
}

fn kind(info: &LinkInfo) -> Option<String> {
    match info {
        LinkInfo::Kind(kind) => Some(kind.to_string()),
        _ => None,
    }
}

fn hardware(layer: LinkLayerType) -> String {
    match layer {
        LinkLayerType::Ether => "ethernet".to_owned(),
        LinkLayerType::Loopback => "loopback".to_owned(),
        other => format!("{other:?}").to_lowercase(),
    }
}

/// Six bytes of Ethernet; other lengths are addresses of tunnels, not of stations.
pub(super) fn mac_text(bytes: &[u8]) -> String {
    if bytes.len() != 6 || bytes.iter().all(|byte| *byte == 0) {
        return String::new();
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}
