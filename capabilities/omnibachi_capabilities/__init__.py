"""The capabilities that ship, of `std` and of the shipped domains: small modules, functions and nothing else.

A transform is `(inputs) -> (outcome, output)`, an operation of a side effect `(inputs, store, call) -> (outcome,
output)`. Inputs have been checked against the declaration and filled with its defaults; they are read-only. A function
never opens a connection: it works on the one store that its node names, and asks `call` for time and chance. The
snapshot seals `module:function`, so running needs no catalogue; `catalogue` serves the compiler.
"""
