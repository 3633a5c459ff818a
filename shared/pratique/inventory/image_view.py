"""What counts in the final image: the view that merging and the accounting of files share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pratique.inventory.coverage import CoverageItem, CoverageStatus
from pratique.inventory.layer_paths import split_paths
from pratique.inventory.layer_result import OwnedFiles
from pratique.inventory.layer_stack import Hidings, History, ScannedLayer, index_records
from pratique.inventory.path_resolver import PathResolver, links_of_image

_LINK_GAP_VERSION = "1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageView:
    """The layers of one image, base first, and the records in them that no higher layer hides: each file with all its states.

    `resolver` knows the final image's links. `unread` are gaps, by the position of the layer: a record was read through a link, and what the link leads to in the
    final image is another layer's file, which nobody read.
    """

    layers: Sequence[ScannedLayer]
    histories: Sequence[History]
    hidings: Hidings
    resolver: PathResolver
    unread: Sequence[tuple[int, CoverageItem]] = ()

    @property
    def owned(self) -> Iterator[OwnedFiles]:
        """What package managers record of their packages' files."""
        return (owned for history in self.histories for owned in history.files[-1].owned)


def view_image(layers: Sequence[ScannedLayer]) -> ImageView:
    """Find what counts in the image of these layers."""
    histories = index_records(layers)
    resolver = PathResolver(links_of_image(layers))
    targets = {history.path: target for history in histories if (target := resolver.target_of(history.path)) is not None}
    gaps = {gap.path for layer in layers if layer.result is not None for gap in layer.result.gaps if gap.path}
    hidings = Hidings([*gaps, *(history.path for history in histories), *targets.values()], layers)

    def is_visible(history: History) -> bool:
        layer = history.layers[-1]
        return all(hidings.first_after(path, layer) is None for path in {history.path, targets.get(history.path, history.path)})

    visible = [history for history in histories if is_visible(history)]
    read = {history.path for history in visible}
    lost = {
        history.path: target
        for history in histories
        if (target := targets.get(history.path)) is not None
        and not {history.path, target} & read
        # a layer that puts a link in the place of a file has read what that leads to, or said why not
        and (resolver.resolve(history.path) == target or hidings.first_after(history.path, history.layers[-1]) is None)
    }
    unread = list(_find_unread(lost, histories, hidings, layers)) if lost else []
    return ImageView(layers=layers, histories=visible, hidings=hidings, resolver=resolver, unread=unread)


def _find_unread(
    lost: Mapping[str, str], histories: Sequence[History], hidings: Hidings, layers: Sequence[ScannedLayer]
) -> Iterator[tuple[int, CoverageItem]]:
    """Find which of the paths without a record that counts lead to files that are in the final image."""
    wanted = set(lost.values())
    tops: dict[str, int] = {}
    for position, layer in enumerate(layers):
        if layer.result is not None:
            tops.update(dict.fromkeys(wanted.intersection(split_paths(layer.result.regular)), position))
    for history in histories:
        target = lost.get(history.path, "")
        top = tops.get(target)
        if top is not None and hidings.first_after(target, top) is None:
            reason = f"{history.path}: links to {target}, which another layer has replaced"
            yield (
                top,
                CoverageItem(
                    name=history.analyzer, version=_LINK_GAP_VERSION, status=CoverageStatus.PARTIAL, reason=reason, path=history.path
                ),
            )
