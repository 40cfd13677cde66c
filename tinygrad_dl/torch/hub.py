"""`torch.hub` and `torch.utils.model_zoo`: files of weights from the internet, kept in a folder.

What is read from them is data: `td.load` runs no code of a file. `hub.load`, which runs a repository's code, is not
here.

Source: https://docs.pytorch.org/docs/stable/hub.html
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlparse
from urllib.request import Request, urlopen

from tinygrad_dl.serialization import load
from tinygrad_dl.writing import Path, replacing

__all__ = ["download_url_to_file", "get_dir", "load_state_dict_from_url", "set_dir"]

HASH_REGEX: Final = re.compile(r"-([a-f0-9]*)\.")  # resnet18-bf5a0bd9.pth ends in the first digits of its SHA-256
CHUNK: Final = 1 << 17  # bytes read at a time


class _NoProgress:
    """Stands for tqdm's progress bar where tqdm is not installed: nothing is shown."""

    def __init__(self, iterable: Any = (), **options: Any) -> None:
        self.iterable = iterable

    def __iter__(self) -> Iterator[Any]:
        return iter(self.iterable)

    def __enter__(self) -> _NoProgress:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def update(self, n: float = 1) -> None:
        """Does nothing."""


tqdm: Any = importlib.import_module("tqdm").tqdm if importlib.util.find_spec("tqdm") else _NoProgress


class _Cache:
    folder: str | None = None


def get_dir() -> str:
    """The folder of downloaded files: that of `set_dir`, or `hub` in the first of the following that is set.

    They are $TORCH_HOME, $XDG_CACHE_HOME/torch and ~/.cache/torch.

    Source: https://docs.pytorch.org/docs/stable/hub.html#torch.hub.get_dir
    """
    return os.path.join(_get_torch_home(), "hub") if _Cache.folder is None else _Cache.folder


def set_dir(d: Path) -> None:
    """Sets the folder of downloaded files.

    Source: https://docs.pytorch.org/docs/stable/hub.html#torch.hub.set_dir
    """
    _Cache.folder = os.path.expanduser(os.fspath(d))


def _get_torch_home() -> str:
    caches = os.getenv("XDG_CACHE_HOME", "~/.cache")
    return os.path.expanduser(os.getenv("TORCH_HOME", os.path.join(caches, "torch")))


def download_url_to_file(url: str, dst: Path, hash_prefix: str | None = None, progress: bool = True) -> None:
    """Downloads a file, whole or not at all.

    Args:
        url: where the file is.
        dst: the path of the file.
        hash_prefix: the first digits of the SHA-256 of the content, in hexadecimal.
        progress: whether a progress bar is shown, if tqdm is installed.

    Raises:
        RuntimeError: the content has another hash; nothing is written.

    Source: https://docs.pytorch.org/docs/stable/hub.html#torch.hub.download_url_to_file
    """
    digest = hashlib.sha256()
    with (
        replacing(dst, "hub.download_url_to_file") as file,
        urlopen(Request(url, headers={"User-Agent": "torch.hub"})) as response,
        tqdm(
            total=int(response.headers.get("Content-Length", 0)) or None,
            disable=not progress,
            unit="B",
            unit_scale=True,
        ) as bar,
    ):
        while chunk := response.read(CHUNK):
            file.write(chunk)
            digest.update(chunk)
            bar.update(len(chunk))
        if hash_prefix is not None and not digest.hexdigest().startswith(hash_prefix):
            raise RuntimeError(
                f"hub.download_url_to_file: got content with the SHA-256 {digest.hexdigest()}, expected one that "
                f"begins with {hash_prefix}; the file may have changed at {url}"
            )


def load_state_dict_from_url(
    url: str,
    model_dir: Path | None = None,
    map_location: Any = None,
    progress: bool = True,
    check_hash: bool = False,
    file_name: str | None = None,
    weights_only: bool = False,
) -> Any:
    """Reads a file of weights from a URL; it is downloaded the first time.

    Args:
        url: where the file is.
        model_dir: the folder of the file (default: `checkpoints` in `get_dir()`); it is made if it is missing.
        map_location: as in `td.load`.
        progress: whether a progress bar is shown, if tqdm is installed.
        check_hash: whether the name tells the first digits of the content's SHA-256: `name-0123abcd.pth`.
        file_name: the name of the file (default: the last part of the URL).
        weights_only: accepted; data alone is read in either case.

    Source: https://docs.pytorch.org/docs/stable/hub.html#torch.hub.load_state_dict_from_url
    """
    folder = os.path.join(get_dir(), "checkpoints") if model_dir is None else os.fspath(model_dir)
    name = os.path.basename(urlparse(url).path) if file_name is None else file_name
    path = os.path.join(folder, name)
    if not os.path.exists(path):
        os.makedirs(folder, exist_ok=True)
        found = HASH_REGEX.search(name) if check_hash else None
        download_url_to_file(url, path, found[1] if found else None, progress)
    return load(path, map_location)


load_url = load_state_dict_from_url
