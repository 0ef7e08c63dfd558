"""What ships is declared as the specification lists it: signatures, stores, laws, and the exits of every workflow."""

from __future__ import annotations

import json
from typing import Any

import pytest

from moving import ROOT

SNAPSHOT = ROOT / "protocol_snapshot"
DOMAINS = ("std", "blockchain", "ai_governance")
SEALED = {name: json.loads((SNAPSHOT / name / "domain.json").read_bytes()) for name in DOMAINS}

# name: required inputs, optional inputs, secret ones, fields of SUCCESS, secret ones, outcomes besides
TRANSFORMS = {
    "std::CT_GENERATE_ID_V0": ("data prefix", "length", "", "id", "", ""),
    "std::CT_DIGEST_V0": ("data", "algorithm", "", "hash", "", ""),
    "std::CT_ELAPSED_V0": ("from to", "", "", "days seconds", "", "VIOLATION"),
    "std::CT_SHIFT_TIME_V0": ("at seconds", "", "", "at", "", "VIOLATION"),
    "std::CT_KECCAK256_V0": ("bytes", "", "", "hash", "", "VIOLATION"),
    "std::CT_ENTROPY_TO_MNEMONIC_V0": ("entropy", "", "entropy", "mnemonic", "mnemonic", "VIOLATION"),
    "std::CT_MNEMONIC_TO_SEED_V0": ("mnemonic", "passphrase", "mnemonic passphrase", "seed", "seed", "VIOLATION"),
    "std::CT_DERIVE_KEY_V0": (
        "path seed", "", "seed", "chain_code fingerprint private_key public_key", "chain_code private_key", "VIOLATION",
    ),
    "std::CT_PUBLIC_KEY_V0": ("private_key", "", "private_key", "compressed uncompressed", "", "VIOLATION"),
    "std::CT_ADDRESS_V0": ("public_key", "", "", "address", "", "VIOLATION"),
    "std::CT_CHECKSUM_ADDRESS_V0": ("address", "any_case", "", "address", "", "VIOLATION"),
    "std::CT_ECDSA_SIGN_V0": ("hash private_key", "", "private_key", "r s signature y_parity", "", "VIOLATION"),
    "std::CT_ECDSA_RECOVER_V0": ("hash signature", "", "", "address public_key", "", "VIOLATION"),
    "blockchain::CT_SIGN_TRANSACTION_V0": (
        "private_key transaction", "", "private_key", "from hash r raw s signing_hash y_parity", "", "VIOLATION",
    ),
    "blockchain::CT_POSTINGS_V0": ("transactions", "", "", "entries", "", "VIOLATION"),
    "blockchain::CT_SCHEDULE_V0": ("duration interval slots transactions", "", "", "steps", "", ""),
    "ai_governance::CT_COLLATZ_V0": ("max_steps number", "", "", "length peak terms", "", "CYCLE EXHAUSTED VIOLATION"),
}  # fmt: skip

# operation: class, required inputs, optional ones, outcomes with their fields
OPERATIONS: dict[str, tuple[str, str, str, dict[str, str]]] = {
    "REGISTRY.REGISTER": ("IDEMPOTENT", "key value", "", {"SUCCESS": "address", "ALREADY_EXISTS": "value"}),
    "REGISTRY.RESOLVE": ("READ", "key", "", {"SUCCESS": "value", "NOT_FOUND": ""}),
    "RECORDS.CREATE": ("IDEMPOTENT", "key value", "", {"SUCCESS": "revision", "ALREADY_EXISTS": "revision value"}),
    "RECORDS.GET": ("READ", "key", "", {"SUCCESS": "revision value", "NOT_FOUND": ""}),
    "RECORDS.PUT": ("MUTABLE", "key value", "", {"SUCCESS": "revision"}),
    "RECORDS.SWAP": (
        "MUTABLE", "key revision value", "", {"SUCCESS": "revision", "CONFLICT": "revision value", "NOT_FOUND": ""},
    ),
    "RECORDS.REMOVE": ("MUTABLE", "key", "", {"SUCCESS": "revision", "NOT_FOUND": ""}),
    "RECORDS.LIST": ("READ", "limit where", "", {"SUCCESS": "items total"}),
    "RECORDS.COUNT": ("READ", "where", "", {"SUCCESS": "count"}),
    "EVENTS.APPEND": ("APPEND_ONLY", "record", "", {"SUCCESS": "sequence", "VIOLATION": "violations"}),
    "EVENTS.FIND": ("READ", "match", "", {"SUCCESS": "record sequence", "NOT_FOUND": ""}),
    "EVENTS.COUNT": ("READ", "match", "", {"SUCCESS": "count"}),
    "ACCOUNTS.OPEN": ("IDEMPOTENT", "account", "", {"SUCCESS": "", "ALREADY_EXISTS": ""}),
    "ACCOUNTS.BALANCE": ("READ", "account", "", {"SUCCESS": "balance", "NOT_FOUND": ""}),
    "ACCOUNTS.POST": (
        "IDEMPOTENT", "entries", "after key",
        {
            "SUCCESS": "balances number", "ALREADY_EXISTS": "entries number", "INSUFFICIENT": "account balance",
            "NOT_FOUND": "account", "CONFLICT": "number", "VIOLATION": "reason",
        },
    ),
    "CLOCK.NOW": ("READ", "", "", {"SUCCESS": "at unix_ms"}),
    "ENTROPY.DRAW": ("READ", "bytes", "", {"SUCCESS": "hex"}),
    **{
        f"HTTP.{method}": (
            "READ" if method == "GET" else "EXTERNAL", "url", "headers" if method == "GET" else "body headers",
            {"SUCCESS": "body headers status", "VIOLATION": "reason", "BACKEND_ERROR": "reason"},
        )
        for method in ("GET", "POST", "PUT", "DELETE")
    },
}  # fmt: skip

# store: governor, and what it says besides
STORES = {
    "blockchain": {
        "REGISTRY": "ACTORS VERIFICATIONS WALLETS WALLET_KEYS ADDRESSES BLOCKS SIMULATIONS VALIDATOR_KEYS",
        "RECORDS": "VALIDATORS MEMPOOL SLOT_CLOCK CHAIN_HEAD OPERATORS",
        "ACCOUNTS": "ACCOUNTS CHAIN_ACCOUNTS",
        "EVENTS": "IDENTITY_EVENTS WALLET_EVENTS TRANSACTION_EVENTS CONSENSUS_EVENTS CHAIN",
    },
    "ai_governance": {
        "REGISTRY": "GOVERNED_ACTIONS COLLATZ",
        "RECORDS": "LICENSE_FACTS LICENSING_LIMITS TRAINING LICENSES",
        "EVENTS": "GOVERNANCE_EVENTS LICENSING_EVENTS",
    },
}
SEEDED = {"OPERATORS", "LICENSE_FACTS", "LICENSING_LIMITS", "TRAINING"}

LAWS = {
    "std": "CHANGE_IS_TOLD OUTSIDE_IS_LAST NO_EFFECT_BEFORE_DENIAL",
    "blockchain": "VERIFIED_BEFORE_WALLET OWNER_BEFORE_MOVEMENT SIGNED_BEFORE_MEMPOOL LINK_BEFORE_COMMIT "
    "DECISION_KEEPS_ITS_NAME MOVEMENT_IS_TOLD",
    "ai_governance": "LICENSE_BEFORE_GRANT DENIAL_IS_TOLD TRAINED_AND_UNDER_CAP REVOKE_AFTER_PROVISION "
    "PROVE_THEN_STORE",
}

# workflow: exits that end COMPLETED (with the fields of their results), DENIED and REJECTED
MOVED = "balances tx_id"
BY_OPERATOR = ({"duplicate": "tx_id"}, "not_operator", "unknown_wallet conflict refused")
BY_OWNER = ({"duplicate": "tx_id"}, "not_owner not_admitted", "conflict refused")
EXITS: dict[str, tuple[dict[str, str], str, str]] = {
    "blockchain::WF_REGISTER_ACTOR_UNVERIFIED_V0": ({"registered": "actor_id"}, "", ""),
    "blockchain::WF_VERIFY_ACTOR_V0": (
        {"verified": "actor_id", "already_decided": ""},
        "actor_rejected identity_mismatch self_verification not_admitted", "conflict",
    ),
    "blockchain::WF_CREATE_WALLET_V0": (
        {"created": "address wallet_id", "exists": "wallet_id"}, "identity_mismatch not_admitted",
        "refused address_taken conflict",
    ),
    "blockchain::WF_SUBMIT_TRANSACTION_V0": (
        {"submitted": "from_address nonce raw_transaction tx_hash"}, "not_admitted not_owner",
        "refused address_taken busy",
    ),
    "blockchain::WF_MINT_V0": ({**BY_OPERATOR[0], "minted": MOVED}, *BY_OPERATOR[1:]),
    "blockchain::WF_BURN_V0": (
        {**BY_OPERATOR[0], "burned": MOVED}, BY_OPERATOR[1], f"{BY_OPERATOR[2]} insufficient_funds",
    ),
    "blockchain::WF_TRANSFER_V0": (
        {**BY_OWNER[0], "transferred": MOVED}, BY_OWNER[1], f"{BY_OWNER[2]} unknown_wallet insufficient_funds",
    ),
    "blockchain::WF_STAKE_V0": ({**BY_OWNER[0], "staked": MOVED}, BY_OWNER[1], f"{BY_OWNER[2]} insufficient_funds"),
    "blockchain::WF_UNSTAKE_V0": (
        {**BY_OWNER[0], "unstaked": MOVED}, BY_OWNER[1], f"{BY_OWNER[2]} insufficient_stake",
    ),
    "blockchain::WF_POOL_V0": ({**BY_OPERATOR[0], "pooled": MOVED}, BY_OPERATOR[1], "conflict refused"),
    "blockchain::WF_REWARD_V0": (
        {**BY_OPERATOR[0], "rewarded": MOVED}, BY_OPERATOR[1], f"{BY_OPERATOR[2]} insufficient_pool",
    ),
    "blockchain::WF_SLASH_V0": (
        {**BY_OPERATOR[0], "slashed": MOVED}, BY_OPERATOR[1], f"{BY_OPERATOR[2]} insufficient_stake",
    ),
    "blockchain::WF_REGISTER_VALIDATOR_V0": (
        {"registered": "validator_index", "exists": "validator_index"}, "not_admitted", "conflict",
    ),
    "blockchain::WF_PROPOSE_BLOCK_V0": (
        {"proposed": "block_id proposer_id transactions", "skipped": ""}, "not_operator",
        "refused slot_taken no_validators",
    ),
    "blockchain::WF_PROCESS_SLOT_V0": (
        {"processed": "block_id proposer_id transactions", "skipped": ""}, "not_operator",
        "refused slot_taken no_validators slot_passed",
    ),
    "blockchain::WF_RUN_CHAIN_SIMULATION_V0": (
        {"simulated": "blocks skipped transactions_accepted transactions_refused", "exists": ""}, "not_operator",
        "no_validators conflict",
    ),
    "blockchain::WF_BOOTSTRAP_GENESIS_CHAIN_V0": (
        {"bootstrapped": "head height", "exists": "head height"}, "", "conflict refused",
    ),
    "blockchain::WF_COMMIT_BLOCK_V0": (
        {"committed": "head height", "exists": "head height"}, "not_admitted",
        "wrong_predecessor wrong_height insufficient_funds refused",
    ),
    "ai_governance::WF_GOVERN_AGENT_ACTION_V0": (
        {"authorized": "intent_hash tier"},
        "undeclared_tool unauthorized_actor unauthorized_tool parameter_violation", "",
    ),
    "ai_governance::WF_GOVERN_AGENT_ADMISSION_V0": (
        {"authorized": "intent_hash tier"},
        "undeclared_tool unauthorized_actor unauthorized_tool parameter_violation", "",
    ),
    "ai_governance::WF_PROVISION_AI_LICENSING_V0": (
        {"provisioned": "license_id", "already_provisioned": ""}, "denied", "conflict",
    ),
    "ai_governance::WF_DENY_PROVISION_V0": ({}, "denied", ""),
    "ai_governance::WF_AUTO_RECLAIM_V0": (
        {"reclaimed": "days_inactive license_id", "active": ""}, "identity_mismatch not_admitted", "refused",
    ),
    "ai_governance::WF_DEMO_COLLATZ_CONJECTURE_V0": (
        {"conjecture_proven": "results"}, "", "conjecture_undecided",
    ),
}  # fmt: skip


def names(fields: dict[str, Any], flag: str | None = None) -> str:
    """Return the names of a record's fields in order, of all or of those that carry a flag."""
    found = fields.get("properties", {})
    return " ".join(sorted(name for name in found if flag is None or found[name].get(flag)))


@pytest.mark.parametrize("address", TRANSFORMS)
def test_signatures_of_transforms(address: str) -> None:
    required, optional, secret, fields, hidden, others = TRANSFORMS[address]
    sealed = SEALED[address.partition("::")[0]]["transforms"][address]
    inputs, outcomes = sealed["inputs"], sealed["outcomes"]
    assert " ".join(sorted(inputs["required"])) == required
    assert names(inputs) == " ".join(sorted(f"{required} {optional}".split()))
    assert names(inputs, "secret") == secret
    assert (names(outcomes["SUCCESS"]), names(outcomes["SUCCESS"], "secret")) == (fields, hidden)
    assert set(outcomes) == {"SUCCESS", *others.split()}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_signatures_of_side_effects(operation: str) -> None:
    effect, required, optional, outcomes = OPERATIONS[operation]
    governor, name = operation.split(".")
    sealed = SEALED["std"]["operations"][f"std::CS_{governor}_V0.{name}"]
    assert sealed["effect"] == effect
    assert " ".join(sorted(sealed["inputs"].get("required", []))) == required
    assert names(sealed["inputs"]) == " ".join(sorted(f"{required} {optional}".split()))
    assert {outcome: names(fields) for outcome, fields in sealed["outcomes"].items()} == outcomes
    assert sealed.get("repeat") == ("key" if effect == "EXTERNAL" else None)


@pytest.mark.parametrize("domain", STORES)
def test_stores(domain: str) -> None:
    found = SEALED[domain]["stores"]
    declared = {
        f"{domain}::ST_{name}_V0": f"std::CS_{governor}_V0"
        for governor, listed in STORES[domain].items()
        for name in listed.split()
    }
    assert {address: store["governed_by"] for address, store in found.items()} == declared
    assert {address.partition("ST_")[2][:-3] for address, store in found.items() if store["seed"]} <= SEEDED
    for address, store in found.items():
        evidence = store["keeps"] == "events" or address == "blockchain::ST_VERIFICATIONS_V0"
        assert store["evidence"] is evidence, address
    if domain == "blockchain":
        accounts, chain = (found[f"blockchain::ST_{name}_V0"] for name in ("ACCOUNTS", "CHAIN_ACCOUNTS"))
        assert accounts["overdraft"] == chain["overdraft"] == ["SUPPLY"]
        assert chain["open_on_receipt"] is True and not accounts.get("open_on_receipt", False)


@pytest.mark.parametrize("domain", LAWS)
def test_laws(domain: str) -> None:
    assert set(SEALED[domain]["laws"]) >= {f"{domain}::IV_{name}_V0" for name in LAWS[domain].split()}


def test_every_workflow_is_there_and_no_other() -> None:
    manifest = json.loads((SNAPSHOT / "manifest.json").read_bytes())
    assert {address for address in manifest["workflows"] if address.partition("::")[0] in DOMAINS} == set(EXITS)


@pytest.mark.parametrize("address", EXITS)
def test_exits_of_workflows(address: str) -> None:
    completed, denied, rejected = EXITS[address]
    domain, _, code = address.partition("::")
    nodes = json.loads((SNAPSHOT / domain / f"{code}.json").read_bytes())["nodes"]
    exits = {node["name"]: node for node in nodes if node["kind"] == "EXIT"}
    statuses = {
        "failed": "FAILED", "rejected": "REJECTED", **dict.fromkeys(completed, "COMPLETED"),
        **dict.fromkeys(denied.split(), "DENIED"), **dict.fromkeys(rejected.split(), "REJECTED"),
    }  # fmt: skip
    if "COLLATZ" in code:
        statuses["conjecture_violated"] = "FAILED"
    assert {name: node["status"] for name, node in exits.items()} == statuses
    results = {name: " ".join(sorted(exits[name]["result"][1])) for name in completed}
    if "CREATE_WALLET" in code:
        # where it is bound, with the address
        assert results.pop("exists") == "address wallet_id"
        completed = {"created": completed["created"]}
    assert results == completed
    assert all(list(exits[name]["result"][1]) == ["reason"] for name in exits if name == "refused")
