"""The runtime room executes: it loads a sealed workflow, links it once, and walks it from payload to exit.

`load` recomputes every digest that a run relies on; `link` turns the sealed form into closures (`templates`, `calls`,
`decisions`, `expressions`); `walk` runs them and makes the record. The room has no clock, chance, network, thread or
import by name of its own: functions, clock, entropy and journal are handed in.
"""
