//! A client that behaves like a browser without scripts: cookies, forms with their token, no redirects by itself.
use std::collections::BTreeMap;

use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;

#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    cookies: BTreeMap<String, String>,
}

/// An answer, read whole.
#[derive(Debug)]
pub struct Page {
    pub status: StatusCode,
    pub location: Option<String>,
    pub headers: reqwest::header::HeaderMap,
    pub body: String,
}

impl Page {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("not JSON ({error}): {}", self.body))
    }

    /// The value of a form's hidden field.
    pub fn field(&self, name: &str) -> String {
        let marker = format!("name=\"{name}\"");
        let tag = self.body.split('<').find(|tag| tag.starts_with("input") && tag.contains(&marker));
        let tag = tag.unwrap_or_else(|| panic!("no field {name} in {}", self.body));
        let value = tag.split("value=\"").nth(1).and_then(|rest| rest.split('"').next());
        value.unwrap_or_else(|| panic!("field {name} has no value: {tag}")).to_owned()
    }
}

impl Client {
    /// `base` is scheme, host and port.
    pub fn new(base: &str) -> Self {
        // without a provider reqwest cannot be built at all; a second test in one process finds it installed
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            rustls::crypto::ring::default_provider().install_default().ok();
        }
        let http =
            reqwest::Client::builder().redirect(Policy::none()).no_proxy().build().expect("an HTTP client");
        Self { http, base: base.to_owned(), cookies: BTreeMap::new() }
    }

    pub fn cookie_header(&self) -> String {
        self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        if self.cookies.is_empty() { request } else { request.header(COOKIE, self.cookie_header()) }
    }

    pub async fn get(&mut self, path: &str) -> Page {
        let request = self.request(Method::GET, path);
        self.send(request).await
    }

    /// Sends a form as the page at `path` would: with its token, and from its origin.
    pub async fn submit(&mut self, path: &str, token_field: &str, fields: &[(&str, &str)]) -> Page {
        let token = self.get(path).await.field(token_field);
        let mut form: Vec<(&str, &str)> = fields.to_vec();
        form.push((token_field, &token));
        self.post(path, &form).await
    }

    /// Logs in, and checks that it worked.
    pub async fn log_in(&mut self, user: &str, password: &str) {
        let page =
            self.submit("/login", "csrf", &[("user", user), ("password", password), ("next", "/")]).await;
        assert!(page.status.is_redirection(), "log-in: {} {}", page.status, page.body);
    }

    pub async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Page {
        let body = form
            .iter()
            .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
            .collect::<Vec<_>>();
        let request = self.request(Method::POST, path);
        let request =
            request.header("content-type", "application/x-www-form-urlencoded").header("origin", &self.base);
        self.send(request.body(body.join("&"))).await
    }

    pub async fn send(&mut self, request: RequestBuilder) -> Page {
        let answer: Response = request.send().await.expect("an answer");
        for set in answer.headers().get_all(SET_COOKIE) {
            let pair = set.to_str().expect("a cookie").split(';').next().unwrap_or_default();
            if let Some((name, value)) = pair.split_once('=') {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let status = answer.status();
        let headers = answer.headers().clone();
        let location = headers.get(LOCATION).map(|value| value.to_str().expect("a location").to_owned());
        Page { status, location, headers, body: answer.text().await.expect("a body") }
    }
}

/// Percent-encoding of everything that is not a letter, a digit or one of `-._~` (RFC 3986 section 2.3).
fn encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
