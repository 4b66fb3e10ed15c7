"""Which device scenarios ran on, as a certificate records it, and whether it is here.

The last bits of a robot's step are a device's own, and a servo that is not saturated makes
centimetres of them. So rows that a GPU made are run again on a GPU of the same name, or not at all.
"""

from __future__ import annotations

import torch

from sport_ray.errors import UserError


def device_name(device: torch.device) -> str:
    """What a certificate says of it."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)


def device_named(name: str) -> str:
    """The device of that name in this process.

    Raises:
        UserError: there is none.
    """
    if name == "cpu":
        return name
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    for index in range(count):
        if torch.cuda.get_device_name(index) == name:
            return f"cuda:{index}"
    here = torch.cuda.get_device_name(0) if count else "no CUDA device"
    raise UserError(
        f"the certificate's scenarios ran on {name}, here is {here}: their rows can be run again "
        "only there; verify where one is, or run `sport-ray certify` for this study here"
    )
