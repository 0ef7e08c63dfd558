"""Changes: two sealed snapshots compared, and each difference classified as breaking, additive or cosmetic.

`rules` is the one table of what may be found, each with its class and its reason; `snapshots` reads and compares whole
snapshots, `declared` what their domains declare, `workflows` and `nodes` the graphs, `results` what exits give,
`schemas` which values are taken and given. docs/compatibility.md says what counts as breaking, and why.

Nothing is decided by what a text looks like: a schema takes less where it is not proven that it takes everything that
the old one took. What cannot be shown to be harmless is breaking.
"""
