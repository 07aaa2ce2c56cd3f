"""The types of the public signatures only get better: what is left untyped is counted here and may only go down."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[1]
# Packages whose public signatures name the shapes of their tensors, and how many bare Any each still has.
ANY_LEFT = {
    "contracts": 0,
    "evaluation": 0,
    "families": 0,
    "games": 0,
    "layers": 0,
    "ops": 0,
    "training": 0,
}
# Of dict[str, Any] in these packages, without what `get_config` returns: right where JSON is meant, else wrong.
DICTIONARIES_LEFT = 21


def _without_get_config(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            node.body = [part for part in node.body if getattr(part, "name", "") != "get_config"]
    return tree


def _functions(tree):
    """Functions and methods that other modules may call, `__init__` and `call` included."""
    for node in tree.body if isinstance(tree, ast.Module | ast.ClassDef) else ():
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from _functions(node)
        is_special = getattr(node, "name", "").startswith("__")
        if isinstance(node, ast.FunctionDef) and (is_special or not node.name.startswith("_")):
            yield node


def _annotations(function):
    arguments = function.args
    named = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    # What **kwargs hand on to Keras is Keras's own to type.
    return [a.annotation for a in named if a.annotation] + ([function.returns] if function.returns else [])


def _trees(package):
    return [ast.parse(path.read_text()) for path in sorted((ROOT / "biggan_tf" / package).rglob("*.py"))]


@pytest.mark.parametrize("package", ANY_LEFT)
def test_no_public_signature_gains_a_bare_any(package):
    found = [
        f"{function.name}:{ast.unparse(annotation)}"
        for tree in _trees(package)
        for function in _functions(tree)
        for annotation in _annotations(function)
        if isinstance(annotation, ast.Name) and annotation.id == "Any"
    ]
    assert len(found) <= ANY_LEFT[package], "Say what it is; if there are fewer, lower the number. " + ", ".join(found)


def test_dictionaries_of_anything_stand_only_where_json_is_meant():
    found = [
        ast.unparse(node)
        for package in ANY_LEFT
        for tree in _trees(package)
        for node in ast.walk(_without_get_config(tree))
        if isinstance(node, ast.Subscript) and ast.unparse(node) == "dict[str, Any]"
    ]
    assert len(found) <= DICTIONARIES_LEFT, "Use a dataclass or a TypedDict; if there are fewer, lower the number."
