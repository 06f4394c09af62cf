"""What an image installs before the sources are there."""

from pathlib import Path

from deploy import docker_packages, torch_index


def _project(folder: Path, text: str) -> Path:
    folder.mkdir()
    (folder / "pyproject.toml").write_text(text)
    return folder


def test_dependencies_of_the_repositorys_own_packages_are_followed_with_their_extras(tmp_path: Path) -> None:
    kit = _project(
        tmp_path / "kit",
        '[project]\nname = "kit"\ndependencies = ["orjson"]\n[project.optional-dependencies]\nflask = ["flask>=3"]\n',
    )
    service = _project(
        tmp_path / "svc",
        '[project]\nname = "svc"\ndependencies = ["kit[flask]", "scipy", "uvicorn[standard]"]\n',
    )
    found = docker_packages.requirements([kit, service])
    assert found == ["flask>=3", "orjson", "scipy", "uvicorn[standard]"]


def test_a_folder_may_be_given_with_an_extra(tmp_path: Path) -> None:
    kit = _project(
        tmp_path / "kit",
        '[project]\nname = "kit"\ndependencies = ["orjson"]\n[project.optional-dependencies]\ntracing = ["otel"]\n',
    )
    assert docker_packages.requirements([kit]) == ["orjson"]
    assert docker_packages.requirements([kit.with_name("kit[tracing]")]) == ["orjson", "otel"]


def test_a_local_cpu_build_of_torch_needs_no_index(tmp_path: Path) -> None:
    (tmp_path / "torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl").touch()
    assert torch_index.arguments("cpu", f"/nowhere,{tmp_path}") == []


def test_a_named_cuda_build_is_asked_for() -> None:
    assert torch_index.arguments("cu128", "") == ["--torch-backend", "cu128"]
