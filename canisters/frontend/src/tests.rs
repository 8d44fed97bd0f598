//! Every answer against the verifier that gateways use, under a certificate of a root key; and the interface.

use candid::Principal;
use candid_parser::utils::{CandidSource, service_equal};
use ic_asset_certification::AssetRouter;
use ic_http_certification::{HttpRequest, HttpResponse};
use ic_response_verification::verify_request_response_pair;
use serde_bytes::ByteBuf;
use stoa_frontend_api::{Configuration, InvalidConfiguration, Network};
use stoa_localnet_wire::{CanisterEntry, Keys, StateTree};

use crate::assets::{TEST_FILES, answer, route};

const CANISTER: Principal = Principal::from_slice(&[0, 0, 0, 0, 0, 0, 0, 7, 1, 1]);

/// Statement 20: no more than this is exported.
const ENDPOINTS: &[&str] = &["configuration", "http_request", "status"];

fn configuration() -> Configuration {
    Configuration {
        network: Network::Development {
            root_key: ByteBuf::from(vec![0x30, 0x81]),
        },
        governance: Principal::from_slice(&[1]),
        registry: Principal::from_slice(&[2]),
        token_ledger: Principal::from_slice(&[3]),
        icp_ledger: Principal::from_slice(&[4]),
        cycles_minting: Principal::from_slice(&[5]),
        domains: vec!["models.example.org".to_owned()],
    }
}

struct World {
    router: AssetRouter<'static>,
    keys: Keys,
}

impl World {
    fn new(configuration: &Configuration) -> Self {
        Self {
            router: route(TEST_FILES, CANISTER, configuration),
            keys: Keys::from_seed([7; 32]),
        }
    }

    /// As a gateway gets it, if all of it but the proof itself is certified.
    fn get(
        &self,
        method: &str,
        path: &str,
        encodings: &str,
    ) -> Result<HttpResponse<'static>, String> {
        let mut state = StateTree::default();
        let entry = CanisterEntry {
            certified_data: self.router.root_hash().to_vec(),
            module_hash: Some([1; 32]),
            ..CanisterEntry::default()
        };
        state.canisters.insert(CANISTER, entry);
        let certificate = self.keys.data_certificate(&state, CANISTER);
        let request = HttpRequest::builder()
            .with_method(method.parse().unwrap())
            .with_url(path)
            .with_headers(vec![("accept-encoding".to_owned(), encodings.to_owned())])
            .build();
        let response = answer(&self.router, &certificate, &request);
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap();
        let verified = verify_request_response_pair(
            request,
            response.clone(),
            CANISTER.as_slice(),
            now.as_nanos(),
            300_000_000_000,
            self.keys.root_key_der(),
            2,
        )
        .map_err(|error| error.to_string())?;
        let certified = verified.response.ok_or("verification was skipped")?.headers;
        for (name, value) in response.headers() {
            let is_proof = name.to_ascii_lowercase().starts_with("ic-certificate");
            let is_certified = certified
                .iter()
                .any(|(key, certain)| key.eq_ignore_ascii_case(name) && certain == value);
            if !is_proof && !is_certified {
                return Err(format!("{name} is not certified"));
            }
        }
        Ok(response)
    }
}

fn header(response: &HttpResponse, wanted: &str) -> Option<String> {
    let found = response
        .headers()
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(wanted));
    found.map(|(_, value)| value.clone())
}

#[test]
fn should_have_the_interface_that_its_did_file_says() {
    let declared = CandidSource::File(std::path::Path::new("frontend.did"));
    let code = crate::__export_service();
    service_equal(CandidSource::Text(&code), declared)
        .unwrap_or_else(|error| panic!("{error}\nthe code has:\n{code}"));
}

#[test]
fn should_export_what_the_allow_list_names_and_no_more() {
    let code = crate::__export_service();
    let service = code.split("service :").nth(1).expect("a service");
    let mut methods: Vec<&str> = service
        .lines()
        .filter_map(|line| line.trim().split_once(" : ("))
        .map(|(name, _)| name)
        .collect();
    methods.sort_unstable();
    assert_eq!(methods, ENDPOINTS);
    assert!(!service.contains("}, )") && service.matches(" query;").count() == ENDPOINTS.len());
}

#[test]
fn should_answer_the_page_for_every_path_that_a_router_may_know() {
    let world = World::new(&configuration());
    for path in [
        "/",
        "/index.html",
        "/models/stoa/digits",
        "/proposals/7?x=1",
        "/unknown",
    ] {
        let response = world
            .get("GET", path, "identity")
            .unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_eq!(response.status_code(), 200, "{path}");
        assert_eq!(
            header(&response, "content-type").unwrap(),
            "text/html; charset=utf-8"
        );
        assert_eq!(header(&response, "cache-control").unwrap(), "no-cache");
    }
}

#[test]
fn should_forbid_inline_scripts_and_foreign_frames_on_every_answer() {
    let world = World::new(&configuration());
    for path in [
        "/",
        "/config.json",
        "/_app/immutable/start.js",
        "/_app/gone.js",
        "/models",
    ] {
        let response = world.get("GET", path, "br, gzip, identity").unwrap();
        let policy = header(&response, "content-security-policy").unwrap();
        let scripts = policy
            .split(';')
            .find(|part| part.trim().starts_with("script-src"))
            .unwrap();
        assert!(
            !scripts.contains("unsafe-inline")
                && !scripts.contains("'unsafe-eval'")
                && !scripts.contains("http"),
            "{scripts}"
        );
        assert!(policy.contains("frame-ancestors 'none'") && policy.contains("default-src 'none'"));
        assert_eq!(
            header(&response, "x-content-type-options").unwrap(),
            "nosniff"
        );
        assert!(header(&response, "strict-transport-security").is_some());
    }
}

#[test]
fn should_send_the_compressed_copy_to_who_takes_it_and_keep_it_from_being_a_page() {
    let world = World::new(&configuration());
    let compressed = world
        .get("GET", "/_app/immutable/start.js", "gzip")
        .unwrap();
    assert_eq!(
        header(&compressed, "content-encoding").as_deref(),
        Some("gzip")
    );
    assert!(
        header(&compressed, "cache-control")
            .unwrap()
            .contains("immutable")
    );
    let plain = world
        .get("GET", "/_app/immutable/start.js", "identity")
        .unwrap();
    assert_eq!(
        header(&plain, "content-encoding").unwrap_or("identity".to_owned()),
        "identity"
    );
    assert_eq!(
        header(&plain, "content-type").unwrap(),
        "text/javascript; charset=utf-8"
    );
    assert_ne!(plain.body(), compressed.body());
    assert_eq!(
        world
            .get("GET", "/_app/immutable/start.js.gz", "identity")
            .unwrap()
            .status_code(),
        404
    );
}

#[test]
fn should_say_404_for_a_file_of_another_build_and_an_unknown_well_known_name() {
    let world = World::new(&configuration());
    for path in ["/_app/immutable/old.js", "/_app/x/y/z", "/.well-known/none"] {
        let response = world
            .get("GET", path, "identity")
            .unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_eq!(response.status_code(), 404, "{path}");
    }
}

#[test]
fn should_tell_the_page_its_canisters_and_gateways_its_domains() {
    let world = World::new(&configuration());
    let response = world.get("GET", "/config.json", "identity").unwrap();
    let told: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
    assert_eq!(told["network"], "Development");
    assert_eq!(told["root_key"], "3081");
    assert_eq!(told["frontend"], CANISTER.to_text());
    assert_eq!(told["registry"], Principal::from_slice(&[2]).to_text());
    let domains = world
        .get("GET", "/.well-known/ic-domains", "identity")
        .unwrap();
    assert_eq!(domains.body(), b"models.example.org\n");
    let origins = world
        .get("GET", "/.well-known/ii-alternative-origins", "identity")
        .unwrap();
    assert_eq!(
        origins.body(),
        br#"{"alternativeOrigins":["https://models.example.org"]}"#
    );
}

#[test]
fn should_tell_no_root_key_and_no_domains_on_mainnet_where_there_are_none() {
    let world = World::new(&Configuration {
        network: Network::Mainnet,
        domains: vec![],
        ..configuration()
    });
    let response = world.get("GET", "/config.json", "identity").unwrap();
    let told: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
    assert_eq!(
        (&told["network"], &told["root_key"]),
        (&"Mainnet".into(), &serde_json::Value::Null)
    );
    assert_eq!(
        world
            .get("GET", "/.well-known/ic-domains", "identity")
            .unwrap()
            .status_code(),
        404
    );
}

/// Statement 32: an answer that was changed does not verify.
#[test]
fn should_not_verify_an_answer_of_another_configuration() {
    let mut world = World::new(&configuration());
    let other = World::new(&Configuration {
        registry: Principal::from_slice(&[9]),
        ..configuration()
    });
    assert!(world.get("GET", "/config.json", "identity").is_ok());
    let certified = std::mem::replace(&mut world.router, other.router);
    let mixed = MixedWorld {
        served: world.router,
        certified,
        keys: world.keys,
    };
    assert!(mixed.verify("/config.json").is_err());
}

struct MixedWorld {
    served: AssetRouter<'static>,
    certified: AssetRouter<'static>,
    keys: Keys,
}

impl MixedWorld {
    fn verify(&self, path: &str) -> Result<(), String> {
        let mut state = StateTree::default();
        let entry = CanisterEntry {
            certified_data: self.certified.root_hash().to_vec(),
            module_hash: Some([1; 32]),
            ..CanisterEntry::default()
        };
        state.canisters.insert(CANISTER, entry);
        let certificate = self.keys.data_certificate(&state, CANISTER);
        let request = HttpRequest::get(path).build();
        let response = answer(&self.served, &certificate, &request);
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap();
        verify_request_response_pair(
            request,
            response,
            CANISTER.as_slice(),
            now.as_nanos(),
            300_000_000_000,
            self.keys.root_key_der(),
            2,
        )
        .map(|_| ())
        .map_err(|error| error.to_string())
    }
}

#[test]
fn should_refuse_methods_that_change_something() {
    let world = World::new(&configuration());
    let request = HttpRequest::builder()
        .with_method("POST".parse().unwrap())
        .with_url("/")
        .build();
    assert_eq!(answer(&world.router, &[], &request).status_code(), 405);
}

#[test]
fn should_refuse_a_configuration_that_would_not_be_what_it_says() {
    for domain in [
        "",
        "localhost",
        "Models.example.org",
        "a b.org",
        "x.org\nevil.org",
        "-x.org",
        "https://x.org",
        "x..org",
    ] {
        let wrong = Configuration {
            domains: vec![domain.to_owned()],
            ..configuration()
        };
        assert!(
            matches!(
                wrong.check(),
                Err(InvalidConfiguration::InvalidDomain { .. })
            ),
            "{domain}"
        );
    }
    let many = Configuration {
        domains: vec!["x.org".to_owned(); 21],
        ..configuration()
    };
    assert_eq!(
        many.check(),
        Err(InvalidConfiguration::TooManyDomains { given: 21, max: 20 })
    );
    assert_eq!(configuration().check(), Ok(()));
}

#[test]
fn should_serve_a_file_that_is_there_compressed_alone_as_what_it_is() {
    let world = World::new(&configuration());
    for encodings in ["identity", "gzip, br"] {
        let response = world
            .get("GET", "/_app/immutable/runtime.wasm", encodings)
            .unwrap();
        assert_eq!(response.status_code(), 200);
        assert_eq!(
            header(&response, "content-type").unwrap(),
            "application/wasm"
        );
        let all: Vec<_> = response
            .headers()
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case("content-encoding"))
            .collect();
        assert_eq!(all.len(), 1, "{all:?}");
        assert_eq!(all[0].1, "gzip");
        assert_eq!(response.body()[..2], [0x1f, 0x8b]);
    }
}
