//! Bodies that a canister gives piece by piece: through the callbacks of a
//! streaming strategy, or as ranges (206) of which each is proven by itself.

use std::io;

use axum::body::{Body, Bytes};
use candid::Principal;

use super::interface::{self, Callback, CanisterAnswer, CanisterRequest};
use super::{GatewayError, Target};
use crate::http::Interface;
use crate::replica::Replica;

/// As many pieces as mainnet's gateways fetch for one response.
const PIECES_MAX: usize = 1_000;

/// A body of that many further pieces is proven as a whole; a longer one is
/// passed on as it comes, since it must not be held in memory.
const PROVEN_PIECES_MAX: usize = 4;

/// What is left of a body that callbacks give.
pub(super) struct Callbacks<R> {
    interface: Interface<R>,
    canister: Principal,
    method: String,
    /// Absent when there is no more.
    token: Option<Vec<u8>>,
    beginning: Vec<u8>,
}

impl<R: Replica> Callbacks<R> {
    pub(super) fn of(interface: Interface<R>, answer: &CanisterAnswer) -> Self {
        let (canister, method, token) = match &answer.streaming {
            Some(Callback {
                canister,
                method,
                token,
            }) => (*canister, method.clone(), Some(token.clone())),
            None => (Principal::anonymous(), String::new(), None),
        };
        Self {
            interface,
            canister,
            method,
            token,
            beginning: answer.body.clone(),
        }
    }

    pub(super) fn is_unfinished(&self) -> bool {
        self.token.is_some()
    }

    async fn next(&mut self) -> Result<Option<Vec<u8>>, GatewayError> {
        let Some(token) = self.token.take() else {
            return Ok(None);
        };
        let reply = super::query(&self.interface, self.canister, &self.method, token).await?;
        let (body, token) = interface::decode_piece(&reply)?;
        self.token = token;
        Ok(Some(body))
    }

    /// The body as far as it can be proven as a whole.
    pub(super) async fn beginning(&mut self) -> Result<Vec<u8>, GatewayError> {
        let mut body = std::mem::take(&mut self.beginning);
        for _ in 0..PROVEN_PIECES_MAX {
            match self.next().await? {
                Some(piece) => body.extend_from_slice(&piece),
                None => break,
            }
        }
        Ok(body)
    }

    /// The body of an answer that needs no proof.
    pub(super) async fn whole(mut self) -> Result<Body, GatewayError> {
        let beginning = self.beginning().await?;
        Ok(match self.is_unfinished() {
            true => self.stream(Bytes::from(beginning)),
            false => Body::from(beginning),
        })
    }

    pub(super) fn stream(self, beginning: Bytes) -> Body {
        let state = (self, Some(beginning), PIECES_MAX);
        Body::from_stream(futures_util::stream::try_unfold(
            state,
            async |(mut callbacks, beginning, left)| {
                if let Some(beginning) = beginning {
                    return Ok(Some((beginning, (callbacks, None, left))));
                }
                if left == 0 {
                    return Err(broken("the body has too many pieces"));
                }
                let piece = callbacks.next().await.map_err(broken)?;
                Ok(piece.map(|piece| (Bytes::from(piece), (callbacks, None, left - 1))))
            },
        ))
    }
}

/// Ends a response whose beginning is sent already: the client sees it cut off.
fn broken(error: impl std::fmt::Display) -> io::Error {
    io::Error::other(error.to_string().trim().to_owned())
}

/// What is left of a body that comes in ranges.
pub(super) struct Ranges<R> {
    interface: Interface<R>,
    target: Target,
    request: CanisterRequest,
    beginning: Vec<u8>,
    fetched: u64,
    total: u64,
}

impl<R: Replica> Ranges<R> {
    /// After the answer that gave the first one.
    pub(super) fn after(
        interface: Interface<R>,
        target: Target,
        request: CanisterRequest,
        answer: &CanisterAnswer,
    ) -> Result<Self, GatewayError> {
        let range = range_of(answer)?;
        if range.start != 0 {
            return Err(GatewayError::NotWhole(
                "the first range does not begin at 0".to_owned(),
            ));
        }
        Ok(Self {
            interface,
            target,
            request,
            beginning: answer.body.clone(),
            fetched: range.end,
            total: range.total,
        })
    }

    pub(super) fn total(&self) -> u64 {
        self.total
    }

    pub(super) fn stream(mut self) -> Body {
        let beginning = Bytes::from(std::mem::take(&mut self.beginning));
        let state = (self, Some(beginning), PIECES_MAX);
        Body::from_stream(futures_util::stream::try_unfold(
            state,
            async |(mut ranges, beginning, left)| {
                if let Some(beginning) = beginning {
                    return Ok(Some((beginning, (ranges, None, left))));
                }
                if ranges.fetched >= ranges.total {
                    return Ok(None);
                }
                if left == 0 {
                    return Err(broken("the body has too many ranges"));
                }
                let piece = ranges.next().await.map_err(broken)?;
                Ok(Some((Bytes::from(piece), (ranges, None, left - 1))))
            },
        ))
    }

    /// The bytes that come next, proven if the target asks for it.
    async fn next(&mut self) -> Result<Vec<u8>, GatewayError> {
        let wanted = format!("bytes={}-", self.fetched);
        let request = self.request.with_header("Range", wanted);
        let canister = self.target.canister;
        let answer = super::ask(&self.interface, canister, &request).await?;
        if answer.streaming.is_some() || answer.status_code != 206 {
            return Err(GatewayError::NotWhole(format!(
                "a range was expected, not an answer with status {}",
                answer.status_code
            )));
        }
        if !self.target.raw {
            super::verified(&self.interface, canister, &request, &answer).await?;
        }
        let range = range_of(&answer)?;
        let known = self.fetched.checked_sub(range.start);
        let (Some(known), true) = (known, range.end > self.fetched && range.total == self.total)
        else {
            return Err(GatewayError::NotWhole(format!(
                "the range {}-{}/{} does not follow {} bytes of {}",
                range.start, range.end, range.total, self.fetched, self.total
            )));
        };
        self.fetched = range.end;
        Ok(answer.body[known as usize..].to_vec())
    }
}

/// `Content-Range: bytes <start>-<last>/<total>`, with the end behind the last byte.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct ContentRange {
    start: u64,
    end: u64,
    total: u64,
}

fn range_of(answer: &CanisterAnswer) -> Result<ContentRange, GatewayError> {
    let header = answer
        .headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("content-range"))
        .map(|(_, value)| value.as_str());
    let parsed = header.and_then(parse_range);
    match parsed {
        Some(range) if range.end - range.start == answer.body.len() as u64 => Ok(range),
        _ => Err(GatewayError::NotWhole(format!(
            "the Content-Range {:.100} does not describe a body of {} bytes",
            header.unwrap_or("(none)"),
            answer.body.len()
        ))),
    }
}

fn parse_range(text: &str) -> Option<ContentRange> {
    let (range, total) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (start, last) = range.split_once('-')?;
    let (start, last, total): (u64, u64, u64) =
        (start.parse().ok()?, last.parse().ok()?, total.parse().ok()?);
    (start <= last && last < total).then(|| ContentRange {
        start,
        end: last + 1,
        total,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn should_read_ranges_that_make_sense_and_no_others() {
        let range = |start, end, total| Some(ContentRange { start, end, total });
        assert_eq!(parse_range("bytes 0-0/1"), range(0, 1, 1));
        assert_eq!(parse_range(" bytes 10-19/30"), range(10, 20, 30));
        for wrong in [
            "",
            "bytes",
            "bytes 5-4/10",
            "bytes 0-10/10",
            "bytes 0-4/*",
            "chars 0-4/10",
            "bytes 0-18446744073709551615/18446744073709551615",
            "bytes -1-4/10",
        ] {
            assert_eq!(parse_range(wrong), None, "{wrong}");
        }
    }
}
