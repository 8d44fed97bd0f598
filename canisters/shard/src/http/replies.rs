//! Every response that a path can give. The list of a path is a function of what is stored about it, so that it is certified
//! when that is stored and derived again when a request comes. What a response says must therefore never change while it is certified:
//! the test of committed texts (`tests/golden.txt`) says so.

use std::borrow::Cow;

use candid::Principal;
use ic_certification::Hash;
use stoa_content::{Cid, Codec};
use stoa_shard_api::CHUNK_SIZE_BYTES_MAX;
use stoa_types::Sha256;
use stoa_types::manifest::FileEntry;

use super::{car, elsewhere};
use crate::certified::PROBE_CID;
use crate::certified::models::VersionPlace;
use crate::certified::response::{Body, Response, Terminal, Text};

/// What a response is for; a request chooses among those of its path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// All of it, or the part of it that begins at a byte.
    Content {
        form: Form,
        first_byte: u64,
    },
    NotModified {
        form: Form,
    },
    NotSatisfiable {
        form: Form,
    },
    NotAcceptable,
    MethodNotAllowed,
    Damaged,
    /// This shard cannot give the bytes, that one can.
    Elsewhere {
        shard: Principal,
    },
    NotFound,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// The bytes as they are.
    Plain,
    /// An IPFS block.
    Raw,
    /// A CAR of the block and all below it.
    Car,
    /// A CAR of the block alone.
    CarBlock,
}

#[derive(Clone, Debug)]
pub struct Reply {
    pub purpose: Purpose,
    pub response: Response,
}

/// What a path gives.
pub struct Replies {
    /// But for the parts of a file.
    list: Vec<Reply>,
    parts: Option<Parts>,
    /// Bytes of the content in each form, for ranges.
    pub sizes: Vec<(Form, u64)>,
}

pub const COMMON: [(&str, &str); 5] = [
    ("access-control-allow-origin", "*"),
    (
        "access-control-expose-headers",
        "Accept-Ranges, Content-Length, Content-Range, ETag, X-Ipfs-Path, X-Ipfs-Roots",
    ),
    // Bytes of anybody: no browser is to take them for a page of this origin.
    ("content-security-policy", "default-src 'none'; sandbox"),
    ("cross-origin-resource-policy", "cross-origin"),
    ("x-content-type-options", "nosniff"),
];

/// Content under a name that is its hash. The number is that of the IPFS gateway specification.
const IMMUTABLE: &str = "public, max-age=29030400, immutable";
/// A file under the name of a version may be removed when the version is revoked.
const VERSIONED: &str = "public, max-age=3600";

fn text(value: &'static str) -> Text {
    Cow::Borrowed(value)
}

fn number(value: u64) -> Text {
    Cow::Owned(value.to_string())
}

fn response(status: u16, specific: Vec<(&'static str, Text)>, body: Body) -> Response {
    let mut headers: Vec<(&'static str, Text)> = COMMON
        .iter()
        .map(|(name, value)| (*name, text(value)))
        .collect();
    headers.extend(specific);
    Response {
        status,
        headers,
        body,
    }
}

fn plain_text(
    status: u16,
    mut specific: Vec<(&'static str, Text)>,
    line: &'static str,
) -> Response {
    specific.push(("content-type", text("text/plain; charset=utf-8")));
    specific.push(("content-length", number(line.len() as u64)));
    response(status, specific, Body::Bytes(line.as_bytes().to_vec()))
}

fn not_found() -> Response {
    let headers = vec![("cache-control", text("no-store"))];
    plain_text(
        404,
        headers,
        "There is nothing at this path on this shard.\n",
    )
}

fn method_not_allowed() -> Reply {
    let headers = vec![("allow", text("GET, HEAD"))];
    Reply {
        purpose: Purpose::MethodNotAllowed,
        response: plain_text(405, headers, "Only GET and HEAD.\n"),
    }
}

fn damaged() -> Reply {
    let headers = vec![
        ("cache-control", text("no-store")),
        ("retry-after", text("600")),
    ];
    Reply {
        purpose: Purpose::Damaged,
        response: plain_text(
            503,
            headers,
            "Not to be had from this shard now: it lacks these bytes, or its copy is damaged, or it was asked for too much that it must make up. Another shard has them.\n",
        ),
    }
}

const NOT_ACCEPTABLE: &str = "A trustless gateway: ask for ?format=raw (by CID alone) or ?format=car. \
    What is over 2 GiB, come by file or by block.\n";

fn not_acceptable() -> Reply {
    let headers = vec![("vary", text("Accept"))];
    Reply {
        purpose: Purpose::NotAcceptable,
        response: plain_text(406, headers, NOT_ACCEPTABLE),
    }
}

/// A file of more than one chunk: a partial response for each, made when it is asked for, since a file has up to 16,384.
struct Parts {
    representation: Representation,
    chunks: Vec<Sha256>,
}

impl Parts {
    fn get(&self, index: usize) -> Option<Reply> {
        let hash = self.chunks.get(index)?;
        let first_byte = index as u64 * CHUNK_SIZE_BYTES_MAX;
        let size_bytes = FileEntry::chunk_size_bytes(self.representation.size_bytes, index as u64);
        let body = Body::Chunk(*hash);
        Some(self.representation.part(first_byte, size_bytes, body))
    }

    /// The last one begins behind no byte of the file.
    fn with(&self, byte: u64) -> Option<Reply> {
        let last = self.chunks.len().checked_sub(1)?;
        let index = usize::try_from(byte / CHUNK_SIZE_BYTES_MAX).unwrap_or(last);
        self.get(index.min(last))
    }
}

/// Headers of one representation.
struct Representation {
    form: Form,
    etag: String,
    size_bytes: u64,
    headers: Vec<(&'static str, Text)>,
    cache: &'static str,
}

impl Representation {
    fn base(&self) -> Vec<(&'static str, Text)> {
        vec![
            ("etag", Cow::Owned(self.etag.clone())),
            ("cache-control", text(self.cache)),
        ]
    }

    fn whole(&self, body: Body) -> Reply {
        let mut headers = self.base();
        headers.extend(self.headers.clone());
        headers.push(("accept-ranges", text("bytes")));
        headers.push(("content-length", number(self.size_bytes)));
        Reply {
            purpose: Purpose::Content {
                form: self.form,
                first_byte: 0,
            },
            response: response(200, headers, body),
        }
    }

    pub fn part(&self, first_byte: u64, size_bytes: u64, body: Body) -> Reply {
        let mut headers = self.base();
        headers.extend(self.headers.clone());
        headers.push(("accept-ranges", text("bytes")));
        headers.push(("content-length", number(size_bytes)));
        let last_byte = first_byte + size_bytes - 1;
        let range = format!("bytes {first_byte}-{last_byte}/{}", self.size_bytes);
        headers.push(("content-range", Cow::Owned(range)));
        Reply {
            purpose: Purpose::Content {
                form: self.form,
                first_byte,
            },
            response: response(206, headers, body),
        }
    }

    fn not_modified(&self) -> Reply {
        Reply {
            purpose: Purpose::NotModified { form: self.form },
            response: response(304, self.base(), Body::Bytes(Vec::new())),
        }
    }

    fn not_satisfiable(&self) -> Reply {
        let range = Cow::Owned(format!("bytes */{}", self.size_bytes));
        let headers = vec![("content-range", range), ("content-length", number(0))];
        Reply {
            purpose: Purpose::NotSatisfiable { form: self.form },
            response: response(416, headers, Body::Bytes(Vec::new())),
        }
    }

    fn parts(&self, parts: Vec<(u64, u64, Body)>, list: &mut Vec<Reply>) {
        match <[_; 1]>::try_from(parts) {
            Ok([(_, _, body)]) => list.push(self.whole(body)),
            Err(parts) => list.extend(
                parts
                    .into_iter()
                    .map(|(first_byte, size_bytes, body)| self.part(first_byte, size_bytes, body)),
            ),
        }
        list.push(self.not_modified());
    }
}

impl Replies {
    fn new(mut list: Vec<Reply>, sizes: Vec<(Form, u64)>) -> Self {
        list.push(method_not_allowed());
        list.push(damaged());
        Self {
            list,
            parts: None,
            sizes,
        }
    }

    /// `/blob/<sha256>`
    pub fn blob(hash: &Sha256, size_bytes: u64) -> Self {
        let representation = Representation {
            form: Form::Plain,
            etag: format!("\"{hash}\""),
            size_bytes,
            headers: vec![("content-type", text("application/octet-stream"))],
            cache: IMMUTABLE,
        };
        let list = vec![
            representation.whole(Body::Chunk(*hash)),
            representation.not_modified(),
            representation.not_satisfiable(),
        ];
        Self::new(list, vec![(Form::Plain, size_bytes)])
    }

    /// `/models/<publisher>/<name>/<semver>/<path>`: one response where the file has one chunk, else one for each; and one for
    /// each of the other shards that hold a segment of it.
    pub fn file(
        version: &VersionPlace,
        path: &str,
        sha256: &Sha256,
        size_bytes: u64,
        chunks: &[Sha256],
        others: &[Principal],
    ) -> Self {
        let representation = Representation {
            form: Form::Plain,
            etag: format!("\"{sha256}\""),
            size_bytes,
            headers: vec![("content-type", text(content_type(path)))],
            cache: VERSIONED,
        };
        let mut list = vec![
            representation.not_modified(),
            representation.not_satisfiable(),
        ];
        list.extend(others.iter().map(|shard| elsewhere(*shard, version, path)));
        let parts = match chunks {
            [only] => {
                list.push(representation.whole(Body::Chunk(*only)));
                None
            }
            _ => Some(Parts {
                representation,
                chunks: chunks.to_vec(),
            }),
        };
        Self {
            parts,
            ..Self::new(list, vec![(Form::Plain, size_bytes)])
        }
    }

    /// `/ipfs/<cid>` of a chunk. It has nothing below it, so that both CARs of it are the same.
    pub fn chunk_block(hash: &Sha256, size_bytes: u64) -> Self {
        let block = car::Block::chunk(*hash, size_bytes);
        Self::raw_and_cars(
            Body::Chunk(*hash),
            size_bytes,
            &Terminus::of(block, Vec::new()),
        )
    }

    /// `/ipfs/<cid>` of a node; `below` are all blocks under it, depth first, each once.
    pub fn node_block(cid: &Cid, block: &[u8], below: Vec<car::Block>) -> Self {
        let terminus = Terminus::of(car::Block::node(*cid, block.to_vec()), below);
        Self::raw_and_cars(Body::Bytes(block.to_vec()), block.len() as u64, &terminus)
    }

    fn raw_and_cars(body: Body, size_bytes: u64, terminus: &Terminus) -> Self {
        let raw = raw_representation(&terminus.block.cid(), size_bytes);
        let mut list = vec![raw.whole(body), raw.not_modified(), not_acceptable()];
        let mut sizes = vec![(Form::Raw, size_bytes)];
        terminus.cars(&mut list, &mut sizes);
        Self::new(list, sizes)
    }

    /// `/ipfs/<cid>/<path>`, which is to be had as a CAR only.
    pub fn path(terminus: &Terminus) -> Self {
        let mut list = vec![not_acceptable()];
        let mut sizes = Vec::new();
        terminus.cars(&mut list, &mut sizes);
        Self::new(list, sizes)
    }

    /// What is asked for to see that this is a gateway: an empty block, whose bytes stand in its CID and so in no CAR.
    fn probe() -> Self {
        let of = |form, extension, kind: &'static str, size_bytes| {
            let path = format!("/ipfs/{PROBE_CID}");
            let mut headers = ipfs_headers(PROBE_CID, extension, path, PROBE_CID.to_owned());
            headers.push(("content-type", text(kind)));
            Representation {
                form,
                etag: format!("\"{PROBE_CID}.{extension}\""),
                size_bytes,
                headers,
                cache: IMMUTABLE,
            }
        };
        let header = car::PROBE_HEADER;
        let raw = of(Form::Raw, "bin", "application/vnd.ipld.raw", 0);
        let car = of(Form::Car, "car", CAR_TYPE, header.len() as u64);
        let list = vec![
            raw.whole(Body::Bytes(Vec::new())),
            raw.not_modified(),
            car.whole(Body::Bytes(header.to_vec())),
            car.not_modified(),
            not_acceptable(),
        ];
        Self::new(list, vec![(Form::Raw, 0), (Form::Car, header.len() as u64)])
    }

    pub fn of_probe() -> Self {
        Self::probe()
    }

    /// For every path that has no entry.
    pub fn of_unknown_path() -> Self {
        let list = vec![Reply {
            purpose: Purpose::NotFound,
            response: not_found(),
        }];
        Self {
            list,
            parts: None,
            sizes: Vec::new(),
        }
    }

    pub fn terminal(&self) -> Terminal {
        Terminal::of_hashes(self.hashes())
    }

    pub fn digest(&self) -> Hash {
        self.terminal().digest()
    }

    /// Bytes of all bodies that are not chunks.
    pub fn bytes_to_hash(&self) -> u64 {
        let bytes = |reply: &Reply| match &reply.response.body {
            Body::Bytes(bytes) => bytes.len() as u64,
            Body::Chunk(_) => 0,
        };
        self.list.iter().map(bytes).sum()
    }

    pub fn count(&self) -> usize {
        self.list.len() + self.parts.as_ref().map_or(0, |parts| parts.chunks.len())
    }

    /// All of them, one after the other.
    pub fn iter(&self) -> impl Iterator<Item = Cow<'_, Reply>> {
        let parts = self.parts.iter().flat_map(|parts| {
            let indices = 0..parts.chunks.len();
            indices.filter_map(|index| parts.get(index))
        });
        self.list
            .iter()
            .map(Cow::Borrowed)
            .chain(parts.map(Cow::Owned))
    }

    fn hashes(&self) -> Vec<Hash> {
        self.iter().map(|reply| reply.response.hash()).collect()
    }

    pub fn find(&self, purpose: Purpose) -> Option<Cow<'_, Reply>> {
        if let (Some(parts), Purpose::Content { first_byte, .. }) = (&self.parts, purpose) {
            return parts
                .with(first_byte)
                .filter(|part| part.purpose == purpose)
                .map(Cow::Owned);
        }
        let in_list = self.list.iter().find(|reply| reply.purpose == purpose);
        in_list.map(Cow::Borrowed)
    }

    pub fn size_bytes(&self, form: Form) -> Option<u64> {
        self.sizes
            .iter()
            .find(|(of, _)| *of == form)
            .map(|(_, size_bytes)| *size_bytes)
    }

    /// The part that has this byte.
    pub fn part_with(&self, form: Form, byte: u64) -> Option<Cow<'_, Reply>> {
        if let (Some(parts), Form::Plain) = (&self.parts, form) {
            return parts.with(byte).map(Cow::Owned);
        }
        self.list
            .iter()
            .rfind(|reply| {
                matches!(reply.purpose, Purpose::Content { form: of, first_byte } if of == form && first_byte <= byte)
            })
            .map(Cow::Borrowed)
    }
}

pub fn unknown_path_terminal() -> Terminal {
    Replies::of_unknown_path().terminal()
}

pub fn probe_terminal() -> Terminal {
    Replies::probe().terminal()
}

fn raw_representation(cid: &Cid, size_bytes: u64) -> Representation {
    let name = cid.to_string();
    let mut headers = ipfs_headers(&name, "bin", format!("/ipfs/{name}"), name.clone());
    headers.push(("content-type", text("application/vnd.ipld.raw")));
    Representation {
        form: Form::Raw,
        etag: format!("\"{name}.raw\""),
        size_bytes,
        headers,
        cache: IMMUTABLE,
    }
}

pub const CAR_TYPE: &str = "application/vnd.ipld.car; version=1; order=dfs; dups=n";

/// Where a request for a CAR ends: a block under its own CID, or at a path below the first of `ancestors`.
pub struct Terminus {
    /// The folders on the way, from the one whose CID is asked for to the one that names the block.
    pub ancestors: Vec<car::Block>,
    /// Behind the CID, percent-encoded, with its slash; empty where there is none.
    pub path: String,
    pub block: car::Block,
    /// All blocks under it, depth first, each once.
    pub below: Vec<car::Block>,
}

impl Terminus {
    pub fn of(block: car::Block, below: Vec<car::Block>) -> Self {
        Self {
            ancestors: Vec::new(),
            path: String::new(),
            block,
            below,
        }
    }

    fn cars(&self, list: &mut Vec<Reply>, sizes: &mut Vec<(Form, u64)>) {
        let mut blocks = self.ancestors.clone();
        blocks.push(self.block.clone());
        let cid = self.block.cid();
        // One of a chunk alone would be the same.
        if cid.codec == Codec::DagPb
            && let Some(layout) = car::layout(&cid, &blocks)
        {
            let car = self.representation(Form::CarBlock, "block", layout.size_bytes);
            car.parts(layout.parts, list);
            sizes.push((Form::CarBlock, layout.size_bytes));
        }
        blocks.extend(self.below.iter().cloned());
        if let Some(layout) = car::layout(&cid, &blocks) {
            let car = self.representation(Form::Car, "all", layout.size_bytes);
            car.parts(layout.parts, list);
            sizes.push((Form::Car, layout.size_bytes));
        }
    }

    fn representation(&self, form: Form, scope: &str, size_bytes: u64) -> Representation {
        Representation {
            form,
            etag: self.etag(scope),
            size_bytes,
            headers: self.headers(),
            cache: IMMUTABLE,
        }
    }

    /// With a text that says which part of the blocks is meant.
    pub fn etag(&self, scope: &str) -> String {
        let cid = self.block.cid();
        match self.ancestors.first() {
            None => format!("\"{cid}.car.{scope}\""),
            Some(root) => format!("\"{}.{cid}.car.{scope}\"", root.cid()),
        }
    }

    pub fn headers(&self) -> Vec<(&'static str, Text)> {
        let cid = self.block.cid().to_string();
        let mut roots: Vec<String> = self
            .ancestors
            .iter()
            .map(|block| block.cid().to_string())
            .collect();
        roots.push(cid.clone());
        let path = format!("/ipfs/{}{}", roots[0], self.path);
        let mut headers = ipfs_headers(&cid, "car", path, roots.join(","));
        headers.push(("content-type", text(CAR_TYPE)));
        headers
    }
}

fn ipfs_headers(
    cid: &str,
    extension: &str,
    path: String,
    roots: String,
) -> Vec<(&'static str, Text)> {
    let disposition = format!("attachment; filename=\"{cid}.{extension}\"");
    vec![
        ("content-disposition", Cow::Owned(disposition)),
        ("vary", text("Accept")),
        ("x-ipfs-path", Cow::Owned(path)),
        ("x-ipfs-roots", Cow::Owned(roots)),
    ]
}

fn elsewhere(shard: Principal, version: &VersionPlace, path: &str) -> Reply {
    let location = elsewhere::location(elsewhere::MAINNET, shard, version, path);
    let headers = vec![
        ("location", Cow::Owned(location)),
        ("cache-control", text("no-store")),
    ];
    Reply {
        purpose: Purpose::Elsewhere { shard },
        response: plain_text(307, headers, elsewhere::LINE),
    }
}

/// Never a type that a browser runs.
fn content_type(path: &str) -> &'static str {
    let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
    match extension {
        "json" => "application/json",
        "md" | "txt" | "toml" | "yaml" | "yml" | "csv" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
