"""Published models as they are: uᵀGu = ‖Jᵀu‖². Skipped where the packages are missing."""

import pytest
import torch
from gramstep.torch import Tangent
from gramstep.torch._guard import check_parts, squares

VISION = [
    "resnet18", "mobilenet_v3_small", "efficientnet_b0", "convnext_tiny", "swin_t", "swin_v2_t", "densenet121",
    "shufflenet_v2_x0_5", "squeezenet1_1", "vgg11_bn", "regnet_y_400mf",
]
LANGUAGE = ["bert", "gpt2", "vit", "llama", "t5 encoder", "deberta", "gpt2, tied words"]


def identity(model, arguments, outputs, dtype):
    model = model.to(dtype).eval()
    parameters = [p for p in model.parameters() if p.requires_grad]
    with torch.no_grad():
        for p in parameters:
            if not p.any():
                p.normal_(std=0.05)
    f = outputs(model(**arguments) if isinstance(arguments, dict) else model(arguments))
    tangent = Tangent(f, parameters)
    check_parts(tangent)
    u = torch.randn(tangent.n, tangent.k, dtype=dtype)
    flat = u.reshape(-1)
    gram, pulled = float(flat @ tangent.gram() @ flat), sum(squares(tangent.vjp(u)))
    # Some models compute in float32 inside whatever they are given.
    assert abs(gram / pulled - 1) < (1e-9 if tangent.epsilon < 1e-15 else 1e-3)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("name", VISION)
def test_models_of_torchvision(name, dtype):
    models = pytest.importorskip("torchvision.models", reason="torchvision is not installed")
    size = 32 if name.startswith(("resnet", "vgg")) else 64
    identity(getattr(models, name)(weights=None), torch.randn(3, 3, size, size, dtype=dtype), lambda f: f[:, :2], dtype)


def language(kind, transformers):
    """Model, arguments, and how its answer gives outputs."""
    words = torch.randint(3, 90, (3, 7))
    padding = torch.ones(3, 7, dtype=torch.long)
    padding[1, 5:] = 0
    small = {"vocab_size": 100, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}

    def logits(answer):
        return answer.logits

    if kind == "bert":
        made = transformers.BertForSequenceClassification(transformers.BertConfig(**small, num_labels=3))
        return made, {"input_ids": words, "attention_mask": padding}, logits
    if kind.startswith("gpt2"):
        config = transformers.GPT2Config(vocab_size=100, n_embd=32, n_layer=2, n_head=4, num_labels=3, pad_token_id=0)
        if "tied" in kind:
            return transformers.GPT2LMHeadModel(config), {"input_ids": words}, lambda answer: answer.logits[:, -1, :2]
        return transformers.GPT2ForSequenceClassification(config), {"input_ids": words}, logits
    if kind == "vit":
        del small["vocab_size"]
        config = transformers.ViTConfig(**small, image_size=32, patch_size=8, num_labels=3)
        return transformers.ViTForImageClassification(config), {"pixel_values": torch.randn(3, 3, 32, 32)}, logits
    if kind == "llama":
        config = transformers.LlamaConfig(**small, num_key_value_heads=2, num_labels=3, pad_token_id=0)
        return transformers.LlamaForSequenceClassification(config), {"input_ids": words}, logits
    if kind == "deberta":
        config = transformers.DebertaV2Config(**small, relative_attention=True, pos_att_type=["p2c", "c2p"], num_labels=3)
        return transformers.DebertaV2ForSequenceClassification(config), {"input_ids": words}, logits
    config = transformers.T5Config(vocab_size=100, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4)
    return transformers.T5EncoderModel(config), {"input_ids": words}, lambda answer: answer.last_hidden_state.mean(1)[:, :2]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("kind", LANGUAGE)
def test_models_of_hugging_face(kind, dtype):
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    model, arguments, outputs = language(kind, transformers)
    arguments = {name: a.to(dtype) if a.is_floating_point() else a for name, a in arguments.items()}
    identity(model, arguments, outputs, dtype)
