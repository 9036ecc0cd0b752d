"""How many simulated coverages are judged together, so that chance alone hardly ever fails them and a mistake does.

Each check counts how often a region covers in some draws, and what is promised is an interval of probabilities, such as
``[c, c + 1 / (n + 1)]``. Its own interval is the binomial one of 99 %: from the lower end for the least probability to
the upper end for the largest. Of a thousand such checks ten may lie outside by chance, so a seed at which none does
would have to be looked for. None is: all draws begin at seed 0, and two rules judge the whole family of checks:

- none lies outside the interval of level ``1 - 0.01 / checks``. By Bonferroni's inequality, which holds however the
  checks depend on each other, a family that is right fails this in at most 1 of 100 runs;
- of all, no larger share lies outside its own 99 % interval than the upper 99.9 % point of a binomial law of 1 % among
  as many trials as there are sets of draws. Checks that stand on the same draws may fail together; the share varies
  most if they only ever fail all at once, and then those of a set are one trial.

The first sees one check that is far off, the second many that are a little off.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from scipy import stats

#: The level of a check's own interval, and of the two rules of a family.
OWN, FAMILY, SHARE = 0.99, 0.99, 0.999


@dataclass(frozen=True)
class Check:
    """How often something was covered.

    Attributes:
        what: in words.
        draws: which set of draws it stands on; checks with the same may fail together.
        hits: how many were covered.
        count: of so many.
        low: the least probability that is right.
        high: the largest.
    """

    what: str
    draws: Hashable
    hits: int
    count: int
    low: float
    high: float = 1.0

    def within(self, level: float) -> bool:
        """Whether the hits lie in the binomial interval of a level."""
        tail = (1 - level) / 2
        least = stats.binom.ppf(tail, self.count, min(self.low, 1.0))
        most = stats.binom.isf(tail, self.count, min(self.high, 1.0))
        return bool(least <= self.hits <= most)


def judge(checks: Sequence[Check]) -> None:
    """Fail unless a family of checks keeps both rules."""
    assert checks
    level = 1 - (1 - FAMILY) / len(checks)
    assert [check for check in checks if not check.within(level)] == []
    outside = [check for check in checks if not check.within(OWN)]
    trials = len({check.draws for check in checks})
    most = stats.binom.ppf(SHARE, trials, 1 - OWN) / trials
    assert len(outside) / len(checks) <= most, f"{len(outside)} of {len(checks)} lie outside: {outside[:20]}"
