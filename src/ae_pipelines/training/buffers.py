"""Memory for samples that are streamed: read into on the host, drawn from on the device."""

from typing import Any

import torch
from torch import Tensor


class Memory:
    """Room for one buffer of samples.

    On a CPU it is read into and drawn from at once. For CUDA there is page-locked memory that a thread reads into, and
    room on the device that it is copied to on a stream of its own, so that nobody waits for a copy but what needs it.
    """

    def __init__(self, shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> None:
        self._device, self._on_cuda = device, device.type == "cuda"
        self.read = torch.empty(shape, dtype=dtype, pin_memory=self._on_cuda)
        """What the reading thread fills."""
        self.values = self.read if device.type == "cpu" else torch.empty(shape, dtype=dtype, device=device)
        """What samples are drawn from, once `receive` has been called."""
        if self._on_cuda:
            self._stream: Any = torch.cuda.Stream(device)
            self._copied: Any = torch.cuda.Event()  # past, until it is recorded
            self._used: Any = torch.cuda.Event()
            self.values.record_stream(self._stream)  # not to be reused while it is copied to

    def wait_until_sent(self) -> None:
        """In the reading thread, before it fills `read` again."""
        if self._on_cuda:
            self._copied.synchronize()

    def send(self, *positions: Tensor) -> tuple[Tensor, ...]:
        """In the reading thread: `read`, and these, on their way to the device."""
        if not self._on_cuda:
            if self.values is not self.read:
                self.values.copy_(self.read)
            return tuple(each.to(self._device) for each in positions)
        with torch.cuda.stream(self._stream):
            self._stream.wait_event(self._used)
            self.values.copy_(self.read, non_blocking=True)
            sent = tuple(each.pin_memory().to(self._device, non_blocking=True) for each in positions)
            self._copied.record(self._stream)
        return sent

    def receive(self, *positions: Tensor) -> None:
        """In the thread that draws: from now on its stream may use `values`, and these."""
        if self._on_cuda:
            stream = torch.cuda.current_stream(self._device)
            stream.wait_event(self._copied)
            for each in positions:
                each.record_stream(stream)

    def used_up(self) -> None:
        """In the thread that draws: what was drawn so far is all, so `values` may be overwritten after it."""
        if self._on_cuda:
            self._used.record(torch.cuda.current_stream(self._device))
