"""A run that is told to end."""

import signal
import threading


class sigterm_as_exit:  # noqa: N801
    """Within this block SIGTERM ends the process as `SystemExit`, so that the run is closed on the way out."""

    def __enter__(self) -> None:
        self._here = threading.current_thread() is threading.main_thread()
        if self._here:
            self._before = signal.signal(signal.SIGTERM, self._exit)

    def __exit__(self, *_: object) -> None:
        if self._here:
            signal.signal(signal.SIGTERM, self._before)

    @staticmethod
    def _exit(*_: object) -> None:
        raise SystemExit(128 + signal.SIGTERM)
