"""Python's garbage collector while a run starts; `settings` imports this first, since importing it has the effect."""

import gc

from kedro.framework.hooks import hook_impl

RARELY = 100_000
"""New objects between two collections. By default it is 700: what imports leave behind, hardly any of it garbage, would
be looked through a thousand times, which is a sixth of a start."""

_usual = gc.get_threshold()
gc.set_threshold(RARELY, *_usual[1:])


class StartHook:
    """Has garbage collected as usual from the first node on."""

    @hook_impl
    def before_pipeline_run(self) -> None:
        gc.set_threshold(*_usual)
