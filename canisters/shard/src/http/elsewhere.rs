//! Bytes that another shard holds. A redirect is certified like any other response, so its target is written down beforehand: the other
//! shard as mainnet's gateways name it. Where a request came by another gateway (a local network's, say), which its `Host` header tells, the
//! redirect is made by an update, within the same allowance as odd ranges, and stays with that gateway.

use candid::Principal;
use stoa_shard_api::{HttpRequest, HttpResponse};

use super::replies::COMMON;
use crate::certified::models::VersionPlace;

pub const LINE: &str = "Another shard has these bytes.\n";

/// What stands before and behind a canister's id in a URL.
#[derive(Clone, Copy)]
pub struct Gateway<'a> {
    scheme: &'a str,
    domain: &'a str,
}

pub const MAINNET: Gateway<'static> = Gateway {
    scheme: "https",
    domain: ".icp0.io",
};

/// Who was sent here is not sent on: two shards that both lack the bytes would send him to and fro.
const SENT_ON: &str = "?elsewhere";

pub fn was_sent_on(url: &str) -> bool {
    url.ends_with(SENT_ON)
}

/// Another gateway than mainnet's, where the `Host` header names this canister by one.
pub fn other_gateway<'a>(request: &'a HttpRequest, own: Principal) -> Option<Gateway<'a>> {
    let host = request
        .headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("host"))
        .map(|(_, value)| value.as_str())?;
    let domain = host.strip_prefix(&own.to_text())?;
    let is_sound = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':');
    if !domain.starts_with('.') || !domain.chars().all(is_sound) || domain == MAINNET.domain {
        return None;
    }
    let name = domain.split(':').next().unwrap_or_default();
    Some(Gateway {
        // Nothing else is reached without TLS.
        scheme: if name.ends_with(".localhost") {
            "http"
        } else {
            "https"
        },
        domain,
    })
}

pub fn location(
    gateway: Gateway<'_>,
    shard: Principal,
    version: &VersionPlace,
    path: &str,
) -> String {
    let VersionPlace {
        publisher,
        name,
        semver,
    } = version;
    let Gateway { scheme, domain } = gateway;
    let path = percent_encoded(path);
    format!("{scheme}://{shard}{domain}/models/{publisher}/{name}/{semver}/{path}{SENT_ON}")
}

/// As an update answers it.
pub fn redirect(location: String) -> HttpResponse {
    let mut headers: Vec<(String, String)> = COMMON
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    for (name, value) in [
        ("location", location.as_str()),
        ("cache-control", "no-store"),
        ("content-type", "text/plain; charset=utf-8"),
        ("content-length", &LINE.len().to_string()),
    ] {
        headers.push((name.to_owned(), value.to_owned()));
    }
    HttpResponse {
        status_code: 307,
        headers,
        body: LINE.as_bytes().to_vec(),
        upgrade: None,
    }
}

/// All but letters, digits, `-._~` and slashes as `%41`.
pub fn percent_encoded(path: &str) -> String {
    let mut encoded = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                encoded.push(byte.into());
            }
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: Principal = Principal::from_slice(&[0, 0, 0, 0, 0, 0, 0, 7, 1, 1]);

    fn gateway(host: &str) -> Option<(String, String)> {
        let request = HttpRequest {
            method: "GET".to_owned(),
            url: "/".to_owned(),
            headers: vec![("Host".to_owned(), host.to_owned())],
            body: Vec::new(),
            certificate_version: None,
        };
        other_gateway(&request, OWN)
            .map(|gateway| (gateway.scheme.to_owned(), gateway.domain.to_owned()))
    }

    #[test]
    fn should_stay_with_the_gateway_that_the_host_header_names() {
        let is = |scheme: &str, domain: &str| Some((scheme.to_owned(), domain.to_owned()));
        let local = ".localhost:4943";
        assert_eq!(gateway(&format!("{OWN}{local}")), is("http", local));
        let other = ".gateway.example";
        assert_eq!(gateway(&format!("{OWN}{other}")), is("https", other));
        for host in [
            &format!("{OWN}.icp0.io"),
            "models.example",
            &format!("{OWN}.a/b"),
            &format!("{OWN}evil.example"),
            &format!("{OWN}.a@b"),
        ] {
            assert_eq!(gateway(host), None, "{host}");
        }
    }

    #[test]
    fn should_encode_what_a_url_cannot_have() {
        assert_eq!(percent_encoded("a b/ü?.onnx"), "a%20b/%C3%BC%3F.onnx");
        assert!(was_sent_on("/models/a/b/1/c?elsewhere"));
    }
}
