//! The files of the page and how each is served.
//!
//! Files are part of the module; the certification tree over them is in the heap, made anew at each installation and upgrade.
//! A path that is no file gets the page itself, whose router knows it or says that there is nothing; but below `/_app`, where
//! names change with every build, an unknown file is a plain 404, so that an outdated page notices.

use std::cell::RefCell;

use ic_asset_certification::{Asset, AssetConfig, AssetEncoding, AssetFallbackConfig, AssetRouter};
use ic_http_certification::{HttpRequest, HttpResponse, Method, StatusCode};
use stoa_frontend_api::Configuration;

use crate::headers::{Caching, headers};
use crate::runtime;

static FILES: &[(&str, &[u8])] = &include!(concat!(env!("OUT_DIR"), "/files.rs"));

const PAGE: &str = "index.html";
const CONFIGURATION: &str = "config.json";
const NOT_FOUND: &str = "404.txt";
const HASHED_NAMES: &str = "_app/immutable/";

/// By extension: what browsers need to be told. Unknown ones are bytes to save.
const CONTENT_TYPES: &[(&str, &str)] = &[
    ("html", "text/html; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("mjs", "text/javascript; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("json", "application/json; charset=utf-8"),
    ("webmanifest", "application/manifest+json"),
    ("svg", "image/svg+xml"),
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("ico", "image/x-icon"),
    ("webp", "image/webp"),
    ("woff2", "font/woff2"),
    ("wasm", "application/wasm"),
    ("txt", "text/plain; charset=utf-8"),
];

thread_local! {
    static UNSTABLE_ROUTER: RefCell<AssetRouter<'static>> = RefCell::default();
}

/// Certifies all files and the configuration.
pub fn certify(configuration: &Configuration) {
    let router = route(FILES, configuration);
    runtime::set_certified_data(&router.root_hash());
    UNSTABLE_ROUTER.set(router);
}

/// Answers a GET or HEAD; there is nothing else that this canister does over HTTP.
pub fn serve(request: &HttpRequest) -> HttpResponse<'static> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return plain(StatusCode::METHOD_NOT_ALLOWED, "This canister answers GET and HEAD alone.\n");
    }
    let Some(certificate) = runtime::data_certificate() else {
        return plain(
            StatusCode::INTERNAL_SERVER_ERROR,
            "An answer can be certified in a query alone.\n",
        );
    };
    UNSTABLE_ROUTER.with_borrow(|router| {
        router
            .serve_asset(&certificate, request)
            .unwrap_or_else(|error| plain(StatusCode::BAD_REQUEST, &format!("{error}\n")))
    })
}

/// An answer without a certificate: gateways that verify replace it by an error of their own.
fn plain(status: StatusCode, text: &str) -> HttpResponse<'static> {
    HttpResponse::builder()
        .with_status_code(status)
        .with_headers(vec![(
            "content-type".to_string(),
            "text/plain; charset=utf-8".to_string(),
        )])
        .with_body(text.as_bytes().to_vec())
        .build()
}

fn route(files: &[(&'static str, &'static [u8])], configuration: &Configuration) -> AssetRouter<'static> {
    let configuration = serde_json::to_vec(configuration).expect("BUG: the configuration is no JSON");
    let mut assets: Vec<Asset> = files.iter().map(|(path, bytes)| Asset::new(*path, *bytes)).collect();
    assets.push(Asset::new(CONFIGURATION, configuration));
    assets.push(Asset::new(NOT_FOUND, b"There is no such file. The page may be out of date: load it again.\n".as_slice()));
    let mut configurations: Vec<AssetConfig> = files
        .iter()
        .map(|(path, _)| *path)
        .filter(|path| !is_encoding_of_another(path, files))
        .chain([CONFIGURATION, NOT_FOUND])
        .map(|path| how_served(path, files))
        .collect();
    configurations.sort_by_key(|each| format!("{each:?}"));
    let mut router = AssetRouter::default();
    if let Err(error) = router.certify_assets(assets, configurations) {
        runtime::trap(&format!("BUG: the files cannot be certified: {error}"));
    }
    router
}

fn how_served(path: &str, files: &[(&'static str, &'static [u8])]) -> AssetConfig {
    let caching = if path.starts_with(HASHED_NAMES) {
        Caching::Forever
    } else {
        Caching::Never
    };
    let fallback = |scope: &str, status: StatusCode| {
        vec![AssetFallbackConfig {
            scope: scope.to_string(),
            status_code: Some(status),
        }]
    };
    AssetConfig::File {
        path: path.to_string(),
        content_type: Some(content_type(path).to_string()),
        headers: headers(caching),
        fallback_for: match path {
            PAGE => fallback("/", StatusCode::OK),
            NOT_FOUND => fallback("/_app", StatusCode::NOT_FOUND),
            _ => Vec::new(),
        },
        aliased_by: if path == PAGE { vec!["/".to_string()] } else { Vec::new() },
        encodings: encodings()
            .into_iter()
            .filter(|(_, suffix)| files.iter().any(|(other, _)| *other == format!("{path}{suffix}")))
            .collect(),
    }
}

fn encodings() -> [(AssetEncoding, String); 2] {
    [AssetEncoding::Brotli.default_config(), AssetEncoding::Gzip.default_config()]
}

fn is_encoding_of_another(path: &str, files: &[(&'static str, &'static [u8])]) -> bool {
    encodings().iter().any(|(_, suffix)| {
        path.strip_suffix(suffix.as_str())
            .is_some_and(|original| files.iter().any(|(other, _)| *other == original))
    })
}

fn content_type(path: &str) -> &'static str {
    let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
    CONTENT_TYPES
        .iter()
        .find(|(known, _)| *known == extension)
        .map_or("application/octet-stream", |(_, content_type)| *content_type)
}
