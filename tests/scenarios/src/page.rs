//! Canisters' pages, as gateways name them.

/// An endpoint such as `http://127.0.0.1:4943` and a canister: the URL that a gateway serves it under, and that URL's host.
pub fn page(endpoint: &str, canister: &str) -> (String, String) {
    let (scheme, host) = endpoint.split_once("://").expect("a URL");
    let host = host.trim_end_matches('/');
    let (name, port) = match host.split_once(':') {
        Some((name, port)) => (name, format!(":{port}")),
        None => (host, String::new()),
    };
    let domain = match name {
        "127.0.0.1" | "localhost" | "[::1]" => "localhost",
        "icp-api.io" | "icp0.io" | "ic0.app" => "icp0.io",
        other => other,
    };
    let host = format!("{canister}.{domain}{port}");
    (format!("{scheme}://{host}"), host)
}
