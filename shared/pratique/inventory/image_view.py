"""What counts in the final image: the view that merging and the accounting of files share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pratique.inventory.layer_result import OwnedFiles
from pratique.inventory.layer_stack import Hidings, History, ScannedLayer, index_records
from pratique.inventory.path_resolver import PathResolver, links_of_image


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageView:
    """The layers of one image, base first, and the records in them that no higher layer hides: each file with all its states. `resolver` knows the final image's links."""

    layers: Sequence[ScannedLayer]
    histories: Sequence[History]
    hidings: Hidings
    resolver: PathResolver

    @property
    def owned(self) -> Iterator[OwnedFiles]:
        """What package managers record of their packages' files."""
        return (owned for history in self.histories for owned in history.files[-1].owned)


def view_image(layers: Sequence[ScannedLayer]) -> ImageView:
    """Find what counts in the image of these layers."""
    histories = index_records(layers)
    gaps = {gap.path for layer in layers if layer.result is not None for gap in layer.result.gaps if gap.path}
    hidings = Hidings([*gaps, *(history.path for history in histories)], layers)
    visible = [history for history in histories if hidings.first_after(history.path, history.layers[-1]) is None]
    return ImageView(layers=layers, histories=visible, hidings=hidings, resolver=PathResolver(links_of_image(layers)))
