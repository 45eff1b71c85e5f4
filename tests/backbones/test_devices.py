import torch

from gaborscope.backbones.devices import autocasts


def test_auto_precision_is_float32_where_bf16_is_not_native(monkeypatch):
    device = torch.device("cpu")
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    assert not autocasts("auto", device)
    assert autocasts("bf16", device)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    assert autocasts("auto", device)
    assert not autocasts("float32", device)
