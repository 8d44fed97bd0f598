//! Files as IPFS knows them: cut, hashed and named by the `unixfs-v1-2025`
//! profile (CIDv1, SHA2-256, fixed chunks of 1 MiB, raw leaves, balanced, width
//! 1024), so that a chunk's SHA-256 is also the name of an IPFS block and a file's
//! CID follows from its chunk hashes alone.
//!
//! Pure computation: no I/O but `std::io::Read`, no clock, no network. The registry runs it as Wasm.

mod car;
mod cid;
mod dag;
mod dag_pb;
mod dag_pb_reader;
mod directory;
mod file;
mod hasher;
mod import;
mod verifier;

pub use car::{CarError, CarReader, CarWriter, car_frame, car_header, car_size_bytes};
pub use cid::{Cid, Codec, InvalidCid};
pub use dag::{Block, Duplicates, file_blocks, folder_blocks};
pub use dag_pb_reader::{Node, read_node};
pub use directory::{
    DIRECTORY_BLOCK_BYTES_MAX, DirectoryError, FolderNode, directory_link, folder_nodes,
};
pub use file::{LayoutError, Link, WIDTH, file_cid, file_link, visit_file_nodes};
pub use hasher::{FileHasher, hash_file};
pub use import::{ImportError, Imported, ImportedFile, import};
pub use stoa_types::limits::CHUNK_SIZE_BYTES;
pub use verifier::{FileVerifier, VerifyError, check_file_entry};
