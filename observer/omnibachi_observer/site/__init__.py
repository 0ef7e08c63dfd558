"""The site: a snapshot as pages that a browser shows, from a folder, with nothing else at hand.

`build` makes all pages; `workflow_pages` and `declared_pages` those of single things, `index_pages` the lists of them;
`relations` finds who uses what, `schema_tables` writes schemas for people, `frame` is what all pages have alike,
`markup` the only place where text becomes HTML, and `looks` the style and the one small script.

Every text of the snapshot is escaped. No page names an address outside the site; a policy in each page forbids the
browser everything but the site's own style, pictures and script. Same snapshot and scenarios, same bytes.
"""
