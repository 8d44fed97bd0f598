//! Every cap on a manifest, in one place. They follow from two facts: a
//! manifest arrives in one ingress message of 2 MiB, and the registry's answer
//! about a version (manifest and placement) must fit a reply of 2 MiB.

/// Leaf size of the `unixfs-v1-2025` profile.
pub const CHUNK_SIZE_BYTES: u64 = 1 << 20;

/// Chunk references in all files of a version together; 16 GiB of content.
/// `get_version` spends at most 33 bytes a chunk in the manifest and 66 in the placement (33 hash, 8 size,
/// 25 for two shards): 16,384 x 99 = 1,622,016 bytes, which leaves 475,136 of 2 MiB for the texts.
pub const CHUNKS_MAX: u64 = 16_384;

/// All texts of a manifest together, so that the reply above still fits with its framing.
pub const TEXT_TOTAL_BYTES_MAX: u64 = 384 * 1024;

pub const FILES_MAX: u64 = 1_000;
pub const PATH_BYTES_MAX: u64 = 512;
/// What common file systems take for one part of a path.
pub const PATH_PART_BYTES_MAX: u64 = 255;
/// A CIDv1 with SHA2-256 in base32 has 59 characters.
pub const CID_BYTES_MAX: u64 = 64;

pub const HANDLE_CHARS_MIN: u64 = 2;
pub const HANDLE_CHARS_MAX: u64 = 39;
pub const NAME_CHARS_MAX: u64 = 96;
pub const SEMVER_BYTES_MAX: u64 = 64;
pub const ALIAS_CHARS_MAX: u64 = 39;
pub const LICENSE_BYTES_MAX: u64 = 256;
pub const TASK_BYTES_MAX: u64 = 64;

pub const TENSORS_PER_SIDE_MAX: u64 = 64;
pub const TENSOR_NAME_BYTES_MAX: u64 = 128;
pub const TENSOR_RANK_MAX: u64 = 8;
pub const DIMENSION_MAX: u64 = 1 << 31;
/// Elements of one tensor at the largest extent of each dimension.
pub const TENSOR_ELEMENTS_MAX: u64 = 1 << 31;
pub const DIMENSION_NAME_BYTES_MAX: u64 = 64;

pub const LABELS_MAX: u64 = 32_768;
pub const LABEL_BYTES_MAX: u64 = 256;

/// Tokens of a text; what common models were trained for is far below.
pub const PIPELINE_TOKENS_MAX: u64 = 32_768;
/// Width or height of a picture as a network sees it: 4,096^2 x 3 FP32 are 200 MB.
pub const IMAGE_SIDE_MAX: u64 = 4_096;
pub const COLUMNS_MAX: u64 = 1_024;

pub const CARD_MARKDOWN_BYTES_MAX: u64 = 128 * 1024;
pub const CARD_LIST_MAX: u64 = 64;
pub const LANGUAGE_BYTES_MAX: u64 = 35;
pub const TAG_BYTES_MAX: u64 = 64;
pub const DATASET_BYTES_MAX: u64 = 256;
pub const METRIC_BYTES_MAX: u64 = 64;
pub const BASE_MODEL_BYTES_MAX: u64 = 256;

pub const PARENTS_MAX: u64 = 64;
pub const SERVICE_ENDPOINTS_MAX: u64 = 16;
pub const URL_BYTES_MAX: u64 = 512;

pub const ROYALTY_SHARES_MAX: u64 = 16;
/// Basis points in a whole.
pub const BASIS_POINTS_WHOLE: u64 = 10_000;

pub const CLAIMS_MAX: u64 = 64;
pub const CLAIM_SPLIT_BYTES_MAX: u64 = 64;
pub const CLAIM_VALUE_BYTES_MAX: u64 = 32;
