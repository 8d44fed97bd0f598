//! `http_request` and `http_request_update`.

use stoa_shard_api::{HttpRequest, HttpResponse, HttpUpdateRequest};

use crate::http::respond::{self, Context};
use crate::runtime::{self, Ic, Runtime};
use crate::store;

/// Method, URL and headers of what may become an update.
pub const UPDATE_BYTES_MAX: u64 = 8 * 1024;

pub fn http_request(request: &HttpRequest) -> HttpResponse {
    let context = Context {
        own: runtime::own_id(),
        certificate: runtime::certificate(),
        now_nanos: Ic.now_nanos(),
    };
    store::with(|store| respond::http_request(store, &context, request))
}

pub fn http_request_update(runtime: &impl Runtime, request: HttpUpdateRequest) -> HttpResponse {
    let now_nanos = runtime.now_nanos();
    if !store::with_mut(|store| store.allowance.take(now_nanos)) {
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
    let context = Context {
        own: runtime::own_id(),
        certificate: None,
        now_nanos,
    };
    store::with(|store| respond::http_request_update(store, &context, &request))
}

/// Asked for free, by `inspect_message`.
pub fn has_allowance(runtime: &impl Runtime) -> bool {
    let now = runtime.now_nanos();
    store::with(|store| store.allowance.has_one(now))
}
