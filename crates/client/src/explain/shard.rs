//! A shard's refusals.

use stoa_shard_api::{ConfirmError, GetChunkError, PutChunkError};

use super::{ANONYMOUS, Explain};

impl Explain for PutChunkError {
    fn explain(&self) -> String {
        match self {
            Self::AnonymousCaller => ANONYMOUS.to_owned(),
            Self::NotExpected { hash } => format!(
                "no upload asks this shard for bytes that hash to {hash}: they are not what was announced"
            ),
            Self::NotUploader { uploader } => {
                format!("this upload was begun by {uploader}, only it may put chunks")
            }
            Self::ChunkTooLarge { given, max } => {
                format!("the chunk has {given} bytes and {max} is the most")
            }
            Self::OutOfSpace {
                needed_bytes,
                free_bytes,
            } => format!(
                "the shard has {free_bytes} bytes free and {needed_bytes} are needed: the DAO has to add shards"
            ),
            Self::LowCycles { balance, needed } => format!(
                "the shard has {balance} cycles above its freezing limit and takes nothing in below {needed}: the DAO has to top it up"
            ),
        }
    }
}

impl Explain for GetChunkError {
    fn explain(&self) -> String {
        match self {
            Self::NotFound { hash } => format!("the shard does not hold {hash}"),
            Self::Corrupt { hash } => {
                format!("the shard's copy of {hash} is damaged: another shard may have a good one")
            }
        }
    }
}

impl Explain for ConfirmError {
    fn explain(&self) -> String {
        match self {
            Self::TooManyChunks { given, max } => {
                format!("{given} chunks in one question, {max} is the most")
            }
        }
    }
}
