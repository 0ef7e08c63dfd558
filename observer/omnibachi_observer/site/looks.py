"""How the site looks, and its one script: filtering lists by what is typed. Without the script everything is shown."""

from __future__ import annotations

STYLE = """\
:root { color-scheme: light dark; --ink: #1f2328; --soft: #59636e; --line: #d1d9e0; --page: #ffffff; --card: #f6f8fa;
  --link: #0550ae; --good: #1a7f37; --odd: #7d4e00; --bad: #b3202a; --denied: #6e40c9; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9da7b3; --line: #3d444d; --page: #0d1117;
  --card: #161b22; --link: #79b8ff; --good: #56d364; --odd: #e3b341; --bad: #ff7b72; --denied: #d2a8ff; } }
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body { margin: 0; background: var(--page); color: var(--ink); line-height: 1.5;
  font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", Arial, sans-serif; }
header, main, footer { max-width: 64rem; margin: 0 auto; padding: 0 1rem; }
header { padding-top: 1rem; font-size: 0.9rem; }
nav ol { list-style: none; display: flex; flex-wrap: wrap; gap: 0.25rem 0.5rem; margin: 0; padding: 0; }
nav ol li + li::before { content: "/"; color: var(--soft); padding-right: 0.5rem; }
.contents ul { list-style: none; display: flex; flex-wrap: wrap; gap: 0.25rem 1rem; margin: 1rem 0 0; padding: 0; }
footer { border-top: 1px solid var(--line); margin-top: 3rem; padding-top: 1rem; padding-bottom: 2rem;
  color: var(--soft); font-size: 0.85rem; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 1rem 0 0.25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2.25rem 0 0.5rem; border-bottom: 1px solid var(--line); padding-bottom: 0.25rem; }
h3 { font-size: 1rem; margin: 1.25rem 0 0.25rem; overflow-wrap: anywhere; }
h3 .kind, .soft { color: var(--soft); font-weight: 400; }
a { color: var(--link); text-underline-offset: 0.15em; }
a:hover { text-decoration-thickness: 2px; }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; border-radius: 2px; }
.skip { position: absolute; left: -100rem; }
.skip:focus { left: 1rem; top: 0.5rem; background: var(--page); padding: 0.25rem 0.5rem; z-index: 1; }
p { margin: 0.5rem 0; }
code, pre { font-family: ui-monospace, "Cascadia Mono", "Liberation Mono", Consolas, monospace; font-size: 0.875em; }
code { overflow-wrap: anywhere; }
.facts { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 0.15rem 1rem; margin: 1rem 0; }
.facts dt { color: var(--soft); }
.facts dd { margin: 0; overflow-wrap: anywhere; }
.facts .facts { margin: 0; }
.wide { overflow-x: auto; margin: 0.5rem 0; }
table { border-collapse: collapse; width: 100%; font-size: 0.92rem; }
th, td { text-align: left; vertical-align: top; padding: 0.35rem 0.75rem 0.35rem 0;
  border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; white-space: nowrap; }
td { min-width: 5rem; }
td code { overflow-wrap: break-word; }
td ul, dd ul { margin: 0; padding-left: 1.1rem; }
.node { background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: 0.75rem 1rem;
  margin: 0.75rem 0; }
.node:target, tr:target, section:target { outline: 2px solid var(--link); }
.node h3 { margin-top: 0; }
.node .facts { margin: 0.5rem 0 0; font-size: 0.92rem; }
.inner { margin-left: 1.25rem; }
figure { margin: 1rem 0; background: #ffffff; border: 1px solid var(--line); border-radius: 6px; padding: 0.75rem;
  text-align: center; overflow-x: auto; }
figure img { max-width: max(100%, 30rem); height: auto; }
.entries { list-style: none; padding: 0; margin: 0; }
.entries li { padding: 0.4rem 0; border-bottom: 1px solid var(--line); }
.entries li p { margin: 0; color: var(--soft); font-size: 0.92rem; }
.filter { margin: 1rem 0 0; }
.filter input { font: inherit; color: inherit; background: var(--card); border: 1px solid var(--soft);
  border-radius: 6px; padding: 0.4rem 0.6rem; width: 100%; max-width: 24rem; }
.COMPLETED, .held { color: var(--good); }
.REJECTED, .missed { color: var(--odd); }
.FAILED, .broke { color: var(--bad); }
.DENIED { color: var(--denied); }
.status { font-weight: 600; font-size: 0.85rem; }
@media (max-width: 40rem) {
  thead { position: absolute; left: -100rem; }
  table, tbody, tr { display: block; }
  tr { border-bottom: 1px solid var(--line); padding: 0.4rem 0; }
  td { display: grid; grid-template-columns: 6.5rem minmax(0, 1fr); gap: 0 0.75rem; border: 0; padding: 0.1rem 0; }
  td:empty { display: none; }
  td::before { content: attr(data-name); color: var(--soft); font-size: 0.85rem; }
  td code { overflow-wrap: anywhere; }
  .facts { grid-template-columns: minmax(0, 1fr); gap: 0; }
  .facts dd { margin-bottom: 0.4rem; }
  .inner { margin-left: 0.5rem; }
  .node { padding: 0.6rem 0.75rem; }
}
@media print { .skip, .filter, nav { display: none; } .node { break-inside: avoid; } }
"""

SCRIPT = """\
(function () {
  var box = document.getElementById("filter");
  if (!box) return;
  var entries = Array.prototype.slice.call(document.querySelectorAll(".entries li"));
  var sections = Array.prototype.slice.call(document.querySelectorAll("section.list"));
  var none = document.getElementById("none");
  box.parentNode.hidden = false;
  box.addEventListener("input", function () {
    var words = box.value.toLowerCase().split(/\\s+/);
    var left = 0;
    entries.forEach(function (entry) {
      var text = entry.textContent.toLowerCase();
      entry.hidden = !words.every(function (word) { return text.indexOf(word) >= 0; });
      left += entry.hidden ? 0 : 1;
    });
    sections.forEach(function (section) { section.hidden = !section.querySelector("li:not([hidden])"); });
    none.hidden = left > 0;
  });
})();
"""
