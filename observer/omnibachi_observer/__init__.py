"""What happened, said in ways that people read: Markdown, pictures and examination of a run's record.

An observer records and never changes. Everything here is a function from the record's bytes (and, where they are at
hand, the sealed workflow and its origins) to text or a picture. `expression_text`, `story`, `reasons`, `blame` and
`markdown` lie on the path of `omnibachi run`; `picture`, `renderer`, `examine` and `selection` are imported when asked
for.
"""
