"""A corpus of conversations in one Markdown file, with speakers, intensities and dates: docs/markdown-corpus.md.

marks: what a single line is; values: intensities and dates; metadata: `Key: value` lines; layout: where conversations
begin in this file; cutting: the file's conversations, as a stream; turns: who says what; bodies: a turn's text; roles:
person or assistant; parser: all of it as a format.
"""
