import pytest
import torch

from ae_pipelines.base.errors import InputError
from ae_pipelines.training.checkpoints import CheckpointFile


def test_a_checkpoint_gives_back_tensors_and_state_exactly(tmp_path):
    file = CheckpointFile(tmp_path / "a.checkpoint")
    tensors = {"w": torch.randn(3, 4), "rng": torch.get_rng_state(), "step": torch.tensor(3.0)}
    state = {"loss": 0.1 + 0.2, "history": [{"epoch": 1}]}
    file.save(tensors, state)
    found, found_state = file.load()
    assert found_state == state
    for name, tensor in tensors.items():
        assert torch.equal(found[name], tensor)


def test_no_file_is_no_checkpoint(tmp_path):
    assert CheckpointFile(tmp_path / "none").load() is None


@pytest.mark.parametrize("place", [4, 100, -40, -1])
def test_a_flipped_bit_is_noticed(tmp_path, place):
    file = CheckpointFile(tmp_path / "a.checkpoint")
    file.save({"w": torch.zeros(50)}, {"a": 1})
    content = bytearray(file.path.read_bytes())
    content[place] ^= 1
    file.path.write_bytes(content)
    with pytest.raises(InputError, match="damaged: delete it to train afresh"):
        file.load()
