"""The compiler: declarations in YAML become a sealed snapshot, or diagnostics that say what is wrong and where.

It closes everything before a run: names, routes, data flow, types, decision tables, and that each capability has a
function that matches its declaration. It runs nothing of what it compiles: YAML is data and Python is read as text.

The phases, each taking the type of the one before (`compile` joins them):
`loader` -> Tree -> `shape`, `declare` -> Declaration -> `library` -> Library -> `graph` -> Graph -> `check` -> Checked
-> `lower`, `seal` -> Sealed.
"""
