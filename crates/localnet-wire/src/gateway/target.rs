//! Which canister a request is for.

use axum::http::{HeaderMap, Uri, header};
use candid::Principal;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Target {
    pub(crate) canister: Principal,
    /// Asked for under a name that says that proofs are not wanted.
    pub(crate) raw: bool,
}

/// The canister in the host name; else in the query; else, for what a page that
/// was asked for so refers to, in the query of the page. None if nobody is named.
pub(crate) fn target(uri: &Uri, headers: &HeaderMap) -> Option<Target> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let host = uri
        .authority()
        .map(|authority| authority.as_str())
        .or_else(|| text(header::HOST));
    let in_query = |uri: &Uri| {
        let canister = canister_in_query(uri.query()?)?;
        Some(Target {
            canister,
            raw: false,
        })
    };
    host.and_then(in_host)
        .or_else(|| in_query(uri))
        .or_else(|| in_query(&text(header::REFERER)?.parse().ok()?))
}

fn in_host(host: &str) -> Option<Target> {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.to_ascii_lowercase();
    let label = name.strip_suffix(".localhost")?;
    let (label, raw) = match label.strip_suffix(".raw") {
        Some(label) => (label, true),
        None => (label, false),
    };
    // As on mainnet: what stands before two dashes is a name for people.
    let id = label.rsplit_once("--").map_or(label, |(_, id)| id);
    let canister = Principal::from_text(id).ok()?;
    Some(Target { canister, raw })
}

fn canister_in_query(query: &str) -> Option<Principal> {
    query
        .split('&')
        .find_map(|pair| pair.strip_prefix("canisterId="))
        .and_then(|id| Principal::from_text(id).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "ryjl3-tyaaa-aaaaa-aaaba-cai";

    fn found(host: &str, uri: &str, referer: Option<&str>) -> Option<(String, bool)> {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        if let Some(referer) = referer {
            headers.insert(header::REFERER, referer.parse().unwrap());
        }
        let target = target(&uri.parse().unwrap(), &headers)?;
        Some((target.canister.to_text(), target.raw))
    }

    #[test]
    fn should_find_the_canister_in_the_host_name() {
        let verified = Some((ID.to_owned(), false));
        assert_eq!(found(&format!("{ID}.localhost:4943"), "/", None), verified);
        assert_eq!(found(&format!("{ID}.LOCALHOST"), "/a?b", None), verified);
        assert_eq!(
            found(&format!("my-page--{ID}.localhost"), "/", None),
            verified
        );
        assert_eq!(
            found(&format!("{ID}.raw.localhost:1"), "/", None),
            Some((ID.to_owned(), true))
        );
        assert_eq!(found("localhost:4943", "/", None), None);
        assert_eq!(found("nobody.localhost", "/", None), None);
        assert_eq!(found(&format!("{ID}.example.com"), "/", None), None);
    }

    #[test]
    fn should_find_the_canister_in_the_query_or_in_that_of_the_page() {
        let verified = Some((ID.to_owned(), false));
        let host = "127.0.0.1:4943";
        assert_eq!(found(host, &format!("/?canisterId={ID}"), None), verified);
        assert_eq!(
            found(host, &format!("/x?y=1&canisterId={ID}"), None),
            verified
        );
        let page = format!("http://127.0.0.1:4943/?canisterId={ID}");
        assert_eq!(found(host, "/style.css", Some(&page)), verified);
        assert_eq!(found(host, "/?canisterId=nobody", None), None);
    }
}
