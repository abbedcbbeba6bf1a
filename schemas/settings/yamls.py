"""Files that people write in YAML: keys that stand twice, and aliases that unfold without end, are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from yaml.parser import ParserError
from yaml.scanner import ScannerError

from schemas.errors import SettingsError
from schemas.files import NOT_REGULAR, read_regular

#: So many nodes may aliases add to a file; each use of an alias counts as all that it stands for.
_MOST_REPEATED = 10_000


class _Refused(Exception):
    """YAML allows it and we do not: why, and the line, from 1."""

    def __init__(self, what: str, line: int, fix: str) -> None:
        self.what, self.line, self.fix = what, line, fix
        super().__init__(what)


def parse_yaml(text: str, what: str, where: str) -> Any:
    """A YAML value. Raises SettingsError, whatever it is that YAML stumbles over (dates, digits, depth)."""
    loader = None
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _Check(loader).size(node)
        return loader.construct_document(node)
    except _Refused as refused:
        raise SettingsError(
            f"{what}: {refused.what}", where=f"{where}, line {refused.line}", fix=refused.fix
        ) from None
    except (ScannerError, ParserError) as error:  # these name marks and single characters, nobody's text
        mark = error.problem_mark
        place = f"{where}, line {mark.line + 1}, column {mark.column + 1}" if mark else where
        fix = None
        if "escape character" in str(error.problem):
            fix = r"Between double quotes a backslash is written twice (\\); single quotes take it as it is."
        raise SettingsError(f"{what} is not valid YAML: {error.problem}", where=place, fix=fix) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{where}, line {mark.line + 1}" if mark else where
        raise SettingsError(f"{what} is not valid YAML", where=place) from None
    finally:
        if loader is not None:
            loader.dispose()


def read_yaml(path: Path, kind: str = "settings file") -> dict[str, Any]:
    """A YAML file as a dictionary. Raises SettingsError when missing, unreadable or not a mapping.

    `kind` is what the file is called for people.
    """
    text = read_settings_text(path, kind)
    return mapping_of(parse_yaml(text, f"the {kind}", str(path)), str(path), f"the {kind}")


def read_settings_text(path: Path, kind: str) -> str:
    """The text of a file of settings. Raises SettingsError."""
    try:
        return read_regular(path).decode()
    except FileNotFoundError:
        raise SettingsError(f"no such {kind}", where=str(path)) from None
    except UnicodeDecodeError:
        raise SettingsError(f"cannot read the {kind}: it is no UTF-8", where=str(path)) from None
    except (OSError, ValueError) as error:
        reason = NOT_REGULAR if NOT_REGULAR in str(error) else type(error).__name__
        raise SettingsError(f"cannot read the {kind}: {reason}", where=str(path)) from None


def mapping_of(value: Any, where: str, what: str = "settings") -> dict[str, Any]:
    """The contents of a file of settings by key, none for an empty file. Raises SettingsError."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise SettingsError(f"{what} must be a mapping of keys to values", where=where)
    return {str(key): item for key, item in value.items()}


class _Check:
    """A walk over what was written, before anything is made of it: merging and constructing drop keys in silence."""

    def __init__(self, loader: yaml.SafeLoader) -> None:
        self._loader = loader
        self._sizes: dict[int, int] = {}
        self._under_way: set[int] = set()

    def size(self, node: yaml.Node) -> int:
        """The nodes in it, those behind aliases counted each time. Raises _Refused."""
        if (known := self._sizes.get(id(node))) is not None:
            return known
        line = node.start_mark.line + 1
        if id(node) in self._under_way:
            raise _Refused("an alias stands for what it is a part of", line, "Write it out.")
        self._under_way.add(id(node))
        children: list[yaml.Node] = []
        if isinstance(node, yaml.MappingNode):
            self._check_keys(node)
            children = [part for pair in node.value for part in pair]
        elif isinstance(node, yaml.SequenceNode):
            children = node.value
        found = 1 + sum(map(self.size, children))
        self._sizes[id(node)] = found
        if found > _MOST_REPEATED + len(self._sizes):
            raise _Refused(f"aliases add more than {_MOST_REPEATED:,} entries to it", line, "Write them out.")
        return found

    def _check_keys(self, node: yaml.MappingNode) -> None:
        lines: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            merges = key.tag == "tag:yaml.org,2002:merge"
            # Keys of settings are texts: 1 and "1" would be one.
            name = key.value if merges else str(self._loader.construct_object(key))
            line = key.start_mark.line + 1
            if name in lines:
                what = f"the key {name[:60]!r} stands twice, in line {lines[name]} too"
                raise _Refused(what, line, "The first would be lost: take one away, or rename it.")
            lines[name] = line
