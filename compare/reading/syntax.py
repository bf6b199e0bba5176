"""Python in colours: the pieces of each line with a word for what they are. Terminals and pages colour by the word."""

from collections.abc import Iterable

Piece = tuple[str, str]  # a word of KINDS or "", and the text
KINDS = ("keyword", "string", "number", "comment", "tag", "name", "self")
TAG = "# differs:"


def pieces(text: str) -> list[list[Piece]]:
    """The pieces of each line of a Python file."""
    from pygments.lexers.python import PythonLexer

    lines: list[list[Piece]] = [[]]
    for token, value in PythonLexer(stripnl=False, ensurenl=False).get_tokens(text):
        kind = _kind(str(token))
        for number, part in enumerate(value.split("\n")):
            if number:
                lines.append([])
            if part:
                lines[-1] += _tagged(part) if kind == "comment" else [(kind, part)]
    return [_joined(line) for line in lines]


def _kind(token: str) -> str:
    """The word for a token of Pygments, such as 'Token.Keyword.Namespace'."""
    for start, kind in (
        ("Token.Name.Function", "name"),
        ("Token.Name.Class", "name"),
        ("Token.Name.Builtin.Pseudo", "self"),
        ("Token.Operator.Word", "keyword"),
        ("Token.Keyword", "keyword"),
        ("Token.Literal.String", "string"),
        ("Token.Literal.Number", "number"),
        ("Token.Comment", "comment"),
    ):
        if token.startswith(start):
            return kind
    return ""


def _tagged(comment: str) -> list[Piece]:
    """A comment, the tag in it apart."""
    before, tag, why = comment.partition(TAG)
    return [piece for piece in (("comment", before), ("tag", tag + why)) if piece[1]]


def _joined(line: Iterable[Piece]) -> list[Piece]:
    """Neighbours of the same kind in one piece."""
    out: list[Piece] = []
    for kind, text in line:
        if out and out[-1][0] == kind:
            out[-1] = (kind, out[-1][1] + text)
        else:
            out.append((kind, text))
    return out
