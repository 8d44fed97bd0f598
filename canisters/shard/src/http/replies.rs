//! Every response that a path can give. The list of a path is a function of what is stored about it, so that it is certified
//! when that is stored and derived again when a request comes.

use std::borrow::Cow;

use ic_certification::Hash;
use stoa_content::{Cid, Codec};
use stoa_types::Sha256;
use stoa_types::manifest::FileEntry;

use super::car;
use crate::certified::PROBE_CID;
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

pub struct Reply {
    pub purpose: Purpose,
    pub response: Response,
}

/// What a path gives.
pub struct Replies {
    pub list: Vec<Reply>,
    /// Bytes of the content in each form, for ranges.
    pub sizes: Vec<(Form, u64)>,
}

const COMMON: [(&str, &str); 5] = [
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
            "This shard does not hold these bytes, or its copy is damaged; another shard has them.\n",
        ),
    }
}

fn not_acceptable() -> Reply {
    let headers = vec![("vary", text("Accept"))];
    Reply {
        purpose: Purpose::NotAcceptable,
        response: plain_text(
            406,
            headers,
            "A trustless gateway: ask for ?format=raw or ?format=car.\n",
        ),
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
        Self { list, sizes }
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

    /// `/models/<publisher>/<name>/<semver>/<path>`: one response where the file has one chunk, else one for each.
    pub fn file(path: &str, sha256: &Sha256, size_bytes: u64, chunks: &[Sha256]) -> Self {
        let representation = Representation {
            form: Form::Plain,
            etag: format!("\"{sha256}\""),
            size_bytes,
            headers: vec![("content-type", text(content_type(path)))],
            cache: VERSIONED,
        };
        let mut first_byte = 0;
        let parts = (0..)
            .zip(chunks)
            .map(|(index, hash)| {
                let size = FileEntry::chunk_size_bytes(size_bytes, index);
                let part = (first_byte, size, Body::Chunk(*hash));
                first_byte += size;
                part
            })
            .collect();
        let mut list = Vec::new();
        representation.parts(parts, &mut list);
        list.push(representation.not_satisfiable());
        Self::new(list, vec![(Form::Plain, size_bytes)])
    }

    /// `/ipfs/<cid>` of a chunk. It has nothing below it, so that both CARs of it are the same.
    pub fn chunk_block(hash: &Sha256, size_bytes: u64) -> Self {
        let cid = Cid::raw(*hash);
        let raw = raw_representation(&cid, size_bytes);
        let mut list = vec![
            raw.whole(Body::Chunk(*hash)),
            raw.not_modified(),
            not_acceptable(),
        ];
        let layout = car::layout(&cid, &[car::Block::chunk(*hash, size_bytes)]);
        let car = car_representation(&cid, Form::Car, layout.size_bytes);
        car.parts(layout.parts, &mut list);
        let sizes = vec![(Form::Raw, size_bytes), (Form::Car, layout.size_bytes)];
        Self::new(list, sizes)
    }

    /// `/ipfs/<cid>` of a node; `below` are all blocks under it, depth first, each once.
    pub fn node_block(cid: &Cid, block: &[u8], below: &[car::Block]) -> Self {
        let raw = raw_representation(cid, block.len() as u64);
        let mut list = vec![
            raw.whole(Body::Bytes(block.to_vec())),
            raw.not_modified(),
            not_acceptable(),
        ];
        let root = car::Block::node(*cid, block.to_vec());
        let alone = car::layout(cid, std::slice::from_ref(&root));
        let car = car_representation(cid, Form::CarBlock, alone.size_bytes);
        car.parts(alone.parts, &mut list);

        let mut blocks = vec![root];
        blocks.extend_from_slice(below);
        let layout = car::layout(cid, &blocks);
        let car = car_representation(cid, Form::Car, layout.size_bytes);
        car.parts(layout.parts, &mut list);
        let sizes = vec![
            (Form::Raw, block.len() as u64),
            (Form::CarBlock, alone.size_bytes),
            (Form::Car, layout.size_bytes),
        ];
        Self::new(list, sizes)
    }

    fn probe() -> Self {
        let mut headers = ipfs_headers(PROBE_CID.to_owned(), "bin");
        headers.push(("content-type", text("application/vnd.ipld.raw")));
        let raw = Representation {
            form: Form::Raw,
            etag: format!("\"{PROBE_CID}.raw\""),
            size_bytes: 0,
            headers,
            cache: IMMUTABLE,
        };
        let list = vec![
            raw.whole(Body::Bytes(Vec::new())),
            raw.not_modified(),
            not_acceptable(),
        ];
        Self::new(list, vec![(Form::Raw, 0)])
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
            sizes: Vec::new(),
        }
    }

    pub fn terminal(&self) -> Terminal {
        Terminal::of_hashes(self.hashes())
    }

    pub fn digest(&self) -> Hash {
        self.terminal().digest()
    }

    fn hashes(&self) -> Vec<Hash> {
        self.list
            .iter()
            .map(|reply| reply.response.hash())
            .collect()
    }

    pub fn find(&self, purpose: Purpose) -> Option<&Reply> {
        self.list.iter().find(|reply| reply.purpose == purpose)
    }

    pub fn size_bytes(&self, form: Form) -> Option<u64> {
        self.sizes
            .iter()
            .find(|(of, _)| *of == form)
            .map(|(_, size_bytes)| *size_bytes)
    }

    /// The part that has this byte.
    pub fn part_with(&self, form: Form, byte: u64) -> Option<&Reply> {
        self.list
            .iter()
            .rfind(|reply| {
                matches!(reply.purpose, Purpose::Content { form: of, first_byte } if of == form && first_byte <= byte)
            })
    }
}

pub fn unknown_path_terminal() -> Terminal {
    Replies::of_unknown_path().terminal()
}

pub fn probe_terminal() -> Terminal {
    Replies::probe().terminal()
}

fn raw_representation(cid: &Cid, size_bytes: u64) -> Representation {
    let mut headers = ipfs_headers(cid.to_string(), "bin");
    headers.push(("content-type", text("application/vnd.ipld.raw")));
    Representation {
        form: Form::Raw,
        etag: format!("\"{cid}.raw\""),
        size_bytes,
        headers,
        cache: IMMUTABLE,
    }
}

fn car_representation(cid: &Cid, form: Form, size_bytes: u64) -> Representation {
    let mut headers = ipfs_headers(cid.to_string(), "car");
    headers.push((
        "content-type",
        text("application/vnd.ipld.car; version=1; order=dfs; dups=n"),
    ));
    let scope = match (form, cid.codec) {
        (Form::CarBlock, Codec::DagPb) => "block",
        _ => "all",
    };
    Representation {
        form,
        etag: format!("\"{cid}.car.{scope}\""),
        size_bytes,
        headers,
        cache: IMMUTABLE,
    }
}

fn ipfs_headers(cid: String, extension: &str) -> Vec<(&'static str, Text)> {
    let disposition = format!("attachment; filename=\"{cid}.{extension}\"");
    vec![
        ("content-disposition", Cow::Owned(disposition)),
        ("vary", text("Accept")),
        ("x-ipfs-path", Cow::Owned(format!("/ipfs/{cid}"))),
        ("x-ipfs-roots", Cow::Owned(cid)),
    ]
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
