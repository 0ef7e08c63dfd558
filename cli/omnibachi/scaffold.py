"""What `omnibachi new` makes: declaration, function, catalogue line, example and scenario, from templates.

`templates/new/<kind>/` holds the texts, with marks such as `@CODE@` where names go. Here is decided what everything is
called and where it stands; nothing is written.
"""

from __future__ import annotations

import builtins
import keyword
import os
import re
import sys
from dataclasses import dataclass, field

from omnibachi_model.addresses import CODE, DOMAIN, kind_of, split
from omnibachi_model.diagnostics import Diagnostic, Refused, Span

from .catalogue import folder_of
from .catalogue_line import NoPlace, fresh, with_entries
from .exits import FINDINGS

PREFIXES = {"workflow": "WF", "transform": "CT", "side-effect": "CS"}
TEMPLATES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "templates", "new")
# By kind: what the names of its files end in, and what the name of its Python module ends in.
ENDINGS = {"workflow": ("", ""), "transform": (".transform", ""), "side-effect": (".side_effect", "_effect")}
OPERATIONS = ("keep", "look")
_BARE = re.compile(r"[a-z][a-z0-9]*(?:[_-][a-z0-9]+)*\Z")
_ARTIFACT = re.compile(r"^(?:workflow|transform|side_effect|intent|store): (\S+)$", re.M)


@dataclass(frozen=True, slots=True)
class Named:
    """What is to be made: kind, domain, the name in capitals and its version (`V0`)."""

    kind: str
    domain: str
    name: str
    version: str

    @property
    def code(self) -> str:
        """The name behind the prefix."""
        return f"{self.name}_{self.version}"

    @property
    def address(self) -> str:
        """The address of what is made."""
        return f"{self.domain}::{PREFIXES[self.kind]}_{self.code}"

    @property
    def stem(self) -> str:
        """What files are called."""
        return self.name.lower() + ("" if self.version == "V0" else f"_{self.version.lower()}")


@dataclass(slots=True)
class Plan:
    """Files to make, by path from the workspace's root; a file to change, with what it says then; the addresses that
    are declared; the workflow to run, and its payload."""

    files: dict[str, str] = field(default_factory=dict)
    changed: dict[str, str] = field(default_factory=dict)
    addresses: tuple[str, ...] = ()
    workflow: str = ""
    example: str = ""


def named(kind: str, given: str, domain: str) -> Named:
    """Understand a name as it is given to `new`; raises Refused (OB765)."""
    written, bare = split(given)
    prefix = PREFIXES[kind]
    advice = f"write a plain name such as `refund`, or a whole one such as `{prefix}_REFUND_V0`"
    if written and written != domain:
        advice = f"`--domain` says `{domain}`"
    elif _BARE.match(bare):
        made = Named(kind, domain, bare.upper().replace("-", "_"), "V0")
        if len(made.code) <= 80:
            return made
        advice = "at most 77 characters"
    elif CODE.match(bare):
        found = re.fullmatch(r"([A-Z]{2})_(\w+)_(V[0-9]+)", bare)
        if found and found[1] == prefix and len(bare) <= 83:
            return Named(kind, domain, found[2], found[3])
        other = str(kind_of(bare)).replace("_", "-")
        if other in PREFIXES and other != kind:
            advice = f"that is the name of a {other.replace('-', ' ')}: `omnibachi new {other} {bare}`"
    message = f"`{given[:120]}` is no name for a {kind.replace('-', ' ')}"
    raise Refused([Diagnostic("OB765", message, help=advice)], FINDINGS)


def chosen_domain(given: str, asked: str | None, domains: list[str]) -> str:
    """Return the domain where something new goes: the one that is named, else the only one; raises Refused (OB767)."""
    domain = asked or split(given)[0]
    if domain and not DOMAIN.match(domain):
        message, help = f"`{domain[:120]}` is no name of a domain", "write it in lower case, such as `shop`"
    elif domain == "std":
        message, help = "`std` is what every workspace has, and takes nothing new", "name a domain of your own"
    elif domain or len(domains) == 1:
        return domain or domains[0]
    elif domains:
        message = f"the workspace has several domains: {', '.join(f'`{name}`' for name in domains)}"
        help = "name one of them, or a new one, with `--domain`"
    else:
        message, help = "the workspace has no domain", "name a new one with `--domain`"
    raise Refused([Diagnostic("OB767", message, help=help)], FINDINGS)


def planned(root: str, what: Named, domains: list[str]) -> Plan:
    """Say what is to be made in the workspace at `root`; raises Refused (OB764, OB766)."""
    plan = Plan()
    ending, suffix = ENDINGS[what.kind]
    declarations = f"protocols/{what.domain}"
    if what.domain not in domains:
        text = f"domain: {what.domain}\nsummary: A new domain, to be described here.\n"
        plan.files[f"{declarations}/domain.yaml"] = text
    package = _package(root, what.domain)
    module = _safe(what.stem + suffix)
    marks = {
        "CODE": what.code, "NAME": what.name, "VERSION": what.version, "function": module,
        "source": f"capabilities/{package}/{module}.py",
    }  # fmt: skip
    declared = _filled(what.kind, "declaration.yaml", marks)
    plan.addresses = tuple(f"{what.domain}::{code}" for code in _ARTIFACT.findall(declared))
    plan.workflow = next(address for address in plan.addresses if "::WF_" in address)
    plan.files[f"{declarations}/{what.stem}{ending}.yaml"] = declared
    plan.files[f"{declarations}/{what.stem}{ending}.test.yaml"] = _filled(what.kind, "scenario.yaml", marks)
    example = f"{'try_' if suffix or ending else ''}{what.stem}{suffix}.json"
    plan.example = f"examples/{example}"
    if os.path.lexists(os.path.join(root, plan.example)):
        # All domains have their examples in one folder, and may call things alike.
        plan.example = f"examples/{what.domain}_{example}"
    plan.files[plan.example] = _filled(what.kind, "example.json", marks)
    if what.kind != "workflow":
        plan.files[marks["source"]] = _filled(what.kind, "function.py.txt", marks)
    for path in plan.files:
        if os.path.lexists(os.path.join(root, path)):
            place = Span(path, 1, 1, 1, 1)
            raise Refused([Diagnostic("OB764", f"`{path}` is there already", place)], FINDINGS)
    if what.kind != "workflow":
        _catalogue(root, package, module, what, plan)
    return plan


def _catalogue(root: str, package: str, module: str, what: Named, plan: Plan) -> None:
    """Plan the catalogue's new lines."""
    folder = f"capabilities/{package}"
    source, entries = f".{module}", {what.address: "{}"}
    if what.kind == "side-effect":
        source, entries = ".", {f"{what.address}.{name.upper()}": f"{{}}.{name}" for name in OPERATIONS}
    if not os.path.lexists(os.path.join(root, folder, "__init__.py")):
        plan.files[f"{folder}/__init__.py"] = f'"""Capabilities of the domain `{what.domain}`."""\n'
    path = f"{folder}/catalogue.py"
    place = os.path.join(root, path)
    if not os.path.lexists(place):
        plan.files[path] = fresh(source, module, entries)
        return
    try:
        with open(place, encoding="utf-8", newline="") as file:
            plan.changed[path] = with_entries(file.read(), source, module, entries)
    except (NoPlace, UnicodeDecodeError) as error:
        reason = str(error) if isinstance(error, NoPlace) else "it is not UTF-8 text"
        found = Diagnostic("OB766", f"`{path}` cannot take a line: {reason}", Span(path, 1, 1, 1, 1))
        raise Refused([found], FINDINGS) from None


def _package(root: str, domain: str) -> str:
    """Return the package of a domain's capabilities: of its name, else the one whose catalogue speaks of it."""
    folder = os.path.join(root, "capabilities")
    packages = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    if domain in packages:
        return domain
    for package in packages:
        try:
            with open(os.path.join(folder, package, "catalogue.py"), encoding="utf-8") as file:
                if f'"{domain}::' in file.read() and package.isidentifier():
                    return package
        except (OSError, UnicodeDecodeError):
            continue
    return next(name for name in (domain, f"{domain}_capabilities", f"{domain}_workspace") if not _is_taken(name))


def _is_taken(package: str) -> bool:
    """Tell whether Python has a package of this name already, which another must not stand before."""
    return package in sys.stdlib_module_names or keyword.iskeyword(package) or folder_of(package) is not None


def _safe(name: str) -> str:
    """Return a name that a module and a function may have."""
    taken = keyword.iskeyword(name) or hasattr(builtins, name) or name in ("catalogue", "inputs", "store", "call")
    return f"{name}_" if taken else name


def _filled(kind: str, name: str, marks: dict[str, str]) -> str:
    """Return a template with its marks filled in."""
    with open(os.path.join(TEMPLATES, kind, name), encoding="utf-8") as file:
        return re.sub(r"@(\w+)@", lambda match: marks[match[1]], file.read())
