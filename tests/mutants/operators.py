"""Small changes of a module's source, each of which a test should notice."""

import ast
import dataclasses
import itertools

COMPARED = {
    ast.Lt: [ast.LtE, ast.Gt], ast.LtE: [ast.Lt], ast.Gt: [ast.GtE, ast.Lt], ast.GtE: [ast.Gt],
    ast.Eq: [ast.NotEq], ast.NotEq: [ast.Eq], ast.In: [ast.NotIn], ast.NotIn: [ast.In],
    ast.Is: [ast.IsNot], ast.IsNot: [ast.Is],
}  # fmt: skip
COMPUTED = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult,
    ast.FloorDiv: ast.Mod, ast.Mod: ast.FloorDiv, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
# Names that are easily taken for each other, as variables, attributes, functions and keywords.
PAIRS = (
    ("height", "width"), ("rows", "columns"), ("row", "column"), ("x", "y"), ("low", "high"),
    ("fit", "validation"), ("first", "second"), ("before", "after"), ("explained", "network"),
    ("min", "max"), ("minimum", "maximum"), ("argmin", "argmax"), ("any", "all"), ("sum", "mean"),
    ("floor", "ceil"), ("zeros", "ones"), ("sin", "cos"), ("real", "imag"), ("head", "tail"),
    ("left", "right"), ("name", "path"), ("startswith", "endswith"),
)  # fmt: skip
TAKEN_FOR = {a: b for pair in PAIRS for a, b in (pair, pair[::-1])}
AXES = {0: 1, 1: 0, -1: -2, -2: -1}
# Only what is said changes here, or nothing does.
UNTOUCHED = (ast.Raise, ast.JoinedStr, ast.Import, ast.ImportFrom, ast.Assert)
SAID = {"log", "logging", "warnings"}
# Guards against slips of the code itself, and against other locales.
GUARDS = {"strict", "encoding"}


@dataclasses.dataclass(frozen=True)
class Mutant:
    """
    One change of a module's source.

    Attributes
    ----------
    number : int
        Place among all mutants of the module.
    kind, function : str
        Kind of the change; name of the function that it lies in.
    before, after : str
        The changed expression or statement.
    lines : range
        Lines of the unchanged source that tell which tests can notice.
    """

    number: int
    kind: str
    function: str
    before: str
    after: str
    lines: range


def mutants(source: str) -> list[Mutant]:
    """Return every mutant of a module, in the order of its source."""
    found = []
    for place, kind, changed in _all(ast.parse(source)):
        before, after = (ast.unparse(ast.fix_missing_locations(n)) for n in (place.node, changed))
        found.append(Mutant(len(found), kind, place.function, before, after, place.lines))
    return found


def changed_source(source: str, number: int) -> str:
    """Return the source of a mutant by its number."""
    tree = ast.parse(source)
    place, _, changed = next(itertools.islice(_all(tree), number, None))
    place.put(changed)
    return ast.unparse(ast.fix_missing_locations(tree))


def _all(tree):
    """Yield the place of every change, its kind, and the node that comes there."""
    words = sorted(
        {
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and _is_word(node.value)
        }
    )
    for place in _places(tree, "", None):
        seen = {ast.dump(place.node)}
        for kind, changed in _changes(place.node, place.parent, words):
            if ast.dump(changed) not in seen:
                seen.add(ast.dump(changed))
                yield place, kind, changed


@dataclasses.dataclass
class _Place:
    parent: ast.AST
    field: str
    index: int | None
    node: ast.AST
    function: str
    lines: range

    def put(self, node):
        if self.index is None:
            setattr(self.parent, self.field, node)
        else:
            getattr(self.parent, self.field)[self.index] = node


def _places(parent, function, statement):
    """Yield all nodes that may be changed; annotations, decorators and texts may not."""
    if isinstance(parent, (ast.FunctionDef, ast.ClassDef)):
        function = f"{function}.{parent.name}".lstrip(".")
    for field, value in ast.iter_fields(parent):
        if field in ("annotation", "returns", "decorator_list", "type_params"):
            continue
        for index, node in enumerate(value if isinstance(value, list) else [value]):
            if not isinstance(node, ast.AST) or _is_text(node):
                continue
            inner = node if isinstance(node, ast.stmt) else statement
            if hasattr(node, "lineno"):
                simple = inner is not None and not hasattr(inner, "body")
                span = inner if simple else node
                lines = range(span.lineno, span.end_lineno + 1)
                at = index if isinstance(value, list) else None
                yield _Place(parent, field, at, node, function, lines)
            yield from _places(node, function, inner)


def _is_text(node):
    """Whether a node is a docstring, a message, or a call that writes one."""
    if isinstance(node, ast.keyword):
        return node.arg in GUARDS
    if isinstance(node, ast.Expr):
        if isinstance(node.value, ast.Constant):
            return True
        call = node.value
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
            return isinstance(call.func.value, ast.Name) and call.func.value.id in SAID
    return isinstance(node, UNTOUCHED)


def _is_word(value):
    return isinstance(value, str) and value.replace("_", "").isalnum()


def _changes(node, parent, words):
    change = getattr(_Changes, type(node).__name__, None)
    if change is not None:
        yield from change(node, parent, words)
    if isinstance(node, (ast.List, ast.Tuple)) and isinstance(getattr(node, "ctx", None), ast.Load):
        yield from _order(node)


def _order(node):
    if len(node.elts) > 1 and not any(isinstance(item, ast.Slice) for item in node.elts):
        yield "order reversed", type(node)(node.elts[::-1], node.ctx)


class _Changes:
    """By type of a node: what it may be replaced by."""

    @staticmethod
    def Compare(node, parent, words):
        for number, operator in enumerate(node.ops):
            for other in COMPARED[type(operator)]:
                ops = [*node.ops[:number], other(), *node.ops[number + 1 :]]
                yield "comparison", ast.Compare(node.left, ops, node.comparators)
        if len(node.ops) > 1:
            yield "term dropped", ast.Compare(node.left, node.ops[:1], node.comparators[:1])

    @staticmethod
    def BoolOp(node, parent, words):
        yield (
            "and / or",
            ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values),
        )
        for number in range(len(node.values)):
            rest = node.values[:number] + node.values[number + 1 :]
            yield "term dropped", rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)

    @staticmethod
    def BinOp(node, parent, words):
        if type(node.op) in COMPUTED and not isinstance(node.left, ast.JoinedStr):
            yield "arithmetic", ast.BinOp(node.left, COMPUTED[type(node.op)](), node.right)
        if not isinstance(node.op, (ast.Pow, ast.MatMult)):
            yield "term dropped", node.right
        if not isinstance(node.op, ast.MatMult):
            yield "term dropped", node.left
        if isinstance(node.op, (ast.Sub, ast.Div, ast.FloorDiv, ast.Mod)):
            yield "operands swapped", ast.BinOp(node.right, node.op, node.left)

    @staticmethod
    def UnaryOp(node, parent, words):
        if not isinstance(node.operand, ast.Constant):
            yield "sign or not dropped", node.operand

    @staticmethod
    def Constant(node, parent, words):
        value = node.value
        if isinstance(value, bool):
            yield "constant", ast.Constant(not value)
        elif isinstance(value, (int, float)):
            yield "constant", ast.Constant(value + 1 if isinstance(value, int) else value * 2)
            if isinstance(value, float) or value > 1:
                yield "constant", ast.Constant(value - 1 if isinstance(value, int) else value / 2)
        elif _is_word(value) and len(words) > 1:
            yield "word", ast.Constant(words[(words.index(value) + 1) % len(words)])
            if value in TAKEN_FOR:
                yield "taken for another", ast.Constant(TAKEN_FOR[value])

    @staticmethod
    def Name(node, parent, words):
        if node.id in TAKEN_FOR and isinstance(node.ctx, ast.Load):
            yield "taken for another", ast.Name(TAKEN_FOR[node.id], node.ctx)

    @staticmethod
    def Attribute(node, parent, words):
        if node.attr in TAKEN_FOR and isinstance(node.ctx, ast.Load):
            yield "taken for another", ast.Attribute(node.value, TAKEN_FOR[node.attr], node.ctx)
        if node.attr == "T":
            yield "term dropped", node.value

    @staticmethod
    def Call(node, parent, words):
        args = node.args
        for number in range(len(args) - 1):
            swapped = [*args[:number], args[number + 1], args[number], *args[number + 2 :]]
            if not any(isinstance(arg, ast.Starred) for arg in args):
                yield "arguments swapped", ast.Call(node.func, swapped, node.keywords)
        if args and not isinstance(args[0], (ast.Starred, ast.GeneratorExp)):
            yield "call dropped", args[0]
        elif isinstance(node.func, ast.Attribute):
            yield "call dropped", node.func.value
        for number, keyword in enumerate(node.keywords):
            if keyword.arg in GUARDS:
                continue
            rest = node.keywords[:number] + node.keywords[number + 1 :]
            if keyword.arg == "axis" and isinstance(keyword.value, ast.Constant):
                other = AXES.get(keyword.value.value)
                rest = [*rest, ast.keyword("axis", ast.Constant(other))]
            yield "keyword", ast.Call(node.func, args, rest)

    @staticmethod
    def IfExp(node, parent, words):
        yield "branch inverted", ast.IfExp(node.test, node.orelse, node.body)

    @staticmethod
    def If(node, parent, words):
        test = ast.UnaryOp(ast.Not(), node.test)
        yield "branch inverted", ast.If(test, node.body, node.orelse)
        yield (
            "branch dropped",
            node.orelse[0]
            if len(node.orelse) == 1
            else ast.If(ast.Constant(False), node.body, node.orelse),
        )

    @staticmethod
    def Return(node, parent, words):
        if node.value is not None and not isinstance(node.value, ast.Constant):
            yield "return value", ast.Return(ast.Constant(None))

    @staticmethod
    def Expr(node, parent, words):
        if not isinstance(node.value, (ast.Yield, ast.YieldFrom)):
            yield "statement deleted", ast.Pass()

    @staticmethod
    def AugAssign(node, parent, words):
        yield "statement deleted", ast.Pass()
        if type(node.op) in COMPUTED:
            op = COMPUTED[type(node.op)]()
            yield "arithmetic", ast.AugAssign(node.target, op, node.value)

    @staticmethod
    def Assign(node, parent, words):
        if isinstance(node.targets[0], (ast.Subscript, ast.Attribute)):
            yield "statement deleted", ast.Pass()

    @staticmethod
    def Continue(node, parent, words):
        yield "statement deleted", ast.Break()

    @staticmethod
    def Break(node, parent, words):
        yield "statement deleted", ast.Pass()

    @staticmethod
    def Dict(node, parent, words):
        values = node.values
        for number in range(len(values) - 1):
            if None not in node.keys[number : number + 2]:
                swapped = [*values[:number], values[number + 1], values[number]]
                yield "values swapped", ast.Dict(node.keys, [*swapped, *values[number + 2 :]])

    @staticmethod
    def Slice(node, parent, words):
        if node.lower is not None:
            yield "slice", ast.Slice(None, node.upper, node.step)
        if node.upper is not None:
            yield "slice", ast.Slice(node.lower, None, node.step)
        if node.step is not None:
            yield "slice", ast.Slice(node.lower, node.upper, None)

    @staticmethod
    def comprehension(node, parent, words):
        yield "condition dropped", ast.comprehension(node.target, node.iter, [], node.is_async)

    @staticmethod
    def Subscript(node, parent, words):
        if isinstance(node.slice, ast.Tuple) and len(node.slice.elts) == 2:
            swapped = ast.Tuple(node.slice.elts[::-1], ast.Load())
            yield "axes swapped", ast.Subscript(node.value, swapped, node.ctx)
