"""The words that every room speaks: values, digests, addresses, diagnostics, sealed forms and ports.

This room does no input or output and knows no other room. Modules that `omnibachi run` passes through
(`values`, `digests`, `checks`, `record`, `sealed`, `diagnostics`) define no dataclass and import neither `typing`
nor anything heavier, because a cold start is mostly imports.
"""
