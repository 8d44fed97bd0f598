//! The headers of each answer: certified like the bodies, so a replica cannot weaken them.

use ic_http_certification::HeaderField;

/// What the page may do. Scripts come from this canister alone and none is inline; WebAssembly is for hashing, signatures and
/// models on this device. Styles may be inline, because components set custom properties in `style` attributes. Calls go to
/// the network's API on this very host or, on mainnet, at its own address, since gateways of custom domains have none.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; \
    script-src 'self' 'wasm-unsafe-eval'; \
    worker-src 'self' blob:; \
    style-src 'self' 'unsafe-inline'; \
    img-src 'self' data: blob:; \
    media-src 'self' blob:; \
    font-src 'self'; \
    manifest-src 'self'; \
    connect-src 'self' https://icp-api.io; \
    base-uri 'self'; form-action 'none'; frame-ancestors 'none'; object-src 'none'";

/// A camera is asked for where a picture is the model's input; nothing else of the device is used.
const PERMISSIONS_POLICY: &str = "camera=(self), microphone=(), geolocation=(), payment=(), usb=()";

/// How long a browser may keep an answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Caching {
    /// The name changes with the content.
    Forever,
    /// Asked for anew each time.
    Never,
}

/// The headers of an answer, but for its type, length and certificate.
pub fn headers(caching: Caching) -> Vec<HeaderField> {
    let cache_control = match caching {
        Caching::Forever => "public, max-age=31536000, immutable",
        Caching::Never => "no-cache",
    };
    [
        ("cache-control", cache_control),
        ("content-security-policy", CONTENT_SECURITY_POLICY),
        ("permissions-policy", PERMISSIONS_POLICY),
        ("referrer-policy", "no-referrer"),
        (
            "strict-transport-security",
            "max-age=31536000; includeSubDomains",
        ),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        // Signing in opens a window that answers to this one.
        ("cross-origin-opener-policy", "same-origin-allow-popups"),
        ("cross-origin-resource-policy", "same-origin"),
    ]
    .map(|(name, value)| (name.to_string(), value.to_string()))
    .to_vec()
}
