"""Brings GGUF files from the hub to where the library looks for them. Part of `app`."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping

from servicekit import hub
from servicekit.errors import ModelNotFound
from servicekit.models import Catalogue, Loadable
from svc_chat.build import need
from svc_chat.engine.gguf_header import read_opened
from svc_chat.settings import Settings


def build_installs(
    settings: Settings, catalogue: Catalogue, handles: Callable[[], Mapping[str, Loadable]]
) -> hub.Installs:
    """Return what installs GGUF files; the library sees a new one within a second."""
    places = settings.data_dir / "models"

    def arrived(model: hub.ShelfModel) -> None:
        if hub.browser.is_for_browsers(model):
            return
        # a link under the model's id beside its folder: the library lists files, and names models by them
        link = places / f"{model.id}.gguf"
        fresh = link.with_name(f".{link.name}.{os.getpid()}")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(model.weights.relative_to(places))
        os.replace(fresh, link)

    def leaving(model_id: str) -> None:
        loaded = handles().get(model_id)
        if loaded is not None:
            loaded.unload()
        (places / f"{model_id}.gguf").unlink(missing_ok=True)

    def estimate(needs: hub.Needs) -> int:
        weights = max((file for file in needs.files if file.is_weights), key=lambda file: file.size)
        opened = io.BufferedReader(needs.opened_weights(), 1 << 20)
        header = read_opened(opened, weights.size, weights.name[:80])
        if header.kind != "model":
            raise ModelNotFound(f"'{weights.name[:80]}' is a LoRA adapter, not a model.", param="id")
        return need(header, settings=settings)

    return hub.connect(
        settings,
        catalogue,
        hub.Format.GGUF,
        hub.browser.beside(estimate),
        task="chat",
        arrived=arrived,
        leaving=leaving,
        layout=hub.browser.layout,
    )
