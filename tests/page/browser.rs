//! A real Chromium without a screen, driven by `WebDriver`: JSON over HTTP to chromedriver. One for all tests, each in turn.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use serde_json::{Value, json};

use crate::client;
use crate::cluster;
use crate::support::station::LIMIT;
use crate::support::{programs, wait};

/// A browser with an empty profile.
pub(crate) struct Browser {
    address: String,
    session: String,
}

/// The only one. It goes with the cluster's directory.
pub(crate) fn browser() -> MutexGuard<'static, Browser> {
    static BROWSER: OnceLock<Mutex<Browser>> = OnceLock::new();
    let browser = BROWSER.get_or_init(|| Mutex::new(Browser::start()));
    // A test that failed leaves a page behind, and the next one asks for its own.
    browser.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Browser {
    fn start() -> Self {
        let home = cluster().server().home();
        let port = free_port();
        let driver = programs::find("chromedriver");
        // What it keeps of its own, as of a crash, is not put into the home of the one who tests.
        let arguments = [
            format!("HOME={}", home.path().display()),
            driver.display().to_string(),
            format!("--port={port}"),
        ];
        home.start_as_caller(
            "manager-browser",
            &programs::find("env"),
            &arguments.each_ref().map(String::as_str),
        );
        let address = format!("127.0.0.1:{port}");
        wait::until("chromedriver", LIMIT, || std::net::TcpStream::connect(&address).ok());
        let profile = home.path().join("chromium");
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars",
            "--window-size=1280,900",
            &format!("--user-data-dir={}", profile.display()),
        ];
        let capabilities = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }}});
        let answer = client::ask(&address, "POST", "/session", &capabilities.to_string());
        let session = answer.json()["value"]["sessionId"].as_str().map(str::to_owned);
        let session = session.unwrap_or_else(|| panic!("{}\n{}", answer.body, home.said("manager-browser")));
        Self { address, session }
    }

    #[track_caller]
    fn command(&self, method: &str, path: &str, body: &Value) -> Value {
        let path = format!("/session/{}/{path}", self.session);
        let body = if method == "GET" { String::new() } else { body.to_string() };
        let answer = client::ask(&self.address, method, &path, &body);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.json()["value"].clone()
    }

    /// Opens a page. What the browser noted before is forgotten.
    #[track_caller]
    pub(crate) fn open(&self, address: &str, path: &str) {
        self.log("browser");
        self.log("performance");
        self.command("POST", "url", &json!({"url": format!("http://{address}{path}")}));
    }

    /// The value of an expression in the page.
    #[track_caller]
    pub(crate) fn value(&self, expression: &str) -> Value {
        self.command("POST", "execute/sync", &json!({"script": format!("return {expression}"), "args": []}))
    }

    /// The text of everything that a selector finds, as it is seen.
    #[track_caller]
    pub(crate) fn texts(&self, selector: &str) -> Vec<String> {
        let found = self.value(&format!(
            "[...document.querySelectorAll({})].map(it => it.innerText.trim())",
            json!(selector)
        ));
        serde_json::from_value(found).expect("a list of texts")
    }

    /// Waits until an expression is true in the page.
    #[track_caller]
    pub(crate) fn await_true(&self, expression: &str) {
        let found = wait::within(LIMIT, || (self.value(expression) == true).then_some(()));
        assert!(found.is_some(), "in vain: {expression}\n{}", self.value("document.body.innerText"));
    }

    /// Types into what a selector finds, as a person does.
    #[track_caller]
    pub(crate) fn type_into(&self, selector: &str, text: &str) {
        let found = self.command("POST", "element", &json!({"using": "css selector", "value": selector}));
        let element = found.as_object().and_then(|it| it.values().next()?.as_str().map(str::to_owned));
        let path = format!("element/{}/value", element.expect("an element"));
        self.command("POST", &path, &json!({"text": text}));
    }

    pub(crate) fn resize(&self, width: u32, height: u32) {
        self.command("POST", "window/rect", &json!({"width": width, "height": height}));
    }

    /// Keeps a picture of what is seen as `<name>.png` in the directory that SCREENSHOTS names, if it names one.
    pub(crate) fn picture(&self, name: &str) {
        use base64::Engine as _;
        let picture = self.command("GET", "screenshot", &Value::Null);
        let picture =
            base64::prelude::BASE64_STANDARD.decode(picture.as_str().expect("base64")).expect("base64");
        assert!(picture.starts_with(b"\x89PNG"), "a picture");
        if let Some(directory) = std::env::var_os("SCREENSHOTS") {
            let path = Path::new(&directory).join(format!("{name}.png"));
            std::fs::write(path, picture).expect("write a picture");
        }
    }

    /// The browser has complained about nothing, and nothing was asked of anybody but this address.
    #[track_caller]
    pub(crate) fn assert_quiet(&self, address: &str) {
        let complaints = self.log("browser");
        assert!(complaints.is_empty(), "{complaints:#?}");
        let asked: BTreeSet<String> = self.log("performance").iter().filter_map(url_asked).collect();
        assert!(asked.iter().any(|url| url.ends_with("/page.js")), "the log of requests is read: {asked:?}");
        let own = format!("http://{address}/");
        // The page that the browser began with is inside of it, and so is what an address itself holds.
        let is_inside = |url: &str| url.starts_with("data:") || url.starts_with("chrome://");
        let strange: Vec<_> = asked.iter().filter(|url| !url.starts_with(&own) && !is_inside(url)).collect();
        assert!(strange.is_empty(), "{strange:?}");
    }

    fn log(&self, kind: &str) -> Vec<Value> {
        let log = self.command("POST", "se/log", &json!({"type": kind}));
        log.as_array().cloned().unwrap_or_default()
    }
}

/// The address that a line of the performance log says was asked.
fn url_asked(line: &Value) -> Option<String> {
    let line: Value = serde_json::from_str(line["message"].as_str()?).ok()?;
    let message = &line["message"];
    (message["method"] == "Network.requestWillBeSent")
        .then(|| message["params"]["request"]["url"].as_str().map(str::to_owned))?
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}
