//! Every response against the verifier that gateways use, under a certificate of a root key.

mod elsewhere;
mod files;
mod folders;
mod golden;
mod ipfs;
mod long_files;

use candid::Principal;
use ic_http_certification::{
    HttpRequest as VerifierRequest, HttpResponse as VerifierResponse, StatusCode,
};
use ic_response_verification::types::VerificationInfo;
use ic_response_verification::{ResponseVerificationResult, verify_request_response_pair};
use ic_stable_structures::VectorMemory;
use stoa_content::{Cid, hash_file};
use stoa_localnet_wire::{CanisterEntry, Keys, StateTree};
use stoa_shard_api::{
    ExpectArgs, ExpectedChunk, FileToServe, HttpRequest, HttpResponse, SegmentPlace, ServeArgs,
    ServeError,
};
use stoa_types::Sha256;
use stoa_types::manifest::FileEntry;

use super::respond::{self, Context};
use crate::memory::Memories;
use crate::store::Store;

const NOW: u64 = 1_700_000_000_000_000_000;
const MIB: usize = 1 << 20;
const UPLOADER: Principal = Principal::from_slice(&[1, 1]);
const SHARD: Principal = Principal::from_slice(&[0, 0, 0, 0, 0, 0, 0, 7, 1, 1]);

struct World {
    memory: VectorMemory,
    store: Store<VectorMemory>,
    keys: Keys,
}

impl World {
    fn new() -> Self {
        let memory = VectorMemory::default();
        let memories = Memories::new(memory.clone(), 16, 8);
        Self {
            store: Store::create(memories, UPLOADER, 1 << 34).unwrap(),
            memory,
            keys: Keys::from_seed([7; 32]),
        }
    }

    fn upgrade(&mut self) {
        self.store = Store::open(Memories::new(self.memory.clone(), 16, 8)).unwrap();
    }

    fn hold(&mut self, version: Sha256, bytes: &[u8]) {
        let chunks: Vec<&[u8]> = if bytes.is_empty() {
            vec![bytes]
        } else {
            bytes.chunks(MIB).collect()
        };
        let expected = |chunk: &&[u8]| ExpectedChunk {
            hash: Sha256::of(chunk),
            size_bytes: chunk.len() as u64,
        };
        let args = ExpectArgs {
            version,
            uploader: UPLOADER,
            chunks: chunks.iter().map(expected).collect(),
        };
        self.store.expect(&args, NOW).unwrap();
        for chunk in chunks {
            self.store.put(UPLOADER, chunk).unwrap();
        }
    }

    /// Holds and serves files as `stoa/digits` of this number.
    fn publish(&mut self, semver: &str, files: &[(&str, &[u8])]) -> Vec<FileEntry> {
        let version = Sha256::of(semver.as_bytes());
        for (_, bytes) in files {
            self.hold(version, bytes);
        }
        let entries: Vec<FileEntry> = files
            .iter()
            .map(|(path, bytes)| hash_file(path, *bytes).unwrap())
            .collect();
        self.serve(&serve_args(version, semver, entries.clone()));
        entries
    }

    /// As often as it takes.
    fn serve(&mut self, args: &ServeArgs) {
        let mut before = 0;
        loop {
            match self.store.serve(args, SHARD) {
                Ok(()) => return,
                Err(ServeError::Unfinished { done, total }) => {
                    assert!(done > before && done < total, "{done} of {total}");
                    before = done;
                }
                Err(other) => panic!("{other:?}"),
            }
        }
    }

    fn ask(&self, method: &str, url: &str, headers: &[(&str, &str)]) -> HttpResponse {
        let request = HttpRequest {
            method: method.to_owned(),
            url: url.to_owned(),
            headers: headers.iter().map(owned).collect(),
            body: Vec::new(),
            certificate_version: Some(2),
        };
        let context = Context {
            own: SHARD,
            certificate: Some(self.certificate()),
            now_nanos: NOW,
        };
        respond::http_request(&self.store, &context, &request)
    }

    /// What follows where the answer was to ask by an update.
    fn update(&self, url: &str, headers: &[(&str, &str)]) -> HttpResponse {
        assert_eq!(self.ask("GET", url, headers).upgrade, Some(true), "{url}");
        let request = HttpRequest {
            method: "GET".to_owned(),
            url: url.to_owned(),
            headers: headers.iter().map(owned).collect(),
            body: Vec::new(),
            certificate_version: None,
        };
        let context = Context {
            own: SHARD,
            certificate: None,
            now_nanos: NOW,
        };
        respond::http_request_update(&self.store, &context, &request)
    }

    fn certificate(&self) -> Vec<u8> {
        let entry = CanisterEntry {
            certified_data: self.store.certified.root_hash().to_vec(),
            module_hash: Some([1; 32]),
            ..CanisterEntry::default()
        };
        let mut state = StateTree::default();
        state.canisters.insert(SHARD, entry);
        self.keys.data_certificate(&state, SHARD)
    }

    fn verify(
        &self,
        method: &str,
        url: &str,
        response: &HttpResponse,
    ) -> ResponseVerificationResult<VerificationInfo> {
        let request = VerifierRequest::builder()
            .with_method(method.parse().unwrap())
            .with_url(url)
            .build();
        let response = VerifierResponse::builder()
            .with_status_code(StatusCode::from_u16(response.status_code).unwrap())
            .with_headers(response.headers.clone())
            .with_body(response.body.clone())
            .build();
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap();
        verify_request_response_pair(
            request,
            response,
            SHARD.as_slice(),
            now.as_nanos(),
            300_000_000_000,
            self.keys.root_key_der(),
            2,
        )
    }

    /// Asks, and lets the verifier see what a gateway would: all headers must be certified.
    fn get(&self, url: &str, headers: &[(&str, &str)]) -> HttpResponse {
        self.verified("GET", url, headers)
    }

    fn verified(&self, method: &str, url: &str, headers: &[(&str, &str)]) -> HttpResponse {
        let response = self.ask(method, url, headers);
        assert_eq!(response.upgrade, None, "{url} {headers:?}");
        let info = self
            .verify(method, url, &response)
            .unwrap_or_else(|error| panic!("{method} {url} {headers:?}: {error}"));
        let verified = info.response.expect("verification was skipped");
        assert_eq!(verified.status_code, Some(response.status_code));
        for (name, value) in &response.headers {
            let is_certified = verified
                .headers
                .iter()
                .any(|(key, certified)| key.eq_ignore_ascii_case(name) && certified == value);
            let is_proof = name.to_ascii_lowercase().starts_with("ic-certificate");
            assert!(is_certified || is_proof, "{name} of {url} is not certified");
        }
        response
    }

    /// As a gateway puts parts together: from each end on.
    fn assembled(&self, url: &str, headers: &[(&str, &str)]) -> Vec<u8> {
        let first = self.get(url, headers);
        if first.status_code == 200 {
            return first.body;
        }
        let mut bytes = Vec::new();
        let mut part = first;
        loop {
            assert_eq!(part.status_code, 206);
            let range = header(&part, "content-range").unwrap();
            let (span, total) = range
                .strip_prefix("bytes ")
                .unwrap()
                .split_once('/')
                .unwrap();
            let (begin, end) = span.split_once('-').unwrap();
            assert_eq!(begin.parse::<usize>().unwrap(), bytes.len());
            bytes.extend_from_slice(&part.body);
            assert_eq!(end.parse::<usize>().unwrap() + 1, bytes.len());
            if bytes.len() == total.parse::<usize>().unwrap() {
                return bytes;
            }
            let range = format!("bytes={}-", bytes.len());
            let mut headers = headers.to_vec();
            headers.push(("Range", &range));
            part = self.get(url, &headers);
        }
    }
}

fn owned((name, value): &(&str, &str)) -> (String, String) {
    ((*name).to_owned(), (*value).to_owned())
}

fn header<'a>(response: &'a HttpResponse, name: &str) -> Option<&'a str> {
    response
        .headers
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
}

fn serve_args(version: Sha256, semver: &str, files: Vec<FileEntry>) -> ServeArgs {
    let files: Vec<FileToServe> = files
        .into_iter()
        .map(|file| FileToServe {
            file,
            segments: Vec::new(),
        })
        .collect();
    ServeArgs {
        files_total: files.len() as u64,
        version,
        publisher: "stoa".to_owned(),
        name: "digits".to_owned(),
        semver: semver.to_owned(),
        files,
    }
}

/// Bytes that differ from chunk to chunk.
fn pattern(size: usize) -> Vec<u8> {
    (0..size)
        .map(|index| (index / 7 + index / MIB) as u8)
        .collect()
}

#[test]
fn should_serve_a_blob_under_a_certificate() {
    let mut world = World::new();
    for number in 0..40_u8 {
        world.hold(Sha256([1; 32]), &vec![number; 1000 + usize::from(number)]);
    }
    for number in 0..40_u8 {
        let bytes = vec![number; 1000 + usize::from(number)];
        let url = format!("/blob/{}", Sha256::of(&bytes));
        let response = world.get(&url, &[]);
        assert_eq!((response.status_code, &response.body), (200, &bytes));
        assert_eq!(
            header(&response, "content-length"),
            Some(&*bytes.len().to_string())
        );
    }
    let url = format!("/blob/{}", Sha256::of(&[3; 1003]));
    let etag = header(&world.get(&url, &[]), "etag").unwrap().to_owned();
    let unchanged = world.get(&url, &[("If-None-Match", &format!("\"x\", {etag}"))]);
    assert_eq!((unchanged.status_code, unchanged.body.len()), (304, 0));
    let beyond = world.get(&url, &[("Range", "bytes=1003-")]);
    assert_eq!(beyond.status_code, 416);
    assert_eq!(header(&beyond, "content-range"), Some("bytes */1003"));
    assert_eq!(world.verified("POST", &url, &[]).status_code, 405);
    assert_eq!(world.verified("HEAD", &url, &[]).status_code, 200);
    world.upgrade();
    assert_eq!(world.get(&url, &[]).status_code, 200);
}

#[test]
fn should_prove_that_a_path_does_not_exist() {
    let mut world = World::new();
    let missing = Sha256([9; 32]);
    let urls = |extra: &[String]| {
        let mut urls: Vec<String> = [
            "/",
            "/blob",
            "/blob/",
            "/blob/x",
            "/blob/~",
            "/ipfs",
            "/ipfs/",
            "/ipfs/bafkqaaa/x",
            "/ipfs/a",
            "/ipfs/bafkz",
            "/ipfs/bafyz",
            "/ipfs/z",
            "/models",
            "/models/",
            "/models/stoa",
            "/models/stoa/digits",
            "/models/stoa/digits/1.0.0",
            "/models/stoa/digits/1.0.0/",
            "/models/stoa/digits/1.0.0/a",
            "/models/stoa/digits/1.0.0/a/",
            "/models/stoa/digits/1.0.0/a/zz",
            "/models/stoa/digits/1.0.0/model.onnx/x",
            "/models/stoa/digits/2.0.0/model.onnx",
            "/models/stoa/other/1.0.0/x",
            "/models/aaa/digits/1.0.0/x",
            "/models/zzz/digits/1.0.0/x",
            "/zzz",
            "/a",
            "/blob/%3C*%3E",
            "/%3C*%3E",
            "/%3C$%3E",
            "/models/%3C*%3E/x",
            "/favicon.ico",
            "/../x",
            "/blob//",
        ]
        .map(str::to_owned)
        .to_vec();
        urls.push(format!("/blob/{missing}"));
        urls.push(format!("/blob/{missing}/x"));
        urls.push(format!("/ipfs/{}", Cid::raw(missing)));
        urls.push(format!("/ipfs/{}", Cid::dag_pb(missing)));
        urls.extend_from_slice(extra);
        urls
    };
    for url in urls(&[]) {
        assert_eq!(world.get(&url, &[]).status_code, 404, "{url}");
    }
    let entries = world.publish(
        "1.0.0",
        &[
            ("model.onnx", &pattern(2 * MIB + 5)),
            ("a/b.txt", b"x"),
            ("$/x", b"y"),
            ("a/=/x", b"z"),
        ],
    );
    let extra = [
        format!("/blob/{}/x", entries[1].sha256),
        format!("/blob/{}/", entries[1].sha256),
        format!("/blob/{}", entries[1].sha256.to_string().to_uppercase()),
        format!("/blob/{}", &entries[1].sha256.to_string()[..63]),
        format!("/ipfs/{}/x", entries[0].cid),
        format!("/ipfs/{}/x", entries[1].cid),
    ];
    for url in urls(&extra) {
        assert_eq!(world.get(&url, &[]).status_code, 404, "{url}");
    }
    world.upgrade();
    for url in urls(&extra) {
        assert_eq!(world.get(&url, &[]).status_code, 404, "{url}");
    }
}

#[test]
fn should_serve_files_of_any_size_in_parts_that_verify() {
    let mut world = World::new();
    let sizes = [0, 1, MIB - 1, MIB, MIB + 1, 3 * MIB, 5 * MIB + 17];
    let contents: Vec<Vec<u8>> = sizes.iter().map(|size| pattern(*size)).collect();
    let names: Vec<String> = sizes
        .iter()
        .map(|size| format!("weights/{size}.bin"))
        .collect();
    let files: Vec<(&str, &[u8])> = names
        .iter()
        .zip(&contents)
        .map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
        .collect();
    world.publish("1.0.0", &files);
    for (name, bytes) in &files {
        let url = format!("/models/stoa/digits/1.0.0/{name}");
        assert!(world.assembled(&url, &[]) == *bytes, "{name}");
    }
    let url = "/models/stoa/digits/1.0.0/weights/3145728.bin";
    let second = world.get(url, &[("Range", "bytes=1048576-")]);
    assert_eq!(second.status_code, 206);
    assert_eq!(
        header(&second, "content-range"),
        Some("bytes 1048576-2097151/3145728")
    );
    let tag = header(&second, "etag").unwrap().to_owned();
    assert_eq!(world.get(url, &[("If-None-Match", &tag)]).status_code, 304);
    let last = world.get(url, &[("Range", "bytes=-1048576")]);
    assert!(last.body == contents[5][2 * MIB..]);
    assert_eq!(
        world.get(url, &[("Range", "bytes=3145728-")]).status_code,
        416
    );
}

#[test]
fn should_answer_odd_ranges_by_an_update_within_an_allowance() {
    let mut world = World::new();
    let bytes = pattern(3 * MIB);
    world.publish("1.0.0", &[("w.bin", &bytes)]);
    let url = "/models/stoa/digits/1.0.0/w.bin";
    for (range, expected) in [
        ("bytes=5-9", 5..10),
        ("bytes=1048570-1048580", 1_048_570..1_048_581),
        ("bytes=1048576-1048580", 1_048_576..1_048_581),
        ("bytes=-3", 3 * MIB - 3..3 * MIB),
        ("bytes=77-", 77..MIB),
    ] {
        let response = world.update(url, &[("range", range)]);
        assert_eq!(response.status_code, 206);
        assert!(response.body == bytes[expected.clone()], "{range}");
        let content_range = format!(
            "bytes {}-{}/{}",
            expected.start,
            expected.end - 1,
            bytes.len()
        );
        assert_eq!(header(&response, "content-range"), Some(&*content_range));
    }
    while world.store.allowance.take(NOW) {}
    let around = world.get(url, &[("Range", "bytes=1048580-1048590")]);
    assert_eq!(
        header(&around, "content-range"),
        Some("bytes 1048576-2097151/3145728"),
        "the part around them, saying so"
    );
}

/// What must always hold, the first: never other bytes.
#[test]
fn should_say_of_damaged_bytes_that_they_are_and_never_send_them() {
    let mut world = World::new();
    let entries = world.publish("1.0.0", &[("w.bin", &pattern(MIB + 5))]);
    world.store.damage(&entries[0].chunks[0]);
    for url in [
        "/models/stoa/digits/1.0.0/w.bin".to_owned(),
        format!("/blob/{}", entries[0].chunks[0]),
        format!("/ipfs/{}?format=raw", Cid::raw(entries[0].chunks[0])),
    ] {
        assert_eq!(world.get(&url, &[]).status_code, 503, "{url}");
    }
    let rest = world.get(
        "/models/stoa/digits/1.0.0/w.bin",
        &[("Range", "bytes=1048576-")],
    );
    assert_eq!(rest.status_code, 206);
}

/// Statement 32.
#[test]
fn should_fail_verification_where_anything_is_changed() {
    let mut world = World::new();
    let entries = world.publish("1.0.0", &[("w.bin", b"weights"), ("v.bin", b"others")]);
    let url = format!("/blob/{}", entries[0].sha256);
    let good = world.get(&url, &[]);
    let is_refused =
        |url: &str, response: &HttpResponse| world.verify("GET", url, response).is_err();

    let mut body = good.clone();
    body.body[0] ^= 1;
    assert!(is_refused(&url, &body), "a changed body");
    let mut status = good.clone();
    status.status_code = 206;
    assert!(is_refused(&url, &status), "a changed status");
    let mut headers = good.clone();
    headers.headers[0].1 = "https://example.org".to_owned();
    assert!(is_refused(&url, &headers), "a changed header");
    let other = format!("/blob/{}", entries[1].sha256);
    assert!(is_refused(&other, &good), "the answer of another path");
    let not_found = world.get("/blob/x", &[]);
    assert!(is_refused(&url, &not_found), "a denial of what exists");

    let old = world.ask("GET", &url, &[]);
    world.hold(Sha256([4; 32]), b"more");
    let new = world.ask("GET", &url, &[]);
    let certificate =
        |response: &HttpResponse| header(response, "ic-certificate").unwrap().to_owned();
    let (old_tree, new_tree) = (certificate(&old), certificate(&new));
    let mixed = format!(
        "{}, {}",
        new_tree.split(", ").next().unwrap(),
        old_tree.split_once(", ").unwrap().1
    );
    let mut stale = old.clone();
    stale.headers.last_mut().unwrap().1 = mixed;
    assert!(
        world.verify("GET", &url, &stale).is_err(),
        "a tree of another root"
    );
}
