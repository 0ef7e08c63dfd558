"""A record told in the words of other systems: OpenTelemetry, CloudEvents, OpenLineage.

Made after the fact from a record that holds (and, for lineage, the sealed workflow beside it), so that the same record
gives the same bytes at any time and place: ids follow from the run's id and a path, instants from `obs`. What each form
holds is specified in docs/formats.md, "Exports". Payloads, inputs and outputs stand in CloudEvents alone.
"""
