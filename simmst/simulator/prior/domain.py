"""The values that a parameter may have: any prior is held to them, and its widened ranges end there."""

from __future__ import annotations

from dataclasses import dataclass, replace

from simmst.errors import ConfigError
from simmst.simulator.prior.distributions import Choice, Distribution, LogUniform, Normal, Uniform

# Deviations (of the widened normal) that must lie in the domain: one draw of 500 million falls beyond.
_REACH = 6.0


@dataclass(frozen=True, slots=True)
class Domain:
    """All numbers in [low, high], or the whole ones alone.

    Parameters
    ----------
    low, high : float
        The smallest and the largest value.
    whole : bool
        Whether only whole numbers have a meaning, as for a switch or the hour of a week.
    """

    low: float
    high: float
    whole: bool = False

    def __contains__(self, x: float) -> bool:
        return self.low <= x <= self.high and (not self.whole or float(x).is_integer())

    def __str__(self) -> str:
        if not self.whole:
            return f"in [{self.low:g}, {self.high:g}]"
        between = "or" if self.high == self.low + 1 else "to"
        return f"a whole number, {self.low:g} {between} {self.high:g}"

    def check(self, name: str, distribution: Distribution) -> None:
        """Refuse a distribution with values outside.

        Parameters
        ----------
        name : str
            Of the parameter, for the message.
        distribution : Distribution
            Its distribution. Of a normal one, six deviations (widened ones) on both sides must lie inside.

        Raises
        ------
        ConfigError
            Names the parameter, the first value outside, and the domain.
        """
        match distribution:
            case Choice(values=values):
                reached, how = values, ""
            case Normal(nominal=mean):
                reach = _REACH * distribution.wide().sd
                reached, how = (mean - reach, mean + reach), f" (six widened deviations from {mean:g})"
            case Uniform(low=low, high=high) | LogUniform(low=low, high=high):
                reached, how = (low, high), ""
        for value in reached:
            if value not in self:
                raise ConfigError(f"{name}: {value:g}{how} is outside its domain: it must be {self}")
        if self.whole and not isinstance(distribution, Choice):
            raise ConfigError(f"{name}: must be {self}, so its distribution must be a choice")
        try:  # rather than in the middle of a run
            distribution.near(), distribution.wide()
        except ConfigError as error:
            raise ConfigError(f"{name}: its range cannot be narrowed and widened ({error})") from None

    def limit(self, distribution: Distribution) -> Distribution:
        """Cut off what of a range lies outside; a choice or a normal distribution stays as it is."""
        match distribution:
            case Uniform(low=low, high=high) | LogUniform(low=low, high=high):
                return replace(distribution, low=max(low, self.low), high=min(high, self.high))
        return distribution
