//! What only the history knows.
use actix_web::{HttpResponse, web};
use jiff::Timestamp;
use serde::Serialize;
use weir_shared::json::csv::{Cell, Columns};
use weir_shared::json::{WindowItem, alerts_document, days_document, windows_document};
use weir_shared::report::{ApplicationMix, Count, NetworkMix, TcpFlags, TransportMix};

use super::super::error::HttpError;
use super::super::state::State;
use super::order::sorted;
use super::query::{Paged, Parameters, csv_file, parameter};
use crate::store::range::{MOST_POINTS, Range};
use crate::store::series::SeriesQuery;

const MOST_GAPS: usize = 200;

#[derive(Debug, Serialize)]
struct Stepped<T> {
    #[serde(flatten)]
    document: T,
    from: Timestamp,
    to: Timestamp,
    /// 0: each row is a window as it closed.
    step_seconds: i64,
}

/// One row an interface and span, newest first; with `sum=true` one a span.
pub(super) async fn windows(
    state: web::Data<State>,
    parameters: web::Query<Parameters>,
) -> Result<HttpResponse, HttpError> {
    let query = SeriesQuery {
        range: parameters.range()?,
        interface: parameters.interface(),
        summed: parameters.summed()?,
        search: parameters.q.clone(),
        step_millis: parameters.step_millis()?,
        // without a limit of its own a series is whole: it has at most so many points
        limit: match parameters.limit {
            Some(_) => parameters.limit()?,
            None => usize::try_from(MOST_POINTS).unwrap_or(usize::MAX),
        },
        before: time_cursor(&parameters)?,
    };
    let series = state.store.series(&query).await?;
    let items: Vec<WindowItem> = (series.windows.iter())
        .flat_map(|window| window.interfaces.iter().map(move |part| WindowItem::new(window, part)))
        .collect();
    let items = sorted(items, &parameters.sort);
    if parameters.is_csv()? {
        return csv_file("windows", &items, None);
    }
    let gaps = state.store.gaps(query.range, MOST_GAPS).await?;
    let document = Stepped {
        document: windows_document(&items, &gaps),
        from: series.range.from,
        to: series.range.to,
        step_seconds: series.plan.step_millis / 1_000,
    };
    let next_cursor = series.next.map(|time| time.as_millisecond().to_string());
    Ok(HttpResponse::Ok().json(Paged { document, next_cursor }))
}

fn time_cursor(parameters: &Parameters) -> Result<Option<Timestamp>, HttpError> {
    let Some(text) = parameters.cursor.as_deref().filter(|text| !text.is_empty()) else { return Ok(None) };
    let time = text.parse::<i64>().ok().and_then(|millis| Timestamp::from_millisecond(millis).ok());
    time.map(Some).ok_or_else(|| parameter("cursor", text, "the next_cursor of the page before"))
}

#[derive(Debug, Serialize)]
struct ProtocolsDocument {
    from: Timestamp,
    to: Timestamp,
    network: NetworkMix,
    transport: TransportMix,
    application: ApplicationMix,
    tcp_flags: TcpFlags,
}

/// A row of the mix as a file has it.
struct MixRow<'a> {
    layer: &'static str,
    protocol: &'a str,
    count: Count,
}

impl Columns for MixRow<'_> {
    const HEADER: &'static [&'static str] = &["layer", "protocol", "packets", "bytes"];

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::plain(self.layer),
            Cell::text(self.protocol),
            Cell::plain(self.count.packets),
            Cell::plain(self.count.bytes),
        ]
    }
}

fn mix_rows(totals: &ProtocolsDocument) -> Vec<MixRow<'_>> {
    let NetworkMix { ipv4, ipv6, arp, other } = totals.network;
    let network = [("ipv4", ipv4), ("ipv6", ipv6), ("arp", arp), ("other", other)];
    let TransportMix { tcp, udp, icmp, icmpv6, sctp, other } = totals.transport;
    let transport =
        [("tcp", tcp), ("udp", udp), ("icmp", icmp), ("icmpv6", icmpv6), ("sctp", sctp), ("other", other)];
    let application = totals.application.iter().map(|(name, count)| ("application", name.as_str(), *count));
    let lower = network.map(|(name, count)| ("network", name, count)).into_iter();
    lower
        .chain(transport.map(|(name, count)| ("transport", name, count)))
        .chain(application)
        .map(|(layer, protocol, count)| MixRow { layer, protocol, count })
        .collect()
}

/// The mix of a range; of all interfaces those that count in totals.
pub(super) async fn protocols(
    state: web::Data<State>,
    parameters: web::Query<Parameters>,
) -> Result<HttpResponse, HttpError> {
    let csv = parameters.is_csv()?;
    let (range, totals) = state.store.totals(parameters.range()?, parameters.interface().as_deref()).await?;
    let document = ProtocolsDocument {
        from: range.from,
        to: range.to,
        network: totals.network,
        transport: totals.transport,
        application: totals.application,
        tcp_flags: totals.tcp_flags,
    };
    if csv {
        return csv_file("protocols", &mix_rows(&document), None);
    }
    Ok(HttpResponse::Ok().json(document))
}

/// Starts, updates and ends of alerts, newest first. Without a range all that is kept.
pub(super) async fn alerts(
    state: web::Data<State>,
    parameters: web::Query<Parameters>,
) -> Result<HttpResponse, HttpError> {
    let page = state.store.alerts(&parameters.newest_first()?).await?;
    if parameters.is_csv()? {
        return csv_file("alerts", &page.alerts, None);
    }
    let document = alerts_document(&page.alerts);
    Ok(HttpResponse::Ok().json(Paged { document, next_cursor: page.next.map(|id| id.to_string()) }))
}

/// Kernel counters by interface and day. Without a range all that is kept.
pub(super) async fn days(
    state: web::Data<State>,
    parameters: web::Query<Parameters>,
) -> Result<HttpResponse, HttpError> {
    let range = if parameters.has_range() {
        parameters.range()?
    } else {
        Range { from: Timestamp::UNIX_EPOCH, to: Timestamp::MAX }
    };
    let days = state.store.days(range, parameters.interface().as_deref(), parameters.limit()?).await?;
    let days = sorted(days, &parameters.sort);
    if parameters.is_csv()? {
        return csv_file("days", &days, None);
    }
    let zone = jiff::tz::TimeZone::system();
    let name = zone.iana_name().unwrap_or("UTC");
    Ok(HttpResponse::Ok().json(Paged { document: days_document(name, &days), next_cursor: None }))
}
