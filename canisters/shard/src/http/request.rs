//! A request, taken apart as a verifier does: the path is decoded, cut at slashes, and an empty last segment stands for a trailing slash.

use stoa_content::Cid;
use stoa_shard_api::HttpRequest;
use stoa_types::Sha256;

use crate::certified::PROBE_CID;
use crate::certified::models::VersionPlace;

pub struct Request {
    pub segments: Vec<String>,
    pub is_read: bool,
    pub range: Option<Range>,
    /// The tags of `If-None-Match`; `*` among them stands for all.
    none_match: Vec<String>,
    asked: Option<Asked>,
}

/// An IPFS response that a request asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asked {
    Raw,
    Car(Scope),
}

/// What of the blocks below the end of the path, as the trustless gateway's `dag-scope` and `entity-bytes` say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    All,
    Entity,
    Block,
    Bytes(EntityBytes),
}

/// First and last byte; negative ones count from the end, and no last one is the end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EntityBytes {
    pub from: i64,
    pub to: Option<i64>,
}

/// One range of bytes. What asks for several is answered as if it asked for none, which a server may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Range {
    From { first: u64, last: Option<u64> },
    Suffix { bytes: u64 },
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    Blob(Sha256),
    /// Where the path is empty, the block itself.
    Ipfs {
        cid: Cid,
        path: String,
    },
    Probe,
    File {
        version: VersionPlace,
        path: String,
    },
    Unknown,
}

impl Request {
    pub fn parse(wire: &HttpRequest) -> Self {
        let (path, query) = split_url(&wire.url);
        let header = |name: &str| {
            wire.headers
                .iter()
                .find(|(key, _)| key.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.as_str())
        };
        // A condition on a range that we cannot be sure of: the answer is the whole.
        let is_conditional = header("if-range").is_some();
        Self {
            segments: segments(path),
            is_read: matches!(wire.method.as_str(), "GET" | "HEAD" | "get" | "head"),
            // The last one: a gateway that streams adds its own behind what the client sent.
            range: wire
                .headers
                .iter()
                .rev()
                .find(|(key, _)| key.eq_ignore_ascii_case("range"))
                .filter(|_| !is_conditional)
                .and_then(|(_, value)| parse_range(value)),
            none_match: header("if-none-match")
                .map(|tags| tags.split(',').map(|tag| tag.trim().to_owned()).collect())
                .unwrap_or_default(),
            asked: asked(query, header("accept")),
        }
    }

    pub fn target(&self) -> Target {
        let segments: Vec<&str> = self.segments.iter().map(String::as_str).collect();
        match segments[..] {
            ["blob", name] => match name.parse::<Sha256>() {
                // Only the one way of writing it has a path.
                Ok(hash) if hash.to_string() == name => Target::Blob(hash),
                _ => Target::Unknown,
            },
            ["ipfs", PROBE_CID] => Target::Probe,
            // A slash at the end asks for something else than what stands before it.
            ["ipfs", name, ref path @ ..] if path.last() != Some(&"") => match name.parse() {
                Ok(cid) => Target::Ipfs {
                    cid,
                    path: path.join("/"),
                },
                Err(_) => Target::Unknown,
            },
            ["models", publisher, name, semver, ref path @ ..] if !path.is_empty() => {
                Target::File {
                    version: VersionPlace {
                        publisher: publisher.to_owned(),
                        name: name.to_owned(),
                        semver: semver.to_owned(),
                    },
                    path: path.join("/"),
                }
            }
            _ => Target::Unknown,
        }
    }

    /// By `format`, or else by `Accept`; `None` for what is not to be had.
    pub fn asked(&self) -> Option<Asked> {
        self.asked
    }

    pub fn none_match(&self, etag: &str) -> bool {
        let weak = |tag: &str| tag.strip_prefix("W/").unwrap_or(tag).to_owned();
        self.none_match
            .iter()
            .any(|tag| tag == "*" || weak(tag) == etag)
    }
}

fn split_url(url: &str) -> (&str, &str) {
    let path = match url.find("://") {
        Some(at) => {
            let rest = &url[at + 3..];
            rest.find('/').map_or("/", |slash| &rest[slash..])
        }
        None => url,
    };
    let path = path.split('#').next().unwrap_or_default();
    path.split_once('?').unwrap_or((path, ""))
}

fn segments(path: &str) -> Vec<String> {
    let decoded = percent_decoded(path);
    let mut segments: Vec<String> = decoded
        .split('/')
        .filter(|segment| !segment.is_empty())
        .map(str::to_owned)
        .collect();
    if decoded.ends_with('/') {
        segments.push(String::new());
    }
    segments
}

/// `%41` is `A`; what is no such code stays. Bytes that are no UTF-8 cannot name anything here.
fn percent_decoded(text: &str) -> String {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| (*byte as char).to_digit(16));
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match (
            bytes[at],
            digit(bytes.get(at + 1)),
            digit(bytes.get(at + 2)),
        ) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high << 4 | low) as u8);
                at += 3;
            }
            (byte, ..) => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

fn parse_range(value: &str) -> Option<Range> {
    let (first, last) = value.trim().strip_prefix("bytes=")?.split_once('-')?;
    let (first, last) = (first.trim(), last.trim());
    if first.is_empty() {
        return last.parse().ok().map(|bytes| Range::Suffix { bytes });
    }
    let first = first.parse().ok()?;
    let last = match last {
        "" => None,
        last => Some(last.parse().ok()?),
    };
    if last.is_some_and(|last| last < first) {
        return None;
    }
    Some(Range::From { first, last })
}

fn asked(query: &str, accept: Option<&str>) -> Option<Asked> {
    let parameter = |name: &str| {
        query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    };
    let scope = match (parameter("entity-bytes"), parameter("dag-scope")) {
        (Some(range), _) => entity_bytes(range).map(Scope::Bytes),
        (None, None | Some("all")) => Some(Scope::All),
        (None, Some("entity")) => Some(Scope::Entity),
        (None, Some("block")) => Some(Scope::Block),
        (None, Some(_)) => None,
    };
    let car = scope.map(Asked::Car);
    match parameter("format") {
        Some("raw") => return Some(Asked::Raw),
        Some("car") => return car,
        Some(_) => return None,
        None => {}
    }
    accept?.split(',').find_map(
        |kind| match kind.split(';').next().unwrap_or_default().trim() {
            "application/vnd.ipld.raw" => Some(Asked::Raw),
            "application/vnd.ipld.car" => car,
            _ => None,
        },
    )
}

/// `from:to`, both inclusive.
fn entity_bytes(range: &str) -> Option<EntityBytes> {
    let colon = range.replace("%3A", ":").replace("%3a", ":");
    let (from, to) = colon.split_once(':')?;
    Some(EntityBytes {
        from: from.parse().ok()?,
        to: match to {
            "*" | "%2A" | "%2a" => None,
            to => Some(to.parse().ok()?),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(url: &str, headers: &[(&str, &str)]) -> Request {
        Request::parse(&HttpRequest {
            method: "GET".to_owned(),
            url: url.to_owned(),
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            body: Vec::new(),
            certificate_version: Some(2),
        })
    }

    #[test]
    fn should_take_a_path_apart_as_a_verifier_does() {
        for (url, expected) in [
            ("/", vec![""]),
            ("/a/b?x=/c", vec!["a", "b"]),
            ("/a//b/", vec!["a", "b", ""]),
            ("/%61%2fb%20c", vec!["a", "b c"]),
            ("http://host:80/x#y", vec!["x"]),
            ("/%zz%4", vec!["%zz%4"]),
        ] {
            assert_eq!(get(url, &[]).segments, expected, "{url}");
        }
    }

    #[test]
    fn should_read_one_range_and_take_others_for_none() {
        let range = |value| get("/", &[("Range", value)]).range;
        let from = |first, last| Some(Range::From { first, last });
        assert_eq!(range("bytes=5-"), from(5, None));
        assert_eq!(range("bytes=5-9"), from(5, Some(9)));
        assert_eq!(range("bytes=-9"), Some(Range::Suffix { bytes: 9 }));
        for other in [
            "bytes=9-5",
            "bytes=1-2,4-5",
            "lines=1-2",
            "bytes=-",
            "bytes=a-b",
        ] {
            assert_eq!(range(other), None, "{other}");
        }
        let conditional = get("/", &[("range", "bytes=5-"), ("if-range", "\"x\"")]);
        assert_eq!(conditional.range, None);
    }

    #[test]
    fn should_find_the_form_in_the_query_before_the_accept_header() {
        let accept = |value| get("/ipfs/x", &[("accept", value)]).asked();
        assert_eq!(accept("application/vnd.ipld.raw"), Some(Asked::Raw));
        assert_eq!(
            accept("text/html, application/vnd.ipld.car;version=1;q=0.9"),
            Some(Asked::Car(Scope::All))
        );
        assert_eq!(accept("*/*"), None);
        let both = get(
            "/ipfs/x?format=car&dag-scope=block",
            &[("accept", "application/vnd.ipld.raw")],
        );
        assert_eq!(both.asked(), Some(Asked::Car(Scope::Block)));
        assert_eq!(get("/ipfs/x?format=tar", &[]).asked(), None);
        assert_eq!(get("/ipfs/x?format=car&dag-scope=x", &[]).asked(), None);
    }

    #[test]
    fn should_read_the_bytes_of_an_entity() {
        let bytes =
            |range: &str| get(&format!("/ipfs/x?format=car&entity-bytes={range}"), &[]).asked();
        let of = |from, to| Some(Asked::Car(Scope::Bytes(EntityBytes { from, to })));
        assert_eq!(bytes("0:*"), of(0, None));
        assert_eq!(bytes("-1024:*"), of(-1024, None));
        assert_eq!(bytes("499:-1000"), of(499, Some(-1000)));
        assert_eq!(bytes("5%3A9"), of(5, Some(9)));
        for malformed in ["", "5", "a:b", "5:", ":5", "99999999999999999999:*"] {
            assert_eq!(bytes(malformed), None, "{malformed}");
        }
    }
}
