"""A CSV becomes a bar chart: through HTTP, in a real sandbox, checked in the data and in the picture."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from servicekit.contract import TestKeys
from svc_code.app import create_app
from svc_code.engine.base import Limits
from svc_code.settings import Settings

SALES = {"Norte": 120.0, "Sul": 80.0, "Leste": 200.0, "Oeste": 40.0}
CODE = """
import pandas as pd, matplotlib.pyplot as plt
sales = pd.read_csv("vendas.csv").groupby("região")["valor"].sum().reindex(["Norte", "Sul", "Leste", "Oeste"])
plt.bar(sales.index, sales.values, color="#ff0000")
plt.title("Vendas por região")
plt.show()
sales.sum()
"""


@pytest.fixture
def real(tmp_path: Path, keys: TestKeys, small: Limits) -> Iterator[TestClient]:
    settings = Settings(data_dir=tmp_path, allowed_hosts=("testserver",))
    with TestClient(create_app(settings, authenticator=keys.authenticator(settings))) as client:
        yield client


def test_the_bars_of_a_csvs_chart_have_the_right_values(real: TestClient, keys: TestKeys) -> None:
    headers = keys.headers()
    rows = [f"{region},{value / 2}" for region, value in SALES.items() for _ in range(2)]
    content = ("região,valor\n" + "\n".join(rows)).encode()
    assert real.put("/v1/sessions/t1/files/vendas.csv", content=content, headers=headers).status_code == 201
    done = real.post("/v1/sessions/t1/execute", json={"code": CODE}, headers=headers).json()
    assert done["error"] is None, done
    assert done["result"] == "np.float64(440.0)"
    assert [file["name"] for file in done["files"]] == ["chart-1.png"]
    chart = done["charts"][0]
    assert (chart["file"], chart["media_type"]) == ("chart-1.png", "image/png")
    axes = chart["data"]["axes"][0]
    assert axes["title"] == "Vendas por região"
    assert axes["series"] == [{"kind": "bar", "label": "", "x": list(SALES), "y": list(SALES.values())}]
    picture = real.get("/v1/sessions/t1/files/chart-1.png", headers=headers).content
    assert _heights(picture) == pytest.approx([v / 200 for v in SALES.values()], abs=0.02)


def test_a_chart_that_the_code_saves_is_told_under_its_own_name(real: TestClient, keys: TestKeys) -> None:
    code = "import matplotlib.pyplot as plt\nplt.plot([1, 2], [3, 4])\nplt.savefig('linha.png')\nplt.show()"
    done = real.post("/v1/sessions/t1/execute", json={"code": code}, headers=keys.headers()).json()
    assert [chart["file"] for chart in done["charts"]] == ["linha.png"]
    assert [file["name"] for file in done["files"]] == ["linha.png"]


def _heights(picture: bytes) -> list[float]:
    """Return the heights of the red bars in pixels, from left to right, as parts of the highest."""
    pixels = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")).astype(int)
    red = (pixels[:, :, 0] > 200) & (pixels[:, :, 1] < 60) & (pixels[:, :, 2] < 60)
    columns = red.sum(axis=0)
    found, inside = [], False
    for height in columns:
        if height and not inside:
            found.append(0)
        inside = bool(height)
        if inside:
            found[-1] = max(found[-1], int(height))
    return [height / max(found) for height in found]
