//! `http_request` and `http_request_update`.

use stoa_shard_api::{HttpRequest, HttpResponse, HttpUpdateRequest};

use crate::http::respond;
use crate::runtime::{self, Ic, Runtime};
use crate::store;

/// Method, URL and headers of what may become an update.
pub const UPDATE_BYTES_MAX: u64 = 8 * 1024;

pub fn http_request(request: &HttpRequest) -> HttpResponse {
    let certificate = runtime::certificate();
    let now = Ic.now_nanos();
    store::with(|store| respond::http_request(store, certificate, request, now))
}

pub fn http_request_update(runtime: &impl Runtime, request: HttpUpdateRequest) -> HttpResponse {
    let now = runtime.now_nanos();
    if !store::with_mut(|store| store.allowance.take(now)) {
        return respond::plain(
            503,
            "Too many odd ranges; begin at a multiple of 1048576.\n",
        );
    }
    let request = HttpRequest {
        method: request.method,
        url: request.url,
        headers: request.headers,
        body: Vec::new(),
        certificate_version: None,
    };
    store::with(|store| respond::http_request_update(store, &request))
}

/// Asked for free, by `inspect_message`.
pub fn has_allowance(runtime: &impl Runtime) -> bool {
    let now = runtime.now_nanos();
    store::with(|store| store.allowance.has_one(now))
}
