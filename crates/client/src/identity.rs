//! Who signs: Ed25519 keys in PEM files, made on first use, and development identities for local networks.
//!
//! A development identity (`dev:alice`) is derived from its name alone, so that tests and demos are repeatable.
//! Everybody has its key: it is refused for mainnet.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use data_encoding::BASE64;
pub use ic_agent::Identity;
use ic_agent::identity::{AnonymousIdentity, BasicIdentity};
use sha2::{Digest, Sha256};

use crate::connection::is_mainnet;
use crate::error::{ClientError, Result};

const DEVELOPMENT_PREFIX: &str = "dev:";
const DEVELOPMENT_DOMAIN: &[u8] = b"stoa development identity, known to everybody: ";

/// DER of a PKCS #8 Ed25519 private key up to the 32 key bytes (RFC 8410, section 7): SEQUENCE of 46 bytes,
/// version 0, algorithm 1.3.101.112, OCTET STRING of 34 with an OCTET STRING of 32 inside.
const PKCS8_ED25519_PREFIX: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// A folder of identities, one PEM file each.
#[derive(Clone, Debug)]
pub struct Identities {
    folder: PathBuf,
}

impl Identities {
    /// `STOA_CONFIG_DIR`, else `stoa` in the user's configuration folder.
    pub fn of_user() -> Result<Self> {
        let folder = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let configuration = folder("STOA_CONFIG_DIR")
            .map(PathBuf::from)
            .or_else(|| folder("XDG_CONFIG_HOME").map(|base| PathBuf::from(base).join("stoa")))
            .or_else(|| folder("HOME").map(|home| PathBuf::from(home).join(".config/stoa")))
            .ok_or_else(|| {
                ClientError::InvalidArgument(
                    "no folder for identities: set HOME or STOA_CONFIG_DIR".to_owned(),
                )
            })?;
        Ok(Self::in_folder(configuration.join("identities")))
    }

    pub fn in_folder(folder: PathBuf) -> Self {
        Self { folder }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.pem"))
    }

    /// The identity that `name` means on `endpoint`: `anonymous`, `dev:<name>`, or a key of this folder,
    /// which is made if it does not exist.
    pub fn open(&self, name: &str, endpoint: &str) -> Result<Arc<dyn Identity>> {
        if name == "anonymous" {
            return Ok(Arc::new(AnonymousIdentity));
        }
        if let Some(development) = name.strip_prefix(DEVELOPMENT_PREFIX) {
            if is_mainnet(endpoint) {
                return Err(ClientError::InvalidArgument(format!(
                    "everybody has the key of {name}: use an identity of your own on mainnet"
                )));
            }
            return Ok(Arc::new(development_identity(development)));
        }
        check_name(name)?;
        let path = self.path(name);
        if !path.exists() {
            self.create(&path)?;
        }
        let pem = std::fs::read(&path).map_err(ClientError::file(&path))?;
        let identity = BasicIdentity::from_pem(&pem).map_err(|error| ClientError::InvalidFile {
            path,
            reason: format!("not an Ed25519 key in PKCS #8 PEM: {error}"),
        })?;
        Ok(Arc::new(identity))
    }

    fn create(&self, path: &Path) -> Result<()> {
        std::fs::create_dir_all(&self.folder).map_err(ClientError::file(&self.folder))?;
        let mut key = [0; 32];
        getrandom::fill(&mut key)
            .map_err(|error| ClientError::Failed(format!("no randomness for a key: {error}")))?;
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = match options.open(path) {
            Ok(file) => file,
            // Another process made it in between; its key is as good.
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Ok(()),
            Err(error) => return Err(ClientError::file(path)(error)),
        };
        file.write_all(to_pem(&key).as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(ClientError::file(path))
    }
}

/// The key that everybody derives for `name`. For local networks only.
pub fn development_identity(name: &str) -> BasicIdentity {
    let mut hash = Sha256::new();
    hash.update(DEVELOPMENT_DOMAIN);
    hash.update(name.as_bytes());
    BasicIdentity::from_raw_key(&hash.finalize().into())
}

fn check_name(name: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || !name.chars().all(plain) {
        return Err(ClientError::InvalidArgument(format!(
            "\"{name}\" is no name for an identity: use ASCII letters, digits, '-' and '_', or dev:<name> for a development identity"
        )));
    }
    Ok(())
}

fn to_pem(key: &[u8; 32]) -> String {
    let der = [&PKCS8_ED25519_PREFIX[..], key].concat();
    format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        BASE64.encode(&der)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCAL: &str = "http://127.0.0.1:4943";

    #[test]
    fn should_make_a_key_once_and_read_it_back() {
        let folder = tempfile::tempdir().unwrap();
        let identities = Identities::in_folder(folder.path().join("identities"));
        let first = identities.open("default", LOCAL).unwrap();
        let again = identities.open("default", LOCAL).unwrap();
        let other = identities.open("other", LOCAL).unwrap();
        assert_eq!(first.sender(), again.sender());
        assert_ne!(first.sender(), other.sender());
    }

    #[cfg(unix)]
    #[test]
    fn should_keep_a_key_from_other_users() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let identities = Identities::in_folder(folder.path().to_owned());
        identities.open("default", LOCAL).unwrap();
        let mode = std::fs::metadata(identities.path("default"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn should_write_the_pem_of_the_key() {
        let key = [7; 32];
        let read = BasicIdentity::from_pem(to_pem(&key)).unwrap();
        assert_eq!(read.sender(), BasicIdentity::from_raw_key(&key).sender());
    }

    #[test]
    fn should_refuse_a_development_identity_on_mainnet() {
        let identities = Identities::in_folder(PathBuf::from("unused"));
        assert!(identities.open("dev:alice", LOCAL).is_ok());
        assert!(identities.open("dev:alice", "https://icp-api.io").is_err());
    }

    #[test]
    fn should_refuse_a_name_that_leaves_the_folder() {
        let identities = Identities::in_folder(PathBuf::from("unused"));
        for name in ["", "../key", "a/b", "a.b"] {
            assert!(identities.open(name, LOCAL).is_err(), "{name}");
        }
    }
}
