"""The name that `eliot.parse` had at first, for programs that still use it."""

from __future__ import annotations

import sys

import eliot.parse

sys.modules[__name__] = eliot.parse
