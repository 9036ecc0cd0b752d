"""YAML as configurations are written in it: plain values alone, and nothing that means something else than it says."""

from __future__ import annotations

import re
from typing import Any

import yaml


class ConfigLoader(yaml.SafeLoader):  # type: ignore[misc]
    """PyYAML's safe loader without three traps.

    ``on``, ``off``, ``yes`` and ``no`` are words and not truth values, as in YAML 1.2; ``1e-3`` is a number, as in
    JSON; and a key that stands twice is an error, where the first one would be lost.
    """

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """A mapping of which no key stands twice.

        Raises:
            ConstructorError: if one does.
        """
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key '{key.value}' stands twice", key.start_mark
                    )
                seen.add(key.value)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


class _ConfigDumper(yaml.SafeDumper):  # type: ignore[misc]
    """PyYAML's safe dumper with numbers of one list in one line."""

    def represent_list(self, data: list[Any]) -> Any:
        """A list of numbers in brackets, any other one item a line."""
        flat = all(isinstance(item, (int, float)) for item in data)
        return self.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=flat)


_ConfigDumper.add_representer(list, _ConfigDumper.represent_list)


def as_yaml(content: dict[str, Any]) -> str:
    """Plain values as YAML, in their order; what kind a part is stands first in it."""
    text: str = yaml.dump(_kind_first(content), Dumper=_ConfigDumper, sort_keys=False, allow_unicode=True, width=110)
    return text


def _kind_first(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    first = {"kind": value["kind"]} if "kind" in value else {}
    return first | {key: _kind_first(part) for key, part in value.items()}


def _resolve_as_json() -> None:
    """Give the loader its own words for truth values, and numbers as JSON writes them."""
    ConfigLoader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    truth = re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$")
    ConfigLoader.add_implicit_resolver("tag:yaml.org,2002:bool", truth, list("tTfF"))
    number = re.compile(r"^[-+]?[0-9]+(?:\.[0-9]*)?[eE][-+]?[0-9]+$")
    ConfigLoader.add_implicit_resolver("tag:yaml.org,2002:float", number, list("-+0123456789"))


_resolve_as_json()
