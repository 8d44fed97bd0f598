//! Requests and answers as the Internet Computer's HTTP gateway has them.

use candid::CandidType;
use serde::Deserialize;

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct HttpRequest {
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, String)>,
    #[serde(with = "serde_bytes")]
    pub body: Vec<u8>,
    pub certificate_version: Option<u16>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct HttpResponse {
    pub status_code: u16,
    pub headers: Vec<(String, String)>,
    #[serde(with = "serde_bytes")]
    pub body: Vec<u8>,
    /// Asks the gateway to send the same as an update call.
    pub upgrade: Option<bool>,
}
