//! The page of processes, and the bandwidth over which one raises an alert.
use actix_web::{HttpResponse, web};
use serde::Deserialize;

use super::api::collector;
use super::error::{HttpError, redirect};
use super::login::check_form;
use super::pages::{Kept, shell};
use super::state::State;
use crate::auth::LoggedIn;
use crate::pages;
use crate::pages::view::ProcessesView;

#[derive(Debug, Deserialize)]
pub(super) struct Change {
    #[serde(default)]
    csrf: String,
    /// Bytes a second, 0 for off; `other` where amount and unit say it.
    #[serde(default)]
    step: String,
    #[serde(default)]
    amount: String,
    #[serde(default)]
    unit: String,
}

pub(super) async fn page(state: web::Data<State>, caller: LoggedIn, kept: web::Query<Kept>) -> HttpResponse {
    show(&state, &caller, &kept, None).await
}

pub(super) async fn set_threshold(
    state: web::Data<State>,
    caller: LoggedIn,
    kept: web::Query<Kept>,
    change: web::Form<Change>,
) -> Result<HttpResponse, HttpError> {
    check_form(&caller, &change.csrf)?;
    let Some(threshold) = threshold(&change) else {
        let problem = "The threshold is a number above 0, with KiB/s, MiB/s or GiB/s, or one of the steps.";
        return Ok(show(&state, &caller, &kept, Some(problem.to_owned())).await);
    };
    let user = &caller.session.user;
    match collector(&state)?.on_behalf_of(user).set_process_threshold(threshold).await {
        Ok(before) => {
            tracing::info!(user, "{user} set the process threshold from {before} to {threshold} bytes/s");
            Ok(redirect(&kept.link("/processes")))
        }
        Err(error) => Ok(show(&state, &caller, &kept, Some(error.to_string())).await),
    }
}

/// Bytes a second; None where the form says something else.
fn threshold(change: &Change) -> Option<u64> {
    if change.step != "other" {
        return change.step.parse().ok();
    }
    let unit: f64 = match change.unit.as_str() {
        "KiB/s" => 1_024.0,
        "MiB/s" => 1_048_576.0,
        "GiB/s" => 1_073_741_824.0,
        _ => return None,
    };
    let amount: f64 = change.amount.trim().replace(',', ".").parse().ok()?;
    let bytes = (amount * unit).round();
    // beyond a terabyte a second no interface goes
    if !(1.0..=1e12).contains(&bytes) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and 1e12")]
    let bytes = bytes as u64;
    Some(bytes)
}

async fn show(state: &State, caller: &LoggedIn, kept: &Kept, problem: Option<String>) -> HttpResponse {
    let status = match state.hub.collector() {
        Some(collector) => collector.status().await.ok(),
        None => None,
    };
    let mut response =
        if problem.is_some() { HttpResponse::UnprocessableEntity() } else { HttpResponse::Ok() };
    let view = ProcessesView {
        shell: shell(state, caller, kept),
        threshold_bytes_per_second: status.as_ref().map(|status| status.process_threshold_bytes_per_second),
        attribution: status.map(|status| status.attribution),
        problem,
    };
    response.content_type("text/html; charset=utf-8").body(pages::processes::page(&view).into_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(step: &str, amount: &str, unit: &str) -> Option<u64> {
        let (step, amount, unit) = (step.to_owned(), amount.to_owned(), unit.to_owned());
        threshold(&Change { csrf: String::new(), step, amount, unit })
    }

    #[test]
    fn a_step_is_taken_as_it_is_and_any_other_value_by_its_unit() {
        assert_eq!(asked("0", "", ""), Some(0));
        assert_eq!(asked("524288", "9", "MiB/s"), Some(524_288));
        assert_eq!(asked("other", "3", "MiB/s"), Some(3 << 20));
        assert_eq!(asked("other", " 1,5 ", "KiB/s"), Some(1_536));
    }

    #[test]
    fn what_is_no_rate_is_refused() {
        for (step, amount, unit) in [
            ("", "", ""),
            ("-1", "", ""),
            ("other", "", "MiB/s"),
            ("other", "0", "KiB/s"),
            ("other", "NaN", "KiB/s"),
            ("other", "-5", "MiB/s"),
            ("other", "5", "Mbit/s"),
            ("other", "1e9", "GiB/s"),
        ] {
            assert_eq!(asked(step, amount, unit), None, "{step} {amount} {unit}");
        }
    }
}
