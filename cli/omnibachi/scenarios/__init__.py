"""Scenarios: `test:` documents, run in memory with a virtual clock and seeded chance, with coverage.

`runner` plays them all and reports, `stage` is the world that one scenario plays in, `expectations` compares what
happened with what a step expects (`matching` compares values), `coverage` counts what was reached, `examples` runs the
examples of transforms, and `again` runs every transform's answers once more in another process.
"""
