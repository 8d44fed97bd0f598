//! `http_request`: from a request to a response that verifies.

use data_encoding::BASE64;
use ic_certification::HashTree;
use ic_stable_structures::Memory;
use stoa_shard_api::{HttpRequest, HttpResponse};
use stoa_types::Sha256;

use super::exact_range;
use super::replies::{Form, Purpose, Replies, Reply};
use super::request::{Range, Request, Target};
use crate::certified::Place;
use crate::certified::models::FilePlace;
use crate::certified::response::{Body, EXPRESSION, EXPRESSION_HEADER};
use crate::store::Store;

/// What a path of its own stands for.
pub struct Resource {
    pub place: Place,
    pub replies: Replies,
    /// Where the bytes are, for ranges that no reply has.
    pub chunks: Vec<Sha256>,
}

pub fn http_request<M: Memory + Clone>(
    store: &Store<M>,
    certificate: Option<Vec<u8>>,
    wire: &HttpRequest,
    now_nanos: u64,
) -> HttpResponse {
    let Some(certificate) = certificate else {
        // Only where it is called as an update, which no gateway does.
        return plain(400, "Ask by a query, as gateways do.");
    };
    let request = Request::parse(wire);
    let Some(resource) = find(store, &request.target()) else {
        return unknown_path(store, &certificate, &request);
    };
    let reply = match choose(&request, &resource) {
        Choice::Reply(purpose) => resource.replies.find(purpose),
        Choice::Part { form, byte } => resource.replies.part_with(form, byte),
        Choice::Between { form, byte } => {
            if form == Form::Plain && store.allowance.has_one(now_nanos) {
                return upgrade();
            }
            // A partial response says which bytes it has, so the part around the asked ones is an honest answer.
            resource.replies.part_with(form, byte)
        }
    };
    let reply = reply.expect("BUG: a purpose without a reply");
    let (reply, body) = with_body(store, &resource.replies, reply);
    let terminal = resource.replies.terminal().node(&reply.response.hash());
    let tree = store.certified.witness(&resource.place, terminal);
    let mut path = segments_of(&request);
    path.push("<$>");
    certified(reply, body, &certificate, &tree, &path)
}

pub fn find<M: Memory + Clone>(store: &Store<M>, target: &Target) -> Option<Resource> {
    match target {
        Target::Blob(hash) => {
            let size_bytes = u64::from(store.held_size_bytes(hash)?);
            Some(Resource {
                place: Place::Blob(*hash),
                replies: Replies::blob(hash, size_bytes),
                chunks: vec![*hash],
            })
        }
        Target::Ipfs(cid) => Some(Resource {
            place: Place::Ipfs(*cid),
            replies: store.block_replies(cid)?,
            chunks: Vec::new(),
        }),
        Target::Probe => Some(Resource {
            place: Place::Probe,
            replies: Replies::of_probe(),
            chunks: Vec::new(),
        }),
        Target::File { version, path } => {
            let digest = store.version_at(version)?;
            let file = store.file(&digest, path)?;
            Some(Resource {
                replies: Replies::file(path, &file.sha256, file.size_bytes, &file.chunks),
                place: Place::File(FilePlace {
                    version: version.clone(),
                    path: path.clone(),
                    files: store.file_tree(&digest),
                }),
                chunks: file.chunks,
            })
        }
        Target::Unknown => None,
    }
}

enum Choice {
    Reply(Purpose),
    /// The part that this byte begins or, where no range was asked for, the first.
    Part {
        form: Form,
        byte: u64,
    },
    /// A range that no part is.
    Between {
        form: Form,
        byte: u64,
    },
}

fn choose(request: &Request, resource: &Resource) -> Choice {
    if !request.is_read {
        return Choice::Reply(Purpose::MethodNotAllowed);
    }
    let form = match (&resource.place, request.form()) {
        (Place::Blob(_) | Place::File(_), _) => Form::Plain,
        // A chunk's two CARs are one; the probe has none.
        (_, Some(form)) => match resource.replies.size_bytes(form) {
            Some(_) => form,
            None if form == Form::CarBlock => Form::Car,
            None => return Choice::Reply(Purpose::NotAcceptable),
        },
        (_, None) => return Choice::Reply(Purpose::NotAcceptable),
    };
    let Some(size_bytes) = resource.replies.size_bytes(form) else {
        return Choice::Reply(Purpose::NotAcceptable);
    };
    let not_modified = Purpose::NotModified { form };
    let has_same = resource
        .replies
        .find(not_modified)
        .and_then(|reply| header(reply, "etag"))
        .is_some_and(|etag| request.none_match(etag));
    if has_same {
        return Choice::Reply(not_modified);
    }
    let (first, last) = match request.range {
        None => return Choice::Part { form, byte: 0 },
        Some(Range::From { first, last }) => (first, last),
        Some(Range::Suffix { bytes }) => (size_bytes.saturating_sub(bytes), None),
    };
    if first >= size_bytes {
        let not_satisfiable = Purpose::NotSatisfiable { form };
        return match resource.replies.find(not_satisfiable) {
            // Of nothing there is no range; the whole is the answer.
            Some(_) if size_bytes > 0 => Choice::Reply(not_satisfiable),
            _ => Choice::Part { form, byte: 0 },
        };
    }
    let begins = Purpose::Content {
        form,
        first_byte: first,
    };
    match resource.replies.find(begins) {
        // A shorter end is an odd range; a longer one is answered in parts.
        Some(reply) if last.is_none_or(|last| last >= first + content_bytes(reply) - 1) => {
            Choice::Part { form, byte: first }
        }
        _ => Choice::Between { form, byte: first },
    }
}

fn content_bytes(reply: &Reply) -> u64 {
    header(reply, "content-length")
        .and_then(|length| length.parse().ok())
        .expect("BUG: content without a length")
}

pub fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    reply
        .response
        .headers
        .iter()
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value.as_ref())
}

/// The reply with its bytes, or the one that says that they cannot be had.
fn with_body<'a, M: Memory + Clone>(
    store: &Store<M>,
    replies: &'a Replies,
    reply: &'a Reply,
) -> (&'a Reply, Vec<u8>) {
    match &reply.response.body {
        Body::Bytes(bytes) => (reply, bytes.clone()),
        Body::Chunk(hash) => match store.get(*hash) {
            Ok(chunk) => (reply, chunk.data),
            Err(_) => {
                let damaged = replies
                    .find(Purpose::Damaged)
                    .expect("BUG: a path without a word for damage");
                with_body(store, replies, damaged)
            }
        },
    }
}

fn unknown_path<M: Memory + Clone>(
    store: &Store<M>,
    certificate: &[u8],
    request: &Request,
) -> HttpResponse {
    let replies = Replies::of_unknown_path();
    let reply = &replies.list[0];
    let files = match &request.segments[..] {
        [models, publisher, name, semver, ..] if models == "models" => {
            let version = crate::certified::models::VersionPlace {
                publisher: publisher.clone(),
                name: name.clone(),
                semver: semver.clone(),
            };
            store
                .version_at(&version)
                .map(|version| store.file_tree(&version))
        }
        _ => None,
    };
    let terminal = replies.terminal().tree(&reply.response.hash());
    let tree = store
        .certified
        .absence(&segments_of(request), files.as_ref(), terminal);
    let (reply, body) = with_body(store, &replies, reply);
    certified(reply, body, certificate, &tree, &["<*>"])
}

fn segments_of(request: &Request) -> Vec<&str> {
    request.segments.iter().map(String::as_str).collect()
}

/// Adds the two headers that a verifier reads.
fn certified(
    reply: &Reply,
    body: Vec<u8>,
    certificate: &[u8],
    tree: &HashTree,
    path: &[&str],
) -> HttpResponse {
    let mut expression_path = vec!["http_expr"];
    expression_path.extend(path);
    let proof = format!(
        "certificate=:{}:, tree=:{}:, expr_path=:{}:, version=2",
        BASE64.encode(certificate),
        BASE64.encode(&cbor(tree)),
        BASE64.encode(&cbor(&expression_path)),
    );
    let mut headers: Vec<(String, String)> = reply
        .response
        .headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone().into_owned()))
        .collect();
    headers.push((EXPRESSION_HEADER.to_owned(), EXPRESSION.to_owned()));
    headers.push(("IC-Certificate".to_owned(), proof));
    HttpResponse {
        status_code: reply.response.status,
        headers,
        body,
        upgrade: None,
    }
}

/// With the self-describing tag.
fn cbor<T: serde::Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = vec![0xd9, 0xd9, 0xf7];
    ciborium::into_writer(value, &mut bytes).expect("BUG: a witness does not encode");
    bytes
}

/// Tells the gateway to ask again by an update, whose answer the subnet certifies as a whole.
fn upgrade() -> HttpResponse {
    HttpResponse {
        upgrade: Some(true),
        ..plain(200, "")
    }
}

pub fn plain(status_code: u16, text: &str) -> HttpResponse {
    HttpResponse {
        status_code,
        headers: vec![(
            "content-type".to_owned(),
            "text/plain; charset=utf-8".to_owned(),
        )],
        body: text.as_bytes().to_vec(),
        upgrade: None,
    }
}

/// `http_request_update`, where the caller has taken one from the allowance.
pub fn http_request_update<M: Memory + Clone>(
    store: &Store<M>,
    wire: &HttpRequest,
) -> HttpResponse {
    let request = Request::parse(wire);
    match find(store, &request.target()) {
        Some(resource) => exact_range::respond(store, &request, &resource),
        None => plain(404, "There is nothing at this path on this shard.\n"),
    }
}
