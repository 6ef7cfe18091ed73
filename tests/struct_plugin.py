"""A plugin of mypy: the functions of `dataclasses` are not called with a struct.

mypy takes a struct of msgspec for a dataclass, as it is declared like one. At run time `replace`, `fields`,
`asdict` and `astuple` of the standard library raise TypeError for it; `msgspec.structs` has functions with these
names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mypy.plugin import FunctionContext, Plugin
from mypy.types import CallableType, Instance, Type, TypeType, TypeVarType, UnionType, get_proper_type

_FUNCTIONS = frozenset(f"dataclasses.{name}" for name in ("replace", "fields", "asdict", "astuple"))


class StructPlugin(Plugin):
    """Reports each such call."""

    def get_function_hook(self, fullname: str) -> Callable[[FunctionContext], Type] | None:
        """The check of a call, for the functions that are concerned."""
        return _refuse_structs if fullname in _FUNCTIONS else None


def _refuse_structs(call: FunctionContext) -> Type:
    for found in call.arg_types[0]:
        for kind in _list_classes(found):
            if any(base.fullname == "msgspec.Struct" for base in kind.type.mro):
                call.api.fail(f"{kind.type.name} is a struct: use the function of msgspec.structs", call.context)
    return call.default_return_type


def _list_classes(found: Type) -> Iterator[Instance]:
    """The classes that a value may have, or the value itself if it is a class."""
    match get_proper_type(found):
        case UnionType(items=items):
            for item in items:
                yield from _list_classes(item)
        case TypeVarType(upper_bound=bound) | TypeType(item=bound):
            yield from _list_classes(bound)
        case CallableType(ret_type=made) as maker if maker.is_type_obj():
            yield from _list_classes(made)
        case Instance() as kind:
            yield kind


def plugin(version: str) -> type[Plugin]:
    """What mypy asks a module of plugins for."""
    return StructPlugin
