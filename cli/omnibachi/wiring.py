"""The one file of the front door that knows rooms: every other file takes what it needs from here, by name.

A room is imported when something of it is first asked for, so `omnibachi run` pays only for what a run needs. The
table in `places` is the whole joint between rooms; type checkers read the imports below.
"""

from __future__ import annotations

from .places import PLACES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from omnibachi_audit.changes.rules import Change as Change
    from omnibachi_audit.changes.schemas import Types as Types
    from omnibachi_audit.changes.snapshots import differences as differences
    from omnibachi_audit.changes.snapshots import parts_of as parts_of
    from omnibachi_audit.proofs.anchors import Evidence as Evidence
    from omnibachi_audit.proofs.anchors import anchored as anchored
    from omnibachi_audit.proofs.anchors import anchored_ledger as anchored_ledger
    from omnibachi_audit.proofs.anchors import anchored_snapshot as anchored_snapshot
    from omnibachi_audit.proofs.approvals import MOST_BYTES as _MOST_BYTES
    from omnibachi_audit.proofs.approvals import approval_of as approval_of
    from omnibachi_audit.proofs.approvals import approval_statement as approval_statement
    from omnibachi_audit.proofs.approvals import judge_approval as judge_approval
    from omnibachi_audit.proofs.bundles import VERIFIER as VERIFIER
    from omnibachi_audit.proofs.bundles import bundled as bundled
    from omnibachi_audit.proofs.bundles import judged_bundle as judged_bundle
    from omnibachi_audit.proofs.checkpoints import Checkpoint as Checkpoint
    from omnibachi_audit.proofs.checkpoints import Consistency as Consistency
    from omnibachi_audit.proofs.checkpoints import Inclusion as Inclusion
    from omnibachi_audit.proofs.checkpoints import checkpoint_of as checkpoint_of
    from omnibachi_audit.proofs.checkpoints import consistency_of as consistency_of
    from omnibachi_audit.proofs.checkpoints import continued as continued
    from omnibachi_audit.proofs.checkpoints import inclusion_of as inclusion_of
    from omnibachi_audit.proofs.envelopes import envelope_of as envelope_of
    from omnibachi_audit.proofs.envelopes import judge_envelope as judge_envelope
    from omnibachi_audit.proofs.envelopes import ledger_statement as ledger_statement
    from omnibachi_audit.proofs.envelopes import run_statement as run_statement
    from omnibachi_audit.proofs.envelopes import sealed_envelope as sealed_envelope
    from omnibachi_audit.proofs.envelopes import snapshot_statement as snapshot_statement
    from omnibachi_audit.proofs.heads import head_of as head_of
    from omnibachi_audit.proofs.heads import is_head as is_head
    from omnibachi_audit.proofs.keys import KEY_NAME as KEY_NAME
    from omnibachi_audit.proofs.keys import PrivateKey as PrivateKey
    from omnibachi_audit.proofs.keys import PublicKey as PublicKey
    from omnibachi_audit.proofs.keys import Unreadable as Unreadable
    from omnibachi_audit.proofs.keys import private_key as private_key
    from omnibachi_audit.proofs.keys import public_key as public_key
    from omnibachi_audit.proofs.merkle import consistency_path as consistency_path
    from omnibachi_audit.proofs.merkle import inclusion_path as inclusion_path
    from omnibachi_audit.proofs.merkle import leaf_hash as leaf_hash
    from omnibachi_audit.proofs.merkle import tree_root as tree_root
    from omnibachi_audit.proofs.trust import KEY_ROLE as KEY_ROLE
    from omnibachi_audit.proofs.trust import Trust as Trust
    from omnibachi_audit.proofs.trust import TrustEntry as TrustEntry
    from omnibachi_audit.proofs.trust import is_instant as is_instant
    from omnibachi_audit.proofs.trust import retired_key as retired_key
    from omnibachi_audit.proofs.trust import revoked_key as revoked_key
    from omnibachi_audit.proofs.trust import trust_of as trust_of
    from omnibachi_audit.snapshots import verify_snapshot as verify_snapshot
    from omnibachi_audit.verify import Verification as Verification
    from omnibachi_audit.verify import verify as verify
    from omnibachi_compiler.catalogue import read_catalogue as read_catalogue
    from omnibachi_compiler.compile import Compilation as Compilation
    from omnibachi_compiler.compile import compile_sources as compile_sources
    from omnibachi_compiler.declarations import Scenario as Scenario
    from omnibachi_compiler.doubts import Bound as Bound
    from omnibachi_compiler.doubts import bounded_by as bounded_by
    from omnibachi_compiler.doubts import bounds_of as bounds_of
    from omnibachi_compiler.editing.completion import Offer as Offer
    from omnibachi_compiler.editing.completion import complete as complete
    from omnibachi_compiler.editing.declaration import declarations as declarations
    from omnibachi_compiler.editing.hover import hover as hover
    from omnibachi_compiler.editing.json_schema import language_schema as language_schema
    from omnibachi_compiler.editing.json_schema import project_schema as project_schema
    from omnibachi_compiler.editing.names import names_of as names_of
    from omnibachi_compiler.editing.rename import renamable as renamable
    from omnibachi_compiler.editing.rename import rename as rename
    from omnibachi_compiler.editing.spots import Open as Open
    from omnibachi_compiler.editing.spots import Project as Project
    from omnibachi_compiler.fits import Fit as Fit
    from omnibachi_compiler.fits import Presence as Presence
    from omnibachi_compiler.fits import fits as fits
    from omnibachi_compiler.fits import join_all as join_all
    from omnibachi_compiler.fits import member as member
    from omnibachi_compiler.formatting import format_source as format_source
    from omnibachi_compiler.incremental import Recompiled as Recompiled
    from omnibachi_compiler.incremental import recompile as recompile
    from omnibachi_compiler.keywords import PATTERN_LENGTH as PATTERN_LENGTH
    from omnibachi_compiler.law_search import Moments as Moments
    from omnibachi_compiler.law_search import broken_run as broken_run
    from omnibachi_compiler.laws import binds as binds
    from omnibachi_compiler.laws import courses_of as courses_of
    from omnibachi_compiler.laws import inlined_uses as inlined_uses
    from omnibachi_compiler.library import Library as Library
    from omnibachi_compiler.phase import Implementation as Implementation
    from omnibachi_compiler.phase import Source as Source
    from omnibachi_compiler.points import Subject as Subject
    from omnibachi_compiler.points import among as among
    from omnibachi_compiler.points import moments as moments
    from omnibachi_compiler.points import subject as subject
    from omnibachi_compiler.tree import Tree as Tree
    from omnibachi_compiler.tree import plain as plain
    from omnibachi_ledger import SCHEMA_VERSION as SCHEMA_VERSION
    from omnibachi_ledger import Ledger as Ledger
    from omnibachi_ledger import RunRow as RunRow
    from omnibachi_ledger import open_root as open_root
    from omnibachi_ledger.addresses import is_address as is_address
    from omnibachi_ledger.addresses import may_be_there as may_be_there
    from omnibachi_ledger.addresses import shown as _shown
    from omnibachi_ledger.cancellations import Cancellation as Cancellation
    from omnibachi_ledger.decisions.checkpoints import checkpoint_of as _ledger_checkpoint
    from omnibachi_ledger.decisions.checkpoints import departs as departs
    from omnibachi_ledger.decisions.checkpoints import keep as _keep_checkpoint
    from omnibachi_ledger.decisions.checkpoints import read_checkpoint as read_checkpoint
    from omnibachi_ledger.decisions.checkpoints import settle as settle
    from omnibachi_ledger.decisions.pages import Decisions as Decisions
    from omnibachi_ledger.decisions.verifying import Verdict as Verdict
    from omnibachi_ledger.decisions.verifying import verify_export as verify_export
    from omnibachi_ledger.locks import acquire as acquire
    from omnibachi_ledger.turns import Turns as Turns
    from omnibachi_model.linked_expressions import ExpressionFault as ExpressionFault
    from omnibachi_model.linked_expressions import link as _link_expression
    from omnibachi_observer.examine import examine as examine
    from omnibachi_observer.exports.cloudevents import cloudevents as cloudevents
    from omnibachi_observer.exports.openlineage import openlineage as openlineage
    from omnibachi_observer.exports.otlp import otlp as otlp
    from omnibachi_observer.folding import Folds as Folds
    from omnibachi_observer.folding import folds_of as folds_of
    from omnibachi_observer.markdown import markdown as markdown
    from omnibachi_observer.mermaid import mermaid as mermaid
    from omnibachi_observer.pack_text import pack_outline as pack_outline
    from omnibachi_observer.parting import Parting as Parting
    from omnibachi_observer.parting import part as part
    from omnibachi_observer.picture import dot as dot
    from omnibachi_observer.picture import draw as draw
    from omnibachi_observer.renderer import PictureFailed as PictureFailed
    from omnibachi_observer.renderer import render as render
    from omnibachi_observer.report import Report as Report
    from omnibachi_observer.selection import select as select
    from omnibachi_observer.site.build import site as site
    from omnibachi_observer.site.relations import Told as Told
    from omnibachi_observer.views import Projected as Projected
    from omnibachi_policy.again import Again as Again
    from omnibachi_runtime.blind import guarded as guarded
    from omnibachi_runtime.cancelling import end_left as end_left
    from omnibachi_runtime.link import Malformed as Malformed
    from omnibachi_runtime.link import Program as Program
    from omnibachi_runtime.link import link as link
    from omnibachi_runtime.load import Sealed as Sealed
    from omnibachi_runtime.load import Snapshot as Snapshot
    from omnibachi_runtime.load import load_domain as load_domain
    from omnibachi_runtime.load import load_locks as load_locks
    from omnibachi_runtime.load import load_origins as load_origins
    from omnibachi_runtime.load import load_workflow as load_workflow
    from omnibachi_runtime.load import open_snapshot as open_snapshot
    from omnibachi_runtime.recorded import Difference as Difference
    from omnibachi_runtime.recorded import retrace as retrace
    from omnibachi_runtime.replay import replay as replay
    from omnibachi_runtime.rerun import Answers as Answers
    from omnibachi_runtime.rerun import rerun as rerun
    from omnibachi_runtime.resume import resume as resume
    from omnibachi_runtime.templates import ABSENT as ABSENT
    from omnibachi_runtime.templates import link as _link_template
    from omnibachi_runtime.walk import Mishap as Mishap
    from omnibachi_runtime.walk import Start as Start
    from omnibachi_runtime.walk import Walk as Walk
    from omnibachi_runtime.walk import walk as walk
    from omnibachi_runtime.withholding import Unseen as Unseen
    from omnibachi_transport.clients import Reader as Reader
    from omnibachi_transport.gateway import About as About
    from omnibachi_transport.gateway import Gateway as Gateway
    from omnibachi_transport.gateway import gateway_app as gateway_app
    from omnibachi_transport.intents import Intents as Intents
    from omnibachi_transport.log_lines import Lines as Lines
    from omnibachi_transport.observer import Observer as Observer
    from omnibachi_transport.observer import observer_app as observer_app
    from omnibachi_transport.reading import Readers as Readers
    from omnibachi_transport.serving import address_of as address_of
    from omnibachi_transport.serving import bound as bound
    from omnibachi_transport.serving import serve as serve
    from omnibachi_transport.tailing import Tails as Tails
    from omnibachi_transport.tokens import is_name as is_name
    from omnibachi_transport.tokens import load_tokens as load_tokens
    from omnibachi_transport.tokens import new_token as new_token
    from omnibachi_transport.tokens import token_entries as token_entries
    from omnibachi_transport.tokens import token_entry as token_entry
    from omnibachi_transport.tokens import token_file as token_file
    from omnibachi_transport.whole_answers import Unanswered as Unanswered
    from omnibachi_transport.writing import Walkers as Walkers

    link_expression, link_template = _link_expression, _link_template
    shown_root = _shown
    keep_checkpoint, ledger_checkpoint = _keep_checkpoint, _ledger_checkpoint
    LARGEST_APPROVAL = _MOST_BYTES

VERSION = "0.1.0"


def __getattr__(name: str) -> Any:
    place = PLACES.get(name)
    if place is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module, _, attribute = place.partition(":")
    found = globals()[name] = getattr(import_module(module), attribute or name)
    return found


def catalogue_folders() -> tuple[str, ...]:
    """Return the folders of the shipped packages that have a catalogue, without importing them."""
    from .catalogue import SHIPPED

    return tuple(_folder(package) for package in SHIPPED)


def code_folders() -> tuple[str, ...]:
    """Return the folders of all code that has a part in compiling."""
    return (_folder("omnibachi_model"), _folder("omnibachi_compiler"))


def _folder(package: str) -> str:
    import os

    from .catalogue import folder_of

    found = folder_of(package)
    if found is None:
        from omnibachi_model.diagnostics import Defect

        raise Defect(f"`{package}` is not installed")
    return os.path.normpath(found)
