//! The web application, served with certification, and nothing else.
//!
//! What must hold: every answer verifies at version 2 of response verification, headers included; the page loads nothing from
//! anywhere else; state is the configuration alone.
//!
//! This file has the entry points and no logic. (The CDK describes a method with a decoder of its own as one that takes a
//! blob; so it is hidden from the CDK's description and described by `candid_method`.)

mod assets;
mod headers;
mod memory;
mod runtime;
mod well_known;

#[cfg(test)]
mod tests;

use candid::candid_method;
use candid::utils::decode_one_with_decoding_and_skipping_quota as decode_one;
use ic_cdk::{init, post_upgrade, query};
use ic_http_certification::{HttpRequest, HttpResponse};
use stoa_frontend_api::{Configuration, Status};

#[init]
fn init(configuration: Configuration) {
    memory::initialise(&configuration);
    assets::certify(&configuration);
}

// Without an argument the configuration stays as it is.
#[post_upgrade]
fn post_upgrade(configuration: Option<Configuration>) {
    memory::check_layout();
    if let Some(configuration) = configuration {
        memory::set_configuration(&configuration);
    }
    assets::certify(&memory::configuration());
}

#[query]
fn configuration() -> Configuration {
    memory::configuration()
}

#[query]
fn status() -> Status {
    let (files, bytes) = assets::size();
    Status {
        cycles: runtime::cycles().into(),
        files,
        bytes,
    }
}

// A gateway sends a page's request: a URL and a few headers, 8 KiB in all; a body is not read.
#[query(decode_with = "decode_one::<200_000, 100_000, _>", hidden = true)]
#[candid_method(query)]
fn http_request(request: HttpRequest<'static>) -> HttpResponse<'static> {
    assets::serve(&request)
}

#[cfg(test)]
candid::export_service!();
