"""A typed artifact by its content, as it travels between steps."""

import msgspec


class Value(msgspec.Struct, frozen=True, omit_defaults=True):
    """A typed artifact by its content.

    Attributes:
        kind: how it is stored: `json`, `polars`, `pandas`, `numpy`, `bytes`, `model`, `file`, `folder`, or a
            container of further values, `tuple`, `list` or `dict`.
        digest: SHA-256 of the stored bytes; of a container, of its items' digests.
        size: bytes.
        inline: the text of a small `json` value; it needs no blob.
        items: the values inside a container, in order; the parts of a large table.
        names: the keys of a `dict`, the paths of a `folder`.
        step: index of the step of the same run that made it; none: it came from outside.
        note: what a reader should know: `pickle` marks content that only the user's own processes may load.
    """

    kind: str
    digest: str
    size: int = 0
    inline: str | None = None
    items: list["Value"] = []
    names: list[str] = []
    step: int | None = None
    note: str = ""

    def blobs(self) -> dict[str, int]:
        """Digests of the blobs behind the value, with their sizes."""
        if self.items:
            return {digest: size for item in self.items for digest, size in item.blobs().items()}
        if self.kind in {"tuple", "list", "dict", "folder"} or self.inline is not None:
            return {}
        return {self.digest: self.size}
