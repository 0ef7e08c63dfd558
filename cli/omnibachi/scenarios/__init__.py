"""Scenarios: `test:` documents, run in memory with a virtual clock and seeded chance, with coverage.

`runner` plays all and reports, `playing` plays one on the world that `stage` gives it, `expectations` compares what
happened with what a step expects (`matching` compares values), `tours` lays what happened along the sealed graph,
`coverage` counts what was reached (`laws` those that said something), `examples` runs the examples of transforms, and
`again` runs every transform's answers once more in another process.

What was not reached is looked for by `reaching`, which follows `roads` and mends `worlds` until they fulfil `wishes`,
made of `atoms` over `variables`, with values from `specimens` and `patterns`; `suggested` writes what was found.
`mutation` has the changed workflows played that `mutants` makes: by those who may feel it (`visits`), wherever the
same declaration is used (`sayings`), in several processes (`trials`).
"""
