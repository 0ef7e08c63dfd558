"""What an editor asks about a text that is being written: where a position is, what fits there, what a name means.

Pure functions from texts and libraries to answers; nothing here reads or writes a file. A text that is half typed has
no tree, so positions are found by `scan`, which takes any text; types and data flow come from the phases that prove
them (`survey`), asked about the last state that they could understand.
"""
