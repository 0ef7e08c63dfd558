"""The one visible list of what stands behind each shipped address. The compiler reads it; running does not."""

from __future__ import annotations

from . import accounts, clock, curve, decision_ledger, entropy, events, mail, process, records, registry, web
from .collatz import collatz
from .derived_keys import derive_key
from .digest import digest
from .elapsed import elapsed
from .generate_id import generate_id
from .holdings import holdings
from .intrinsic_gas import intrinsic_gas
from .keccak import keccak256
from .mnemonics import entropy_to_mnemonic, mnemonic_to_seed
from .postings import postings
from .providers import call_provider
from .schedule import schedule
from .shift_time import shift_time
from .transactions import sign_transaction

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from omnibachi_model.ports import Operation, Transform

CATALOGUE: Mapping[str, Transform | Operation] = {
    "ai_governance::CT_COLLATZ_V0": collatz,
    "blockchain::CT_HOLDINGS_V0": holdings,
    "blockchain::CT_INTRINSIC_GAS_V0": intrinsic_gas,
    "blockchain::CT_POSTINGS_V0": postings,
    "blockchain::CT_SCHEDULE_V0": schedule,
    "blockchain::CT_SIGN_TRANSACTION_V0": sign_transaction,
    "dbl::CS_LEDGER_V0.APPEND_DECISION": decision_ledger.append_decision,
    "dbl::CS_LEDGER_V0.APPEND_EXECUTION": decision_ledger.append_execution,
    "dbl::CS_LEDGER_V0.APPEND_INTENT": decision_ledger.append_intent,
    "dbl::CS_LEDGER_V0.READ": decision_ledger.read,
    "dbl::CS_PROVIDER_V0.CALL": call_provider,
    "std::CT_ADDRESS_V0": curve.address,
    "std::CT_CHECKSUM_ADDRESS_V0": curve.checksum_address,
    "std::CT_DERIVE_KEY_V0": derive_key,
    "std::CT_DIGEST_V0": digest,
    "std::CT_ECDSA_RECOVER_V0": curve.ecdsa_recover,
    "std::CT_ECDSA_SIGN_V0": curve.ecdsa_sign,
    "std::CT_ELAPSED_V0": elapsed,
    "std::CT_ENTROPY_TO_MNEMONIC_V0": entropy_to_mnemonic,
    "std::CT_GENERATE_ID_V0": generate_id,
    "std::CT_KECCAK256_V0": keccak256,
    "std::CT_MNEMONIC_TO_SEED_V0": mnemonic_to_seed,
    "std::CT_PUBLIC_KEY_V0": curve.public_key,
    "std::CT_SHIFT_TIME_V0": shift_time,
    "std::CS_ACCOUNTS_V0.BALANCE": accounts.balance,
    "std::CS_ACCOUNTS_V0.OPEN": accounts.open_,
    "std::CS_ACCOUNTS_V0.POST": accounts.post,
    "std::CS_CLOCK_V0.NOW": clock.now,
    "std::CS_EMAIL_V0.SEND": mail.send,
    "std::CS_ENTROPY_V0.DRAW": entropy.draw,
    "std::CS_EVENTS_V0.APPEND": events.append,
    "std::CS_EVENTS_V0.APPEND_ONCE": events.append_once,
    "std::CS_EVENTS_V0.COUNT": events.count,
    "std::CS_EVENTS_V0.FIND": events.find,
    "std::CS_HTTP_V0.DELETE": web.delete,
    "std::CS_HTTP_V0.GET": web.get,
    "std::CS_HTTP_V0.POST": web.post,
    "std::CS_HTTP_V0.PUT": web.put,
    "std::CS_RECORDS_V0.ADMIT": records.admit,
    "std::CS_PROCESS_V0.RUN": process.run,
    "std::CS_RECORDS_V0.COUNT": records.count,
    "std::CS_RECORDS_V0.CREATE": records.create,
    "std::CS_RECORDS_V0.GET": records.get,
    "std::CS_RECORDS_V0.LIST": records.list_,
    "std::CS_RECORDS_V0.PUT": records.put,
    "std::CS_RECORDS_V0.REMOVE": records.remove,
    "std::CS_RECORDS_V0.SWAP": records.swap,
    "std::CS_REGISTRY_V0.REGISTER": registry.register,
    "std::CS_REGISTRY_V0.RESOLVE": registry.resolve,
}
