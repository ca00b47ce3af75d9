"""conf/default.toml ← conf/PROFILE.toml ← NEXTCLICK_SECTION__KEY → Settings, checked."""

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from nextclick.conf_files import toml
from nextclick.errors import SettingsError
from nextclick.lake.paths import Lake, lake_at, model_store
from nextclick.object_store.bucket import Endpoint
from nextclick.settings.sections import DEFAULT_CONF, Settings
from nextclick.settings.servers import ServerSettings, SharingSettings

_PREFIX = "NEXTCLICK_"
_SECRET_CHARS = 16
_KEYS = (("collector", "write_keys"), ("serving", "read_keys"))
"""Tables that may stand in a file of their own, which NAME_file names."""
_OF_SERVERS = ("secret_key", "signing_secret")
_SECRETS = {"collector": _OF_SERVERS, "serving": _OF_SERVERS, "bi": ("password",), "triggers": ("secret",)}


def load(
    lake: str | Path | None = None,
    conf_dir: str | Path | None = None,
    profile: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Read, merge and check the settings.

    Arguments win over NEXTCLICK_LAKE, NEXTCLICK_CONF_DIR and NEXTCLICK_PROFILE.
    Raises SettingsError, which names the key, its file or variable, and the limit.
    """
    env = {
        key.removeprefix(_PREFIX): value
        for key, value in (os.environ if environ is None else environ).items()
        if key.startswith(_PREFIX)
    }
    root, conf, chosen = env.pop("LAKE", "lake"), env.pop("CONF_DIR", DEFAULT_CONF), env.pop("PROFILE", None)
    folder, profile = Path(conf_dir or conf).expanduser().resolve(), profile or chosen
    checked = _checked(_tree(folder, profile, env), folder, profile)
    _require_long_secrets(checked)
    _require_what_belongs_together(checked)
    place = _lake(lake or root, checked)
    return msgspec.structs.replace(checked, lake=place, conf_dir=folder, profile=profile)


def _tree(folder: Path, profile: str | None, env: Mapping[str, str]) -> dict[str, Any]:
    """What the files and the environment say, merged and not yet checked."""
    tree = _read(folder / "default.toml")
    if profile:
        if not re.fullmatch(r"[A-Za-z0-9_-]+", profile):
            raise SettingsError(f"The profile {profile!r} is not a plain name; it stands for conf/NAME.toml.")
        _merge(tree, _read(folder / f"{profile}.toml"))
    for key, text in env.items():
        _set(tree, key, text)
    for section, name in _KEYS:
        if path := tree.get(section, {}).get(f"{name}_file"):
            _merge(tree[section], {name: _read_keys(Path(path).expanduser(), f"{section}.{name}_file")})
    return tree


def _checked(tree: dict[str, Any], folder: Path, profile: str | None) -> Settings:
    try:
        return msgspec.convert(tree, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(
            f"A setting is wrong: {error}. Look it up in {folder / 'default.toml'}"
            + (f", {profile}.toml" if profile else "")
            + " or in the environment (NEXTCLICK_SECTION__KEY)."
        ) from error


def _require_long_secrets(settings: Settings) -> None:
    """SettingsError for a secret that can be guessed."""
    for section, names in _SECRETS.items():
        for name in names:
            secret: str = getattr(getattr(settings, section), name)
            if 0 < len(secret) < _SECRET_CHARS:
                raise SettingsError(
                    f"{section}.{name} has {len(secret)} characters and can be guessed: take at least {_SECRET_CHARS}, "
                    "such as `openssl rand -hex 32` prints."
                )


def _require_what_belongs_together(settings: Settings) -> None:
    """SettingsError for values that are right each by itself, and wrong together."""
    servers: dict[str, ServerSettings | SharingSettings] = {
        "collector": settings.collector,
        "serving": settings.serving,
        "sharing": settings.sharing,
    }
    for name, server in servers.items():
        if bool(server.tls_certificate) != bool(server.tls_key):
            raise SettingsError(f"{name}.tls_certificate and {name}.tls_key belong together: set both, or neither.")
    if settings.collector.sink == "kafka" and settings.streaming.source == "bucket":
        raise SettingsError(
            "collector.sink is kafka, and streaming.source is bucket: bronze would read nothing of what comes. Set both to kafka, or "
            "collector.sink to landing."
        )


def _lake(root: str | Path, settings: Settings) -> Lake:
    endpoint = Endpoint(settings.storage.endpoint.rstrip("/"), settings.storage.region)
    models = model_store(settings.mlflow.uri, settings.mlflow.artifacts, endpoint)
    place = lake_at(root, endpoint, settings.storage.beside, ships=settings.streaming.source == "bucket")
    there = next((path for path in (place.root, *place.root.parents) if os.path.exists(path)), place.root)
    if os.path.isfile(there):
        raise SettingsError(
            f"The lake {place.root} can be no folder, since {there} is a file. Name another with --lake."
        )
    return replace(place, models=models)


def environment(settings: Settings, **more: str) -> dict[str, str]:
    """The environment of a child process that is to load these same settings; `more` wins over what is there."""
    ours = {"LAKE": settings.lake.data, "CONF_DIR": str(settings.conf_dir), "PROFILE": settings.profile or ""}
    return {**os.environ, **{_PREFIX + key: value for key, value in ours.items()}, **more}


def hand_down(settings: Settings, **more: str) -> None:
    """Let the child processes that a library starts load these same settings; `more` are other variables for them."""
    os.environ.update(environment(settings, **more))


def handed_down(name: str) -> str:
    """What `hand_down` said to this process; "" where nobody did."""
    return os.environ.get(name, "")


def _read(path: Path) -> dict[str, Any]:
    try:
        return toml(path)
    except FileNotFoundError as error:
        raise SettingsError(f"{path} is not there. Name a folder that has it with --conf-dir.") from error
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path} cannot be read as TOML: {error}.") from error


def _read_keys(path: Path, setting: str) -> dict[str, Any]:
    """Keys that stand in a file of their own: JSON where it is named so, else TOML."""
    try:
        keys = msgspec.json.decode(path.read_bytes()) if path.suffix == ".json" else toml(path)
    except (OSError, ValueError) as error:
        raise SettingsError(f"{setting} names {path}, which cannot be read: {error}.") from error
    if not isinstance(keys, dict):
        raise SettingsError(f"{setting} names {path}, which is no table of keys (docs/deploy.md shows one).")
    return keys


def _merge(base: dict[str, Any], over: dict[str, Any]) -> None:
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            _merge(base[key], value)
        else:
            base[key] = value


def _set(tree: dict[str, Any], variable: str, text: str) -> None:
    *sections, key = variable.lower().split("__")
    for section in sections:
        tree = tree.get(section, {})
    if not isinstance(tree, dict) or (key not in tree):
        raise SettingsError(
            f"{_PREFIX}{variable} names no setting. The form is NEXTCLICK_SECTION__KEY; the keys are in conf/default.toml."
        )
    kind = "table" if isinstance(tree[key], dict) else "list" if isinstance(tree[key], list) else None
    tree[key] = _decoded(variable, text, kind) if kind else text


def _decoded(variable: str, text: str, kind: str) -> Any:
    """A table or a list as the environment holds it."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise SettingsError(
            f"{_PREFIX}{variable} stands for a {kind}, which the environment holds as JSON: {error}."
        ) from error
