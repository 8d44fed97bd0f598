//! `http_request`: from a request to a response that verifies.

use std::borrow::Cow;

use candid::Principal;
use data_encoding::BASE64;
use ic_certification::HashTree;
use ic_stable_structures::Memory;
use stoa_content::{Cid, Codec};
use stoa_shard_api::{CHUNK_SIZE_BYTES_MAX, HttpRequest, HttpResponse};
use stoa_types::Sha256;

use super::entity::{self, Entity, Span};
use super::replies::{Form, Purpose, Replies, Reply};
use super::request::{Asked, Range, Request, Scope, Target};
use super::{elsewhere, exact_range};
use crate::certified::Place;
use crate::certified::models::FilePlace;
use crate::certified::response::{Body, EXPRESSION, EXPRESSION_HEADER, Terminal};
use crate::store::{ServedFile, Store};

/// What a path of its own stands for.
pub struct Resource {
    pub place: Place,
    pub replies: Replies,
    pub content: Content,
}

/// Where the bytes are, for what no reply has.
pub enum Content {
    Chunk(Sha256),
    File(ServedFile),
    Ipfs(Entity),
    Nothing,
}

/// What a request comes with from outside of itself.
pub struct Context {
    pub own: Principal,
    /// Only within a query.
    pub certificate: Option<Vec<u8>>,
    pub now_nanos: u64,
}

pub fn http_request<M: Memory + Clone>(
    store: &Store<M>,
    context: &Context,
    wire: &HttpRequest,
) -> HttpResponse {
    let Some(certificate) = &context.certificate else {
        // Only where it is called as an update, which no gateway does.
        return plain(400, "Ask by a query, as gateways do.");
    };
    let request = Request::parse(wire);
    let Some(resource) = find(store, &request.target()) else {
        return unknown_path(store, certificate, &request);
    };
    let may_upgrade = || store.allowance.has_one(context.now_nanos);
    let reply = match choose(&request, &resource) {
        Choice::Reply(purpose) => resource.replies.find(purpose),
        Choice::Part {
            form: Form::Car,
            byte: 0,
        } if !holds_all(store, &resource.replies) => resource.replies.find(Purpose::Damaged),
        Choice::Part { form, byte } => resource.replies.part_with(form, byte),
        Choice::Between {
            form: Form::Plain, ..
        }
        | Choice::Entity(_)
            if may_upgrade() =>
        {
            return upgrade();
        }
        // A partial response says which bytes it has, so the part around the asked ones is an honest answer.
        Choice::Between { form, byte } => resource.replies.part_with(form, byte),
        Choice::Entity(_) => resource.replies.find(Purpose::Damaged),
    };
    let reply = reply.expect("BUG: a purpose without a reply");
    let (reply, body) = match body_of(store, &reply) {
        Some(body) => (reply, body),
        None => {
            let shard = other_shard(&resource, wire, first_byte(&reply));
            if shard.is_some()
                && elsewhere::other_gateway(wire, context.own).is_some()
                && may_upgrade()
            {
                return upgrade();
            }
            instead(&resource.replies, shard)
        }
    };
    let terminal = terminal_of(store, &resource).node(&reply.response.hash());
    let tree = store.certified.witness(&resource.place, terminal);
    let mut path = segments_of(&request);
    path.push("<$>");
    certified(&reply, body, certificate, &tree, &path)
}

/// Written down where it is long: to hash the responses of the largest file again would take most of what a query has.
fn terminal_of<M: Memory + Clone>(store: &Store<M>, resource: &Resource) -> Terminal {
    let written = match &resource.content {
        Content::File(_) => store.responses_at(&resource.place),
        _ => None,
    };
    written.unwrap_or_else(|| resource.replies.terminal())
}

pub fn find<M: Memory + Clone>(store: &Store<M>, target: &Target) -> Option<Resource> {
    match target {
        Target::Blob(hash) => {
            let size_bytes = u64::from(store.held_size_bytes(hash)?);
            Some(Resource {
                place: Place::Blob(*hash),
                replies: Replies::blob(hash, size_bytes),
                content: Content::Chunk(*hash),
            })
        }
        Target::Ipfs { cid, path } => {
            let tree = match cid.codec {
                Codec::DagPb => store.folder_tree(&cid.digest),
                Codec::Raw => None,
            };
            let (replies, block) = if path.is_empty() {
                (store.block_replies(cid)?, *cid)
            } else {
                tree.as_ref()?;
                let terminus = store.terminus(&cid.digest, path)?;
                (Replies::path(&terminus), terminus.block.cid())
            };
            Some(Resource {
                place: Place::Ipfs {
                    cid: *cid,
                    path: path.clone(),
                    tree,
                },
                replies,
                content: Content::Ipfs(Entity::of(store, &block)),
            })
        }
        Target::Probe => Some(Resource {
            place: Place::Probe,
            replies: Replies::of_probe(),
            content: Content::Nothing,
        }),
        Target::File { version, path } => {
            let digest = store.version_at(version)?;
            let file = store.file(&digest, path)?;
            Some(Resource {
                replies: file.replies(version, path),
                place: Place::File(FilePlace {
                    version: version.clone(),
                    path: path.clone(),
                    files: store.file_tree(&digest),
                }),
                content: Content::File(file),
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
    /// A CAR of some bytes of a file, which no reply is.
    Entity(Span),
}

/// The form that a resource has for what is asked, if it has one.
fn form(request: &Request, resource: &Resource) -> Result<Form, Choice> {
    let not_acceptable = Choice::Reply(Purpose::NotAcceptable);
    if let Place::Blob(_) | Place::File(_) = resource.place {
        return Ok(Form::Plain);
    }
    let entity = match &resource.content {
        Content::Ipfs(entity) => *entity,
        _ => Entity::Chunk,
    };
    let form = match (request.asked(), entity) {
        (None, _) => return Err(not_acceptable),
        (Some(Asked::Raw), _) => Form::Raw,
        // A chunk has nothing below it and is not cut.
        (Some(Asked::Car(_)), Entity::Chunk) => Form::Car,
        (Some(Asked::Car(Scope::Block)), _)
        | (Some(Asked::Car(Scope::Entity | Scope::Bytes(_))), Entity::Folder) => Form::CarBlock,
        (Some(Asked::Car(Scope::All | Scope::Entity)), _) => Form::Car,
        (Some(Asked::Car(Scope::Bytes(bytes))), Entity::File { size_bytes }) => {
            match entity::span(bytes, size_bytes) {
                None => Form::CarBlock,
                Some(span) if span.is_whole(size_bytes) => Form::Car,
                Some(span) => return Err(Choice::Entity(span)),
            }
        }
    };
    match resource.replies.size_bytes(form) {
        Some(_) => Ok(form),
        None => Err(not_acceptable),
    }
}

fn choose(request: &Request, resource: &Resource) -> Choice {
    if !request.is_read {
        return Choice::Reply(Purpose::MethodNotAllowed);
    }
    let form = match form(request, resource) {
        Ok(form) => form,
        Err(choice) => return choice,
    };
    let size_bytes = resource
        .replies
        .size_bytes(form)
        .expect("BUG: a form without a size");
    let not_modified = Purpose::NotModified { form };
    let has_same = resource.replies.find(not_modified).is_some_and(|reply| {
        let etag = header(&reply, "etag");
        etag.is_some_and(|etag| request.none_match(etag))
    });
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
        Some(reply) if last.is_none_or(|last| last >= first + content_bytes(&reply) - 1) => {
            Choice::Part { form, byte: first }
        }
        _ => Choice::Between { form, byte: first },
    }
}

/// A CAR that would break off in the middle is better not begun.
fn holds_all<M: Memory + Clone>(store: &Store<M>, replies: &Replies) -> bool {
    let of_car = |reply: &Cow<'_, Reply>| {
        matches!(
            reply.purpose,
            Purpose::Content {
                form: Form::Car,
                ..
            }
        )
    };
    replies
        .iter()
        .filter(of_car)
        .all(|reply| match &reply.response.body {
            Body::Chunk(hash) => store.held_size_bytes(hash).is_some(),
            Body::Bytes(_) => true,
        })
}

/// `None` where the bytes are not here, or damaged.
fn body_of<M: Memory + Clone>(store: &Store<M>, reply: &Reply) -> Option<Vec<u8>> {
    match &reply.response.body {
        Body::Bytes(bytes) => Some(bytes.clone()),
        Body::Chunk(hash) => store.get(*hash).ok().map(|chunk| chunk.data),
    }
}

/// Sends to the other shard, or says that the bytes cannot be had.
fn instead(replies: &Replies, shard: Option<Principal>) -> (Cow<'_, Reply>, Vec<u8>) {
    let purpose = match shard {
        Some(shard) => Purpose::Elsewhere { shard },
        None => Purpose::Damaged,
    };
    let reply = replies.find(purpose);
    let reply = reply.expect("BUG: a path without a word for what is not here");
    let body = match &reply.response.body {
        Body::Bytes(bytes) => bytes.clone(),
        Body::Chunk(_) => unreachable!("BUG: a word for what is not here that is not here"),
    };
    (reply, body)
}

/// Where the byte is held too, for one who was not sent here from there.
fn other_shard(resource: &Resource, wire: &HttpRequest, byte: u64) -> Option<Principal> {
    match &resource.content {
        Content::File(file) if !elsewhere::was_sent_on(&wire.url) => {
            file.other_shard_of(byte / CHUNK_SIZE_BYTES_MAX)
        }
        _ => None,
    }
}

fn first_byte(reply: &Reply) -> u64 {
    match reply.purpose {
        Purpose::Content { first_byte, .. } => first_byte,
        _ => 0,
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

fn unknown_path<M: Memory + Clone>(
    store: &Store<M>,
    certificate: &[u8],
    request: &Request,
) -> HttpResponse {
    let replies = Replies::of_unknown_path();
    let reply = replies.find(Purpose::NotFound);
    let reply = reply.expect("BUG: an unknown path without a reply");
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
        [ipfs, name, ..] if ipfs == "ipfs" => match name.parse::<Cid>() {
            Ok(cid) if cid.codec == Codec::DagPb => store.folder_tree(&cid.digest),
            _ => None,
        },
        _ => None,
    };
    let terminal = replies.terminal().tree(&reply.response.hash());
    let tree = store
        .certified
        .absence(&segments_of(request), files.as_ref(), terminal);
    let body = body_of(store, &reply).expect("BUG: a 404 without a body");
    certified(&reply, body, certificate, &tree, &["<*>"])
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
    context: &Context,
    wire: &HttpRequest,
) -> HttpResponse {
    let request = Request::parse(wire);
    let Some(resource) = find(store, &request.target()) else {
        return plain(404, "There is nothing at this path on this shard.\n");
    };
    let choice = choose(&request, &resource);
    if let (Choice::Entity(span), Place::Ipfs { cid, path, .. }) = (&choice, &resource.place) {
        return entity::respond(store, cid, path, *span);
    }
    let byte = match choice {
        Choice::Part { byte, .. } | Choice::Between { byte, .. } => byte,
        Choice::Reply(_) | Choice::Entity(_) => 0,
    };
    if let Content::File(file) = &resource.content
        && let Place::File(place) = &resource.place
        && !holds(store, file, byte)
        && let Some(shard) = other_shard(&resource, wire, byte)
    {
        let gateway = elsewhere::other_gateway(wire, context.own).unwrap_or(elsewhere::MAINNET);
        let location = elsewhere::location(gateway, shard, &place.version, &place.path);
        return elsewhere::redirect(location);
    }
    exact_range::respond(store, &request, &resource)
}

fn holds<M: Memory + Clone>(store: &Store<M>, file: &ServedFile, byte: u64) -> bool {
    let chunk = file.chunks.get((byte / CHUNK_SIZE_BYTES_MAX) as usize);
    chunk.is_some_and(|chunk| store.get(*chunk).is_ok())
}
