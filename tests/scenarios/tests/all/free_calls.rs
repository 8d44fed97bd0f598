//! Statement 26: the bound on what a free call may cost is stated and tested. That nothing here takes more than half of what its
//! message may, every scenario looks at (`half_of_limits.rs`).

use candid::Nat;
use serde_json::json;
use stoa_client::deploy::DeployPlan;
use stoa_inference_api::{
    HttpRequest, HttpResponse, InferError, InferRequest, InferResult, Payment, PreviewRequest,
    PreviewResult, QuoteCallResult, Token,
};
use stoa_scenarios::{Actor, Published, World, run, token_ids};
use stoa_types::pipeline::{Input, TextInput};

/// Of all texts of a call together.
const TEXT_BYTES_MAX: usize = 1 << 19;
const FREE_CALLS: u32 = 4;

async fn published(world: &World) -> Published {
    let user = world.actor().await;
    let handle = user.claim_handle().await;
    let (_folder, model) = token_ids(&handle, "gpt2", "<|endoftext|>");
    let published = world.publish_at(user, model, 0).await;
    world.admit(published.version).await;
    world.load(published.version).await;
    published
}

fn misfit(error: InferError) -> String {
    match error {
        InferError::InvalidInput { reason, .. } => reason,
        other => panic!("{other:?}"),
    }
}

/// Over HTTP, without a key.
async fn free(user: &Actor, model: &str, texts: Vec<String>) -> (u16, String) {
    let body = json!({ "model": model, "input": texts });
    let request = HttpRequest {
        method: "POST".to_owned(),
        url: "/v1/embeddings".to_owned(),
        headers: Vec::new(),
        body: serde_json::to_vec(&body).unwrap(),
        certificate_version: None,
    };
    let canister = user.inference().canister();
    let (response,): (HttpResponse,) = user
        .connection
        .update(canister, "http_request_update", (request,))
        .await
        .unwrap();
    let body = String::from_utf8(response.body).unwrap();
    (response.status_code, body)
}

#[test]
fn should_bound_what_a_free_call_costs_and_say_what_to_do_beyond() {
    run(async {
        let mut plan = DeployPlan::default();
        plan.policy.free_calls_per_hour = FREE_CALLS;
        let world = World::new(plan).await;
        let published = published(&world).await;
        let user = world.actor().await;
        let canister = user.inference().canister();
        let manifest = &published.model.manifest;
        let model = format!("{}/{}", manifest.publisher, manifest.name);
        let input = |text: &str| {
            let pair = None;
            let text = text.to_owned();
            Input::Texts(vec![TextInput { text, pair }])
        };
        let preview = |text: &str| PreviewRequest {
            model: published.version.into(),
            input: input(text),
        };
        // One word, so that none of it can be left out.
        let largest = "ab".repeat(TEXT_BYTES_MAX / 2);
        let larger = format!("{largest}a");
        let too_long = |reason: &str| {
            assert!(reason.contains("524289 bytes in all"), "{reason}");
            assert!(reason.contains("make several calls"), "{reason}");
        };

        // Queries, which nobody pays for: the largest is answered, a larger one is not read.
        let (quoted,): (QuoteCallResult,) = user
            .connection
            .query(canister, "quote_call", (preview(&largest),))
            .await
            .unwrap();
        quoted.unwrap();
        let (answered,): (PreviewResult,) = user
            .connection
            .query(canister, "infer_query", (preview(&largest),))
            .await
            .unwrap();
        answered.unwrap();
        let (refused,): (QuoteCallResult,) = user
            .connection
            .query(canister, "quote_call", (preview(&larger),))
            .await
            .unwrap();
        too_long(&misfit(refused.unwrap_err()));
        let (refused,): (PreviewResult,) = user
            .connection
            .query(canister, "infer_query", (preview(&larger),))
            .await
            .unwrap();
        too_long(&misfit(refused.unwrap_err()));

        // A call that is not paid: by credit before its input is read, by an allowance after.
        let unpaid = async |payment, text: &str| {
            let request = InferRequest {
                model: published.version.into(),
                input: input(text),
                payment,
                max_price: None::<Nat>,
            };
            let (refused,): (InferResult,) = user
                .connection
                .update(canister, "infer", (request,))
                .await
                .unwrap();
            refused.unwrap_err()
        };
        let credit = Payment::Credit { token: Token::Icp };
        let allowance = Payment::Allowance {
            token: Token::Icp,
            from_subaccount: None,
        };
        let refused = unpaid(credit, &larger).await;
        assert!(
            matches!(refused, InferError::InsufficientCredit { .. }),
            "{refused:?}"
        );
        let refused = unpaid(allowance.clone(), &largest).await;
        assert!(
            matches!(refused, InferError::InsufficientAllowance { .. }),
            "{refused:?}"
        );
        too_long(&misfit(unpaid(allowance, &larger).await));

        // Over HTTP within the DAO's number of calls, whatever becomes of them; then not even the body is read.
        let (status, body) = free(&user, &model, vec![largest.clone()]).await;
        assert_eq!(status, 200, "{body}");
        let (status, body) = free(&user, &model, vec![larger.clone()]).await;
        assert_eq!(status, 400);
        too_long(&body);
        let dear = vec!["a ".repeat(128); 2_048];
        let (status, body) = free(&user, &model, dear).await;
        assert_eq!(status, 413, "{body}");
        assert!(body.contains("make it smaller, or pay"), "{body}");
        let (status, body) = free(&user, &model, vec!["a".to_owned()]).await;
        assert_eq!(status, 200, "{body}");
        let (status, body) = free(&user, &model, vec![larger]).await;
        assert_eq!(status, 429, "{body}");
        assert!(body.contains("send a key of prepaid credit"), "{body}");
    });
}
