"""Stock clients of the Open Inference Protocol and of OpenAI's interface, against an inference canister behind a gateway.

Takes one JSON argument and prints one JSON object with what the clients got; `gateway.rs` says what it must be. The clients are
used as their manuals say; nothing here knows that a canister answers.
"""

import json
import sys

import _socket


def names_under_localhost():
    """Names under localhost are this machine (RFC 6761, 6.3), also where the system's resolver does not know it."""
    resolve = _socket.getaddrinfo

    def resolve_here(host, *rest, **more):
        name = host.decode() if isinstance(host, bytes) else host
        return resolve("127.0.0.1" if name and name.endswith(".localhost") else host, *rest, **more)

    _socket.getaddrinfo = resolve_here


names_under_localhost()

import numpy as np
import openai
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException


def open_inference(given):
    model, paid = given["free_model"], given["paid_model"]
    client = triton.InferenceServerClient(url=given["host"], ssl=given["ssl"])
    found = {
        "live": client.is_server_live(),
        "ready": client.is_server_ready(),
        "model_ready": client.is_model_ready(model),
        "version_ready": client.is_model_ready(model, "1.0.0"),
        "server": client.get_server_metadata(),
        "model": client.get_model_metadata(model),
    }
    pixels = triton.InferInput("pixels", [1, 64], "FP32")
    # As binary data, in both directions: what this client does by default.
    pixels.set_data_from_numpy(np.array([given["pixels"]], dtype=np.float32))
    outputs = [triton.InferRequestedOutput("probabilities")]
    free = client.infer(model, [pixels], outputs=outputs)
    found["free"] = free.as_numpy("probabilities").tolist()
    with_version = client.infer(model, [pixels], model_version="1.0.0", outputs=outputs)
    found["with_version"] = with_version.as_numpy("probabilities").tolist()
    as_json = triton.InferInput("pixels", [1, 64], "FP32")
    as_json.set_data_from_numpy(np.array([given["pixels"]], dtype=np.float32), binary_data=False)
    answer = client.infer(model, [as_json], outputs=[triton.InferRequestedOutput("probabilities", binary_data=False)])
    found["as_json"] = answer.as_numpy("probabilities").tolist()

    text = triton.InferInput("text", [1], "BYTES")
    text.set_data_from_numpy(np.array([given["texts"][0].encode()], dtype=np.object_))
    try:
        client.infer(paid, [text])
        found["refused"] = None
    except InferenceServerException as error:
        found["refused"] = [error.status(), error.message()]
    key = {"Authorization": f"Bearer {given['key']}"}
    answer = client.infer(paid, [text], headers=key)
    found["embedding"] = answer.as_numpy("embedding").tolist()
    found["receipt"] = answer.get_response()["parameters"]["receipt"]
    try:
        client.infer(paid, [text], outputs=[triton.InferRequestedOutput("nothing")], headers=key)
        found["no_output"] = None
    except InferenceServerException as error:
        found["no_output"] = error.message()
    client.close()
    return found


def openai_embeddings(given):
    found = {}
    base = f"{given['page']}/v1"
    client = openai.OpenAI(base_url=base, api_key=given["key"])
    found["models"] = [model.id for model in client.models.list()]
    answer = client.embeddings.create(model=given["paid_model"], input=given["texts"])
    found["embeddings"] = [item.embedding for item in answer.data]
    found["model"] = answer.model
    found["tokens"] = answer.usage.prompt_tokens
    found["receipt"] = answer.model_extra["stoa_receipt"]
    one = client.embeddings.create(model=given["paid_model"], input=given["texts"][0], encoding_format="float")
    found["one"] = one.data[0].embedding
    errors = {}
    for name, key, model in [
        ("unknown_key", "nobody's", given["paid_model"]),
        ("no_key", "free", given["paid_model"]),
        ("unknown_model", given["key"], "nobody/nothing"),
        ("no_embeddings", given["key"], given["free_model"]),
    ]:
        other = openai.OpenAI(base_url=base, api_key=key, max_retries=0)
        try:
            other.embeddings.create(model=model, input="text")
            errors[name] = None
        except openai.APIStatusError as error:
            errors[name] = [type(error).__name__, error.status_code, error.message]
    found["errors"] = errors
    return found


def main():
    given = json.loads(sys.argv[1])
    print(json.dumps({"open_inference": open_inference(given), "openai": openai_embeddings(given)}))


if __name__ == "__main__":
    main()
