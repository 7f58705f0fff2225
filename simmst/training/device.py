"""Where the network computes."""

import torch

from simmst.errors import ConfigError

DEVICES = ("auto", "cpu", "cuda", "mps")


def resolve_device(name: str = "auto", mixed_precision: bool = False) -> torch.device:
    """Find the device that a setting means.

    Parameters
    ----------
    name : {"auto", "cpu", "cuda", "mps"}
        "auto" takes a GPU where torch sees one, else the CPU. "cuda" may name a card, as in "cuda:1"; without a
        number it is torch's current one.
    mixed_precision : bool
        Whether the device must know bfloat16.

    Returns
    -------
    torch.device

    Raises
    ------
    ConfigError
        If the device is unknown, absent here, or lacks bfloat16 where that was asked for.
    """
    kind = name.partition(":")[0]
    if kind not in DEVICES or (kind != "cuda" and kind != name):
        raise ConfigError(f"device must be one of {', '.join(DEVICES)}, or cuda:NUMBER, got {name!r}")
    here = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if kind == "auto":
        kind = name = next(found for found in ("cuda", "mps", "cpu") if here[found])
    if not here[kind]:
        known = ", ".join(found for found, there in here.items() if there)
        raise ConfigError(f"device {name!r}: this torch sees none; it sees {known}: choose that, or auto")
    if kind != "cuda":
        return torch.device(kind)
    number = name.partition(":")[2]
    if number and not (number.isdigit() and int(number) < torch.cuda.device_count()):
        raise ConfigError(f"device {name!r}: torch sees the cards 0 to {torch.cuda.device_count() - 1}")
    device = torch.device("cuda", int(number) if number else torch.cuda.current_device())
    if mixed_precision and torch.cuda.get_device_capability(device) < (8, 0) and torch.version.hip is None:
        raise ConfigError(f"mixed_precision: {torch.cuda.get_device_name(device)} has no bfloat16; switch it off")
    return device
