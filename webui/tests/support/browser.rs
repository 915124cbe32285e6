//! A browser, as far as the service can tell: cookies, forms, Origin.
use std::collections::BTreeMap;

use reqwest::{Client, Method, RequestBuilder, Response, redirect};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::PASSWORD;

pub struct Browser {
    client: Client,
    pub site: String,
    pub cookies: BTreeMap<String, String>,
}

pub type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

impl Browser {
    pub fn new(port: u16) -> Self {
        Self::over(format!("http://127.0.0.1:{port}"), None)
    }

    /// Trusts this certificate alone.
    pub fn over_tls(port: u16, trusted: reqwest::Certificate) -> Self {
        Self::over(format!("https://127.0.0.1:{port}"), Some(trusted))
    }

    fn over(site: String, trusted: Option<reqwest::Certificate>) -> Self {
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            drop(rustls::crypto::ring::default_provider().install_default());
        }
        let client = Client::builder().redirect(redirect::Policy::none()).no_proxy();
        let client = client.tls_certs_only(trusted).build().unwrap();
        Self { client, site, cookies: BTreeMap::new() }
    }

    pub async fn logged_in(port: u16) -> Self {
        let mut browser = Self::new(port);
        let answer = browser.log_in("admin", PASSWORD).await;
        assert_eq!(answer.status(), 303, "log-in failed");
        browser
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        self.client.request(method, format!("{}{path}", self.site)).header("cookie", cookies.join("; "))
    }

    fn keep(&mut self, answer: &Response) {
        for cookie in answer.headers().get_all("set-cookie") {
            let (name, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), rest.split(';').next().unwrap().to_owned());
        }
    }

    pub async fn get(&mut self, path: &str) -> Response {
        let answer = self.request(Method::GET, path).send().await.unwrap();
        self.keep(&answer);
        answer
    }

    pub async fn json(&mut self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status(), 200, "{path}");
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    }

    /// The hidden token of the first form on a page.
    pub async fn form_token(&mut self, path: &str) -> String {
        let page = self.get(path).await.text().await.unwrap();
        let (_, rest) = page.split_once("name=\"csrf\" value=\"").unwrap();
        rest.split('"').next().unwrap().to_owned()
    }

    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Response {
        let site = self.site.clone();
        self.post_from(path, fields, Some(&site)).await
    }

    pub async fn post_from(&mut self, path: &str, fields: &[(&str, &str)], origin: Option<&str>) -> Response {
        let encode = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
        let body: Vec<String> =
            fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        let mut request = self
            .request(Method::POST, path)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body.join("&"));
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        let answer = request.send().await.unwrap();
        self.keep(&answer);
        answer
    }

    pub async fn log_in(&mut self, user: &str, password: &str) -> Response {
        let token = self.form_token("/login").await;
        self.post("/login", &[("user", user), ("password", password), ("csrf", &token), ("next", "/")]).await
    }

    /// # Errors
    /// The status with which the service refused.
    pub async fn socket(&self, path: &str, origin: Option<&str>) -> Result<Socket, u16> {
        let address = format!("{}{path}", self.site.replace("http://", "ws://"));
        let mut request = address.into_client_request().unwrap();
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        request.headers_mut().insert("cookie", cookies.join("; ").parse().unwrap());
        if let Some(origin) = origin {
            request.headers_mut().insert("origin", origin.parse().unwrap());
        }
        match tokio_tungstenite::connect_async(request).await {
            Ok((socket, _)) => Ok(socket),
            Err(tokio_tungstenite::tungstenite::Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }
}
