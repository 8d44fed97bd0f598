//! The files of the page and how each is served.
//!
//! Files are part of the module; the certification tree over them is in the heap, made anew at each installation and upgrade.
//! A path that is no file gets the page itself, whose router knows it or says that there is nothing; but below `/_app`, where
//! names change with every build, an unknown file is a plain 404, so that an outdated page notices; and below `/.well-known`,
//! where a page would be taken for an answer.

use std::cell::RefCell;

use candid::Principal;
use ic_asset_certification::{
    Asset, AssetConfig, AssetEncoding, AssetFallbackConfig, AssetMap, AssetRouter,
};
use ic_http_certification::{HttpRequest, HttpResponse, Method, StatusCode};
use stoa_frontend_api::Configuration;

use crate::headers::{Caching, headers};
use crate::runtime;
use crate::well_known;

static FILES: &[(&str, &[u8])] = &include!(concat!(env!("OUT_DIR"), "/files.rs"));

const PAGE: &str = "index.html";
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

/// A file as it is served: its path below the root, without a slash, and its bytes.
pub type File = (&'static str, std::borrow::Cow<'static, [u8]>);

/// Certifies all files and what is made from the configuration.
pub fn certify(configuration: &Configuration) {
    let router = route(FILES, runtime::own_id(), configuration);
    runtime::set_certified_data(&router.root_hash());
    UNSTABLE_ROUTER.set(router);
}

/// Answers a GET or HEAD; there is nothing else that this canister does over HTTP.
pub fn serve(request: &HttpRequest) -> HttpResponse<'static> {
    let Some(certificate) = runtime::data_certificate() else {
        return plain(
            StatusCode::INTERNAL_SERVER_ERROR,
            "An answer can be certified in a query alone.\n",
        );
    };
    UNSTABLE_ROUTER.with_borrow(|router| answer(router, &certificate, request))
}

/// How many files there are, copies in other encodings left out, and their bytes.
pub fn size() -> (u64, u64) {
    FILES
        .iter()
        .filter(|(path, _)| !is_encoding_of_another(path, FILES))
        .fold((0, 0), |(files, bytes), (_, content)| {
            (files + 1, bytes + content.len() as u64)
        })
}

pub(crate) fn answer(
    router: &AssetRouter<'static>,
    certificate: &[u8],
    request: &HttpRequest,
) -> HttpResponse<'static> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return plain(
            StatusCode::METHOD_NOT_ALLOWED,
            "This canister answers GET and HEAD alone.\n",
        );
    }
    router
        .serve_asset(certificate, request)
        .unwrap_or_else(|error| plain(StatusCode::BAD_REQUEST, &format!("{error}\n")))
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

pub(crate) fn route(
    built: &[(&'static str, &'static [u8])],
    own_id: Principal,
    configuration: &Configuration,
) -> AssetRouter<'static> {
    let mut files: Vec<File> = built
        .iter()
        .map(|(path, bytes)| {
            (
                only_compressed(path, built).unwrap_or(*path),
                (*bytes).into(),
            )
        })
        .collect();
    files.push((
        NOT_FOUND,
        b"There is no such file. The page may be out of date: load it again.\n"
            .as_slice()
            .into(),
    ));
    files.extend(well_known::files(own_id, configuration));
    let configurations: Vec<AssetConfig> = files
        .iter()
        .filter(|(path, _)| !is_encoding_of_another(path, built))
        .map(|(path, _)| how_served(path, built))
        .collect();
    let assets = files
        .into_iter()
        .map(|(path, bytes)| Asset::new(path, bytes));
    let mut router = AssetRouter::default();
    if let Err(error) = router.certify_assets(assets, configurations) {
        runtime::trap(&format!("BUG: the files cannot be certified: {error}"));
    }
    // A compressed copy is an answer to who asks for the file, not a file of its own, which would have no headers.
    router.delete_assets_by_path(
        built
            .iter()
            .filter(|(path, _)| is_encoding_of_another(path, built))
            .map(|(path, _)| format!("/{path}"))
            .collect::<Vec<_>>()
            .iter()
            .map(String::as_str),
    );
    debug_assert!(router.get_assets().len() >= built.len().min(1));
    router
}

fn how_served(path: &str, built: &[(&'static str, &'static [u8])]) -> AssetConfig {
    let caching = if path.starts_with(HASHED_NAMES) {
        Caching::Forever
    } else {
        Caching::Never
    };
    let mut headers = headers(caching);
    if built
        .iter()
        .any(|(other, _)| only_compressed(other, built) == Some(path))
    {
        headers.push(("content-encoding".to_string(), "gzip".to_string()));
    }
    let fallback = |scope: &str, status_code: StatusCode| AssetFallbackConfig {
        scope: scope.to_string(),
        status_code: Some(status_code),
    };
    AssetConfig::File {
        path: path.to_string(),
        content_type: Some(content_type(path).to_string()),
        headers,
        fallback_for: match path {
            PAGE => vec![fallback("/", StatusCode::OK)],
            NOT_FOUND => vec![
                fallback("/_app", StatusCode::NOT_FOUND),
                fallback("/.well-known", StatusCode::NOT_FOUND),
            ],
            _ => Vec::new(),
        },
        aliased_by: if path == PAGE {
            vec!["/".to_string()]
        } else {
            Vec::new()
        },
        encodings: encodings()
            .into_iter()
            .filter(|(_, suffix)| {
                built
                    .iter()
                    .any(|(other, _)| *other == format!("{path}{suffix}"))
            })
            .collect(),
    }
}

fn encodings() -> [(AssetEncoding, String); 2] {
    [
        AssetEncoding::Brotli.default_config(),
        AssetEncoding::Gzip.default_config(),
    ]
}

fn is_encoding_of_another(path: &str, built: &[(&'static str, &'static [u8])]) -> bool {
    encodings().iter().any(|(_, suffix)| {
        path.strip_suffix(suffix.as_str())
            .is_some_and(|original| built.iter().any(|(other, _)| *other == original))
    })
}

/// The name of a file that was built compressed and in no other form: large ones, which every browser takes so.
fn only_compressed<'a>(path: &'a str, built: &[(&'static str, &'static [u8])]) -> Option<&'a str> {
    let original = path.strip_suffix(".gz")?;
    let is_there = built.iter().any(|(other, _)| *other == original);
    (!is_there).then_some(original)
}

fn content_type(path: &str) -> &'static str {
    if let Some(content_type) = well_known::content_type(path) {
        return content_type;
    }
    let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
    CONTENT_TYPES
        .iter()
        .find(|(known, _)| *known == extension)
        .map_or("application/octet-stream", |(_, content_type)| content_type)
}

#[cfg(test)]
pub(crate) static TEST_FILES: &[(&str, &[u8])] = FILES;
