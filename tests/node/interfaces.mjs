// The parts of the canisters' Candid interfaces that the tests speak.

const blob = (IDL) => IDL.Vec(IDL.Nat8);
const result = (IDL, Ok, Err) => IDL.Variant({ Ok, Err });

function dataType(IDL) {
  const names = [
    'BOOL', 'UINT8', 'UINT16', 'UINT32', 'UINT64', 'INT8', 'INT16', 'INT32', 'INT64',
    'FP16', 'FP32', 'FP64', 'BYTES',
  ];
  return IDL.Variant(Object.fromEntries(names.map((name) => [name, IDL.Null])));
}

export function manifest(IDL) {
  const texts = IDL.Vec(IDL.Text);
  const file = IDL.Record({
    path: IDL.Text,
    size_bytes: IDL.Nat64,
    sha256: blob(IDL),
    cid: IDL.Text,
    chunks: IDL.Vec(blob(IDL)),
  });
  const dimension = IDL.Variant({
    Fixed: IDL.Nat64,
    Dynamic: IDL.Record({ name: IDL.Text, max: IDL.Nat64 }),
  });
  const tensor = IDL.Record({ name: IDL.Text, datatype: dataType(IDL), shape: IDL.Vec(dimension) });
  const relation = IDL.Variant({
    Finetune: IDL.Null,
    Adapter: IDL.Null,
    Quantized: IDL.Null,
    Merge: IDL.Null,
    Distilled: IDL.Null,
    Converted: IDL.Null,
  });
  return IDL.Record({
    schema: IDL.Nat32,
    publisher: IDL.Text,
    name: IDL.Text,
    version: IDL.Text,
    license: IDL.Text,
    task: IDL.Text,
    files: IDL.Vec(file),
    signature: IDL.Record({ inputs: IDL.Vec(tensor), outputs: IDL.Vec(tensor) }),
    pipeline: IDL.Record({
      model: IDL.Text,
      kind: IDL.Variant({ Tensors: IDL.Null }),
      labels: texts,
    }),
    card: IDL.Record({
      markdown: IDL.Text,
      language: texts,
      tags: texts,
      datasets: texts,
      metrics: texts,
      base_model: IDL.Opt(IDL.Text),
    }),
    lineage: IDL.Record({
      parents: IDL.Vec(IDL.Record({ version: blob(IDL), relation })),
      datasets: texts,
      code_revision: IDL.Opt(IDL.Text),
      service_endpoints: texts,
    }),
    royalties: IDL.Vec(
      IDL.Record({
        owner: IDL.Principal,
        subaccount: IDL.Opt(blob(IDL)),
        basis_points: IDL.Nat16,
      }),
    ),
    claims: IDL.Vec(
      IDL.Record({ dataset: IDL.Text, split: IDL.Text, metric: IDL.Text, value: IDL.Text }),
    ),
  });
}

export function registry({ IDL }) {
  const status = IDL.Variant({
    Draft: IDL.Null,
    Sealed: IDL.Null,
    Proposed: IDL.Null,
    Admitted: IDL.Null,
    Deprecated: IDL.Null,
    Revoked: IDL.Null,
    Rejected: IDL.Null,
  });
  const error = IDL.Variant({
    NotFound: IDL.Null,
    InvalidReference: IDL.Record({ reason: IDL.Text }),
  });
  const certified = IDL.Record({
    version: blob(IDL),
    manifest: manifest(IDL),
    status,
    certificate: blob(IDL),
    witness: blob(IDL),
  });
  const resolution = IDL.Record({
    name: IDL.Text,
    version: IDL.Opt(blob(IDL)),
    certificate: blob(IDL),
    witness: blob(IDL),
  });
  const chunk = IDL.Record({ hash: blob(IDL), size_bytes: IDL.Nat64, shards: IDL.Vec(IDL.Principal) });
  const info = IDL.Record({ version: blob(IDL), placement: IDL.Vec(chunk) });
  return IDL.Service({
    get_version: IDL.Func([blob(IDL)], [result(IDL, info, error)], ['query']),
    get_version_certified: IDL.Func([blob(IDL)], [result(IDL, certified, error)], ['query']),
    resolve_certified: IDL.Func([IDL.Text], [result(IDL, resolution, error)], ['query']),
  });
}

export function shard({ IDL }) {
  const hash = IDL.Record({ hash: blob(IDL) });
  const error = IDL.Variant({ NotFound: hash, Corrupt: hash });
  const chunk = IDL.Record({ data: blob(IDL) });
  return IDL.Service({
    get_chunk: IDL.Func([blob(IDL)], [result(IDL, chunk, error)], ['query']),
  });
}

export function inference({ IDL }) {
  const version = IDL.Record({ version: blob(IDL) });
  const state = IDL.Variant({
    Fetching: IDL.Record({ chunks_done: IDL.Nat64, chunks_total: IDL.Nat64 }),
    Optimising: IDL.Null,
    Ready: IDL.Record({ instructions_per_call: IDL.Nat64, memory_bytes: IDL.Nat64 }),
    Failed: IDL.Record({ message: IDL.Text }),
  });
  const loadStatus = IDL.Record({ version: blob(IDL), state, started_at_nanos: IDL.Nat64 });
  const loadError = IDL.Variant({
    AnonymousCaller: IDL.Null,
    NotFound: version,
    NotAdmitted: IDL.Record({ version: blob(IDL), status: IDL.Text }),
    TooLarge: IDL.Record({ given_bytes: IDL.Nat64, max_bytes: IDL.Nat64 }),
    TooManyLoads: IDL.Record({ open: IDL.Nat64, max: IDL.Nat64 }),
    RegistryFailed: IDL.Record({ message: IDL.Text }),
  });
  const quote = IDL.Record({
    version: blob(IDL),
    price_e8s: IDL.Nat64,
    price_cycles: IDL.Nat,
    ledger_fee_e8s: IDL.Nat64,
    instructions_per_call: IDL.Nat64,
  });
  const tensor = IDL.Record({
    name: IDL.Text,
    datatype: dataType(IDL),
    shape: IDL.Vec(IDL.Nat64),
    data: blob(IDL),
  });
  const payment = IDL.Variant({
    Cycles: IDL.Null,
    Allowance: IDL.Record({
      token: IDL.Variant({ Icp: IDL.Null, Governance: IDL.Null }),
      from_subaccount: IDL.Opt(blob(IDL)),
    }),
  });
  const request = IDL.Record({
    model: IDL.Variant({ Digest: blob(IDL), Name: IDL.Text }),
    input: IDL.Variant({ Tensors: IDL.Vec(tensor) }),
    payment,
    max_price: IDL.Opt(IDL.Nat),
  });
  const receipt = IDL.Record({
    id: IDL.Nat64,
    version: blob(IDL),
    caller: IDL.Principal,
    input_hash: blob(IDL),
    output_hash: blob(IDL),
    instructions: IDL.Nat64,
    price: IDL.Variant({ IcpE8s: IDL.Nat64, TokenE8s: IDL.Nat64, Cycles: IDL.Nat }),
    payment_block: IDL.Opt(IDL.Nat64),
    timestamp_nanos: IDL.Nat64,
    engine: IDL.Text,
    previous: blob(IDL),
    hash: blob(IDL),
  });
  const certifiedReceipt = IDL.Record({
    receipt,
    successors: IDL.Vec(receipt),
    certificate: blob(IDL),
    witness: blob(IDL),
  });
  const answer = IDL.Variant({
    Tensors: IDL.Vec(tensor),
    Embeddings: IDL.Vec(IDL.Vec(IDL.Float32)),
    Classes: IDL.Vec(
      IDL.Vec(IDL.Record({ index: IDL.Nat64, label: IDL.Text, score: IDL.Float32 })),
    ),
  });
  const response = IDL.Record({ answer, receipt });
  const inferError = IDL.Variant({
    AnonymousCaller: IDL.Null,
    NotLoaded: version,
    NotReady: version,
    NotAdmitted: IDL.Record({ version: blob(IDL), status: IDL.Text }),
    InvalidInput: IDL.Record({ input: IDL.Text, reason: IDL.Text }),
    InputTooLarge: IDL.Record({ given_bytes: IDL.Nat64, max_bytes: IDL.Nat64 }),
    PriceTooHigh: IDL.Record({ price: IDL.Nat, max_price: IDL.Nat }),
    InsufficientCycles: IDL.Record({ attached: IDL.Nat, price: IDL.Nat }),
    InsufficientAllowance: IDL.Record({ allowance_e8s: IDL.Nat, needed_e8s: IDL.Nat }),
    InsufficientFunds: IDL.Record({ balance_e8s: IDL.Nat, needed_e8s: IDL.Nat }),
    PaymentFailed: IDL.Record({ message: IDL.Text, journal_id: IDL.Opt(IDL.Nat64) }),
    RunFailed: IDL.Record({ message: IDL.Text, refunded: IDL.Bool }),
    OutOfCycles: IDL.Record({ balance: IDL.Nat, needed: IDL.Nat }),
    Busy: IDL.Null,
  });
  const receiptError = IDL.Variant({ NotFound: IDL.Record({ id: IDL.Nat64, count: IDL.Nat64 }) });
  return IDL.Service({
    load: IDL.Func([blob(IDL)], [result(IDL, loadStatus, loadError)], []),
    load_status: IDL.Func(
      [blob(IDL)],
      [result(IDL, loadStatus, IDL.Variant({ NotFound: version }))],
      ['query'],
    ),
    quote: IDL.Func(
      [blob(IDL)],
      [result(IDL, quote, IDL.Variant({ NotLoaded: version, NotReady: version }))],
      ['query'],
    ),
    infer: IDL.Func([request], [result(IDL, response, inferError)], []),
    get_receipt: IDL.Func([IDL.Nat64], [result(IDL, certifiedReceipt, receiptError)], ['query']),
  });
}

export function ledger({ IDL }) {
  const account = IDL.Record({ owner: IDL.Principal, subaccount: IDL.Opt(blob(IDL)) });
  const optional = {
    from_subaccount: IDL.Opt(blob(IDL)),
    fee: IDL.Opt(IDL.Nat),
    memo: IDL.Opt(blob(IDL)),
    created_at_time: IDL.Opt(IDL.Nat64),
  };
  const errors = {
    BadFee: IDL.Record({ expected_fee: IDL.Nat }),
    InsufficientFunds: IDL.Record({ balance: IDL.Nat }),
    TooOld: IDL.Null,
    CreatedInFuture: IDL.Record({ ledger_time: IDL.Nat64 }),
    Duplicate: IDL.Record({ duplicate_of: IDL.Nat }),
    TemporarilyUnavailable: IDL.Null,
    GenericError: IDL.Record({ error_code: IDL.Nat, message: IDL.Text }),
  };
  const transferError = IDL.Variant({ ...errors, BadBurn: IDL.Record({ min_burn_amount: IDL.Nat }) });
  const approveError = IDL.Variant({
    ...errors,
    AllowanceChanged: IDL.Record({ current_allowance: IDL.Nat }),
    Expired: IDL.Record({ ledger_time: IDL.Nat64 }),
  });
  const transfer = IDL.Record({ ...optional, to: account, amount: IDL.Nat });
  const approve = IDL.Record({
    ...optional,
    spender: account,
    amount: IDL.Nat,
    expected_allowance: IDL.Opt(IDL.Nat),
    expires_at: IDL.Opt(IDL.Nat64),
  });
  return IDL.Service({
    icrc1_fee: IDL.Func([], [IDL.Nat], ['query']),
    icrc1_balance_of: IDL.Func([account], [IDL.Nat], ['query']),
    icrc1_transfer: IDL.Func([transfer], [result(IDL, IDL.Nat, transferError)], []),
    icrc2_approve: IDL.Func([approve], [result(IDL, IDL.Nat, approveError)], []),
    icrc2_allowance: IDL.Func(
      [IDL.Record({ account, spender: account })],
      [IDL.Record({ allowance: IDL.Nat, expires_at: IDL.Opt(IDL.Nat64) })],
      ['query'],
    ),
  });
}
