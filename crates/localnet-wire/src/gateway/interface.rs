//! What canisters that serve HTTP speak: `http_request`, `http_request_update`
//! and the callbacks of a streaming strategy.
//!
//! The type of a callback's token is the canister's own, so tokens are carried
//! as Candid values without one.

use candid::types::Label;
use candid::types::value::{IDLField, IDLValue};
use candid::{CandidType, Decode, Encode, IDLArgs, Principal, Reserved, idl_hash};
use serde::Deserialize;
use serde_bytes::ByteBuf;

use super::GatewayError;

#[derive(Clone, CandidType, Debug)]
pub(super) struct CanisterRequest {
    pub(super) method: String,
    pub(super) url: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: ByteBuf,
    pub(super) certificate_version: Option<u16>,
}

impl CanisterRequest {
    pub(super) fn asks_for_a_range(&self) -> bool {
        self.headers
            .iter()
            .any(|(name, _)| name == "range" || name == "if-range")
    }

    /// Updates are not asked for proofs.
    pub(super) fn for_update(&self) -> Self {
        Self {
            certificate_version: None,
            ..self.clone()
        }
    }

    pub(super) fn with_header(&self, name: &str, value: String) -> Self {
        let mut request = self.clone();
        request.headers.push((name.to_owned(), value));
        request
    }
}

#[derive(Clone, Debug)]
pub(super) struct CanisterAnswer {
    pub(super) status_code: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    pub(super) upgrade: bool,
    pub(super) streaming: Option<Callback>,
}

/// Where the rest of a body is.
#[derive(Clone, Debug)]
pub(super) struct Callback {
    pub(super) canister: Principal,
    pub(super) method: String,
    /// Candid of the token.
    pub(super) token: Vec<u8>,
}

#[derive(CandidType, Deserialize)]
struct WireAnswer {
    status_code: u16,
    headers: Vec<(String, String)>,
    #[serde(with = "serde_bytes")]
    body: Vec<u8>,
    upgrade: Option<bool>,
    streaming_strategy: Option<Reserved>,
}

#[derive(CandidType, Deserialize)]
struct WirePiece {
    #[serde(with = "serde_bytes")]
    body: Vec<u8>,
    token: Option<Reserved>,
}

fn not_a_response(error: impl std::fmt::Display) -> GatewayError {
    GatewayError::NotAResponse(error.to_string())
}

pub(super) fn encode(request: &CanisterRequest) -> Result<Vec<u8>, GatewayError> {
    Encode!(request).map_err(not_a_response)
}

pub(super) fn decode(reply: &[u8]) -> Result<CanisterAnswer, GatewayError> {
    let wire = Decode!(reply, WireAnswer).map_err(not_a_response)?;
    let streaming = match wire.streaming_strategy {
        Some(_) => Some(callback(reply).ok_or_else(|| {
            not_a_response("its streaming strategy is not a callback with a token")
        })?),
        None => None,
    };
    Ok(CanisterAnswer {
        status_code: wire.status_code,
        headers: wire.headers,
        body: wire.body,
        upgrade: wire.upgrade == Some(true),
        streaming,
    })
}

/// A piece of a body and the token of the next one, if there is one.
pub(super) fn decode_piece(reply: &[u8]) -> Result<(Vec<u8>, Option<Vec<u8>>), GatewayError> {
    // A callback answers a record, or an optional one.
    let (wire, optional) = match Decode!(reply, WirePiece) {
        Ok(piece) => (piece, false),
        Err(_) => match Decode!(reply, Option<WirePiece>).map_err(not_a_response)? {
            Some(piece) => (piece, true),
            // Candid reads every value that is no such record as an absent one: only a value that says so is.
            None if matches!(single(reply), Some(IDLValue::None | IDLValue::Null)) => {
                return Ok((Vec::new(), None));
            }
            None => return Err(not_a_response("a piece is neither a record nor absent")),
        },
    };
    if wire.token.is_none() {
        return Ok((wire.body, None));
    }
    let mut value = single(reply);
    if optional {
        value = value.and_then(inside);
    }
    let token = value
        .and_then(|value| field(value, "token"))
        .and_then(inside)
        .and_then(encoded)
        .ok_or_else(|| not_a_response("the token of a piece cannot be read"))?;
    Ok((wire.body, Some(token)))
}

/// `opt variant { Callback : record { callback : func; token : any } }`
fn callback(reply: &[u8]) -> Option<Callback> {
    let strategy = field(single(reply)?, "streaming_strategy").and_then(inside)?;
    let IDLValue::Variant(variant) = strategy else {
        return None;
    };
    if !names(&variant.0.id, "Callback") {
        return None;
    }
    let chosen = variant.0.val;
    let IDLValue::Func(canister, method) = field(chosen.clone(), "callback")? else {
        return None;
    };
    let token = encoded(field(chosen, "token")?)?;
    Some(Callback {
        canister,
        method,
        token,
    })
}

fn single(reply: &[u8]) -> Option<IDLValue> {
    IDLArgs::from_bytes(reply).ok()?.args.into_iter().next()
}

fn names(label: &Label, name: &str) -> bool {
    label.get_id() == idl_hash(name)
}

fn field(value: IDLValue, name: &str) -> Option<IDLValue> {
    let IDLValue::Record(fields) = value else {
        return None;
    };
    fields
        .into_iter()
        .find(|IDLField { id, .. }| names(id, name))
        .map(|found| found.val)
}

fn inside(value: IDLValue) -> Option<IDLValue> {
    match value {
        IDLValue::Opt(inner) => Some(*inner),
        _ => None,
    }
}

fn encoded(value: IDLValue) -> Option<Vec<u8>> {
    IDLArgs::new(&[value]).to_bytes().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use candid::Func;

    #[derive(CandidType)]
    struct Token {
        key: String,
        index: candid::Nat,
        hash: Option<ByteBuf>,
    }

    #[derive(CandidType, Deserialize, PartialEq, Debug)]
    struct ReadToken {
        key: String,
        index: candid::Nat,
        hash: Option<ByteBuf>,
    }

    candid::define_function!(StreamFunction : () -> () query);

    #[derive(CandidType)]
    enum Strategy {
        Callback {
            callback: StreamFunction,
            token: Token,
        },
    }

    #[derive(CandidType)]
    struct Answer {
        status_code: u16,
        headers: Vec<(String, String)>,
        body: ByteBuf,
        streaming_strategy: Option<Strategy>,
    }

    fn token() -> Token {
        Token {
            key: "/a".to_owned(),
            index: 7u8.into(),
            hash: None,
        }
    }

    #[test]
    fn should_carry_a_token_whose_type_it_does_not_know() {
        let canister = Principal::management_canister();
        let method = "next".to_owned();
        let answer = Answer {
            status_code: 200,
            headers: vec![("a".to_owned(), "b".to_owned())],
            body: ByteBuf::from(b"begin".to_vec()),
            streaming_strategy: Some(Strategy::Callback {
                callback: StreamFunction(Func {
                    principal: canister,
                    method: method.clone(),
                }),
                token: token(),
            }),
        };
        let read = decode(&Encode!(&answer).unwrap()).unwrap();
        assert_eq!(read.status_code, 200);
        assert_eq!(read.body, b"begin");
        let callback = read.streaming.unwrap();
        assert_eq!((callback.canister, callback.method), (canister, method));
        let expected = ReadToken {
            key: "/a".to_owned(),
            index: 7u8.into(),
            hash: None,
        };
        assert_eq!(Decode!(&callback.token, ReadToken).unwrap(), expected);

        #[derive(CandidType)]
        struct Piece {
            body: ByteBuf,
            token: Option<Token>,
        }
        let more = Piece {
            body: ByteBuf::from(b"more".to_vec()),
            token: Some(token()),
        };
        for reply in [Encode!(&more).unwrap(), Encode!(&Some(&more)).unwrap()] {
            let (body, token) = decode_piece(&reply).unwrap();
            assert_eq!(body, b"more");
            assert_eq!(Decode!(&token.unwrap(), ReadToken).unwrap(), expected);
        }
        let last = Piece {
            body: ByteBuf::from(b"end".to_vec()),
            token: None,
        };
        let reply = Encode!(&last).unwrap();
        assert_eq!(decode_piece(&reply).unwrap(), (b"end".to_vec(), None));
    }

    #[test]
    fn should_refuse_what_is_no_answer() {
        assert!(decode(b"").is_err());
        assert!(decode(b"DIDL\0\0").is_err());
        assert!(decode(&Encode!(&"page").unwrap()).is_err());
        assert!(decode_piece(&Encode!(&7u8).unwrap()).is_err());
    }
}
