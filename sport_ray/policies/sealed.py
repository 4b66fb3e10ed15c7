"""Objects that carry a promise, and so cannot be changed once they are built."""

from __future__ import annotations

from typing import Any, NoReturn, Self


class Sealed:
    """An object whose attributes can be set until ``seal`` is called, and never again."""

    def seal(self) -> Self:
        """From here on nothing about it changes."""
        self.__dict__["_sealed"] = True
        return self

    def __setattr__(self, name: str, value: Any) -> None:
        if "_sealed" in self.__dict__:
            self._refuse(name)
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        if "_sealed" in self.__dict__:
            self._refuse(name)
        super().__delattr__(name)

    def _refuse(self, name: str) -> NoReturn:
        raise AttributeError(
            f"{type(self).__name__}.{name} cannot be changed: a promise rests on it"
        )
