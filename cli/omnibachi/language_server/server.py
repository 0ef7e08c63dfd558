"""The protocol: requests of an editor to questions at a desk, and its answers back, by way of pygls over stdio.

Texts come whole with each change: what counts as a line differs between editors and YAML, and an edit at a wrong line
would spoil the text for good. Findings follow a change after a short pause, from a thread of their own.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidParams
from pygls.lsp.server import LanguageServer
from pygls.uris import from_fs_path, to_fs_path

from omnibachi import wiring
from omnibachi_model.diagnostics import Diagnostic, Fix, Span

from .desk import Desk, workspace_of
from .positions import Ruler

PAUSE = 0.15  # seconds without a change before what is open is compiled
NAME = "omnibachi"
_SEVERITY = {"error": types.DiagnosticSeverity.Error, "warning": types.DiagnosticSeverity.Warning}
_KINDS = {
    "key": types.CompletionItemKind.Property,
    "value": types.CompletionItemKind.EnumMember,
    "path": types.CompletionItemKind.Variable,
    "use": types.CompletionItemKind.Function,
    "target": types.CompletionItemKind.Reference,
    "node": types.CompletionItemKind.Reference,
}


class Office:
    """All desks of one server: a workspace has one as soon as a text of it is opened."""

    def __init__(self, server: LanguageServer, shipped: str, only: str | None) -> None:
        self.server = server
        self.shipped = shipped
        self.only = only
        self.desks: dict[str, Desk] = {}
        self.waiting: dict[str, asyncio.Task[None]] = {}
        self.working: set[str] = set()
        self.ended = False

    def place(self, uri: str) -> tuple[Desk, str] | None:
        """Return the desk of a text and its path there; None for what is no source of a workspace."""
        file = to_fs_path(uri) if uri.startswith("file:") else None
        found = workspace_of(file) if file else None
        if found is None or self.only not in (None, found[0]):
            return None
        root, path = found
        if root not in self.desks:
            self.desks[root] = Desk(root, self.shipped)
        return self.desks[root], path

    def asked(self, uri: str, position: types.Position) -> tuple[Desk, wiring.Open, Ruler, int] | None:
        """Return what a question is about: desk, text, its ruler and the offset."""
        found = self.place(uri)
        opened = found[0].opened.get(found[1]) if found else None
        if found is None or opened is None:
            return None
        ruler = self.ruler(opened.text)
        return found[0], opened, ruler, ruler.offset(position)

    def ruler(self, text: str) -> Ruler:
        """Return a ruler of a text, in the units that were agreed on."""
        return Ruler(text, self.server.workspace.position_encoding)

    def take(self, uri: str, text: str | None) -> None:
        """Take a text as it is now, or put it away where there is none; its findings follow."""
        found = self.place(uri)
        if found is None:
            return
        desk, path = found
        if text is None:
            desk.drop(path)
        else:
            desk.put(path, text)
        self.soon(desk)

    def soon(self, desk: Desk) -> None:
        """Compile what is open after a pause; one that is waited for begins anew, one that runs is followed by another
        when it is done, so that never two run at once."""
        if desk.root in self.working:
            return
        before = self.waiting.get(desk.root)
        if before is not None:
            before.cancel()
        self.waiting[desk.root] = asyncio.get_running_loop().create_task(self._compile(desk))

    async def _compile(self, desk: Desk) -> None:
        found = None
        while found is None:
            await asyncio.sleep(PAUSE)
            self.working.add(desk.root)
            version = desk.version
            try:
                found = await asyncio.to_thread(desk.compile)
            except Exception as error:
                message = f"OB799: this is a mistake of OmniBachi itself ({type(error).__name__}: {error})"
                self.server.window_log_message(types.LogMessageParams(types.MessageType.Error, message))
                found = {}
            finally:
                self.working.discard(desk.root)
            # What was found of texts that are others by now is not told.
            found = found if version == desk.version else None
        for path, diagnostics in sorted(found.items()):
            self._publish(desk, path, diagnostics)
        desk.told = {path for path, diagnostics in found.items() if diagnostics} if found else desk.told

    def _publish(self, desk: Desk, path: str, diagnostics: list[Diagnostic]) -> None:
        if not diagnostics and path not in desk.told and path not in desk.opened:
            return
        ruler = self.ruler(desk.text(path))
        items = [self.finding(desk, item, ruler) for item in diagnostics]
        self.server.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri_of(desk, path), items))

    def finding(self, desk: Desk, item: Diagnostic, ruler: Ruler) -> types.Diagnostic:
        """Return a diagnostic as editors take it: help, and the path that proves it, stand below the message."""
        lines = [item.message]
        if item.help:
            lines.append(f"help: {item.help}")
        if item.path:
            lines.append("path: " + " → ".join(item.path))
        assert item.span is not None
        related = [types.DiagnosticRelatedInformation(self.location(desk, span), label) for span, label in item.related]
        return types.Diagnostic(
            ruler.range(item.span),
            "\n".join(lines),
            _SEVERITY.get(item.severity, types.DiagnosticSeverity.Information),
            item.code,
            source=NAME,
            related_information=related,
        )

    def location(self, desk: Desk, span: Span) -> types.Location:
        """Return a place as editors take it."""
        return types.Location(uri_of(desk, span.file), self.ruler(desk.text(span.file)).range(span))


def uri_of(desk: Desk, path: str) -> str:
    """Return the address of a file of a workspace."""
    return str(from_fs_path(desk.file(path)))


def serve(version: str, *, shipped: str, only: str | None = None) -> bool:
    """Speak the protocol on stdin and stdout until the editor leaves; return whether it said goodbye first.

    `only`: the one workspace to answer about.
    """
    logging.getLogger("pygls").setLevel(logging.CRITICAL)
    server = LanguageServer(NAME, version, text_document_sync_kind=types.TextDocumentSyncKind.Full)
    office = Office(server, shipped, only)
    _texts(server, office)
    _questions(server, office)
    _renaming(server, office)
    _fixes(server, office)
    server.start_io()
    return office.ended


def _texts(server: LanguageServer, office: Office) -> None:
    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    def opened(params: types.DidOpenTextDocumentParams) -> None:
        office.take(params.text_document.uri, params.text_document.text)

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    def changed(params: types.DidChangeTextDocumentParams) -> None:
        uri = params.text_document.uri
        office.take(uri, server.workspace.get_text_document(uri).source)

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    def closed(params: types.DidCloseTextDocumentParams) -> None:
        office.take(params.text_document.uri, None)

    @server.feature(types.TEXT_DOCUMENT_DID_SAVE)
    def saved(params: types.DidSaveTextDocumentParams) -> None:
        _files(office)

    @server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    def watched(params: types.DidChangeWatchedFilesParams) -> None:
        _files(office)

    @server.feature(types.INITIALIZED)
    def begun(params: types.InitializedParams) -> None:
        _watch(server)

    @server.feature(types.SHUTDOWN)
    def ended(*_: Any) -> None:
        office.ended = True


def _watch(server: LanguageServer) -> None:
    """Ask an editor that can to tell of files that change beside it."""
    workspace = server.client_capabilities.workspace
    watching = workspace.did_change_watched_files if workspace else None
    if watching is None or not watching.dynamic_registration:
        return
    globs = ("**/protocols/**/*.{yaml,yml}", "**/capabilities/**/*.py")
    options = types.DidChangeWatchedFilesRegistrationOptions([types.FileSystemWatcher(glob) for glob in globs])
    method = types.WORKSPACE_DID_CHANGE_WATCHED_FILES
    server.client_register_capability(types.RegistrationParams([types.Registration(f"{NAME}-files", method, options)]))


def _files(office: Office) -> None:
    """Compile anew what may have changed beside the open texts."""
    for desk in office.desks.values():
        desk.changed()
        office.soon(desk)


def _questions(server: LanguageServer, office: Office) -> None:
    @server.feature(types.TEXT_DOCUMENT_COMPLETION, types.CompletionOptions(trigger_characters=[*".$:[{ "]))
    def completion(params: types.CompletionParams) -> types.CompletionList | None:
        asked = office.asked(params.text_document.uri, params.position)
        if asked is None:
            return None
        desk, text, ruler, offset = asked
        offers = wiring.complete(desk.project(), text, offset)
        items = [_item(offer, number, ruler) for number, offer in enumerate(offers)]
        # What fits may change with every letter of a path.
        return types.CompletionList(is_incomplete=any(offer.kind == "path" for offer in offers), items=items)

    @server.feature(types.TEXT_DOCUMENT_HOVER)
    def hover(params: types.HoverParams) -> types.Hover | None:
        asked = office.asked(params.text_document.uri, params.position)
        found = wiring.hover(asked[0].project(), asked[1], asked[3]) if asked else None
        if asked is None or found is None:
            return None
        content = types.MarkupContent(types.MarkupKind.Markdown, found.text)
        return types.Hover(content, types.Range(asked[2].at(found.start), asked[2].at(found.end)))

    @server.feature(types.TEXT_DOCUMENT_DEFINITION)
    def definition(params: types.DefinitionParams) -> list[types.Location] | None:
        asked = office.asked(params.text_document.uri, params.position)
        if asked is None:
            return None
        desk, text, _, offset = asked
        return [office.location(desk, span) for span in wiring.declarations(desk.project(), text, offset)]


def _item(offer: wiring.Offer, number: int, ruler: Ruler) -> types.CompletionItem:
    place = types.Range(ruler.at(offer.start), ruler.at(offer.end))
    return types.CompletionItem(
        offer.label,
        kind=_KINDS.get(offer.kind, types.CompletionItemKind.Value),
        detail=offer.detail or None,
        sort_text=f"{offer.rank}{number:05}",
        filter_text=offer.insert.rstrip(": "),
        text_edit=types.TextEdit(place, offer.insert),
    )


def _renaming(server: LanguageServer, office: Office) -> None:
    @server.feature(types.TEXT_DOCUMENT_RENAME, types.RenameOptions(prepare_provider=True))
    def rename(params: types.RenameParams) -> types.WorkspaceEdit | None:
        asked = office.asked(params.text_document.uri, params.position)
        if asked is None:
            return None
        desk, text, _, offset = asked
        found = wiring.rename(desk.whole(), text, offset, params.new_name)
        if isinstance(found, Diagnostic):
            raise _refused(found)
        changes: dict[str, list[types.TextEdit]] = {}
        for path, edits in found.items():
            ruler = office.ruler(desk.text(path))
            changes[uri_of(desk, path)] = [
                types.TextEdit(types.Range(ruler.at(edit.start), ruler.at(edit.end)), edit.text) for edit in edits
            ]
        return types.WorkspaceEdit(changes)

    @server.feature(types.TEXT_DOCUMENT_PREPARE_RENAME)
    def prepare(params: types.PrepareRenameParams) -> types.PrepareRenamePlaceholder | None:
        asked = office.asked(params.text_document.uri, params.position)
        if asked is None:
            return None
        _, text, ruler, offset = asked
        found = wiring.renamable(text, offset)
        if isinstance(found, Diagnostic):
            raise _refused(found)
        name, token = found
        return types.PrepareRenamePlaceholder(types.Range(ruler.at(token.start), ruler.at(token.end)), name)


def _fixes(server: LanguageServer, office: Office) -> None:
    @server.feature(
        types.TEXT_DOCUMENT_CODE_ACTION, types.CodeActionOptions(code_action_kinds=[types.CodeActionKind.QuickFix])
    )
    def actions(params: types.CodeActionParams) -> list[types.CodeAction]:
        asked = office.asked(params.text_document.uri, params.range.start)
        if asked is None:
            return []
        desk, text, ruler, _ = asked
        first, last = params.range.start.line, params.range.end.line
        return [
            types.CodeAction(
                item.fix.says,
                kind=types.CodeActionKind.QuickFix,
                diagnostics=[office.finding(desk, item, ruler)],
                edit=types.WorkspaceEdit(_changes(office, desk, item.fix)),
                is_preferred=True,
            )
            for item in desk.fixable(text.path)
            if item.fix is not None and item.span is not None and first <= item.span.line - 1 <= last
        ]


def _changes(office: Office, desk: Desk, fix: Fix) -> dict[str, list[types.TextEdit]]:
    changes: dict[str, list[types.TextEdit]] = {}
    for span, text in fix.edits:
        place = office.location(desk, span)
        # What is written in is put at an empty place, which a finding's range never is.
        start = place.range.start
        end = start if (span.line, span.column) == (span.end_line, span.end_column) else place.range.end
        changes.setdefault(place.uri, []).append(types.TextEdit(types.Range(start, end), text))
    return changes


def _refused(found: Diagnostic) -> JsonRpcInvalidParams:
    help = f"; {found.help}" if found.help else ""
    return JsonRpcInvalidParams(f"{found.code}: {found.message}{help}")
