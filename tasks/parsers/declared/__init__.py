"""Sources that a person declares: any file of records, by a mapping, and stories, one example each.

found = find_declared(name, source, paths, on_bytes)
check_declared(name, source, found.files)
for part in parse_declared(found.files, source, ParseSettings()):
    ...
"""

from tasks.parsers.declared.checking import check_declared
from tasks.parsers.declared.finding import find_declared
from tasks.parsers.declared.parsing import parse_declared

__all__ = ["check_declared", "find_declared", "parse_declared"]
