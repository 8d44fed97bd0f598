//! Canonical hash of a manifest: the identifier of a version. Later data
//! depends on it, so its definition never changes for `schema` 1.
//!
//! It is the representation-independent hash (see [`crate::rih`]) of the map
//! below. Keys are the Candid field names; the rules are mechanical:
//! numbers are nat, texts are text, hashes and principals are blob (a principal's raw bytes), `vec` is array in
//! the manifest's order, `record` is map, an absent `opt` leaves its key out, a present one is its value, a variant
//! without payload is its name as text, one with payload is a map of one key, its name.
//!
//! | map | keys |
//! |---|---|
//! | manifest | `schema` nat, `publisher` text, `name` text, `version` text, `license` text, `task` text, `files` array of file, `signature` map, `pipeline` map, `card` map, `lineage` map, `royalties` array of royalty, `claims` array of claim |
//! | file | `path` text, `size_bytes` nat, `sha256` blob, `cid` text, `chunks` array of blob |
//! | signature | `inputs` array of tensor, `outputs` array of tensor |
//! | tensor | `name` text, `datatype` text (`FP32`), `shape` array of dimension |
//! | dimension | `{Fixed: nat}` or `{Dynamic: {name: text, max: nat}}` |
//! | pipeline | `model` text, `kind` `Tensors` or `{Text: map}`, `{Image: map}`, `{Tabular: map}` (see `pipeline_hash.rs`), `labels` array of text |
//! | card | `markdown` text, `language`, `tags`, `datasets`, `metrics` arrays of text, `base_model` text if present |
//! | lineage | `parents` array of parent, `datasets` array of text, `code_revision` text if present, `service_endpoints` array of text |
//! | parent | `version` blob, `relation` text (`Finetune`) |
//! | royalty | `owner` blob, `subaccount` blob if present, `basis_points` nat |
//! | claim | `dataset`, `split`, `metric`, `value` text |

use crate::hash::Sha256;
use crate::manifest::{
    Card, Dimension, EvaluationClaim, FileEntry, Lineage, Manifest, Parent, Pipeline, Relation,
    RoyaltyShare, Signature, TensorSpec,
};
use crate::pipeline_hash;
use crate::rih::{self, Value};

impl Manifest {
    /// The identifier of the version. Also defined for a manifest that is not valid.
    pub fn digest(&self) -> Sha256 {
        rih::hash(&manifest(self))
    }
}

fn manifest(m: &Manifest) -> Value<'_> {
    // Every struct is taken apart by name, so that a new field cannot be forgotten here.
    let Manifest {
        schema,
        publisher,
        name,
        version,
        license,
        task,
        files,
        signature: side,
        pipeline: run,
        card: text,
        lineage: origin,
        royalties,
        claims,
    } = m;
    Value::Map(vec![
        ("schema", Value::Nat((*schema).into())),
        ("publisher", publisher.into()),
        ("name", name.into()),
        ("version", version.into()),
        ("license", license.into()),
        ("task", task.into()),
        ("files", array(files, file)),
        ("signature", signature(side)),
        ("pipeline", pipeline(run)),
        ("card", card(text)),
        ("lineage", lineage(origin)),
        ("royalties", array(royalties, royalty)),
        ("claims", array(claims, claim)),
    ])
}

fn array<'a, T>(list: &'a [T], element: impl Fn(&'a T) -> Value<'a>) -> Value<'a> {
    Value::Array(list.iter().map(element).collect())
}

fn push_text<'a>(map: &mut Vec<(&'a str, Value<'a>)>, key: &'a str, text: &'a Option<String>) {
    if let Some(text) = text {
        map.push((key, text.into()));
    }
}

fn file(f: &FileEntry) -> Value<'_> {
    let FileEntry {
        path,
        size_bytes,
        sha256,
        cid,
        chunks,
    } = f;
    Value::Map(vec![
        ("path", path.into()),
        ("size_bytes", (*size_bytes).into()),
        ("sha256", sha256.into()),
        ("cid", cid.into()),
        ("chunks", Value::digests(chunks)),
    ])
}

fn signature(s: &Signature) -> Value<'_> {
    let Signature { inputs, outputs } = s;
    Value::Map(vec![
        ("inputs", array(inputs, tensor)),
        ("outputs", array(outputs, tensor)),
    ])
}

fn tensor(t: &TensorSpec) -> Value<'_> {
    let TensorSpec {
        name,
        datatype,
        shape,
    } = t;
    Value::Map(vec![
        ("name", name.into()),
        ("datatype", Value::Text(datatype.name())),
        ("shape", array(shape, dimension)),
    ])
}

fn dimension(d: &Dimension) -> Value<'_> {
    match d {
        Dimension::Fixed(extent) => Value::Map(vec![("Fixed", (*extent).into())]),
        Dimension::Dynamic { name, max } => Value::Map(vec![(
            "Dynamic",
            Value::Map(vec![("name", name.into()), ("max", (*max).into())]),
        )]),
    }
}

fn pipeline(p: &Pipeline) -> Value<'_> {
    let Pipeline {
        model,
        kind,
        labels,
    } = p;
    Value::Map(vec![
        ("model", model.into()),
        ("kind", pipeline_hash::kind(kind)),
        ("labels", Value::texts(labels)),
    ])
}

fn card(c: &Card) -> Value<'_> {
    let Card {
        markdown,
        language,
        tags,
        datasets,
        metrics,
        base_model,
    } = c;
    let mut map = vec![
        ("markdown", markdown.into()),
        ("language", Value::texts(language)),
        ("tags", Value::texts(tags)),
        ("datasets", Value::texts(datasets)),
        ("metrics", Value::texts(metrics)),
    ];
    push_text(&mut map, "base_model", base_model);
    Value::Map(map)
}

fn lineage(l: &Lineage) -> Value<'_> {
    let Lineage {
        parents,
        datasets,
        code_revision,
        service_endpoints,
    } = l;
    let mut map = vec![
        ("parents", array(parents, parent)),
        ("datasets", Value::texts(datasets)),
        ("service_endpoints", Value::texts(service_endpoints)),
    ];
    push_text(&mut map, "code_revision", code_revision);
    Value::Map(map)
}

fn parent(p: &Parent) -> Value<'_> {
    let Parent { version, relation } = p;
    Value::Map(vec![
        ("version", version.into()),
        ("relation", Value::Text(relation.name())),
    ])
}

impl Relation {
    /// Its Candid name, as it enters the hash.
    pub const fn name(self) -> &'static str {
        match self {
            Relation::Finetune => "Finetune",
            Relation::Adapter => "Adapter",
            Relation::Quantized => "Quantized",
            Relation::Merge => "Merge",
            Relation::Distilled => "Distilled",
            Relation::Converted => "Converted",
        }
    }
}

fn royalty(r: &RoyaltyShare) -> Value<'_> {
    let RoyaltyShare {
        owner,
        subaccount,
        basis_points,
    } = r;
    let mut map = vec![
        ("owner", Value::Blob(owner.as_slice())),
        ("basis_points", Value::Nat((*basis_points).into())),
    ];
    if let Some(subaccount) = subaccount {
        map.push(("subaccount", subaccount.into()));
    }
    Value::Map(map)
}

fn claim(c: &EvaluationClaim) -> Value<'_> {
    let EvaluationClaim {
        dataset,
        split,
        metric,
        value,
    } = c;
    Value::Map(vec![
        ("dataset", dataset.into()),
        ("split", split.into()),
        ("metric", metric.into()),
        ("value", value.into()),
    ])
}
